//! The paths of a type: what it declares, and what its plugin answers itself.
//!
//! All of it follows from the descriptor, so that a new field is here because it is declared. Pure.

use ::http::Method;
use serde_json::{Value, json};

use super::components::{self, PAGE, SELECTION, WAIT};
use super::describe::{Operation, Paths, Required, reference};
use crate::model::schema::Purpose;
use crate::model::{ActionModel, ResourceModel, TypeModel};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const EVENTS: &str = "text/event-stream";

/// Which project, of those that the caller has.
const PROJECT: [&str; 2] = ["project", "X-Project-Id"];

/// A route that a plugin answers itself: its method, if it has one, and its whole path.
pub(super) type OwnRoute = (Option<String>, String);

/// Adds the paths of one type.
pub(super) fn describe(paths: &mut Paths, model: &TypeModel, routes: &[OwnRoute]) {
    for resource in model.resources() {
        Collection::of(paths, model, resource).describe(paths);
    }
    for (method, path) in routes {
        own_route(paths, &model.slug, method.as_deref(), path);
    }
}

/// A collection, with the names that its operations and schemas go by.
struct Collection<'m> {
    resource: &'m ResourceModel,
    slug: &'m str,
    /// `/v1/types/s3/instances/{instance}/buckets`
    path: String,
    read: Value,
    create: Value,
    update: Value,
}

impl<'m> Collection<'m> {
    fn of(paths: &mut Paths, model: &'m TypeModel, resource: &'m ResourceModel) -> Self {
        let slug = &*model.slug;
        let one = &resource.declared.name;
        let mut schema = |suffix: &str, purpose| {
            paths.define(&format!("{slug}.{one}{suffix}"), resource.schema(purpose))
        };
        let read = schema("", Purpose::Read);
        let (create, update) =
            (schema(".create", Purpose::Create), schema(".update", Purpose::Update));
        Self { resource, slug, path: path_of(model, resource), read, create, update }
    }

    fn operation(&self, verb: &str, summary: String) -> Operation {
        let id = format!("{}_{}_{verb}", self.slug, self.resource.declared.name);
        Operation::new(id, self.slug, summary).parameters(&PROJECT).problems(&[404])
    }

    fn item(&self) -> String {
        format!("{}/{{{}}}", self.path, self.resource.declared.name)
    }

    fn describe(&self, paths: &mut Paths) {
        let one = self.resource.declared.name.replace('_', " ");
        let item = self.item();
        paths.add(&Method::GET, &self.path, self.list(&one));
        paths.add(&Method::POST, &self.path, self.create(&one));
        paths.add(&Method::GET, &item, self.get(&one));
        paths.add(&Method::PATCH, &item, self.patch(&one));
        paths.add(&Method::PUT, &item, self.put(&one));
        paths.add(&Method::DELETE, &item, self.delete(&one));
        for action in self.resource.actions() {
            let path = format!("{item}/actions/{}", action.declared.verb);
            paths.add(&Method::POST, &path, self.act(&one, action));
        }
    }

    fn list(&self, one: &str) -> Operation {
        let contents = [(JSON, components::page(&self.read)), (EVENTS, json!({"type": "string"}))];
        self.operation("list", format!("List every {one}"))
            .parameters(&SELECTION)
            .parameters(&PAGE)
            .parameters(&["total_size", "watch", "since", "Last-Event-ID"])
            .problems(&[410])
            .answers(200, "A page, or what changes.", &contents, &["Link"])
    }

    fn create(&self, one: &str) -> Operation {
        let headers = ["Location", "ETag", "Operation-Location"];
        self.operation("create", format!("Create one {one}"))
            .parameters(&WAIT)
            .parameters(&["validate_only", "Idempotency-Key"])
            .body(Required::Yes, &[(JSON, self.create.clone())])
            .problems(&[409, 422, 504, 507])
            .answers(201, "It is there, and on its way.", &[(JSON, self.read.clone())], &headers)
            .answers(200, "What it would be.", &[(JSON, self.planned())], &[])
    }

    fn get(&self, one: &str) -> Operation {
        let contents = [(JSON, self.read.clone()), (EVENTS, json!({"type": "string"}))];
        self.operation("read", format!("Read one {one}"))
            .parameters(&["fields", "watch", "since", "Last-Event-ID", "If-None-Match"])
            .problems(&[410])
            .answers(200, "It, or what changes of it.", &contents, &["ETag"])
            .answers(304, "It is as it is known.", &[], &["ETag"])
    }

