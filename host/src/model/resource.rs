//! A declared collection: its fields, its actions, its place in the tree, its table.

use std::sync::Arc;

use jsonschema::Validator;
use plugin_abi::descriptor::{Action, Field, Hook, Resource, TypeDescriptor};
use serde_json::Value;

use super::error::{ModelError, Wrong};
use super::field::{Fault, FieldModel, compile};
use super::names::{COLLECTION, INSTANCES, ONE, TABLE_BYTES_MAX, VERB, VERBS, WORDS_BELOW};
use super::statements::{Sql, Statements};
use crate::store::Backend;

const COLLECTIONS_MAX: usize = 64;
const FIELDS_MAX: usize = 256;
const ACTIONS_MAX: usize = 64;

/// A collection.
#[derive(Debug)]
pub(crate) struct ResourceModel {
    /// Its type.
    pub(crate) slug: String,
    /// What was declared.
    pub(crate) declared: Resource,
    fields: Vec<FieldModel>,
    actions: Vec<ActionModel>,
    statements: Statements,
}

/// An action.
#[derive(Debug)]
pub(crate) struct ActionModel {
    /// What was declared.
    pub(crate) declared: Action,
    /// Of what is sent with it; none: nothing is.
    input: Option<Validator>,
}

impl ResourceModel {
    fn of(slug: &str, declared: &Resource) -> Result<Self, ModelError> {
        let wrong = |wrong| ModelError::of_collection(slug, &declared.collection, wrong);
        check_collection(slug, declared).map_err(wrong)?;
        check_hooks(declared).map_err(wrong)?;
        Ok(Self {
            slug: slug.to_owned(),
            declared: declared.clone(),
            fields: fields_of(slug, declared)?,
            actions: actions_of(slug, declared)?,
            statements: Statements::of(declared),
        })
    }

    /// Its field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldModel> {
        self.fields.iter().find(|field| field.declared.name == name)
    }

    /// Its fields, as declared.
    pub(crate) fn fields(&self) -> &[FieldModel] {
        &self.fields
    }

    /// Its action of this name.
    pub(crate) fn action(&self, verb: &str) -> Option<&ActionModel> {
        self.actions.iter().find(|action| action.declared.verb == verb)
    }

    /// Its actions, as declared.
    pub(crate) fn actions(&self) -> &[ActionModel] {
        &self.actions
    }

    /// The permission to do `verb` to one of them.
    pub(crate) fn permission(&self, verb: &str) -> String {
        format!("{}.{}.{verb}", self.slug, self.declared.name)
    }

    /// Where its rows are.
    pub(crate) fn table(&self) -> &str {
        &self.declared.table
    }

    /// Its segment in paths.
    pub(crate) fn collection(&self) -> &str {
        &self.declared.collection
    }

    /// Whether the plugin wants to be asked there.
    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.declared.hooks.contains(&hook)
    }

    /// The statements that are run often, for a database.
    pub(crate) fn sql(&self, backend: Backend) -> &Sql {
        self.statements.of_backend(backend)
    }
}

