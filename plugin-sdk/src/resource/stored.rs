//! A resource as hooks see it: its fields as a struct, and what every resource has.

use std::fmt;
use std::ops::{Deref, DerefMut};

use http::StatusCode;
use plugin_abi::descriptor::Policy;
use plugin_abi::resource::{Condition, RESERVED_CONDITIONS, ReconcileQuestion, ResourceDocument};
use serde_json::{Map, Value};

use super::declared::{FieldReader, FieldWriter, Resource};
use super::field::is_said_by_plugin;
use crate::problem::Problem;

/// A resource that the host keeps: its fields, by dereference, and what every resource has, by methods.
///
/// ```
/// # use plugin_sdk::prelude::*;
/// #[derive(Resource)]
/// struct Bucket {
///     /// The most bytes in it.
///     quota_bytes: Option<u64>,
///     /// Where it is.
///     #[field(ro)]
///     url: Option<String>,
/// }
///
/// fn place(bucket: &mut Stored<Bucket>) {
///     bucket.url = Some(format!("s3://{}", bucket.name()));
/// }
/// ```
///
/// What a hook changes in it is told to the host when the hook gives it back. A plugin says fields of the
/// policies `ro`, `shown_once` and `hidden` alone; a hook that changes another one fails.
pub struct Stored<R> {
    fields: R,
    /// All but the fields.
    document: ResourceDocument,
    /// The fields as they were read, to know what was changed.
    before: Map<String, Value>,
    said: Vec<Condition>,
    children: Map<String, Value>,
    attempt: u32,
}

/// What a hook has to say of a resource.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) fields: Map<String, Value>,
    pub(crate) conditions: Vec<Condition>,
}

impl<R: Resource> Stored<R> {
    /// Reads a document.
    ///
    /// # Errors
    /// When a field does not fit the struct; a mistake of the plugin's, or a backfill that is still to come.
    pub(crate) fn of_document(mut document: ResourceDocument) -> Result<Self, Problem> {
        let fields = std::mem::take(&mut document.fields);
        let fields = R::read(&mut FieldReader::new(fields)).map_err(|error| {
            mistake(format!("{} `{}`: {error}", R::NAME, document.name))
                .hint("give the field a default or make it an `Option`, and fill in its column")
        })?;
        let before = written(&fields)?;
        let (said, children) = (Vec::new(), Map::new());
        Ok(Self { fields, document, before, said, children, attempt: 0 })
    }

    pub(super) fn of_reconcile(question: ReconcileQuestion) -> Result<Self, Problem> {
        let ReconcileQuestion { resource, children, attempt } = question;
        Ok(Self { children, attempt, ..Self::of_document(resource)? })
    }

    /// What was changed in it since it was read.
    ///
    /// # Errors
    /// When that is not the plugin's to say.
    pub(crate) fn said(self) -> Result<Said, Problem> {
        let Self { fields, document, before, said, .. } = self;
        let mut changed = written(&fields)?;
        changed.retain(|field, value| before.get(field) != Some(value));
        let policy = |field: &str| R::POLICIES.iter().find(|(name, _policy)| *name == field);
        let is_ours = |field: &String| {
            policy(field).is_some_and(|(_name, policy): &(_, Policy)| is_said_by_plugin(*policy))
        };
        let about = format!("{} `{}`", R::NAME, document.name);
        if let Some(field) = changed.keys().find(|field| !is_ours(field)) {
            let detail = format!("{about}: a hook changed `{field}`, which clients say");
            return Err(mistake(detail).hint("give the field the policy `ro`, or leave it alone"));
        }
        let is_the_hosts =
            |condition: &&Condition| RESERVED_CONDITIONS.contains(&&*condition.r#type);
        if let Some(condition) = said.iter().find(is_the_hosts) {
            let detail = format!("{about}: the condition `{}` is the host's", condition.r#type);
            return Err(mistake(detail).hint("choose another name for the condition"));
        }
        Ok(Said { fields: changed, conditions: said })
    }

    /// What hangs under it, those that are being taken down included. Only `reconcile` is given these.
    ///
    /// # Errors
    /// When a field of one does not fit its struct.
    pub fn children<C: Resource<Parent = R>>(&self) -> Result<Vec<Stored<C>>, Problem> {
        let Some(children) = self.children.get(C::COLLECTION) else { return Ok(Vec::new()) };
        let children: Vec<ResourceDocument> = serde_json::from_value(children.clone())
            .map_err(|error| mistake(format!("children `{}`: {error}", C::COLLECTION)))?;
        children.into_iter().map(Stored::of_document).collect()
    }

    /// What it hangs under.
    ///
    /// # Errors
    /// When a field of that does not fit its struct.
    pub fn parent(&self) -> Result<Stored<R::Parent>, Problem>
    where
        R::Parent: Resource,
    {
        let parent = self.document.parent.as_deref().cloned();
        let parent = parent
            .ok_or_else(|| mistake(format!("{} `{}` came without parent", R::NAME, self.name())))?;
        Stored::of_document(parent)
    }
}

impl<R> Stored<R> {
    /// Its id; nil in the validation of a create.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.document.id
    }

    /// The tenant project that it belongs to.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.document.project_id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// What it is for, in its maker's words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.document.description
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.document.labels.get(key).and_then(Value::as_str)
    }

    /// Counts what was wanted.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.document.generation
    }

    /// Whether it is to be taken down: then it is settled when nothing is left of it.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.document.deleting
    }

    /// How often in a row its reconciliation failed before.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What is known of it under this name, by what was said last.
    #[must_use]
    pub fn condition(&self, r#type: &str) -> Option<&Condition> {
        let mut known = self.said.iter().rev().chain(&self.document.conditions);
        known.find(|condition| condition.r#type == r#type)
    }

    /// Notes something that is known of it, in place of what was known under that name.
    pub fn note(&mut self, condition: Condition) {
        self.said.retain(|earlier| earlier.r#type != condition.r#type);
        self.said.push(condition);
    }

    /// All that the host said of it, but its fields.
    #[must_use]
    pub fn document(&self) -> &ResourceDocument {
        &self.document
    }
}

impl<R> Deref for Stored<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.fields
    }
}

impl<R> DerefMut for Stored<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.fields
    }
}

/// Without the fields: some may be nobody's to see in a log.
impl<R> fmt::Debug for Stored<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name(), self.id())
    }
}

/// The fields as JSON.
pub(super) fn written<R: Resource>(resource: &R) -> Result<Map<String, Value>, Problem> {
    let mut writer = FieldWriter::default();
    resource.write(&mut writer);
    match writer.fault {
        None => Ok(writer.fields),
        Some(fault) => Err(mistake(format!("a {} cannot be written: {fault}", R::NAME))),
    }
}

/// What the plugin did wrong: it is told in the log, and the client learns that it is not to blame.
pub(super) fn mistake(detail: String) -> Problem {
    tracing::error!("{detail}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
}
