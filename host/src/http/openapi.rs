//! `/openapi.json`: the API of this very moment, as an OpenAPI 3.1 document; and one for each type.
//!
//! | room | what it holds |
//! |---|---|
//! | [`own`] | the host's own paths |
//! | [`types`] | the paths of a type, from what it declares |
//! | [`components`] | what operations share |
//! | [`describe`] | how a path is described |
//! | [`serve`] | answering for the documents, and for the page that shows them |
//!
//! Guarantees: a document is that of the table of generations that the request took, so it is right the instant a
//! generation is switched; it is made once for each table, on a thread that answers nothing else. Not here: what
//! is served ([`super::route`]); `tests` compares the two.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::TypeModel;
use crate::operation;
use crate::plugin::table::{TYPES_PREFIX, Table};

mod components;
mod describe;
mod own;
mod serve;
mod types;

pub(crate) use serve::{Documents, Place, answer};

use describe::Paths;
use types::OwnRoute;

/// A type, with the routes that its plugin answers itself.
#[derive(Debug)]
pub(crate) struct Type {
    /// What it declares.
    pub(crate) model: Arc<TypeModel>,
    /// Methods and whole paths.
    pub(crate) routes: Vec<OwnRoute>,
}

impl Type {
    /// All that there are, by their slugs. What a type declares stays when nothing serves it; its plugin's own routes
    /// do not.
    fn all_of(table: &Table) -> Vec<Self> {
        let all = table.types().into_iter().map(|served| {
            let model = &served.model;
            let below = format!("{TYPES_PREFIX}{}/", model.slug);
            let own = table.of_element(&model.element).into_iter().flat_map(|published| {
                let own = table.served(published).filter(|(_, path)| path.starts_with(&below));
                own.map(|(method, path)| (method.map(str::to_owned), path)).collect::<Vec<_>>()
            });
            Self { routes: own.collect(), model: Arc::clone(model) }
        });
        all.collect()
    }
}

/// The host's own paths and those of all types.
pub(crate) fn whole(all: &[Type]) -> Value {
    let mut paths = Paths::new();
    own::describe(&mut paths);
    shared(&mut paths);
    for Type { model, routes } in all {
        types::describe(&mut paths, model, routes);
    }
    let description = "Types, their instances, elements and operations.";
    document("MetaPaaS", env!("CARGO_PKG_VERSION"), description, paths)
}

/// The paths of one type.
pub(crate) fn of_type(Type { model, routes }: &Type) -> Value {
    let mut paths = Paths::new();
    shared(&mut paths);
    types::describe(&mut paths, model, routes);
    let title = format!("MetaPaaS type {}", model.slug);
    document(&title, &model.version.to_string(), &model.declared.description, paths)
}

/// Schemas that the paths of every type name.
fn shared(paths: &mut Paths) {
    use super::{elements, problem};
    paths.schema::<problem::Document<'_>>();
    paths.schema::<operation::Document<'_, Value>>();
    paths.schema::<elements::LastOperation>();
    let text = json!({"type": "string"});
    let condition = json!({
        "type": "object",
        "required": ["type", "status", "reason", "message", "last_transition_at"],
        "properties": {
            "type": text, "status": text, "reason": text, "message": text,
            "last_transition_at": {"type": "string", "format": "date-time"},
            "observed_generation": {"type": "integer"},
        },
    });
    paths.define("Condition", condition);
    let step = json!({
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": text, "from": text, "value": {},
        },
    });
    paths.define("JsonPatchStep", step);
}

fn document(title: &str, version: &str, description: &str, paths: Paths) -> Value {
    let (paths, schemas) = paths.into_parts();
    let info: Map<_, _> = [("title", title), ("version", version), ("description", description)]
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .into_iter()
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/"}],
        "security": components::security(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": components::parameters(),
            "headers": components::headers(),
            "responses": describe::problem_responses(),
            "securitySchemes": components::security_schemes(),
        },
    })
}

#[cfg(test)]
mod tests;
