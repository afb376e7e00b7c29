//! Resources of a collection, watched.
//!
//! What there is comes out of the store, what happens out of the journal of events; both are documents of the same
//! kind. Of what does not lie in the row (whether the plugin answers, how far its last operation is) a watcher is told
//! what it was when the row changed: who wants to follow an operation watches that.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::Asked;
use crate::event::Event;
use crate::http::problem::Problem;
use crate::http::respond;
use crate::http::watch::{Filters, Item, Page, Source};
use crate::identity::{Caller, ProjectId, Scope, Visible};
use crate::resource::query::{FieldMask, Members, Selection};
use crate::resource::reads::{End, Reads};
use crate::resource::rows::Key;
use crate::resource::write::Collection;

/// The most resources of a part of a watched list.
pub(super) const PART: u64 = 100;

/// Which of a collection.
#[derive(Debug)]
pub(super) struct OfResources {
    reads: Reads,
    collection: Collection,
    /// What they hang under: it, its project, and the instance at the top.
    parent: Option<(Uuid, ProjectId, Uuid)>,
    /// Those of this project.
    project: Option<ProjectId>,
    /// Those that this lets through.
    selection: Selection,
    filters: Filters,
    /// The members that are shown.
    fields: Option<Arc<FieldMask>>,
    /// Only this one.
    only: Option<Uuid>,
}

/// What is asked of them.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) selection: Selection,
    pub(super) filters: Filters,
    pub(super) fields: Option<Arc<FieldMask>>,
    pub(super) only: Option<Uuid>,
}

impl OfResources {
    pub(super) fn new(
        asked: &Asked<'_>,
        parent: Option<(Uuid, ProjectId, Uuid)>,
        wanted: Wanted,
    ) -> Self {
        let Wanted { selection, filters, fields, only } = wanted;
        let (reads, collection) = (asked.state.reads.clone(), asked.place.collection.clone());
        let project = asked.project;
        Self { reads, collection, parent, project, selection, filters, fields, only }
    }

    fn permission(&self) -> String {
        self.collection.model.permission("read")
    }

    /// What the caller may read of a collection under the type itself.
    fn visible(&self, caller: &Caller) -> Visible {
        let (permission, slug) = (self.permission(), &*self.collection.model.slug);
        match self.project {
            Some(project) => caller.visible_in(&permission, slug, project),
            None => caller.visible(&permission, slug),
        }
    }

    /// Whether the caller may read what hangs under the parent, or one without a parent.
    fn may_read(&self, caller: &Caller, project: ProjectId, instance: Uuid) -> bool {
        let slug = Some(&*self.collection.model.slug);
        caller.allows(&self.permission(), &Scope { project, slug, instance: Some(instance) })
    }

    async fn one(&self, id: Uuid, caller: &Caller) -> Result<Vec<Item>, Problem> {
        let Collection { model, .. } = &self.collection;
        let above = self.parent.map(|(parent, _project, _top)| parent);
        let found = self.reads.one(model, above, Key::Id(id), &self.collection.seen()).await;
        let found = found.map_err(|error| respond::internal(&error))?;
        let instance = self.parent.map_or(id, |(_parent, _project, top)| top);
        let seen = found.filter(|it| self.may_read(caller, it.project, instance));
        Ok(seen.iter().map(|it| self.item(&it.text)).collect())
    }

    fn item(&self, text: &[u8]) -> Item {
        let document: Value = serde_json::from_slice(text).expect("a document is JSON");
        let member = |name: &str| document[name].as_str().unwrap_or_default();
        Item {
            id: member("id").into(),
            revision: revision_of(member("etag")),
            object: self.shown(&document),
        }
    }

    fn shown(&self, document: &Value) -> String {
        let Some(mask) = &self.fields else { return document.to_string() };
        let mut document = document.clone();
        mask.apply(&mut document);
        document.to_string()
    }
}

/// An etag says the generation, then the revision.
fn revision_of(etag: &str) -> i64 {
    let revision = etag.trim_matches('"').split('-').nth(1).unwrap_or_default();
    i64::from_str_radix(revision, 16).unwrap_or_default()
}

impl Source for OfResources {
    async fn page(&self, caller: &Caller, after: Option<String>) -> Result<Page, Problem> {
        if let Some(id) = self.only {
            return Ok(Page { items: self.one(id, caller).await?, more_after: None });
        }
        let Collection { model, .. } = &self.collection;
        let members = Members::of(&model.declared);
        let above = self.parent.map(|(parent, _project, _top)| parent);
        let mut selection = self.selection.clone().under(&members, above);
        if let Some(project) = self.project {
            selection = selection.of_project(&members, project);
        }
        selection = match self.parent {
            None => selection.seen_as(&members, &self.visible(caller)),
            Some((_parent, project, top)) if self.may_read(caller, project, top) => selection,
            Some(_) => return Ok(Page { items: Vec::new(), more_after: None }),
        };
        let after = after.and_then(|keys| selection.order.read(&keys));
        let selection = selection.behind(after);
        let page = self.reads.select(model, &selection, &self.collection.seen()).await;
        let page = page.map_err(|error| respond::internal(&error))?;
        let items = page.each.iter().map(|range| self.item(&page.items[range.clone()]));
        let more_after = page.more_after.as_ref().map(|End { keys, .. }| keys.clone());
        Ok(Page { items: items.collect(), more_after })
    }

    fn concerns(&self, event: &Event) -> bool {
        let Collection { model, .. } = &self.collection;
        event.slug == model.slug
            && event.collection == model.collection()
            && self.only.is_none_or(|only| *event.id == *only.to_string())
            && self.parent.is_none_or(|(parent, ..)| event.parent == Some(parent))
            && self.project.is_none_or(|project| event.project == Some(project))
    }

    fn filters(&self) -> Filters {
        self.filters
    }

    fn passes(&self, object: &Value) -> bool {
        self.selection.matches(object)
    }

    fn show(&self, event: &Event) -> String {
        if self.fields.is_some() { self.shown(event.object()) } else { event.document.clone() }
    }

    fn rights(&self, caller: &Caller) -> String {
        match self.parent {
            Some((_parent, project, top)) => format!("{}", self.may_read(caller, project, top)),
            None => format!("{:?}", self.visible(caller)),
        }
    }
}
