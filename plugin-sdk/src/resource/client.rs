//! A plugin's own resources, beside its hooks: read, said, made and taken down through the host.

use std::fmt;
use std::marker::PhantomData;

use http::StatusCode;
use plugin_abi::resource::access::{
    Answer, Ask, Fault, FaultKind, NewResource, REQUEST_BYTES_MAX, RESOURCES_SERVICE, Request,
};
use plugin_abi::resource::{FieldFault, ResourceDocument};
use serde_json::Map;

use super::declaration::Served;
use super::declared::Resource;
use super::stored::{Said, Stored, written};
use crate::context::Context;
use crate::problem::Problem;

/// The resources `R` of the plugin itself, in every project: [`Context::resources`].
///
/// ```
/// # use plugin_sdk::prelude::*;
/// # use plugin_sdk::resource::{AccessError, Which};
/// # #[derive(Resource)] struct Instance {}
/// # #[derive(Resource)] #[resource(parent = Instance)] struct Bucket { #[field(ro)] bytes: Option<u64> }
/// async fn measure(context: &Context, instance: &Stored<Instance>) -> Result<(), AccessError> {
///     let buckets = context.resources::<Bucket>();
///     for mut bucket in buckets.list(Which::under(instance)).await?.items {
///         bucket.bytes = Some(0);
///         buckets.save(bucket).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// What is written here is lasting when the call returns, and watchers see it.
pub struct Client<R> {
    context: Context,
    /// `None`: the struct was not registered.
    served: Option<Served>,
    _of: PhantomData<fn(R)>,
}

/// Which resources a list has.
#[derive(Debug, Clone, Default)]
pub struct Which {
    parent: Option<String>,
    project_id: Option<String>,
    labels: Map<String, serde_json::Value>,
    after: Option<String>,
    limit: u32,
}

impl Which {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that hang under `parent`.
    #[must_use]
    pub fn under<Q>(parent: &Stored<Q>) -> Self {
        Self { parent: Some(parent.id().to_owned()), ..Self::default() }
    }

    /// Those of a project alone.
    #[must_use]
    pub fn of_project(self, project: impl Into<String>) -> Self {
        Self { project_id: Some(project.into()), ..self }
    }

    /// Those with a label alone; called again, with that one too.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into().into());
        self
    }

    /// Goes on behind a page.
    #[must_use]
    pub fn after(self, next: impl Into<String>) -> Self {
        Self { after: Some(next.into()), ..self }
    }

    /// At most so many; else as many as the host gives at once.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }
}

/// A part of a list.
#[derive(Debug)]
pub struct Page<R> {
    /// The resources, in the order in which they were made.
    pub items: Vec<Stored<R>>,
    /// Where to go on, by [`Which::after`]; none: it was the last page.
    pub next: Option<String>,
}

/// A resource that is to be.
#[derive(Debug)]
pub struct New<R> {
    name: String,
    fields: R,
    description: String,
    labels: Map<String, serde_json::Value>,
}

impl<R: Resource> New<R> {
    /// One with a name and all its fields.
    #[must_use]
    pub fn named(name: impl Into<String>, fields: R) -> Self {
        Self { name: name.into(), fields, description: String::new(), labels: Map::new() }
    }

    /// What it is for.
    #[must_use]
    pub fn describe(self, description: impl Into<String>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// What it is selected by.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into().into());
        self
    }

    fn into_document(self) -> Result<NewResource, Problem> {
        let Self { name, fields, description, labels } = self;
        let mut fields = written(&fields)?;
        fields.retain(|_field, value| !value.is_null());
        Ok(NewResource { name, description, labels, annotations: Map::new(), fields })
    }
}

