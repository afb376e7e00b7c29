//! What the plugin says to a write before it is made: what is wrong with it, fields of its own, what it would do.

use std::sync::Arc;
use std::time::Duration;

use plugin_abi::descriptor::{Hook, Policy};
use plugin_abi::resource::{
    PlanAnswer, ResourceDocument, ValidateAnswer, ValidateQuestion, hook_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ledger::Told;
use super::writes::Collection;
use super::{Mode, Refused, Writes};
use crate::plugin::generation::Generation;
use crate::plugin::hook;
use crate::resource::family::Family;
use crate::resource::row::Row;
use crate::resource::{said, sealed, view};

/// Fields that the plugin said, sealed; and what is told of them.
#[derive(Debug, Default)]
pub(super) struct Advice {
    pub(super) fields: Map<String, Value>,
    pub(super) told: Told,
}

impl Writes {
    /// Asks the plugin of a change from `old` to `new`; one that wants to be asked nothing is not.
    pub(super) async fn advice(
        &self,
        collection: &Collection,
        old: Option<&Row>,
        new: &Row,
        mode: Mode,
    ) -> Result<Advice, Refused> {
        let Collection { r#type, model, generation, .. } = collection;
        let plans = mode == Mode::Rehearse && model.has(Hook::Plan);
        let Some(generation) = generation.as_ref().filter(|_| plans || model.has(Hook::Validate))
        else {
            return Ok(Advice::default());
        };
        // What is not written yet can be opened while the hook is answered.
        let _held = self.pending().hold(model, new);
        let family = Family::of(self.parts().store.connection(), r#type, model, new).await?;
        let seen = |row: &Row| -> ResourceDocument { view::of(model, row, family.parent_view()) };
        let question = ValidateQuestion { old: old.map(seen), new: seen(new) };
        let mut advice = Advice::default();
        if model.has(Hook::Validate) {
            let answer = self.ask(generation, collection, Hook::Validate, &question).await?;
            let ValidateAnswer { errors, fields } = answer;
            if !errors.is_empty() {
                return Err(Refused::Faults(errors));
            }
            said::check(model, &fields).map_err(Refused::Nonsense)?;
            advice = self.sealed(collection, new, fields);
        }
        if plans {
            let answer = self.ask(generation, collection, Hook::Plan, &question).await?;
            let PlanAnswer { plan } = answer;
            advice.told.plan = plan;
        }
        Ok(advice)
    }

    /// What a plugin said of `row`, as it is kept, and what of it is shown once.
    pub(super) fn sealed(
        &self,
        collection: &Collection,
        row: &Row,
        mut fields: Map<String, Value>,
    ) -> Advice {
        let model = &collection.model;
        let shown_once = |name: &String| {
            model.field(name).is_some_and(|it| it.declared.policy == Policy::ShownOnce)
        };
        let once = fields.iter().filter(|(name, value)| shown_once(name) && !value.is_null());
        let once = once.map(|(name, value)| (name.clone(), value.clone())).collect();
        sealed::seal(&self.parts().secrets, model, row.id, &mut fields);
        Advice { fields, told: Told { once, plan: Vec::new() } }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        generation: &Arc<Generation>,
        collection: &Collection,
        hook: Hook,
        question: &ValidateQuestion,
    ) -> Result<T, Refused> {
        let model = &collection.model;
        let name = hook_name(&model.slug, model.collection(), hook);
        ask(generation, &name, question, self.parts().config.validate_limit()).await
    }
}

/// What the plugin answers to a question of the host's.
pub(super) async fn ask<T: DeserializeOwned>(
    generation: &Arc<Generation>,
    hook: &str,
    question: &impl Serialize,
    limit: Duration,
) -> Result<T, Refused> {
    let question = serde_json::to_value(question).expect("a document is text and JSON values");
    let answer = hook::call(generation, hook, &question, limit).await?;
    serde_json::from_value(answer).map_err(|error| Refused::Nonsense(error.to_string()))
}
