//! Hooks of declared resources, called in a test as the daemon calls them.

use plugin_abi::descriptor::Hook;
use plugin_abi::resource::{
    ActionAnswer, ActionQuestion, PlanAnswer, ReconcileAnswer, ReconcileQuestion, ResourceDocument,
    ValidateAnswer, ValidateQuestion, action_hook_name, hook_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::TestPlugin;
use super::answer::Answer;
use crate::resource::Resource;

/// A resource of this name with these fields, as a hook is given it; the other members may be set.
///
/// # Panics
/// When `fields` is no object.
#[must_use]
pub fn stored(name: &str, fields: Value) -> ResourceDocument {
    let Value::Object(fields) = fields else { panic!("the fields of `{name}` are no object") };
    let moment = "2026-01-31T23:59:59.000Z".to_owned();
    ResourceDocument {
        id: "0199c1e4-0000-7000-8000-000000000001".to_owned(),
        project_id: "0199c1e4-0000-7000-8000-0000000000ff".to_owned(),
        name: name.to_owned(),
        parent: None,
        description: String::new(),
        labels: Map::new(),
        annotations: Map::new(),
        generation: 1,
        observed_generation: 0,
        deleting: false,
        fields,
        conditions: Vec::new(),
        created_at: moment.clone(),
        updated_at: moment,
    }
}

impl TestPlugin {
    /// Asks `validate` whether `new` may be written in place of `old`, or be created.
    ///
    /// # Errors
    /// The problem that the hook answered with.
    ///
    /// # Panics
    /// When the plugin has no such hook, or answers what cannot be read.
    pub async fn validate<R: Resource>(
        &self,
        old: Option<&ResourceDocument>,
        new: &ResourceDocument,
    ) -> Result<ValidateAnswer, Answer> {
        let question = ValidateQuestion { old: old.cloned(), new: new.clone() };
        self.asked(&self.name_of::<R>(Hook::Validate), &question).await
    }

    /// Asks `plan` what it would lead to to write `new` in place of `old`, or to create it.
    ///
    /// # Errors
    /// The problem that the hook answered with.
    ///
    /// # Panics
    /// When the plugin has no such hook, or answers what cannot be read.
    pub async fn plan<R: Resource>(
        &self,
        old: Option<&ResourceDocument>,
        new: &ResourceDocument,
    ) -> Result<PlanAnswer, Answer> {
        let question = ValidateQuestion { old: old.cloned(), new: new.clone() };
        self.asked(&self.name_of::<R>(Hook::Plan), &question).await
    }

    /// Has a resource reconciled, with nothing under it.
    ///
    /// # Errors
    /// The problem that the hook answered with.
    ///
    /// # Panics
    /// When the plugin has no such hook, or answers what cannot be read.
    pub async fn reconcile<R: Resource>(
        &self,
        resource: &ResourceDocument,
    ) -> Result<ReconcileAnswer, Answer> {
        self.reconcile_with::<R>(resource, json!({})).await
    }

    /// Has a resource reconciled with what hangs under it: `{"buckets": […]}`.
    ///
    /// # Errors
    /// The problem that the hook answered with.
    ///
    /// # Panics
    /// When the plugin has no such hook, or answers what cannot be read.
    pub async fn reconcile_with<R: Resource>(
        &self,
        resource: &ResourceDocument,
        children: Value,
    ) -> Result<ReconcileAnswer, Answer> {
        let Value::Object(children) = children else { panic!("children are by collection") };
        let question = ReconcileQuestion { resource: resource.clone(), children, attempt: 0 };
        self.asked(&self.name_of::<R>(Hook::Reconcile), &question).await
    }

    /// Does something to a resource; `input` is null when nothing is sent.
    ///
    /// # Errors
    /// The problem that the action answered with.
    ///
    /// # Panics
    /// When the plugin has no such action, or answers what cannot be read.
    pub async fn act<R: Resource>(
        &self,
        resource: &ResourceDocument,
        verb: &str,
        input: Value,
    ) -> Result<ActionAnswer, Answer> {
        let name = action_hook_name(&self.slug_of::<R>(), R::COLLECTION, verb);
        self.asked(&name, &ActionQuestion { resource: resource.clone(), input }).await
    }

    fn name_of<R: Resource>(&self, hook: Hook) -> String {
        hook_name(&self.slug_of::<R>(), R::COLLECTION, hook)
    }

    /// The type that has the collection of this struct.
    fn slug_of<R: Resource>(&self) -> String {
        let mut types = self.types.iter();
        let of_type = types.find(|it| it.resources.iter().any(|it| it.collection == R::COLLECTION));
        let of_type = of_type.unwrap_or_else(|| panic!("no `{}` are registered", R::COLLECTION));
        of_type.slug.clone()
    }

    async fn asked<A: DeserializeOwned>(
        &self,
        hook: &str,
        question: &impl Serialize,
    ) -> Result<A, Answer> {
        let question = serde_json::to_value(question).expect("a question is JSON");
        let answer = self.hook(hook, &question).await;
        assert!(answer.status() != 404, "the plugin has no hook `{hook}`");
        if answer.status().is_success() { Ok(answer.json().await) } else { Err(answer) }
    }
}
