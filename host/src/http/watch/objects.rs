//! Watching the objects of a list: what there is, and then what becomes of it.

use std::sync::Arc;

use serde_json::Value;

use super::join::{Filters, Join};
use super::{Shown, Teller};
use crate::event::{Change, Event, Events};
use crate::http::problem::Problem;
use crate::http::{respond, visible};
use crate::identity::Caller;

/// A list that can be watched.
pub(crate) trait Source: Send + Sync + 'static {
    /// A part of what the caller may see of it, and where the next part begins.
    fn page(
        &self,
        caller: &Caller,
        after: Option<String>,
    ) -> impl Future<Output = Result<Page, Problem>> + Send;

    /// Whether the event is about a thing that may be in it, whatever its state.
    fn concerns(&self, event: &Event) -> bool;

    /// Whether there is a filter that a thing can begin or stop to pass.
    fn filters(&self) -> Filters;

    /// Whether a thing passes the filter.
    fn passes(&self, object: &Value) -> bool;

    /// The thing of an event, as the list shows it.
    fn show(&self, event: &Event) -> String;

    /// The rights that decide what is in it.
    fn rights(&self, caller: &Caller) -> String;
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// What it holds.
    pub(crate) items: Vec<Item>,
    /// Where the next part begins; nothing: it was the last.
    pub(crate) more_after: Option<String>,
}

/// An object of a list.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its id.
    pub(crate) id: Arc<str>,
    /// How often it was changed.
    pub(crate) revision: i64,
    /// It, as JSON.
    pub(crate) object: String,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Objects<S> {
    source: S,
    events: Events,
    join: Join,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    From(Option<String>),
    Done,
}

impl<S: Source> Objects<S> {
    /// With the list first.
    pub(super) fn listed(source: S, events: Events) -> Self {
        let join = Join::reading(source.filters());
        Self { source, events, join, reading: Reading::From(None) }
    }

    /// Going on.
    pub(super) fn resumed(source: S, events: Events) -> Self {
        let join = Join::resumed(source.filters());
        Self { source, events, join, reading: Reading::Done }
    }

    /// Whether the thing of the event passed the filter before it; what is not known is taken for what passed.
    async fn passed_before(&self, event: &Event) -> Result<bool, Problem> {
        if event.change == Change::Added {
            return Ok(false);
        }
        let Event { slug, collection, id, number, .. } = event;
        let before = self.events.last_of(slug, collection, id, number - 1).await;
        let before = before.map_err(|error| respond::internal(&error))?;
        Ok(before.is_none_or(|before| {
            before.change != Change::Deleted && self.source.passes(before.object())
        }))
    }
}

impl<S: Source> Teller for Objects<S> {
    async fn snapshot(&mut self, caller: &Caller) -> Result<Option<Vec<Shown>>, Problem> {
        let Reading::From(after) = &mut self.reading else { return Ok(None) };
        let Page { items, more_after } = self.source.page(caller, after.take()).await?;
        self.reading = match more_after {
            Some(after) => Reading::From(Some(after)),
            None => Reading::Done,
        };
        let join = &mut self.join;
        let shown = items.into_iter().map(|Item { id, revision, object }| {
            join.listed(id, revision);
            Shown { change: Change::Added, object }
        });
        Ok(Some(shown.collect()))
    }

    fn joined(&mut self, horizon: i64) {
        self.join.read(horizon);
    }

    async fn tell(&mut self, event: &Event, caller: &Caller) -> Result<Option<Shown>, Problem> {
        if !self.source.concerns(event) || !visible::sees_event(caller, event) {
            return Ok(None);
        }
        if self.join.asks_about(event) {
            let passed = self.passed_before(event).await?;
            self.join.learn(&event.id, passed);
        }
        let passes = match self.source.filters() {
            Filters::Nothing => true,
            Filters::Something => self.source.passes(event.object()),
        };
        let news = self.join.news(event, passes);
        Ok(news.map(|change| Shown { change, object: self.source.show(event) }))
    }

    fn rights(&self, caller: &Caller) -> String {
        self.source.rights(caller)
    }
}
