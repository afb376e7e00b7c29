//! One look at one resource: read it, ask its plugin, write down what it said.

use std::sync::Arc;
use std::time::Duration;

use plugin_abi::descriptor::Hook;
use plugin_abi::resource::{ReconcileAnswer, ReconcileQuestion, hook_name};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::outcome::{self, Next, Retry, Trouble};
use super::report::Report;
use super::{Key, Parts, Reconciler, Serving, back_off};
use crate::event::Change;
use crate::log;
use crate::model::{ResourceModel, TypeModel};
use crate::operation::{Failure, Level, Operation, Operations, Requester};
use crate::plugin::conversation::Fault;
use crate::plugin::generation::Generation;
use crate::plugin::hook::{self, HookError};
use crate::resource::document::Available;
use crate::resource::family::Family;
use crate::resource::news::News;
use crate::resource::row::Row;
use crate::resource::{rows, sealed, status, view};
use crate::timestamp::Timestamp;

/// How long a resource waits for a plugin that is on its way out, or a store that did not answer.
const SOON: Duration = Duration::from_millis(200);
/// A plugin that wants to be asked sooner is asked after this long.
const AGAIN_AFTER_MIN: Duration = Duration::from_millis(10);

/// The code of an operation that a resource took too long for.
const TOO_LONG: &str = "PROVISION_TIMEOUT";
/// The code of one that the plugin gave up.
const GIVEN_UP: &str = "PROVISION_FAILED";