    fn patch(&self, one: &str) -> Operation {
        let step = json!({"type": "array", "items": reference("schemas", "JsonPatchStep")});
        let bodies =
            [(JSON, self.update.clone()), (MERGE_PATCH, self.update.clone()), (JSON_PATCH, step)];
        self.change("update", format!("Change one {one}"))
            .parameters(&["update_mask"])
            .body(Required::Yes, &bodies)
            .problems(&[412, 428])
    }

    fn put(&self, one: &str) -> Operation {
        let headers = ["Location", "ETag", "Operation-Location"];
        self.change("replace", format!("Create one {one}, or make it exactly so"))
            .parameters(&["If-None-Match"])
            .body(Required::Yes, &[(JSON, self.create.clone())])
            .problems(&[412, 428])
            .answers(201, "It was not there.", &[(JSON, self.read.clone())], &headers)
    }

    fn delete(&self, one: &str) -> Operation {
        let operation = reference("schemas", "Operation");
        self.operation("delete", format!("Delete one {one}"))
            .parameters(&WAIT)
            .parameters(&["cascade", "force", "purge", "allow_missing"])
            .parameters(&["validate_only", "If-Match", "Idempotency-Key"])
            .problems(&[409, 412, 422, 428, 504])
            .answers(200, "What it would be.", &[(JSON, self.read.clone())], &[])
            .answers(202, "It is on its way.", &[(JSON, operation)], &["Operation-Location"])
            .answers(204, "It is gone.", &[], &[])
    }

    fn act(&self, one: &str, action: &ActionModel) -> Operation {
        let declared = &action.declared;
        let summary = match &*declared.description {
            "" => format!("{} one {one}", declared.verb),
            description => description.to_owned(),
        };
        let said = |schema: &Value, nothing| {
            if schema.is_null() { nothing } else { schema.clone() }
        };
        let input = said(&declared.input, json!({"type": "object", "additionalProperties": false}));
        let output = said(&declared.output, json!({}));
        let verb = declared.verb.replace('-', "_");
        let act = self
            .operation(&verb, summary)
            .parameters(&["If-Match", "Idempotency-Key"])
            .body(Required::No, &[(JSON, input)])
            .problems(&[409, 412, 422, 423, 428, 502, 504]);
        if declared.safe {
            return act.json(200, "What it comes to.", output);
        }
        let operation = reference("schemas", "Operation");
        act.parameters(&WAIT)
            .answers(202, "It is begun.", &[(JSON, operation.clone())], &["Operation-Location"])
            .json(200, "It is done: who waited is told so.", operation)
    }

    /// What changes have in common.
    fn change(&self, verb: &str, summary: String) -> Operation {
        let read = || [(JSON, self.read.clone())];
        self.operation(verb, summary)
            .parameters(&WAIT)
            .parameters(&["validate_only", "If-Match", "Idempotency-Key"])
            .problems(&[409, 422, 504])
            .answers(200, "It is so.", &read(), &["ETag", "Operation-Location"])
            .answers(202, "It is on its way.", &read(), &["ETag", "Operation-Location"])
    }

    /// A dry run says what would be, and how it would come about.
    fn planned(&self) -> Value {
        let plan = json!({"type": "object", "properties": {
            "plan": {"type": "array", "items": {"type": "object"}}}});
        json!({"allOf": [self.read, plan]})
    }
}

/// The path of a collection, with a place for each resource above it.
fn path_of(model: &TypeModel, resource: &ResourceModel) -> String {
    let collection = resource.collection();
    let parent = resource.declared.parent.as_deref().and_then(|parent| model.resource(parent));
    match parent {
        Some(parent) => {
            let above = path_of(model, parent);
            format!("{above}/{{{}}}/{collection}", parent.declared.name)
        }
        None => format!("/v1/types/{}/{collection}", model.slug),
    }
}

/// What nothing is known of but where it is.
fn own_route(paths: &mut Paths, slug: &str, method: Option<&str>, path: &str) {
    // `{*rest}` is the router's way to say that slashes are part of it.
    let path = path.replace("{*", "{");
    let methods = method.map_or_else(|| vec!["GET", "POST"], |method| vec![method]);
    for method in methods {
        let Ok(method) = method.parse::<Method>() else { continue };
        if !is_of_openapi(&method) {
            continue;
        }
        let id = format!("{slug}_{method}_{}", path.replace(['/', '{', '}'], "_"));
        let anything = [("*/*", json!({}))];
        let route = Operation::new(id, slug, "A route of the plugin's own")
            .problems(&[404, 413, 502, 504])
            .default("What the plugin answers.", &anything);
        paths.add(&method, &path, route);
    }
}

fn is_of_openapi(method: &Method) -> bool {
    let known = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];
    known.contains(&method.as_str())
}
