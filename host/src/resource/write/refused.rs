//! Why something is not written.

use plugin_abi::resource::FieldFault;
use sea_orm::{DbErr, SqlErr};

use super::Written;
use super::objection::Objection;
use super::patch::PatchError;
use super::precondition::Unmet;
use crate::identity::quota::Exceeded;
use crate::model::ResourceModel;
use crate::operation::{self, OperationId};
use crate::plugin::hook::HookError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It was only to be rehearsed: this would come of it.
    #[error("it was only rehearsed")]
    Rehearsed(Box<Written>),
    /// What is said of it is wrong.
    #[error("what is said of the resource is wrong")]
    Objections(Vec<Objection>),
    /// A patch that comes to nothing.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The plugin says that it is wrong.
    #[error("the plugin says that it is wrong")]
    Faults(Vec<FieldFault>),
    /// The plugin did not say whether it is.
    #[error("the plugin was asked and did not answer")]
    Hook(#[from] HookError),
    /// The plugin said what it may not.
    #[error("the plugin's answer breaks the contract: {0}")]
    Nonsense(String),
    /// It is for another state of the resource; this is the present one.
    #[error("the resource is in another state than the change is for")]
    Unmet {
        /// In what way.
        unmet: Unmet,
        /// Of the resource as it is, if there is one.
        etag: Option<String>,
    },
    /// It was changed again and again while it was to be.
    #[error("the resource is changed by others all the time")]
    Raced,
    /// Somebody else has the name.
    #[error("the name `{0}` is taken")]
    NameTaken(String),
    /// Somebody else has the value of a field that must be unique.
    #[error("the value of `{0}` is taken")]
    ValueTaken(String),
    /// It is not there, or not any more.
    #[error("there is no such resource any more")]
    Gone,
    /// The project is not there any more.
    #[error("there is no such project any more")]
    NoProject,
    /// It, or what it hangs under, is being taken down.
    #[error("`{name}` is being deleted")]
    Deleting {
        /// Which.
        name: String,
        /// By what.
        operation: Option<OperationId>,
    },
    /// Nobody may delete it.
    #[error("`{0}` is protected from being deleted")]
    Protected(String),
    /// Something hangs under it.
    #[error("there are {n} {collection} under it")]
    NotEmpty {
        /// Of what.
        collection: String,
        /// How many.
        n: usize,
    },
    /// The project has as many as it may.
    #[error(transparent)]
    Quota(#[from] Exceeded),
    /// Something else is being done to it.
    #[error("operation `{0}` is not over yet")]
    Busy(OperationId),
    /// The store did not take it.
    #[error("the store did not take the write")]
    Store(#[source] DbErr),
    /// What belongs to it could not be told.
    #[error("what is written beside a resource cannot be")]
    Tell(#[from] crate::event::Error),
    /// Its operation could not be written.
    #[error("the operation of a write cannot be written")]
    Operation(#[from] operation::Error),
}

impl From<DbErr> for Refused {
    fn from(error: DbErr) -> Self {
        Self::Store(error)
    }
}

impl Refused {
    /// Why a row was not taken: a value that must be unique and is not is its writer's to change.
    pub(super) fn of_row(model: &ResourceModel, name: &str, error: DbErr) -> Self {
        let Some(SqlErr::UniqueConstraintViolation(said)) = error.sql_err() else {
            return Self::Store(error);
        };
        let unique = model.fields().iter().filter(|field| field.declared.unique.is_some());
        // SQLite names the columns, PostgreSQL the index, which is called after them.
        let mut named = unique.filter(|field| names(&said, field.name()));
        match named.next() {
            Some(field) => Self::ValueTaken(field.name().to_owned()),
            None => Self::NameTaken(name.to_owned()),
        }
    }
}

/// Whether `said` has `column` as a word, or at the end of one.
fn names(said: &str, column: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    said.split(|c| !is_part(c)).any(|word| {
        word == column || word.strip_suffix(column).is_some_and(|before| before.ends_with('_'))
    })
}
