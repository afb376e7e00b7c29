//! Who writes, for whom, and what came of it.

use std::fmt;
use std::sync::{Arc, Weak};

use plugin_abi::resource::PlannedStep;
use sea_orm::DatabaseConnection;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Refused;
use crate::idempotency::{Answer, First};
use crate::model::{ResourceModel, TypeModel};
use crate::operation::{Operation, Operations, Requester};
use crate::plugin::Plugins;
use crate::plugin::generation::Generation;
use crate::plugin::table::{ServedType, Tables};
use crate::resource::Config;
use crate::resource::document::{Available, Seen, Shown};
use crate::resource::reconcile::Reconciler;
use crate::resource::sealed::Pending;
use crate::secret::Secrets;
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::store::writer::{Work, Writer};

/// Writes resources for clients. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Writes(Arc<Parts>);

/// See [`Writes::downgrade`].
#[derive(Debug, Clone)]
pub(crate) struct WeakWrites(Weak<Parts>);

/// What writing needs.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What is read before a write.
    pub(crate) store: Store,
    /// The way of every write.
    pub(crate) writer: Writer,
    /// What takes time, and who is told of changes.
    pub(crate) operations: Operations,
    /// What is kept secret.
    pub(crate) secrets: Secrets,
    /// Who brings about what is wanted.
    pub(crate) reconciler: Reconciler,
    /// Whose resources they are.
    pub(crate) plugins: Arc<Plugins>,
    /// What hooks are asked about and is not written yet.
    pub(crate) pending: Pending,
    /// The limits of hooks.
    pub(crate) config: Config,
    /// The owner of the actions that go on after their answer.
    pub(crate) tasks: Tasks,
}

/// A declared collection, as the table of one moment has it.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    /// Its type.
    pub(crate) r#type: Arc<TypeModel>,
    /// What is declared of it.
    pub(crate) model: Arc<ResourceModel>,
    /// Whether a plugin answers for it.
    pub(crate) available: Available,
    /// Who.
    pub(crate) generation: Option<Arc<Generation>>,
}

/// Who asks for a write, and what else belongs to it.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Of what.
    pub(crate) collection: Collection,
    /// Who asks.
    pub(crate) requester: Requester,
    /// Whether it is to be done.
    pub(crate) mode: Mode,
    /// What a retry is answered.
    pub(crate) kept: Option<Kept>,
}

/// Whether a write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is.
    Do,
    /// Everything but: what would come of it is told.
    Rehearse,
}

/// The answer to an attempt, which is kept with its effect.
pub(crate) struct Kept {
    /// The attempt.
    pub(crate) first: First,
    /// How what came of it is answered.
    pub(crate) answer: Box<dyn Fn(&Written) -> Answer + Send + Sync>,
}

/// What came of a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// The resource as it is then; of what is gone, as it was last.
    pub(crate) shown: Shown,
    /// What was done to it.
    pub(crate) effect: Effect,
    /// What brings it about.
    pub(crate) operation: Option<Operation>,
    /// Secrets that are shown in the answer and never again, in clear.
    pub(crate) once: Map<String, Value>,
    /// What the plugin would do, of a rehearsal.
    pub(crate) plan: Vec<PlannedStep>,
}

/// What a write does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is there.
    Created,
    /// It is otherwise, or will be.
    Changed,
    /// It was as it is wanted.
    Unchanged,
    /// It is being taken down.
    Deleting,
    /// It is gone.
    Gone,
    /// Something is done to it.
    Acted,
}

impl Writes {
    /// Writes with these.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// What is read before a write.
    pub(crate) fn connection(&self) -> &DatabaseConnection {
        self.0.store.connection()
    }

    /// What types there are, and who answers for them.
    pub(crate) fn tables(&self) -> &Tables {
        &self.0.plugins.tables
    }

    /// What is kept secret.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// What hooks are asked about and is not written yet.
    pub(crate) fn pending(&self) -> &Pending {
        &self.0.pending
    }

    /// Has a resource looked at now.
    pub(crate) fn wake(&self, model: &ResourceModel, id: Uuid) {
        self.0.reconciler.wake(&model.slug, model.collection(), id);
    }

    /// A handle that keeps nothing alive: plugins have it, and are kept by what it leads to.
    pub(crate) fn downgrade(&self) -> WeakWrites {
        WeakWrites(Arc::downgrade(&self.0))
    }

    /// Does `work`; one that is only rehearsed comes to what it would.
    pub(super) async fn write<W>(&self, work: W) -> Result<Written, Refused>
    where
        W: Work<Done = Written, Refused = Refused>,
    {
        match self.0.writer.write(work).await {
            Err(Refused::Rehearsed(written)) => Ok(*written),
            other => other,
        }
    }

    /// After a commit: who watches is told, and what was written is looked at.
    pub(super) fn committed(&self, model: &ResourceModel, id: Uuid) {
        self.0.operations.events().committed();
        self.wake(model, id);
    }
}

impl WeakWrites {
    /// The way to write, if the daemon still has it.
    pub(crate) fn upgrade(&self) -> Option<Writes> {
        self.0.upgrade().map(Writes)
    }
}

impl Collection {
    /// One of a type, as the table has it.
    pub(crate) fn of(served: &ServedType, model: &Arc<ResourceModel>) -> Self {
        let published = served.published();
        let available = match published {
            Some(_published) => Available::Since(served.since),
            None => Available::NotSince(served.since),
        };
        Self {
            r#type: Arc::clone(&served.model),
            model: Arc::clone(model),
            available,
            generation: published.map(|published| Arc::clone(&published.generation)),
        }
    }

    /// How a whole document of it is seen.
    pub(crate) fn seen(&self) -> Seen {
        Seen { available: self.available, fields: None }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("first", &self.first).finish_non_exhaustive()
    }
}
