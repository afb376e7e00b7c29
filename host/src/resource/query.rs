//! What a list is asked for: a filter, an order, a page, the members to show.
//!
//! | room | what it holds |
//! |---|---|
//! | [`member`] | what can be asked about: the members that callers see |
//! | [`filter`], [`labels`] | the two grammars; [`comparison`] is what a comparison means |
//! | [`predicate`] | what both come to |
//! | [`sql`], [`evaluate`] | its two readings, which agree |
//! | [`order`], [`mask`] | `order_by` with the place where a page begins; `fields` |
//! | [`cursor`], [`error`] | how a text is read, and what is wrong with it |
//!
//! Guarantees: pure; whatever a caller writes becomes a [`Selection`] or a [`QueryError`], never a panic and never a
//! statement that fails. Not here: which rows a caller may see (the engine narrows the selection), and HTTP.

use sea_orm::sea_query::{Condition, SelectStatement};
use serde_json::Value;
use uuid::Uuid;

mod comparison;
mod cursor;
mod error;
mod evaluate;
mod filter;
mod labels;
mod mask;
mod member;
mod order;
mod predicate;
mod sql;

pub(crate) use error::QueryError;
pub(crate) use mask::FieldMask;
pub(crate) use member::Members;
pub(crate) use order::{After, Order};
pub(crate) use predicate::Predicate;

use crate::identity::{ProjectId, Visible};
use crate::store::Backend;
use error::Fault;

/// The parameters that select and order; each is absent or as it was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked<'q> {
    /// `filter=replicas > 2 AND labels.env = dev`
    pub(crate) filter: Option<&'q str>,
    /// `label_selector=env in (dev,qa),!tmp`
    pub(crate) label_selector: Option<&'q str>,
    /// `name=data`
    pub(crate) name: Option<&'q str>,
    /// `status=ACTIVE,ERROR`
    pub(crate) status: Option<&'q str>,
    /// `order_by=name desc,created_at`
    pub(crate) order_by: Option<&'q str>,
}

impl<'q> Asked<'q> {
    /// What of it `get` finds, each by its name.
    pub(crate) fn of(get: impl Fn(&str) -> Option<&'q str>) -> Self {
        Self {
            filter: get(FILTER),
            label_selector: get(LABEL_SELECTOR),
            name: get(NAME),
            status: get(STATUS),
            order_by: get(ORDER_BY),
        }
    }

    /// Whether everything is asked for, in the order of age.
    pub(crate) fn is_nothing(&self) -> bool {
        let Self { filter, label_selector, name, status, order_by } = self;
        [filter, label_selector, name, status, order_by].iter().all(|asked| asked.is_none())
    }
}

/// The names of [`Asked`] and [`fields`], and one that is accepted and changes nothing yet.
pub(crate) const PARAMETERS: [&str; 7] =
    [FILTER, LABEL_SELECTOR, NAME, STATUS, ORDER_BY, FIELDS, "show_deleted"];

pub(crate) const FILTER: &str = "filter";
pub(crate) const LABEL_SELECTOR: &str = "label_selector";
const NAME: &str = "name";
const STATUS: &str = "status";
const ORDER_BY: &str = "order_by";
pub(crate) const FIELDS: &str = "fields";

/// What `status` may be.
const STATUSES: [&str; 8] =
    ["PENDING", "CREATING", "ACTIVE", "ERROR", "UPDATING", "DELETING", "SUSPENDED", "DEGRADED"];

/// Which resources of a collection, in which order.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// What the caller asked for; watches test documents by it.
    pub(crate) predicate: Predicate,
    /// What the engine narrows it to: a parent, the projects of the caller. Documents are not tested by it.
    within: Vec<Predicate>,
    /// The order.
    pub(crate) order: Order,
    /// What the page comes behind; none: it is the first.
    pub(crate) after: Option<After>,
    /// The most rows.
    pub(crate) limit: u64,
}

