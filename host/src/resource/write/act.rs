//! Something that is done to a resource: the actions that its type declares, and `retry`.
//!
//! A safe action is asked of the plugin and answered with what it said. Any other is an operation: it is written
//! down, begun, and goes on after the answer; what it says of the resource is written when it is over.

use std::sync::Arc;
use std::time::Duration;

use plugin_abi::resource::{
    ActionAnswer, ActionQuestion, Condition, ConditionStatus, action_hook_name,
};
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use uuid::Uuid;

use super::advice::ask;
use super::change::{check, refuse_deleting};
use super::ledger::{Ledger, Told};
use super::precondition::Precondition;
use super::{Ask, Collection, Effect, Refused, Writes, Written};
use crate::event::Change;
use crate::log;
use crate::model::ActionModel;
use crate::operation::{Failure, OperationId, Running};
use crate::plugin::hook;
use crate::resource::condition::{self, STALLED};
use crate::resource::family::Family;
use crate::resource::row::Row;
use crate::resource::{rows, status, view};
use crate::store::writer::Work;
use crate::timestamp::Timestamp;

/// The action that every resource has which a plugin brings about.
pub(crate) const RETRY: &str = "retry";

/// Which step of its operation an action is.
const STEP: &str = "act";

/// The code of an action that came to nothing.
pub(super) const FAILED: &str = "ACTION_FAILED";

/// What shall be done.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// In which state.
    pub(crate) precondition: Precondition,
    /// Its name.
    pub(crate) verb: String,
    /// What is sent with it.
    pub(crate) input: Value,
    /// How long it may take, if it says so itself.
    pub(crate) deadline_ms: Option<u64>,
}

impl Act {
    /// The action of a type, with what is sent with it.
    pub(crate) fn of(action: &ActionModel, input: Value, precondition: Precondition) -> Self {
        let deadline_ms = action.declared.deadline_ms.map(u64::from);
        Self { precondition, verb: action.declared.verb.clone(), input, deadline_ms }
    }
}

impl Writes {
    /// Asks the plugin to do what changes nothing, and gives what it said.
    ///
    /// # Errors
    /// It did not do it.
    pub(crate) async fn act_safely(
        &self,
        collection: &Collection,
        id: Uuid,
        act: &Act,
    ) -> Result<Value, Refused> {
        let db = self.parts().store.connection();
        let row = rows::whole(db, &collection.model, id).await?.ok_or(Refused::Gone)?;
        check(&act.precondition, &row, collection)?;
        Ok(self.ask_to_act(collection, &row, act).await?.output)
    }

    /// Begins to do something to the resource `id`, which hangs under `instance`.
    ///
    /// # Errors
    /// Why not; then nothing was begun.
    ///
    /// # Cancellation
    /// What was begun goes on.
    pub(crate) async fn act(
        &self,
        ask: Ask,
        id: Uuid,
        instance: Uuid,
        act: Act,
    ) -> Result<Written, Refused> {
        let work = Acting { writes: self.clone(), ask: Arc::new(ask), id, instance, act };
        self.write(work).await
    }

