//! The resources of a plugin, with the functions that the host calls about them.
//!
//! They only collect, as the router does; what is wrong is found when the descriptor is made of it.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;

use plugin_abi::descriptor::{Hook, TypeVersion};
use plugin_abi::resource::{PlanAnswer, ReconcileQuestion, ValidateQuestion};

use super::action::Action;
use super::declared::{Place, Resource};
use super::field::FieldDeclaration;
use super::handler::{About, HookHandler, endpoint};
use super::outcome::IntoReconciled;
use super::stored::Stored;
use super::validation::{Change, IntoPlan, IntoValidation};
use crate::handler::Endpoint;

/// All resources of a plugin.
///
/// Those added here are the plugin's only type's; a plugin with several says which by
/// [`Resources::of_type`].
pub struct Resources<P> {
    pub(super) description: String,
    pub(super) versions: Vec<TypeVersion>,
    pub(super) collections: Vec<Parts<P>>,
    /// Those of one type alone.
    pub(super) of_types: Vec<(String, Self)>,
}

impl<P> Resources<P> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        let (versions, collections, of_types) = (Vec::new(), Vec::new(), Vec::new());
        Self { description: String::new(), versions, collections, of_types }
    }

    /// Adds a collection: `Bucket::collection()`, with its hooks.
    #[must_use]
    pub fn with<R: Resource>(mut self, collection: Collection<P, R>) -> Self {
        self.collections.push(collection.into_parts());
        self
    }

    /// Resources of one of the plugin's types.
    #[must_use]
    pub fn of_type(mut self, slug: impl Into<String>, resources: Self) -> Self {
        self.of_types.push((slug.into(), resources));
        self
    }

    /// What the type is, for people.
    #[must_use]
    pub fn describe(self, description: impl Into<String>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// Adds a version that its instances can run.
    #[must_use]
    pub fn version(mut self, version: TypeVersion) -> Self {
        self.versions.push(version);
        self
    }
}

impl<P> Default for Resources<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for Resources<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.collections).entries(&self.of_types).finish()
    }
}

/// A collection of resources `R` of plugin `P`, with its hooks.
///
/// Without any it is served by the host alone. Hooks are `async fn`s: what they are about first, then
/// extractors, as in handlers of routes.
pub struct Collection<P, R> {
    hooks: Vec<(Hook, Endpoint<P>)>,
    actions: Vec<Action<P, R>>,
    _of: PhantomData<fn(R)>,
}

impl<P, R: Resource> Collection<P, R> {
    pub(super) fn new() -> Self {
        Self { hooks: Vec::new(), actions: Vec::new(), _of: PhantomData }
    }

    fn into_parts(self) -> Parts<P> {
        let Self { hooks, actions, _of } = self;
        Parts {
            id: TypeId::of::<R>(),
            collection: R::COLLECTION,
            name: R::NAME,
            parent: R::Parent::COLLECTION,
            description: R::DESCRIPTION,
            demands_if_match: R::DEMANDS_IF_MATCH,
            fields: R::fields(),
            hooks,
            actions: actions.into_iter().map(Action::into_parts).collect(),
        }
    }
}

impl<P: Send + Sync + 'static, R: Resource> Collection<P, R> {
    /// Asks before a create or a change is written: `async fn(Change<R>, …) -> Result<_, Invalid>`.
    ///
    /// The host has checked the schemas of the fields. `Ok(())` lets it pass; `Ok(change.new)` too, with what
    /// the plugin says of the new resource.
    #[must_use]
    pub fn validate<Args: 'static, H>(mut self, handler: H) -> Self
    where
        H: HookHandler<P, About<Change<R>>, Args, Answer: IntoValidation<R> + 'static>,
    {
        let about = |question: ValidateQuestion| Change::of_question(question).map(About);
        self.hooks.push((Hook::Validate, endpoint(handler, about, IntoValidation::into_answer)));
        self
    }

    /// Tells what a write would lead to, for a dry run: `async fn(Change<R>, …) -> Vec<PlannedStep>`.
    #[must_use]
    pub fn plan<Args: 'static, H>(mut self, handler: H) -> Self
    where
        H: HookHandler<P, About<Change<R>>, Args, Answer: IntoPlan + 'static>,
    {
        let about = |question: ValidateQuestion| Change::of_question(question).map(About);
        let answer = |steps: H::Answer| steps.into_plan().map(|plan| PlanAnswer { plan });
        self.hooks.push((Hook::Plan, endpoint(handler, about, answer)));
        self
    }

    /// Makes what is there what is wanted: `async fn(Stored<R>, …) -> Result<Reconciled<R>, Failed>`.
    ///
    /// Called after a write, when it said so itself, and by the host's period; also to take a resource down
    /// ([`Stored::is_deleting`]). It looks at what there is, does what is missing, and may be repeated.
    #[must_use]
    pub fn reconcile<Args: 'static, H>(mut self, handler: H) -> Self
    where
        H: HookHandler<P, About<Stored<R>>, Args, Answer: IntoReconciled<R> + 'static>,
    {
        let about = |question: ReconcileQuestion| Stored::of_reconcile(question).map(About);
        self.hooks.push((Hook::Reconcile, endpoint(handler, about, IntoReconciled::into_answer)));
        self
    }

    /// Adds something that can be done to one of them.
    #[must_use]
    pub fn action(mut self, action: Action<P, R>) -> Self {
        self.actions.push(action);
        self
    }
}

impl<P, R: Resource> fmt::Debug for Collection<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::COLLECTION)
    }
}

/// A collection whose struct is forgotten.
pub(super) struct Parts<P> {
    pub(super) id: TypeId,
    pub(super) collection: &'static str,
    pub(super) name: &'static str,
    pub(super) parent: Option<&'static str>,
    pub(super) description: &'static str,
    pub(super) demands_if_match: bool,
    pub(super) fields: Vec<FieldDeclaration>,
    pub(super) hooks: Vec<(Hook, Endpoint<P>)>,
    /// By verb; else what is wrong with it.
    pub(super) actions: Vec<(String, ActionParts<P>)>,
}

/// An action as the descriptor has it, and what answers it.
pub(super) type ActionParts<P> = Result<(plugin_abi::descriptor::Action, Endpoint<P>), String>;

impl<P> fmt::Debug for Parts<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.collection)
    }
}
