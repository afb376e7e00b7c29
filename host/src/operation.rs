//! Operations: anything that takes time, told step by step while it runs and kept after it ended.
//!
//! Whoever begins something writes the operation in the same transaction as the wish ([`Operations::create`]);
//! whoever does it runs it ([`Operations::run`]) and passes each piece of work through [`Running::step`]. The
//! rows are the journal: what is neither begun nor ended when the daemon dies is found by
//! [`Operations::unfinished`] at its next start.
//!
//! Invariants:
//! - An operation ends once. What is written to it afterwards changes nothing.
//! - A journal that cannot be written does not stop the work: the next write carries what is missing, the end
//!   says so, and an end that could not be written is tried again until it is.
//! - Who waits is woken by the write itself; nothing polls. What waits costs an entry while it waits.
//! - Ids are UUIDv7 made with `created_at`, so their order is the order of `(created_at, id)`.
//! - Nobody is stopped who does not listen: whoever does the work says until when it can be called off.
//!
//! Not here: what is done, and how a failure looks to a client; here it has a code's name and a sentence.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use packer::bundle::ElementName;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, TryIntoModel,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::{self, Events};
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::store::entity::operation as row;
use crate::timestamp::Timestamp;
use cancel::Calls;
use changes::Changes;

mod cancel;
mod changes;
mod config;
mod document;
mod journal;
mod logs;
mod prune;
mod read;
mod running;
mod steps;
mod words;

pub(crate) use cancel::{Canceled, Canceling};
pub(crate) use changes::Watching;
pub(crate) use config::Config;
pub(crate) use document::Document;
pub(crate) use logs::{Level, Line};
pub(crate) use read::{About, Filter, Order, Slice};
pub(crate) use running::Running;
pub(crate) use steps::Step;
pub(crate) use words::{ElementKind, Kind, State};

/// Who automatic changes are asked by.
const DAEMON: &str = "system:reconciler";

/// The kind of target that an element is.
const ELEMENT: &str = "element";

/// Every operation of this daemon. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    store: Store,
    /// Where it is told what becomes of them.
    events: Events,
    /// Who waits for which operation.
    changes: Changes,
    /// Which of those that run can be called off.
    calls: Calls,
    /// Ends that could not be written, and the pruning.
    tasks: Tasks,
}

/// The id of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OperationId(Uuid);

/// What an operation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `element`, or the type of a resource.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// The id of a resource.
    pub(crate) id: Option<Uuid>,
    /// The resource at the top that it hangs under, which is itself if it hangs under none: rights on that one
    /// are rights on it.
    pub(crate) instance: Option<Uuid>,
    /// The project of a resource.
    pub(crate) project: Option<Uuid>,
}

/// Who asks for something, and by which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requester {
    /// `user:…`.
    pub(crate) principal: String,
    /// The request, if it was one.
    pub(crate) request_id: Option<String>,
    /// What the request is a part of, as W3C Trace Context has it.
    pub(crate) traceparent: Option<String>,
}

/// An operation that shall be.
#[derive(Debug)]
pub(crate) struct New {
    /// What it does.
    pub(crate) kind: Kind,
    /// To what.
    pub(crate) target: Target,
    /// From what to what, as in `{"from": "0.1.0", "to": "0.2.0"}`.
    pub(crate) details: Value,
    /// Who asked.
    pub(crate) requester: Requester,
}

/// Where a new operation stands.
#[derive(Debug, Clone, Copy)]
enum Begins<'a> {
    /// Somebody will run it.
    Waiting,
    /// It is done.
    Done { description: &'a str },
}