impl ActionModel {
    /// Whether this may be sent with it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, input: &Value) -> Result<(), Vec<Fault>> {
        let fault = |pointer, message| Fault { pointer, message };
        let Some(validator) = &self.input else {
            let is_nothing = input.is_null() || input.as_object().is_some_and(|all| all.is_empty());
            let message = "nothing is sent with this action".to_owned();
            return if is_nothing { Ok(()) } else { Err(vec![fault(String::new(), message)]) };
        };
        let faults: Vec<_> = validator
            .iter_errors(input)
            .take(super::field::FAULTS_MAX)
            .map(|error| {
                let message = error.masked_with("the value").to_string();
                fault(error.instance_path().to_string(), message)
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// All collections of a type, as declared.
pub(super) fn all_of(declared: &TypeDescriptor) -> Result<Vec<Arc<ResourceModel>>, ModelError> {
    let TypeDescriptor { slug, description: _, resources, versions: _ } = declared;
    let n = resources.len();
    if n > COLLECTIONS_MAX {
        let wrong = Wrong::TooMany { what: "collections", n, n_max: COLLECTIONS_MAX };
        return Err(ModelError::of_type(slug, wrong));
    }
    let mut models = Vec::with_capacity(n);
    for (position, resource) in resources.iter().enumerate() {
        let others = &resources[..position];
        let wrong = |what, name: &str| {
            let wrong = Wrong::Twice { what, name: name.to_owned() };
            Err(ModelError::of_type(slug, wrong))
        };
        if others.iter().any(|other| other.collection == resource.collection) {
            return wrong("collection", &resource.collection);
        }
        if others.iter().any(|other| other.name == resource.name) {
            return wrong("resource", &resource.name);
        }
        check_parents(slug, resource, resources)?;
        check_references(slug, resource, resources)?;
        models.push(Arc::new(ResourceModel::of(slug, resource)?));
    }
    Ok(models)
}

fn check_collection(slug: &str, declared: &Resource) -> Result<(), Wrong> {
    let Resource { collection, name, parent, table, .. } = declared;
    COLLECTION.check(collection)?;
    ONE.check(name)?;
    if WORDS_BELOW.contains(&collection.as_str()) {
        return Err(Wrong::Reserved { what: "the collection", name: collection.clone() });
    }
    if let Some(parent) = parent.as_ref().filter(|_parent| collection == INSTANCES) {
        return Err(Wrong::InstancesBelow { parent: parent.clone() });
    }
    let wanted = format!("{slug}_{}", collection.replace('-', "_"));
    if *table != wanted {
        return Err(Wrong::Table { table: table.clone(), wanted });
    }
    if table.len() > TABLE_BYTES_MAX {
        let (n_bytes, n_max) = (table.len(), TABLE_BYTES_MAX);
        return Err(Wrong::TableTooLong { table: table.clone(), n_bytes, n_max });
    }
    Ok(())
}

fn check_hooks(declared: &Resource) -> Result<(), Wrong> {
    for (position, hook) in declared.hooks.iter().enumerate() {
        if declared.hooks[..position].contains(hook) {
            let hook = match hook {
                Hook::Validate => "validate",
                Hook::Plan => "plan",
                Hook::Reconcile => "reconcile",
            };
            return Err(Wrong::HookTwice { hook });
        }
    }
    Ok(())
}

fn fields_of(slug: &str, declared: &Resource) -> Result<Vec<FieldModel>, ModelError> {
    let all = &declared.fields;
    let wrong = |wrong| ModelError::of_collection(slug, &declared.collection, wrong);
    if all.len() > FIELDS_MAX {
        let (n, n_max) = (all.len(), FIELDS_MAX);
        return Err(wrong(Wrong::TooMany { what: "fields", n, n_max }));
    }
    let mut fields = Vec::with_capacity(all.len());
    for (position, field) in all.iter().enumerate() {
        let name = &field.name;
        if all[..position].iter().any(|other| other.name == *name) {
            return Err(wrong(Wrong::Twice { what: "field", name: name.clone() }));
        }
        let compiled = FieldModel::of(field, declared.parent.is_some());
        fields.push(compiled.map_err(|cause| wrong(cause).field(name))?);
    }
    Ok(fields)
}

fn actions_of(slug: &str, declared: &Resource) -> Result<Vec<ActionModel>, ModelError> {
    let all = &declared.actions;
    let wrong = |wrong| ModelError::of_collection(slug, &declared.collection, wrong);
    if all.len() > ACTIONS_MAX {
        let (n, n_max) = (all.len(), ACTIONS_MAX);
        return Err(wrong(Wrong::TooMany { what: "actions", n, n_max }));
    }
    let mut actions = Vec::with_capacity(all.len());
    for (position, action) in all.iter().enumerate() {
        let verb = &action.verb;
        if all[..position].iter().any(|other| other.verb == *verb) {
            return Err(wrong(Wrong::Twice { what: "action", name: verb.clone() }));
        }
        let compiled = ActionModel::of(action);
        actions.push(compiled.map_err(|cause| wrong(cause).action(verb))?);
    }
    Ok(actions)
}

impl ActionModel {
    fn of(declared: &Action) -> Result<Self, Wrong> {
        let Action { verb, description: _, safe: _, input, output, deadline_ms } = declared;
        VERB.check(verb)?;
        if VERBS.contains(&verb.as_str()) {
            return Err(Wrong::Reserved { what: "the verb", name: verb.clone() });
        }
        if *deadline_ms == Some(0) {
            return Err(Wrong::Contradiction("its deadline is over before it begins"));
        }
        let compiled = |schema: &Value, what| {
            let said = (!schema.is_null()).then_some(schema);
            said.map(|schema| compile(schema, what)).transpose()
        };
        compiled(output, "schema of what it comes to")?;
        let input = compiled(input, "schema of what is sent with it")?;
        Ok(Self { declared: declared.clone(), input })
    }
}

/// The way up from `resource` ends at the type.
fn check_parents(slug: &str, resource: &Resource, all: &[Resource]) -> Result<(), ModelError> {
    let mut way = vec![&*resource.collection];
    let mut at = resource;
    while let Some(parent) = &at.parent {
        let wrong = |wrong| Err(ModelError::of_collection(slug, &at.collection, wrong));
        let Some(next) = all.iter().find(|other| other.collection == *parent) else {
            return wrong(Wrong::UnknownParent { parent: parent.clone() });
        };
        way.push(&next.collection);
        if way[..way.len() - 1].contains(&&*next.collection) {
            return wrong(Wrong::Circle { circle: format!("`{}`", way.join("` under `")) });
        }
        at = next;
    }
    Ok(())
}

fn check_references(slug: &str, resource: &Resource, all: &[Resource]) -> Result<(), ModelError> {
    for Field { name, reference, .. } in &resource.fields {
        let Some(reference) = reference.as_ref().filter(|to| to.slug == slug) else { continue };
        let collection = &reference.collection;
        if !all.iter().any(|other| other.collection == *collection) {
            let wrong = Wrong::UnknownReference { collection: collection.clone() };
            return Err(ModelError::of_collection(slug, &resource.collection, wrong).field(name));
        }
    }
    Ok(())
}
