//! Operations that a caller may see: a part of a list, and the same watched.

use serde_json::Value;

use super::document;
use crate::event::{Event, Events};
use crate::http::problem::Problem;
use crate::http::watch::{Filters, Item, Page, Source};
use crate::http::{respond, visible};
use crate::identity::Caller;
use crate::operation::{About, Filter, Operation, OperationId, Operations, Order, Slice};

/// So many parts are looked through for one that is full: somebody may see hardly any of many.
const LOOKS_MAX: usize = 20;

/// The most operations of a part of a watched list.
const PART: u64 = 100;

/// Which of the operations that there are.
#[derive(Debug)]
pub(super) struct OfOperations {
    pub(super) operations: Operations,
    /// Those that this lets through.
    pub(super) filter: Filter,
    /// Only this one.
    pub(super) only: Option<OperationId>,
}

/// A part of the list, with the key of its last if there may be more.
pub(super) async fn page(
    operations: &Operations,
    caller: &Caller,
    filter: &Filter,
    order: Order,
    slice: Slice,
) -> Result<(Vec<Operation>, Option<OperationId>), Problem> {
    let Slice { mut after, n_max } = slice;
    let is_full = |items: &Vec<Operation>| items.len() as u64 >= n_max;
    let mut items: Vec<Operation> = Vec::new();
    for _look in 0..LOOKS_MAX {
        let part = operations.list(filter, order, Slice { after, n_max }).await;
        let part = part.map_err(|error| respond::internal(&error))?;
        for operation in part.items {
            if !visible::sees_operation(caller, &operation) {
                continue;
            }
            if is_full(&items) {
                let last = items.last().map(|last| last.id);
                return Ok((items, last));
            }
            items.push(operation);
        }
        let Some(more_after) = part.more_after else { return Ok((items, None)) };
        if is_full(&items) {
            break;
        }
        after = Some(more_after);
    }
    let last = items.last().filter(|_| is_full(&items)).map(|last| last.id);
    Ok((items, last.or(after)))
}

impl Source for OfOperations {
    async fn page(&self, caller: &Caller, after: Option<String>) -> Result<Page, Problem> {
        let Self { operations, filter, only } = self;
        let (items, more_after) = match only {
            Some(id) => {
                let found = operations.get(*id).await;
                let found = found.map_err(|error| respond::internal(&error))?;
                let seen = found.filter(|found| visible::sees_operation(caller, found));
                (seen.into_iter().collect(), None)
            }
            None => {
                let after = after.and_then(|after| after.parse().ok());
                let slice = Slice { after, n_max: PART };
                page(operations, caller, filter, Order::OldestFirst, slice).await?
            }
        };
        let items = items.iter().map(|operation| Item {
            id: operation.id.to_string().into(),
            revision: operation.revision,
            object: serde_json::to_string(&document::of(operation, operations))
                .expect("an operation is strings, numbers and JSON values"),
        });
        Ok(Page { items: items.collect(), more_after: more_after.map(|id| id.to_string()) })
    }

    fn concerns(&self, event: &Event) -> bool {
        let Self { operations: _, filter: Filter { about, project, .. }, only } = self;
        let target = || &event.object()["target"];
        event.slug == Events::CORE
            && event.collection == Events::OPERATIONS
            && only.is_none_or(|only| *event.id == *only.to_string())
            && project.is_none_or(|id| event.project.is_some_and(|own| own.uuid() == id))
            && about.as_ref().is_none_or(|about| match about {
                About::Named { kind, name } => event.name == *name && target()["type"] == **kind,
                About::Id(id) => target()["id"] == *id.to_string(),
            })
    }

    fn filters(&self) -> Filters {
        if self.filter.states.is_empty() { Filters::Nothing } else { Filters::Something }
    }

    fn passes(&self, object: &Value) -> bool {
        let states = &self.filter.states;
        states.is_empty() || states.iter().any(|state| object["state"] == *state.word())
    }

    fn show(&self, event: &Event) -> String {
        if event.object()["error"].is_null() {
            return event.document.clone();
        }
        document::of_event(event.object()).to_string()
    }

    fn rights(&self, caller: &Caller) -> String {
        format!("{:?}", visible::projects(caller, super::READ))
    }
}