/// Why a pass could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The rows.
    #[error("the store did not answer")]
    Store(#[from] sea_orm::DbErr),
    /// The journal of events.
    #[error(transparent)]
    Event(#[from] crate::event::Error),
    /// The operations.
    #[error(transparent)]
    Operation(#[from] crate::operation::Error),
}

/// What was learned of a resource by the passes before.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// How often in a row it failed.
    n_failed: u32,
    /// Which generation of it is brought about, and since when.
    since: Option<(i64, Instant)>,
    /// What is told to whoever waits.
    report: Report,
}

/// A resource, as one pass finds it.
struct Found {
    r#type: Arc<TypeModel>,
    model: Arc<ResourceModel>,
    row: Row,
    family: Family,
    available: Available,
}

/// Looks at the resource `key`, and says after how long to look again; `None`: when it is woken.
///
/// # Cancellation
/// The plugin may have done what nobody wrote down; the next pass asks again.
pub(super) async fn pass(of: &Reconciler, key: &Key, work: &mut Work) -> Option<Duration> {
    match try_pass(of, key, work).await {
        Ok(after) => after,
        Err(error) => {
            let cause = log::chain(&error).to_string();
            tracing::error!(slug = key.slug, collection = key.collection, id = %key.id, "a resource cannot be looked at: {cause}");
            Some(SOON)
        }
    }
}

async fn try_pass(of: &Reconciler, key: &Key, work: &mut Work) -> Result<Option<Duration>, Error> {
    let parts = &of.0.parts;
    // A plugin that is away is waited for: its switch wakes everything.
    let Some(Serving { r#type, generation, since }) = of.serving(&key.slug) else {
        return Ok(None);
    };
    let Some(model) = r#type.resource(&key.collection).cloned() else { return Ok(None) };
    let db = parts.store.connection();
    let Some(row) = rows::whole(db, &model, key.id).await? else { return Ok(None) };
    let family = Family::of(db, &r#type, &model, &row).await?;
    let available = Available::Since(since);
    let found = Found { r#type, model, row, family, available };
    if found.row.deleting_at.is_some() && !found.family.children().is_empty() {
        found.wake_children(of);
        return Ok(None);
    }
    if !found.model.has(Hook::Reconcile) {
        if found.row.deleting_at.is_some() {
            found.remove(of, work).await?;
        }
        return Ok(None);
    }
    work.begin(&parts.operations, &found.row).await;
    let said = match found.ask(parts, &generation, work.n_failed).await {
        Asked::Said(said) => said,
        Asked::Leaving => return Ok(Some(SOON)),
    };
    found.take(of, work, said).await
}

/// What came of asking.
enum Asked {
    Said(Said),
    /// The generation is on its way out; the next one is asked.
    Leaving,
}

/// What is written down.
enum Said {
    Answer(ReconcileAnswer),
    Trouble(Trouble),
}

impl Work {
    async fn begin(&mut self, operations: &Operations, row: &Row) {
        if self.since.is_none_or(|(generation, _since)| generation != row.generation) {
            (self.n_failed, self.since) = (0, Some((row.generation, Instant::now())));
        }
        self.report.begin(operations, row.last_operation).await;
    }

    fn took(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |(_generation, since)| since.elapsed())
    }
}

impl Found {
    /// Each of them wakes what it hangs under when it is gone.
    fn wake_children(&self, of: &Reconciler) {
        for (model, row) in self.family.children() {
            of.wake(&model.slug, model.collection(), row.id);
        }
    }

    async fn ask(&self, parts: &Parts, generation: &Arc<Generation>, attempt: u32) -> Asked {
        let Self { r#type, model, row, family, available: _ } = self;
        let resource = view::of(model, row, family.parent_view());
        let children = family.children_view(r#type, model);
        let question = ReconcileQuestion { resource, children, attempt };
        let question = serde_json::to_value(question).expect("a document is text and JSON values");
        let name = hook_name(&model.slug, model.collection(), Hook::Reconcile);
        let limit = parts.config.reconcile_limit();
        match hook::call(generation, &name, &question, limit).await {
            Ok(answer) => Asked::Said(read(answer)),
            Err(HookError::Closed | HookError::Refused(_) | HookError::Failed(Fault::Draining)) => {
                Asked::Leaving
            }
            Err(error) => Asked::Said(trouble("PluginFailed", log::chain(&error).to_string())),
        }
    }

    /// Writes down what was said, about the row as it is then: a client may have changed what is wanted meanwhile.
    async fn take(
        self,
        of: &Reconciler,
        work: &mut Work,
        said: Said,
    ) -> Result<Option<Duration>, Error> {
        let parts = &of.0.parts;
        let (now, last) = (Timestamp::now(), self.last_operation(parts).await);
        let transaction = parts.store.begin().await?;
        let Some(before) = rows::whole(&transaction, &self.model, self.row.id).await? else {
            return Ok(None);
        };
        let mut after = before.clone();
        let next = match said {
            Said::Answer(answer) => {
                let seal = |fields: &mut Map<String, Value>| {
                    sealed::seal(&parts.secrets, &self.model, before.id, fields);
                };
                outcome::take(&self.model, &mut after, self.row.generation, answer, seal, now)
            }
            Said::Trouble(trouble) => outcome::take_trouble(&mut after, trouble, now),
        };
        if next == Next::Gone {
            drop(transaction);
            self.remove(of, work).await?;
            return Ok(None);
        }
        let took_too_long =
            !matches!(next, Next::Settled { .. }) && work.took() >= parts.config.provision_limit();
        if took_too_long {
            outcome::stall(&mut after, &next, now);
        }
        status::settle(&self.model, &mut after, now);
        if after != before {
            after.revision += 1;
            after.updated_at = now;
            if !rows::update(&transaction, &self.model, &after, before.revision).await? {
                return Ok(Some(Duration::ZERO));
            }
            self.tell(&transaction, &after, Change::Modified, last.as_ref()).await?;
            transaction.commit().await?;
            parts.operations.events().committed();
        }
        Ok(work.after(next, &after, parts).await)
    }

    /// Takes the row away; whoever waits for that hears of it.
    async fn remove(&self, of: &Reconciler, work: &mut Work) -> Result<(), Error> {
        let parts = &of.0.parts;
        let operation = self.last_operation(parts).await;
        let transaction = parts.store.begin().await?;
        let Some(mut last) = rows::whole(&transaction, &self.model, self.row.id).await? else {
            return Ok(());
        };
        rows::delete(&transaction, &self.model, last.id).await?;
        last.revision += 1;
        if let Some(operation) = &operation {
            parts.operations.succeed_in(&transaction, operation.id, "it is deleted").await?;
        }
        self.tell(&transaction, &last, Change::Deleted, operation.as_ref()).await?;
        transaction.commit().await?;
        parts.operations.events().committed();
        if let Some(operation) = operation {
            parts.operations.ended(operation.id);
            work.report.leave(operation.id);
        }
        if let Some((parent, id)) = self.family.parent() {
            of.wake(&parent.slug, parent.collection(), id);
        }
        Ok(())
    }

    /// Tells of a change, in its transaction; `last` is the operation that the resource is in.
    async fn tell(
        &self,
        db: &impl sea_orm::ConnectionTrait,
        row: &Row,
        change: Change,
        last: Option<&Operation>,
    ) -> Result<(), crate::event::Error> {
        let (model, instance, available) = (&*self.model, self.family.instance(), self.available);
        let requester = &Requester::daemon();
        News { change, model, row, instance, last, available, requester }.tell(db).await
    }

    /// What was done with it last. It is shown with the resource, so it is no reason to fail.
    async fn last_operation(&self, parts: &Parts) -> Option<Operation> {
        parts.operations.get(self.row.last_operation?).await.ok().flatten()
    }
}

fn read(answer: Value) -> Said {
    match serde_json::from_value(answer) {
        Ok(answer) => Said::Answer(answer),
        Err(error) => {
            trouble("PluginNonsense", format!("its answer is not what it must be: {error}"))
        }
    }
}

fn trouble(reason: &'static str, message: String) -> Said {
    Said::Trouble(Trouble { reason, message })
}

/// From 0 to 255; when the system has none, all come back together, which is no harm.
fn chance() -> u8 {
    let mut byte = [0];
    let _drawn = getrandom::fill(&mut byte);
    byte[0]
}

impl Work {
    /// Tells whoever waits, and says when to look again.
    async fn after(&mut self, next: Next, row: &Row, parts: &Parts) -> Option<Duration> {
        let after = match &next {
            Next::Settled { .. } if row.observed_generation < row.generation => {
                Some(Duration::ZERO)
            }
            Next::Settled { again_after } => {
                self.report.succeed(row.status.word(), Value::Null).await;
                *again_after
            }
            Next::Again { after, message, .. } => {
                self.report.say(Level::Info, message).await;
                Some((*after).max(AGAIN_AFTER_MIN))
            }
            Next::Failed { message, retry, .. } => {
                self.report.say(Level::Warn, message).await;
                match retry {
                    Retry::WhenChanged => None,
                    Retry::BackOff => {
                        let longest = parts.config.back_off_max();
                        Some(back_off::after(self.n_failed + 1, longest, chance()))
                    }
                }
            }
            Next::Gone => None,
        };
        self.n_failed = if matches!(next, Next::Failed { .. }) { self.n_failed + 1 } else { 0 };
        if row.status == status::Status::Error {
            self.report.fail(failure(&next, row)).await;
        }
        after
    }
}

/// Why the operation of a resource that is in error failed.
fn failure(next: &Next, row: &Row) -> Failure {
    let code = match next {
        Next::Failed { retry: Retry::WhenChanged, .. } => GIVEN_UP,
        Next::Failed { .. } | Next::Again { .. } | Next::Settled { .. } | Next::Gone => TOO_LONG,
    };
    Failure::new(code, format!("`{}` is in error: {}", row.name, row.status_message))
}