    async fn ask_to_act(
        &self,
        collection: &Collection,
        row: &Row,
        act: &Act,
    ) -> Result<ActionAnswer, Refused> {
        let Collection { r#type, model, generation, .. } = collection;
        let generation = generation.as_ref().ok_or(hook::HookError::Closed)?;
        let family = Family::of(self.parts().store.connection(), r#type, model, row).await?;
        let resource = view::of(model, row, family.parent_view());
        let question = ActionQuestion { resource, input: act.input.clone() };
        let name = action_hook_name(&model.slug, model.collection(), &act.verb);
        let limit = self.limit(act);
        ask(generation, &name, &question, limit).await
    }

    fn limit(&self, act: &Act) -> Duration {
        act.deadline_ms.map_or_else(|| self.parts().config.action_limit(), Duration::from_millis)
    }

    /// Does what was begun, and writes down what the plugin says of it.
    async fn go_on(self, acting: Arc<Begun>) {
        let Begun { ask, id, instance, act, operation } = &*acting;
        let running = match self.parts().operations.run(*operation, &[STEP]).await {
            Ok(running) => running,
            Err(error) => {
                let cause = log::chain(&error).to_string();
                return tracing::warn!(%operation, verb = act.verb, "an action is not done: {cause}");
            }
        };
        let done = running.step(STEP, self.do_it(ask, *id, *instance, act)).await;
        finish(running, &act.verb, done).await;
        let model = &ask.collection.model;
        self.parts().reconciler.wake(&model.slug, model.collection(), *id);
    }

    async fn do_it(
        &self,
        ask: &Arc<Ask>,
        id: Uuid,
        instance: Uuid,
        act: &Act,
    ) -> Result<Value, Refused> {
        let Collection { model, .. } = &ask.collection;
        let row = rows::whole(self.parts().store.connection(), model, id).await?;
        let answer = self.ask_to_act(&ask.collection, &row.ok_or(Refused::Gone)?, act).await?;
        let ActionAnswer { output, fields, conditions } = answer;
        if fields.is_empty() && conditions.is_empty() {
            return Ok(output);
        }
        self.say(ask, id, instance, fields, conditions).await?;
        Ok(output)
    }
}

async fn finish(running: Running, verb: &str, done: Result<Value, Refused>) {
    match done {
        Ok(output) => running.succeed(format!("{verb} is done"), output).await,
        Err(error) => {
            let cause = log::chain(&error).to_string();
            running.fail(Failure::new(FAILED, format!("{verb} is not done: {cause}"))).await;
        }
    }
}

/// An action that was written down.
struct Begun {
    ask: Arc<Ask>,
    id: Uuid,
    instance: Uuid,
    act: Act,
    operation: OperationId,
}

struct Acting {
    writes: Writes,
    ask: Arc<Ask>,
    id: Uuid,
    /// At the top of what it hangs under, or itself.
    instance: Uuid,
    act: Act,
}

impl Work for Acting {
    type Done = Written;
    type Refused = Refused;

    async fn write(&mut self, db: &DatabaseTransaction) -> Result<Written, Refused> {
        let Self { writes, ask, id, instance, act } = self;
        let Collection { model, .. } = &ask.collection;
        let ledger = Ledger { writes, db, ask, instance: *instance };
        let mut row = rows::held(db, model, *id).await?.ok_or(Refused::Gone)?;
        check(&act.precondition, &row, &ask.collection)?;
        refuse_deleting(&row)?;
        if let Some(last) = ledger.last(&row).await?.filter(|last| !last.state.is_done()) {
            return Err(Refused::Busy(last.id));
        }
        let (revision, now) = (row.revision, Timestamp::now());
        let operation = ledger.begin(&mut row, &act.verb).await?;
        if act.verb == RETRY {
            let (r#type, reason) = (STALLED.to_owned(), "Retrying".to_owned());
            let (status, message) = (ConditionStatus::False, String::new());
            let said = Condition { r#type, status, reason, message };
            let generation = row.generation;
            condition::say(&mut row.conditions, said, generation, now);
            status::settle(model, &mut row, now);
        }
        row.revision += 1;
        row.updated_at = now;
        if !rows::update(db, model, &row, revision).await? {
            return Err(Refused::Raced);
        }
        let last = Some(&operation);
        ledger.tell(Change::Modified, model, &row, last).await?;
        ledger.close(&row, Effect::Acted, last, last, Told::default()).await
    }

    fn committed(self, done: &Written) {
        let Self { writes, ask, id, instance, act } = self;
        writes.committed(&ask.collection.model, id);
        let Some(operation) = done.operation.as_ref().filter(|_| act.verb != RETRY) else { return };
        let operation = operation.id;
        let begun = Arc::new(Begun { ask, id, instance, act, operation });
        let tasks = writes.parts().tasks.clone();
        tasks.spawn("action", writes.go_on(begun));
    }
}