/// An operation, as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    /// Its id.
    pub(crate) id: OperationId,
    /// What it does.
    pub(crate) kind: Kind,
    /// To what.
    pub(crate) target: Target,
    /// Where it stands.
    pub(crate) state: State,
    /// How far it is, from 0 to 100.
    pub(crate) percent: i64,
    /// What it does now, or came to, in a sentence.
    pub(crate) description: String,
    /// From what to what.
    pub(crate) details: Value,
    /// What was done so far, and what is left.
    pub(crate) steps: Vec<Step>,
    /// Why it failed.
    pub(crate) failure: Option<Failure>,
    /// What it came to.
    pub(crate) result: Option<Value>,
    /// Who asked.
    pub(crate) requester: Requester,
    /// Counts how often it was written.
    pub(crate) revision: i64,
    /// When it was asked for.
    pub(crate) created_at: Timestamp,
    /// When it began.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
}

/// Why an operation failed, in the words of a problem: `http` makes one of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Failure {
    /// The name of the problem's code.
    pub(crate) code: String,
    /// What happened, to what, as a sentence.
    pub(crate) detail: String,
    /// What to do next, where it is better than what the code says.
    pub(crate) hint: Option<String>,
    /// What is wrong with single fields of the request.
    pub(crate) errors: Vec<FieldFailure>,
    /// The values that the sentence names.
    pub(crate) members: Map<String, Value>,
}

