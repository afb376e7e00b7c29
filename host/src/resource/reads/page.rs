//! A page of documents, as it grows.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{CellError, Cells, PageKey, Sink, at, document, id_of};
use crate::model::ResourceModel;
use crate::resource::cells::MomentText;
use crate::resource::document::Seen;
use crate::resource::query::Order;
use crate::timestamp::Timestamp;

/// What is reserved for a document.
const DOCUMENT_BYTES: usize = 768;

/// A page of documents.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The documents, with commas between.
    pub(crate) items: Vec<u8>,
    /// Where each of them is.
    pub(crate) each: Vec<Range<usize>>,
    /// The last item, if there are more behind it.
    pub(crate) more_after: Option<End>,
}

/// The item at the end of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Its keys in the order of the page.
    pub(crate) keys: String,
    /// Its id.
    pub(crate) id: Uuid,
}

/// By what a page is ordered.
#[derive(Debug)]
pub(super) enum Keys {
    /// By age.
    Age,
    /// As somebody asked for.
    Of(Order),
}

/// See the module. One row more than asked for is read, to know whether there are more.
pub(super) struct Growing {
    model: Arc<ResourceModel>,
    seen: Seen,
    n_left: u64,
    page: Page,
    keys: Keys,
    last: Option<End>,
}

impl Growing {
    pub(super) fn new(model: &Arc<ResourceModel>, seen: &Seen, n_max: u64, keys: Keys) -> Self {
        let n_likely = usize::try_from(n_max.min(64)).unwrap_or_default();
        let items = Vec::with_capacity(n_likely * DOCUMENT_BYTES);
        let page = Page { items, ..Page::default() };
        let (model, seen) = (Arc::clone(model), seen.clone());
        Self { model, seen, n_left: n_max, page, keys, last: None }
    }

    pub(super) fn done(self) -> Page {
        self.page
    }

    /// The keys of the row as they are in a page token.
    fn keys_of(&self, cells: &impl Cells) -> Result<String, CellError> {
        match &self.keys {
            Keys::Age => Ok(key_of(cells)?.to_string()),
            Keys::Of(order) => {
                let mut whole = Vec::with_capacity(DOCUMENT_BYTES);
                let seen = Seen { fields: None, ..self.seen.clone() };
                document::write(&mut whole, &self.model, cells, &seen)?;
                let document: Value = serde_json::from_slice(&whole).expect("a document is JSON");
                Ok(order.keys_of(&document))
            }
        }
    }
}

impl Sink for Growing {
    fn take(&mut self, cells: &impl Cells) -> Result<(), CellError> {
        let Some(n_left) = self.n_left.checked_sub(1) else {
            self.page.more_after = self.last.take();
            return Ok(());
        };
        self.n_left = n_left;
        if !self.page.items.is_empty() {
            self.page.items.push(b',');
        }
        let begin = self.page.items.len();
        document::write(&mut self.page.items, &self.model, cells, &self.seen)?;
        self.page.each.push(begin..self.page.items.len());
        if n_left == 0 {
            self.last = Some(End { keys: self.keys_of(cells)?, id: id_of(cells, at::ID)? });
        }
        Ok(())
    }
}

fn key_of(cells: &impl Cells) -> Result<PageKey, CellError> {
    let mut moment: MomentText = [0; 24];
    let created_at = cells.moment(at::CREATED_AT, &mut moment)?.map(str::to_owned);
    let created_at = created_at.and_then(|text| Timestamp::try_from(text).ok());
    let created_at = created_at.ok_or(CellError { index: at::CREATED_AT, source: None })?;
    Ok(PageKey { created_at, id: id_of(cells, at::ID)? })
}
