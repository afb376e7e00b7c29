//! How a path and what it answers are described, in the words of OpenAPI 3.1.
//!
//! Guarantees: every operation says which problems it may answer, by status, and each of those is described once,
//! with all codes of that status, from the one list of codes there is. Not here: which paths there are.

use ::http::Method;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::http::problem::{self, Code, Retry};

/// Paths, and the schemas that they name.
#[derive(Debug)]
pub(super) struct Paths {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
    /// Schemas that no type of ours stands for.
    schemas: Map<String, Value>,
}

/// What a method does at a path.
#[derive(Debug)]
pub(super) struct Operation {
    id: String,
    tag: String,
    summary: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
    is_public: bool,
}

/// What every call may be answered with, whoever answers.
const ALWAYS: [u16; 5] = [400, 408, 431, 500, 503];
/// What is answered to those who may not.
const FORBIDDEN: [u16; 3] = [401, 403, 429];

impl Paths {
    pub(super) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12().for_serialize();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        Self { generator: settings.into_generator(), paths: Map::new(), schemas: Map::new() }
    }

    /// A reference to the schema of `T`.
    pub(super) fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().into()
    }

    /// The schema of `T` as it may be sent, with no members but its own.
    pub(super) fn sent<T: JsonSchema>(&mut self, name: &str) -> Value {
        let mut settings = SchemaSettings::draft2020_12().for_deserialize();
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        let schema = settings.into_generator().into_root_schema_for::<T>();
        self.define(name, schema.into())
    }

    /// Names a schema.
    pub(super) fn define(&mut self, name: &str, schema: Value) -> Value {
        self.schemas.insert(name.to_owned(), schema);
        reference("schemas", name)
    }

    /// Adds what `method` does at `path`.
    pub(super) fn add(&mut self, method: &Method, path: &str, operation: Operation) {
        let at = self.paths.entry(path).or_insert_with(|| json!({}));
        at[method.as_str().to_ascii_lowercase()] = operation.into_value(path);
    }

    /// All paths, and all schemas that they name.
    pub(super) fn into_parts(mut self) -> (Map<String, Value>, Map<String, Value>) {
        let mut schemas = self.generator.take_definitions(true);
        schemas.extend(self.schemas);
        (self.paths, schemas)
    }
}

impl Operation {
    /// One that needs a caller.
    pub(super) fn new(id: impl Into<String>, tag: &str, summary: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            tag: tag.to_owned(),
            summary: summary.into(),
            parameters: Vec::new(),
            body: None,
            responses: Map::new(),
            is_public: false,
        }
        .problems(&ALWAYS)
        .problems(&FORBIDDEN)
    }

    /// One that anybody may call.
    pub(super) fn public(id: &str, tag: &str, summary: &str) -> Self {
        let mut operation = Self::new(id, tag, summary);
        operation.is_public = true;
        for status in FORBIDDEN {
            operation.responses.remove(&status.to_string());
        }
        operation
    }

    /// Takes the parameters of this name from the components.
    pub(super) fn parameters(mut self, names: &[&str]) -> Self {
        self.parameters.extend(names.iter().map(|name| reference("parameters", name)));
        self
    }

    /// Takes a parameter of its query.
    pub(super) fn query(mut self, name: &str, description: &str, schema: Value) -> Self {
        let mut parameter = json!({"name": name, "in": "query", "description": description});
        parameter["schema"] = schema;
        self.parameters.push(parameter);
        self
    }

    /// Takes a body of this type.
    pub(super) fn body(mut self, required: Required, contents: &[(&str, Value)]) -> Self {
        let content = contents
            .iter()
            .map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema})));
        let content: Map<_, _> = content.collect();
        self.body = Some(json!({"required": required == Required::Yes, "content": content}));
        self.problems(&[413, 415])
    }

    /// Answers JSON.
    pub(super) fn json(self, status: u16, description: &str, schema: Value) -> Self {
        self.answers(status, description, &[("application/json", schema)], &[])
    }

    /// Answers something, with these headers.
    pub(super) fn answers(
        mut self,
        status: u16,
        description: &str,
        contents: &[(&str, Value)],
        headers: &[&str],
    ) -> Self {
        let mut response = json!({"description": description});
        if !contents.is_empty() {
            let content = contents
                .iter()
                .map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema})));
            response["content"] = Value::Object(content.collect());
        }
        if !headers.is_empty() {
            let headers =
                headers.iter().map(|name| ((*name).to_owned(), reference("headers", name)));
            response["headers"] = Value::Object(headers.collect());
        }
        self.responses.insert(status.to_string(), response);
        self
    }

    /// May answer with any status.
    pub(super) fn default(mut self, description: &str, contents: &[(&str, Value)]) -> Self {
        let content = contents
            .iter()
            .map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema})));
        let content: Map<_, _> = content.collect();
        let response = json!({"description": description, "content": content});
        self.responses.insert("default".to_owned(), response);
        self
    }

    /// May answer problems with those of these statuses that a code has.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Self {
        let has_code = |status: &u16| Code::ALL.iter().any(|code| code.spec().status == *status);
        for status in statuses.iter().filter(|status| has_code(status)) {
            let name = status.to_string();
            let response = reference("responses", &name);
            self.responses.entry(name).or_insert(response);
        }
        self
    }

    /// Every place of the template is a parameter.
    fn into_value(self, path: &str) -> Value {
        let Self { id, tag, summary, mut parameters, body, responses, is_public } = self;
        let named = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let of_path = named.map(|name| {
            json!({"name": name, "in": "path", "required": true,
                "schema": {"type": "string", "minLength": 1}})
        });
        parameters.splice(0..0, of_path);
        let mut value = json!({
            "operationId": id, "tags": [tag], "summary": summary, "responses": responses,
        });
        if !parameters.is_empty() {
            value["parameters"] = parameters.into();
        }
        if let Some(body) = body {
            value["requestBody"] = body;
        }
        if is_public {
            value["security"] = json!([]);
        }
        value
    }
}

/// Whether a body must be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    Yes,
    No,
}

/// The problems of each status that a code has.
pub(super) fn problem_responses() -> Map<String, Value> {
    let mut responses: Map<String, Value> = Map::new();
    for code in Code::ALL {
        let spec = code.spec();
        let name = spec.status.as_str().to_owned();
        let line = format!("- `{}`: {}. {}", spec.name, spec.title, spec.hint);
        let response = responses.entry(name).or_insert_with(|| {
            let title = spec.status.canonical_reason().unwrap_or_default();
            let schema = reference("schemas", "Problem");
            let mut response = json!({
                "description": format!("{title}. One of these codes:\n"),
                "content": {problem::MEDIA_TYPE: {"schema": schema}},
            });
            match spec.status.as_u16() {
                401 => {
                    response["headers"] =
                        json!({"WWW-Authenticate": reference("headers", "WWW-Authenticate")})
                }
                405 => response["headers"] = json!({"Allow": reference("headers", "Allow")}),
                _ => {}
            }
            response
        });
        if let Some(description) = response["description"].as_str() {
            response["description"] = format!("{description}\n{line}").into();
        }
        if spec.retry != Retry::Never && spec.status.as_u16() == 503 {
            response["headers"] = json!({"Retry-After": reference("headers", "Retry-After")});
        }
    }
    responses
}

/// A reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
