//! JSON Schemas of fields, inputs and outputs, as clients and the host's validation need them.
//!
//! A schema stands alone: everything that it refers to is part of it. It is as narrow as the Rust type, so that
//! what passes it can be read: integers have the bounds of their width, objects have no members but theirs.
//! Reading stays tolerant, because a version that was rolled back reads what the next one wrote.

use std::collections::BTreeSet;

use plugin_abi::descriptor::Kind;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The member by which the schema of a secret is known; it is in no descriptor.
pub(super) const SECRET_MARK: &str = "x-metapaas-secret";

/// How a field's value is bounded beyond its type.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// Letters of text, items of a list.
    pub(super) length: (Option<u64>, Option<u64>),
    pub(super) range: (Option<Value>, Option<Value>),
    pub(super) pattern: Option<&'static str>,
    pub(super) format: Option<&'static str>,
}

/// A schema, and what it says about the column.
#[derive(Debug)]
pub(super) struct Described {
    schema: Schema,
    pub(super) kind: Kind,
    pub(super) is_nullable: bool,
}

impl Described {
    /// The schema of a field's type within bounds.
    ///
    /// # Errors
    /// What is wrong with it, to go after the field's name.
    pub(super) fn of(
        schema: fn(&mut SchemaGenerator) -> Schema,
        bounds: &Bounds,
    ) -> Result<Self, String> {
        let mut schema = schema(&mut generator(SchemaSettings::draft2020_12()));
        let is_secret = schema.remove(SECRET_MARK).is_some();
        let mut types = types_of(schema.as_value());
        let is_nullable = types.as_ref().is_none_or(|types| types.contains("null"));
        // An enum may say its type in each variant alone; what decides about a column is said once and first.
        if let Some(types) = &types
            && schema.get("type").is_none()
        {
            schema.insert("type".to_owned(), one_or_all(types));
        }
        if let Some(types) = &mut types {
            types.remove("null");
        }
        let kind = match (is_secret, types) {
            (true, _types) => Kind::Secret,
            (false, types) => kind(&schema, types.as_ref()),
        };
        check_alone(&mut schema)?;
        if has_secret(&mut schema) {
            return Err("there is a secret in it, which would not be encrypted: make it a field \
                        of its own"
                .to_owned());
        }
        bounds.add_to(schema.ensure_object(), kind)?;
        narrow(&mut schema);
        Ok(Self { schema, kind, is_nullable })
    }

    /// The schema with what people read.
    pub(super) fn finish(self, description: &str, default: Option<&Value>) -> Value {
        let mut schema = self.schema;
        if !description.is_empty() {
            schema.insert("description".to_owned(), description.into());
        }
        if let Some(default) = default {
            schema.insert("default".to_owned(), default.clone());
        }
        schema.to_value()
    }
}

/// The schema of what an action takes.
///
/// # Errors
/// When it does not stand alone.
pub(super) fn of_input<T: JsonSchema>() -> Result<Value, String> {
    let mut schema = of_document(SchemaSettings::draft2020_12().for_deserialize(), T::json_schema)?;
    narrow(&mut schema);
    Ok(schema.to_value())
}

/// The schema of what an action gives.
///
/// # Errors
/// When it does not stand alone.
pub(super) fn of_output<T: JsonSchema>() -> Result<Value, String> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    of_document(settings, T::json_schema).map(Schema::to_value)
}

fn of_document(
    settings: SchemaSettings,
    schema: fn(&mut SchemaGenerator) -> Schema,
) -> Result<Schema, String> {
    let mut schema = schema(&mut generator(settings));
    check_alone(&mut schema)?;
    // Documents of actions are not kept, so secrets in them are as good as any text.
    has_secret(&mut schema);
    Ok(schema)
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings.with(|settings| settings.inline_subschemas = true).into_generator()
}