/// What is wrong with one field of what was asked for.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct FieldFailure {
    /// The field, as a JSON pointer.
    pub(crate) pointer: String,
    /// The name of the code that a problem with this field alone would have.
    pub(crate) code: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Why an operation cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store could not be asked.
    #[error("operations cannot be read from the store")]
    Read(#[source] DbErr),
    /// The store did not take it.
    #[error("operation `{0}` cannot be written to the store")]
    Write(OperationId, #[source] DbErr),
    /// The store did not take a new one.
    #[error("an operation cannot be written to the store")]
    Begin(#[source] DbErr),
    /// The journal did not take what became of it.
    #[error("what becomes of operation `{0}` cannot be told")]
    Tell(OperationId, #[source] event::Error),
    /// What is old could not be forgotten.
    #[error("old operations cannot be removed from the store")]
    Prune(#[source] DbErr),
    /// There is none of this id; it may have been pruned.
    #[error("there is no operation `{0}`")]
    NotFound(OperationId),
    /// It is over.
    #[error("operation `{id}` has ended as {state}; what is left to do needs a new one")]
    Ended {
        /// Which.
        id: OperationId,
        /// How.
        state: State,
    },
    /// Its row says what nobody here wrote.
    #[error("the row of operation `{id}` has {member} `{value}`: only this daemon may write it")]
    Damaged {
        /// Which.
        id: String,
        /// What of it.
        member: &'static str,
        /// What it says.
        value: String,
    },
}

impl Operations {
    /// The operations that `store` keeps; what they leave to do later runs in `tasks`.
    pub(crate) fn new(store: Store, events: Events, tasks: Tasks) -> Self {
        Self { store, events, changes: Changes::default(), calls: Calls::default(), tasks }
    }

    /// Writes an operation that waits to be run, in the transaction of the wish that it is about. Say
    /// [`Events::committed`] when that is.
    ///
    /// # Errors
    /// The store did not take it: the wish must not be taken either.
    pub(crate) async fn create(
        &self,
        db: &impl ConnectionTrait,
        new: New,
    ) -> Result<Operation, Error> {
        self.insert(db, new, Begins::Waiting).await
    }

    /// Writes an operation that nothing is left to do of, because the wish came true with its transaction.
    /// `description` says in a sentence what it came to.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn create_done(
        &self,
        db: &impl ConnectionTrait,
        new: New,
        description: &str,
    ) -> Result<Operation, Error> {
        self.insert(db, new, Begins::Done { description }).await
    }

    async fn insert(
        &self,
        db: &impl ConnectionTrait,
        new: New,
        begins: Begins<'_>,
    ) -> Result<Operation, Error> {
        let New { kind, target, details, requester } = new;
        let Target { kind: target_type, name, id: target_id, instance, project } = target;
        let Requester { principal, request_id, traceparent } = requester;
        let (id, created_at) = OperationId::make();
        let (state, percent, description, ended_at) = match begins {
            Begins::Waiting => (State::Pending, 0, "waiting to begin", None),
            Begins::Done { description } => (State::Succeeded, 100, description, Some(created_at)),
        };
        let ended_at = ended_at.map(Timestamp::into_inner);
        let row = row::ActiveModel {
            id: Set(id.to_string()),
            kind: Set(kind.word().into_owned()),
            target_type: Set(target_type),
            target_name: Set(name),
            target_id: Set(target_id.map(|id| id.to_string())),
            instance_id: Set(instance.map(|id| id.to_string())),
            project_id: Set(project.map(|id| id.to_string())),
            state: Set(state.word().to_owned()),
            percent: Set(percent),
            description: Set(description.to_owned()),
            details: Set(details),
            steps: Set(Value::Array(Vec::new())),
            error: Set(None),
            result: Set(None),
            requested_by: Set(principal),
            request_id: Set(request_id),
            traceparent: Set(traceparent),
            revision: Set(1),
            created_at: Set(created_at.into_inner()),
            started_at: Set(ended_at),
            finished_at: Set(ended_at),
        };
        let row = row.try_into_model().map_err(|source| Error::Write(id, source))?;
        let written = row::Entity::insert(row.clone().into_active_model());
        let written = written.exec_without_returning(db).await;
        written.map_err(|source| Error::Write(id, source))?;
        let operation = Operation::read(row)?;
        self.tell(db, event::Change::Added, &operation).await?;
        Ok(operation)
    }

    /// Writes an operation that nobody wished for.
    ///
    /// # Errors
    /// The store did not take it.
    pub(crate) async fn create_alone(&self, new: New) -> Result<OperationId, Error> {
        let failed = |source| Error::Begin(source);
        let transaction = self.store.begin().await.map_err(failed)?;
        let id = self.create(&transaction, new).await?.id;
        transaction.commit().await.map_err(failed)?;
        self.events.committed();
        Ok(id)
    }

    /// Where it is told what becomes of them.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Sees every write of the operation `id` from now on: watch first and read then, or miss one.
    pub(crate) fn watch(&self, id: OperationId) -> Watching {
        self.changes.watch(id)
    }

    /// How many operations are watched.
    #[cfg(test)]
    pub(crate) fn n_watched(&self) -> usize {
        self.changes.n_watched()
    }

    /// The operation when it has ended, or as it is after `limit`; `None` if there is none.
    ///
    /// # Cancellation
    /// Nothing is lost: it only watches.
    pub(crate) async fn wait(
        &self,
        id: OperationId,
        limit: Duration,
    ) -> Result<Option<Operation>, Error> {
        let mut watched = self.watch(id);
        let found = self.get(id).await?;
        match found {
            Some(operation) if !operation.state.is_done() => {}
            Some(_) | None => return Ok(found),
        }
        // Ended or not: the row tells.
        let _in_time = tokio::time::timeout(limit, watched.ended()).await;
        self.get(id).await
    }
}

impl OperationId {
    /// A new id, and the moment that it names.
    fn make() -> (Self, Timestamp) {
        let id = Uuid::now_v7();
        let made_at = id.get_timestamp().and_then(|at| {
            let (seconds, nanos) = at.to_unix();
            let seconds = time::OffsetDateTime::from_unix_timestamp(seconds.cast_signed()).ok()?;
            Some(Timestamp::from(seconds + Duration::from_nanos(nanos.into())))
        });
        (Self(id), made_at.unwrap_or_else(Timestamp::now))
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for OperationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Target {
    /// An element.
    pub(crate) fn element(name: &ElementName) -> Self {
        Self {
            kind: ELEMENT.to_owned(),
            name: name.to_string(),
            id: None,
            instance: None,
            project: None,
        }
    }
}

impl Requester {
    /// The daemon itself.
    pub(crate) fn daemon() -> Self {
        Self { principal: DAEMON.to_owned(), request_id: None, traceparent: None }
    }
}

impl Failure {
    /// A failure that says `detail`, with the code of this name.
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            members: Map::new(),
        }
    }
}

#[cfg(test)]
mod tests;