impl<R: Resource> Client<R> {
    pub(crate) fn new(context: Context, served: Option<Served>) -> Self {
        Self { context, served, _of: PhantomData }
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of this id, or the host cannot tell.
    pub async fn get(&self, id: impl Into<String>) -> Result<Stored<R>, AccessError> {
        self.resource(Ask::Get { id: id.into() }).await
    }

    /// One of them, by its name in a project.
    ///
    /// # Errors
    /// When there is none of this name, or the host cannot tell.
    pub async fn find(
        &self,
        project: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Stored<R>, AccessError> {
        let (project_id, name) = (project.into(), name.into());
        self.resource(Ask::Find { project_id, parent: None, name }).await
    }

    /// One of them, by its name under its parent.
    ///
    /// # Errors
    /// When there is none of this name, or the host cannot tell.
    pub async fn find_in(
        &self,
        parent: &Stored<R::Parent>,
        name: impl Into<String>,
    ) -> Result<Stored<R>, AccessError>
    where
        R::Parent: Resource,
    {
        let (project_id, name) = (parent.project().to_owned(), name.into());
        self.resource(Ask::Find { project_id, parent: Some(parent.id().to_owned()), name }).await
    }

    /// A page of them.
    ///
    /// # Errors
    /// When the host cannot tell.
    pub async fn list(&self, which: Which) -> Result<Page<R>, AccessError> {
        let Which { parent, project_id, labels, after, limit } = which;
        match self.ask(Ask::List { parent, project_id, labels, after, limit }).await? {
            Answer::Page { items, next } => {
                let items = items.into_iter().map(read).collect::<Result<_, _>>()?;
                Ok(Page { items, next })
            }
            Answer::Resource(_) | Answer::Done | Answer::Fault(_) => Err(AccessError::odd()),
        }
    }

    /// Writes what was changed in one, as a hook that gives it back: fields that the plugin says, conditions.
    ///
    /// # Errors
    /// When it is gone, or something was changed that is not the plugin's to say.
    pub async fn save(&self, resource: Stored<R>) -> Result<Stored<R>, AccessError> {
        let id = resource.id().to_owned();
        let Said { fields, conditions } = resource.said().map_err(AccessError::of_mistake)?;
        self.resource(Ask::Say { id, fields, conditions }).await
    }

    /// Makes one under another resource of the plugin.
    ///
    /// # Errors
    /// When it cannot be: the name is taken, a field does not fit, the parent is gone.
    pub async fn create(
        &self,
        parent: &Stored<R::Parent>,
        resource: New<R>,
    ) -> Result<Stored<R>, AccessError>
    where
        R::Parent: Resource,
    {
        let resource = resource.into_document().map_err(AccessError::of_mistake)?;
        self.resource(Ask::Create { parent: parent.id().to_owned(), resource }).await
    }

    /// Has one taken down, with what hangs under it; it is noted when this returns.
    ///
    /// # Errors
    /// When there is none of this id, or the host cannot note it.
    pub async fn delete(&self, id: impl Into<String>) -> Result<(), AccessError> {
        self.done(Ask::Delete { id: id.into() }).await
    }

    /// Asks for its reconciliation, sooner than the host would by itself.
    ///
    /// # Errors
    /// When there is none of this id, or the host cannot note it.
    pub async fn wake(&self, id: impl Into<String>) -> Result<(), AccessError> {
        self.done(Ask::Wake { id: id.into() }).await
    }

    async fn resource(&self, ask: Ask) -> Result<Stored<R>, AccessError> {
        match self.ask(ask).await? {
            Answer::Resource(document) => read(*document),
            Answer::Page { .. } | Answer::Done | Answer::Fault(_) => Err(AccessError::odd()),
        }
    }

    async fn done(&self, ask: Ask) -> Result<(), AccessError> {
        match self.ask(ask).await? {
            Answer::Done => Ok(()),
            Answer::Resource(_) | Answer::Page { .. } | Answer::Fault(_) => Err(AccessError::odd()),
        }
    }

    /// Asks the service; a fault is an error here already.
    async fn ask(&self, ask: Ask) -> Result<Answer, AccessError> {
        let Some(Served { slug, collection }) = self.served.clone() else {
            let message = format!("no `{}` is among the plugin's resources", R::COLLECTION);
            return Err(AccessError::new(FaultKind::Denied, message));
        };
        let request = Request { slug, collection: collection.to_owned(), ask };
        let payload = request.encode();
        if payload.len() > REQUEST_BYTES_MAX {
            let message =
                format!("{} bytes; at most {REQUEST_BYTES_MAX} can be sent", payload.len());
            return Err(AccessError::new(FaultKind::Invalid, message));
        }
        let answer = self.context.service(RESOURCES_SERVICE, &payload).await;
        let answer =
            answer.map_err(|error| AccessError::new(FaultKind::Unavailable, error.to_string()))?;
        match Answer::decode(&answer) {
            Ok(Answer::Fault(fault)) => Err(AccessError(fault)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(AccessError::new(FaultKind::Other, error.to_string())),
        }
    }
}

fn read<R: Resource>(document: ResourceDocument) -> Result<Stored<R>, AccessError> {
    Stored::of_document(document).map_err(AccessError::of_mistake)
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resources {:?}", self.served)
    }
}

/// Why something about the plugin's own resources is not done.
///
/// As an answer of a route or an action it is a safe problem; the rest is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.message)]
pub struct AccessError(Fault);

impl AccessError {
    fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self(Fault { kind, message: message.into(), errors: Vec::new() })
    }

    fn odd() -> Self {
        Self::new(FaultKind::Other, "the host answered something else than was asked")
    }

    /// It was logged where it was found.
    #[expect(clippy::needless_pass_by_value, reason = "what an error is made of is gone")]
    fn of_mistake(problem: Problem) -> Self {
        Self::new(FaultKind::Invalid, problem.to_string())
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.0.kind
    }

    /// Whether there is no such resource, or no longer.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == FaultKind::NotFound
    }

    /// Whether another one has that name.
    #[must_use]
    pub fn is_name_taken(&self) -> bool {
        self.kind() == FaultKind::NameTaken
    }

    /// What is wrong with which field, when something was invalid.
    #[must_use]
    pub fn errors(&self) -> &[FieldFault] {
        &self.0.errors
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let (status, code, detail) = match error.kind() {
            FaultKind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "it is not there any more"),
            FaultKind::NameTaken => {
                (StatusCode::CONFLICT, "NAME_TAKEN", "another one has that name")
            }
            FaultKind::NotUnique => {
                (StatusCode::CONFLICT, "NOT_UNIQUE", "another one has that value")
            }
            FaultKind::QuotaExceeded => {
                (StatusCode::CONFLICT, "QUOTA_EXCEEDED", "the project may not have more")
            }
            FaultKind::Conflict => {
                (StatusCode::CONFLICT, "CONFLICT", "it was changed meanwhile; try again")
            }
            FaultKind::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", "the store is not to be had")
            }
            FaultKind::Invalid | FaultKind::Denied | FaultKind::Other => {
                tracing::error!("the host does not do what was asked of a resource: {error}");
                let detail = "the host does not do what the plugin asked of it";
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
            }
        };
        Problem::new(status, code, detail)
    }
}
