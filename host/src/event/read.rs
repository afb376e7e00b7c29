//! Events as they are read, and the journal as a list.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use serde_json::Value;
use uuid::Uuid;

use super::{Change, Error, Events, position};
use crate::identity::ProjectId;
use crate::operation::Requester;
use crate::store::Backend;
use crate::store::entity::event as row;
use crate::timestamp::Timestamp;

/// Something that happened.
pub(crate) struct Event {
    /// Its place in the order of all.
    pub(crate) number: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// What happened to the thing.
    pub(crate) change: Change,
    /// The same in a word of its own.
    pub(crate) kind: String,
    /// The type of a resource, or `core`.
    pub(crate) slug: String,
    /// Its collection.
    pub(crate) collection: String,
    /// Its id in the collection.
    pub(crate) id: Arc<str>,
    /// What it hangs under.
    #[allow(dead_code, reason = "watches of what hangs under a resource look at it")]
    pub(crate) parent: Option<Uuid>,
    /// The resource at the top whose rights count.
    pub(crate) instance: Option<Uuid>,
    /// The project; nothing: it is the platform's.
    pub(crate) project: Option<ProjectId>,
    /// What it takes to see it, there.
    pub(crate) permission: String,
    /// Its name.
    pub(crate) name: String,
    /// Counts the changes of the thing.
    pub(crate) revision: i64,
    /// Who changed it.
    pub(crate) requester: Requester,
    /// It after the change, or, of what is gone, as it was last. JSON.
    pub(crate) document: String,
    /// The same, read once for all who look into it.
    parsed: OnceLock<Value>,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sought {
    /// Only what happened since then.
    pub(crate) since: Option<Timestamp>,
    /// Only events of this kind, or of those that begin so.
    pub(crate) kind: Option<Kind>,
    /// Only what happened to this one.
    pub(crate) id: Option<String>,
    /// Only those of this project.
    pub(crate) project: Option<ProjectId>,
    /// Only those of these projects; nothing: all.
    pub(crate) within: Option<BTreeSet<ProjectId>>,
}

/// A kind of event, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This one.
    Only(String),
    /// All that begin so.
    Beginning(String),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they happened.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// What comes behind this one; the beginning, if there is none.
    pub(crate) after: Option<i64>,
    /// At most so many.
    pub(crate) n_max: u64,
}

impl Events {
    /// A part of the journal.
    pub(crate) async fn list(
        &self,
        sought: &Sought,
        order: Order,
        slice: Slice,
    ) -> Result<Vec<Arc<Event>>, Error> {
        self.number().await?;
        let backend = self.0.store.backend();
        let number = position::column(backend);
        let rows = row::Entity::find()
            .filter(number.is_not_null())
            .filter(sought.condition())
            .limit(slice.n_max);
        let rows = match order {
            Order::OldestFirst => rows
                .apply_if(slice.after, |rows, after| rows.filter(number.gt(after)))
                .order_by_asc(number),
            Order::NewestFirst => rows
                .apply_if(slice.after, |rows, after| rows.filter(number.lt(after)))
                .order_by_desc(number),
        };
        self.all(rows).await
    }

    /// What happened last to a thing up to `number`, if that is still known.
    pub(crate) async fn last_of(
        &self,
        slug: &str,
        collection: &str,
        id: &str,
        number: i64,
    ) -> Result<Option<Arc<Event>>, Error> {
        let column = position::column(self.0.store.backend());
        let rows = row::Entity::find()
            .filter(row::Column::ObjectId.eq(id))
            .filter(row::Column::Slug.eq(slug))
            .filter(row::Column::Collection.eq(collection))
            .filter(column.lte(number))
            .order_by_desc(column)
            .limit(1);
        Ok(self.all(rows).await?.pop())
    }

    /// What comes behind `number`, at most `n_max` of it.
    pub(super) async fn next(&self, number: i64, n_max: u64) -> Result<Vec<Arc<Event>>, Error> {
        let column = position::column(self.0.store.backend());
        self.all(self.behind(number).order_by_asc(column).limit(n_max)).await
    }

    async fn all(&self, rows: Select<row::Entity>) -> Result<Vec<Arc<Event>>, Error> {
        let store = &self.0.store;
        let rows = rows.all(store.connection()).await.map_err(Error::Read)?;
        rows.into_iter().map(|row| Event::read(row, store.backend()).map(Arc::new)).collect()
    }
}