impl Selection {
    /// What the parameters ask for, of resources with these members.
    ///
    /// # Errors
    /// One of them says nothing that can be answered.
    pub(crate) fn parse(
        members: &Members,
        asked: &Asked<'_>,
        limit: u64,
    ) -> Result<Self, QueryError> {
        let Asked { filter, label_selector, name, status, order_by } = *asked;
        let mut all = Vec::new();
        if let Some(text) = filter {
            all.push(filter::parse(members, text).map_err(|fault| fault.of(FILTER, text))?);
        }
        if let Some(text) = label_selector {
            let labels = members.of_all("labels");
            let selected = labels::parse(&labels, text);
            all.push(selected.map_err(|fault| fault.of(LABEL_SELECTOR, text))?);
        }
        if let Some(text) = name {
            all.push(with_name(members, text).map_err(|fault| fault.of(NAME, text))?);
        }
        if let Some(text) = status {
            all.push(with_status(members, text)?);
        }
        let text = order_by.unwrap_or_default();
        let order = Order::parse(members, text).map_err(|fault| fault.of(ORDER_BY, text))?;
        let predicate = Predicate::all(all);
        Ok(Self { predicate, within: Vec::new(), order, after: None, limit })
    }

    /// Behind these keys.
    pub(crate) fn behind(self, after: Option<After>) -> Self {
        Self { after, ..self }
    }

    /// Only those that hang under `parent`; of a collection under the type itself, all.
    pub(crate) fn under(mut self, members: &Members, parent: Option<Uuid>) -> Self {
        let parent = parent.unwrap_or(Uuid::nil());
        self.within.push(Predicate::is_uuid(members.parent(), parent));
        self
    }

    /// Only those of this project.
    pub(crate) fn of_project(mut self, members: &Members, project: ProjectId) -> Self {
        self.within.push(Predicate::is_uuid(members.of_all("project_id"), project.uuid()));
        self
    }

    /// Only the instances that the caller sees.
    pub(crate) fn seen_as(mut self, members: &Members, visible: &Visible) -> Self {
        let each = |member: &'static str, ids: &mut dyn Iterator<Item = Uuid>| {
            let member = members.of_all(member);
            Predicate::any(ids.map(|id| Predicate::is_uuid(member.clone(), id)).collect())
        };
        self.within.push(match visible {
            Visible::Everything => return self,
            Visible::Nothing => Predicate::Any(Vec::new()),
            Visible::Some { projects, instances, hidden } => {
                let of_projects = each("project_id", &mut projects.iter().map(|id| id.uuid()));
                let hidden = each("id", &mut hidden.iter().copied());
                let single = each("id", &mut instances.iter().copied());
                let rest = Predicate::All(vec![of_projects, hidden.negate()]);
                Predicate::Any(vec![rest, single])
            }
        });
        self
    }

    /// The condition on rows, without the place where the page begins: what a count counts.
    pub(crate) fn condition(&self, backend: Backend) -> Condition {
        let all = Condition::all().add(self.predicate.condition(backend));
        self.within.iter().fold(all, |all, within| all.add(within.condition(backend)))
    }

    /// Narrows, orders and limits `select`, which is from the table of the resources.
    pub(crate) fn apply(&self, select: &mut SelectStatement, backend: Backend) {
        select.cond_where(self.condition(backend));
        if let Some(after) = &self.after {
            select.cond_where(self.order.behind(after, backend));
        }
        self.order.apply(select, backend);
        select.limit(self.limit);
    }

    /// Whether it lets this document through, which must have all of its members.
    pub(crate) fn matches(&self, document: &Value) -> bool {
        self.predicate.matches(document)
    }
}

/// The members that `text` asks for.
///
/// # Errors
/// It names some that no document has.
pub(crate) fn fields(members: &Members, text: &str) -> Result<FieldMask, QueryError> {
    FieldMask::parse(members, text).map_err(|fault| fault.of(FIELDS, text))
}

fn with_name(members: &Members, text: &str) -> Result<Predicate, Fault> {
    // What no database keeps is refused there.
    cursor::Cursor::new(text)?;
    Ok(Predicate::is_text(members.of_all(NAME), text))
}

fn with_status(members: &Members, text: &str) -> Result<Predicate, QueryError> {
    let status = members.of_all(STATUS);
    let each =
        text.split(',').map(|word| match STATUSES.iter().find(|known| **known == word.trim()) {
            Some(known) => Ok(Predicate::is_text(status.clone(), known)),
            None => Err(QueryError::Value {
                parameter: STATUS,
                value: text.to_owned(),
                wanted: format!("one or more of {}, with commas between", STATUSES.join(", ")),
            }),
        });
    let mut each: Vec<_> = each.collect::<Result<_, _>>()?;
    each.dedup();
    Ok(Predicate::any(each))
}

#[cfg(test)]
mod tests;