impl Bounds {
    fn add_to(&self, schema: &mut Map<String, Value>, kind: Kind) -> Result<(), String> {
        let Self { length: (shortest, longest), range: (least, most), pattern, format } = self;
        let has_type = |wanted: &str| match schema.get("type") {
            Some(Value::String(is)) => is == wanted,
            Some(Value::Array(are)) => are.iter().any(|is| is == wanted),
            _none => false,
        };
        let (is_text, is_list) = (has_type("string"), has_type("array"));
        if (shortest.is_some() || longest.is_some()) && !is_text && !is_list {
            return Err("`length` is for text and lists".to_owned());
        }
        if (least.is_some() || most.is_some()) && !matches!(kind, Kind::Integer | Kind::Number) {
            return Err("`range` is for numbers".to_owned());
        }
        if (pattern.is_some() || format.is_some()) && !is_text {
            return Err("`pattern` and `format` are for text".to_owned());
        }
        let (min, max) =
            if is_text { ("minLength", "maxLength") } else { ("minItems", "maxItems") };
        let said = [
            (min, shortest.map(Value::from)),
            (max, longest.map(Value::from)),
            ("minimum", least.clone()),
            ("maximum", most.clone()),
            ("pattern", pattern.map(Value::from)),
            ("format", format.map(Value::from)),
        ];
        for (word, value) in said {
            if let Some(value) = value {
                schema.insert(word.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn one_or_all(types: &BTreeSet<String>) -> Value {
    match types.first() {
        Some(only) if types.len() == 1 => only.as_str().into(),
        Some(_) | None => types.iter().map(String::as_str).collect::<Vec<_>>().into(),
    }
}

fn kind(schema: &Schema, types: Option<&BTreeSet<String>>) -> Kind {
    let mut types = types.into_iter().flatten().map(String::as_str);
    match (types.next(), types.next()) {
        (Some("string"), None) => match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => Kind::Timestamp,
            Some(_) | None => Kind::Text,
        },
        (Some("integer"), None) => Kind::Integer,
        (Some("number"), None) => Kind::Number,
        (Some("boolean"), None) => Kind::Boolean,
        (Some(_) | None, _) => Kind::Json,
    }
}

/// Which types of JSON values a schema lets pass; `None` for any.
fn types_of(schema: &Value) -> Option<BTreeSet<String>> {
    let schema = schema.as_object()?;
    match schema.get("type") {
        Some(Value::String(is)) => return Some([is.clone()].into()),
        Some(Value::Array(are)) => {
            return Some(are.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        _none => {}
    }
    let constants = schema.get("enum").and_then(Value::as_array).cloned();
    if let Some(constants) = constants.or_else(|| schema.get("const").map(|it| vec![it.clone()])) {
        return Some(constants.iter().map(|it| type_of(it).to_owned()).collect());
    }
    let branches = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let types: Option<Vec<_>> = branches.iter().map(types_of).collect();
    Some(types?.into_iter().flatten().collect())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// That nothing is left to be looked up elsewhere.
fn check_alone(schema: &mut Schema) -> Result<(), String> {
    let mut stands_alone = true;
    let mut look = |part: &mut Schema| stands_alone &= part.get("$ref").is_none();
    RecursiveTransform(&mut look).transform(schema);
    if stands_alone {
        return Ok(());
    }
    Err("its type contains itself, which a schema that stands alone cannot say".to_owned())
}

/// Whether there is a secret somewhere; its mark is taken away.
fn has_secret(schema: &mut Schema) -> bool {
    let mut has_secret = false;
    let mut look = |part: &mut Schema| has_secret |= part.remove(SECRET_MARK).is_some();
    RecursiveTransform(&mut look).transform(schema);
    has_secret
}

/// Lets nothing pass that the Rust type cannot hold, or would not keep.
fn narrow(schema: &mut Schema) {
    let mut narrow = |part: &mut Schema| {
        if let Some(part) = part.as_object_mut() {
            bound_integer(part);
            close_object(part);
        }
    };
    RecursiveTransform(&mut narrow).transform(schema);
}

fn bound_integer(schema: &mut Map<String, Value>) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return };
    // The column has 64 bits with a sign, whatever the type.
    let (least, most) = match format {
        "int32" => (json!(i32::MIN), json!(i32::MAX)),
        "uint32" => (json!(0), json!(u32::MAX)),
        "int64" | "int" | "int128" => (json!(i64::MIN), json!(i64::MAX)),
        "uint64" | "uint" | "uint128" => (json!(0), json!(i64::MAX)),
        _other => return,
    };
    schema.entry("minimum").or_insert(least);
    schema.entry("maximum").or_insert(most);
}

fn close_object(schema: &mut Map<String, Value>) {
    const OTHERS: [&str; 7] = [
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
    ];
    let is_closed = OTHERS.iter().any(|word| schema.contains_key(*word));
    if schema.get("properties").is_some_and(Value::is_object) && !is_closed {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}