impl Event {
    /// The document, read.
    pub(crate) fn object(&self) -> &Value {
        self.parsed.get_or_init(|| serde_json::from_str(&self.document).unwrap_or_default())
    }

    fn read(row: row::Model, backend: Backend) -> Result<Self, Error> {
        let damaged =
            |member, value: &str| Error::Damaged { id: row.id, member, value: value.to_owned() };
        let uuid = |member, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_no_uuid| damaged(member, text)),
        };
        let number = position::of(&row, backend).ok_or_else(|| damaged("a number", "null"))?;
        let change =
            Change::named(&row.change).ok_or_else(|| damaged("the change", &row.change))?;
        let parent = uuid("the parent", &row.parent_id)?;
        let instance = uuid("the instance", &row.instance_id)?;
        let project = uuid("the project", &row.project_id)?.map(ProjectId::of);
        Ok(Self {
            number,
            at: row.at.into(),
            change,
            kind: row.kind,
            slug: row.slug,
            collection: row.collection,
            id: row.object_id.into(),
            parent,
            instance,
            project,
            permission: row.permission,
            name: row.name,
            revision: row.revision,
            requester: Requester {
                principal: row.actor,
                request_id: row.request_id,
                traceparent: row.traceparent,
            },
            document: row.document,
            parsed: OnceLock::new(),
        })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, change, slug, collection, id, revision, .. } = self;
        write!(f, "Event {number} {change} {slug}/{collection}/{id} r{revision}")
    }
}

impl Sought {
    fn condition(&self) -> Condition {
        let Self { since, kind, id, project, within } = self;
        Condition::all()
            .add_option(since.map(|since| row::Column::At.gte(since.into_inner())))
            .add_option(kind.as_ref().map(|kind| match kind {
                Kind::Only(kind) => row::Column::Kind.eq(kind),
                Kind::Beginning(kind) => row::Column::Kind.starts_with(kind),
            }))
            .add_option(id.as_ref().map(|id| row::Column::ObjectId.eq(id)))
            .add_option(project.map(|project| row::Column::ProjectId.eq(project.to_string())))
            .add_option(within.as_ref().map(|projects| {
                row::Column::ProjectId.is_in(projects.iter().map(ToString::to_string))
            }))
    }

    /// Whether `event` is one of them.
    pub(crate) fn includes(&self, event: &Event) -> bool {
        let Self { since, kind, id, project, within: _ } = self;
        since.is_none_or(|since| event.at >= since)
            && kind.as_ref().is_none_or(|kind| kind.includes(&event.kind))
            && id.as_ref().is_none_or(|id| **id == *event.id)
            && project.is_none_or(|project| event.project == Some(project))
    }
}

impl Kind {
    /// `s3.instance.created`, or `s3.*`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::Only(text.to_owned()),
        }
    }

    fn includes(&self, kind: &str) -> bool {
        match self {
            Self::Only(only) => only == kind,
            Self::Beginning(beginning) => kind.starts_with(beginning),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Event {
        /// An event that nothing else matters of.
        pub(crate) fn for_tests(number: i64, id: &str, revision: i64, change: Change) -> Self {
            Self {
                number,
                at: Timestamp::now(),
                change,
                kind: "demo.instance.updated".to_owned(),
                slug: "demo".to_owned(),
                collection: "instances".to_owned(),
                id: id.into(),
                parent: None,
                instance: None,
                project: None,
                permission: "demo.instance.read".to_owned(),
                name: "one".to_owned(),
                revision,
                requester: Requester::daemon(),
                document: "{}".to_owned(),
                parsed: OnceLock::new(),
            }
        }
    }

    /// An event that nothing but its number and document matters of.
    pub(in crate::event) fn event(number: i64, document: &str) -> Arc<Event> {
        let document = document.to_owned();
        Arc::new(Event { document, ..Event::for_tests(number, "1", number, Change::Modified) })
    }

    #[test]
    fn kinds_are_whole_or_begun() {
        for (sought, kind, found) in [
            ("s3.instance.created", "s3.instance.created", true),
            ("s3.instance", "s3.instance.created", false),
            ("s3.instance.*", "s3.instance.created", true),
            ("s3.*", "s3x.instance.created", false),
            ("*", "element.install.succeeded", true),
        ] {
            assert_eq!(Kind::parse(sought).includes(kind), found, "{sought} {kind}");
        }
    }
}
