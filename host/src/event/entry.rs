//! An event that shall be, and how it is written.

use std::fmt;

use sea_orm::{ConnectionTrait, Statement, Value as Sea};
use uuid::Uuid;

use super::{Error, Events};
use crate::identity::ProjectId;
use crate::operation::Requester;
use crate::timestamp::Timestamp;

/// What happened to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// It is there now.
    Added,
    /// It is another.
    Modified,
    /// It is not there any more.
    Deleted,
}

/// A change of a declared resource.
#[derive(Debug)]
pub(crate) struct New<'a> {
    /// What happened to it.
    pub(crate) change: Change,
    /// Its type.
    pub(crate) slug: &'a str,
    /// Its collection.
    pub(crate) collection: &'a str,
    /// What one of the collection is called.
    pub(crate) resource: &'a str,
    /// Its id.
    pub(crate) id: Uuid,
    /// What it hangs under.
    pub(crate) parent: Option<Uuid>,
    /// The resource at the top that it hangs under, which is itself if it hangs under none: rights on that one
    /// are rights on it.
    pub(crate) instance: Uuid,
    /// Its project.
    pub(crate) project: ProjectId,
    /// Its name.
    pub(crate) name: &'a str,
    /// Its revision after the change; of what is deleted, one more than it had.
    pub(crate) revision: i64,
    /// It as a client sees it, as JSON; of what is deleted, as it was last.
    pub(crate) document: &'a str,
    /// Who changed it.
    pub(crate) requester: &'a Requester,
}

/// An event of anything.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What happened to the thing.
    pub(crate) change: Change,
    /// The same in a word of its own: `s3.instance.created`, `element.upgrade.succeeded`.
    pub(crate) kind: String,
    /// The type of a resource; `core` for what is the daemon's own.
    pub(crate) slug: String,
    /// Its collection.
    pub(crate) collection: String,
    /// Its id in the collection.
    pub(crate) id: String,
    /// What it hangs under.
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
    /// It after the change, or, of what is gone, as it was last. JSON.
    pub(crate) document: String,
    /// Who changed it.
    pub(crate) requester: Requester,
}

/// The one statement, the same on both databases.
const APPEND: &str = "INSERT INTO metapaas_events \
    (at, change, kind, slug, collection, object_id, parent_id, instance_id, project_id, permission, name, revision, \
     actor, request_id, traceparent, document) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

impl Events {
    /// Writes an event in the transaction of the change that it tells of, after the row that was changed. Say
    /// [`Events::committed`] when it is.
    ///
    /// # Errors
    /// The store did not take it: the change must not be taken either.
    pub(crate) async fn append(
        db: &impl ConnectionTrait,
        event: impl Into<Entry>,
    ) -> Result<(), Error> {
        let values = event.into().values();
        let statement = Statement::from_sql_and_values(db.get_database_backend(), APPEND, values);
        db.execute_raw(statement).await.map(drop).map_err(Error::Append)
    }
}

impl Entry {
    fn values(self) -> [Sea; 16] {
        let Self {
            change,
            kind,
            slug,
            collection,
            id,
            parent,
            instance,
            project,
            permission,
            name,
            revision,
            document,
            requester: Requester { principal, request_id, traceparent },
        } = self;
        let uuid = |id: Option<Uuid>| id.map(|id| id.to_string()).into();
        [
            Timestamp::now().into_inner().into(),
            change.word().into(),
            kind.into(),
            slug.into(),
            collection.into(),
            id.into(),
            uuid(parent),
            uuid(instance),
            uuid(project.map(ProjectId::uuid)),
            permission.into(),
            name.into(),
            revision.into(),
            principal.into(),
            request_id.into(),
            traceparent.into(),
            document.into(),
        ]
    }
}

impl From<New<'_>> for Entry {
    fn from(new: New<'_>) -> Self {
        let New { change, slug, resource, project, document, requester, .. } = new;
        let happened = match change {
            Change::Added => "created",
            Change::Modified => "updated",
            Change::Deleted => "deleted",
        };
        Self {
            change,
            kind: format!("{slug}.{resource}.{happened}"),
            slug: slug.to_owned(),
            collection: new.collection.to_owned(),
            id: new.id.to_string(),
            parent: new.parent,
            instance: Some(new.instance),
            project: Some(project),
            permission: format!("{slug}.{resource}.read"),
            name: new.name.to_owned(),
            revision: new.revision,
            document: document.to_owned(),
            requester: requester.clone(),
        }
    }
}

impl Change {
    const ALL: [Self; 3] = [Self::Added, Self::Modified, Self::Deleted];

    /// As the store and the API have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }

    /// The one with this word.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.word() == word)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
