//! A declared field: what it takes, and how what it takes is kept.

use jsonschema::Validator;
use plugin_abi::descriptor::{Field, Kind, Policy, Unique};
use plugin_abi::resource::columns;
use serde_json::{Number, Value};

use super::error::Wrong;
use super::names::{FIELD, SYSTEM_COLUMNS};
use crate::timestamp::Timestamp;

/// What is wrong with a value is told up to so many times.
pub(super) const FAULTS_MAX: usize = 8;

/// What leads out of a schema.
const REFERENCES: [&str; 4] = ["$ref", "$dynamicRef", "$recursiveRef", "$id"];
/// What holds values and no schemas.
const LITERALS: [&str; 4] = ["default", "const", "enum", "examples"];

/// A field.
#[derive(Debug)]
pub(crate) struct FieldModel {
    /// What was declared.
    pub(crate) declared: Field,
    validator: Validator,
    is_nullable: bool,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where in the value, as a JSON pointer; empty: the value itself.
    pub(crate) pointer: String,
    /// What, in a sentence without the value: it may be long, or a secret.
    pub(crate) message: String,
}

impl FieldModel {
    pub(super) fn of(declared: &Field, has_parent: bool) -> Result<Self, Wrong> {
        check_name(&declared.name)?;
        let wanted = Wanted::of(declared.kind);
        let validator = compile(&declared.schema, "schema")?;
        let is_nullable = wanted.check(&declared.schema)?;
        check_policy(declared)?;
        check_lookups(declared, has_parent)?;
        let is_nullable = is_nullable || !declared.required;
        let field = Self { declared: declared.clone(), validator, is_nullable };
        if let Some(default) = &declared.default {
            let reason = |faults: Vec<Fault>| faults.into_iter().next().map(|fault| fault.message);
            let fits = field.check(default);
            fits.map_err(|faults| Wrong::Default { reason: reason(faults).unwrap_or_default() })?;
        }
        Ok(field)
    }

    /// Whether a resource may have this value.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Vec<Fault>> {
        if value.is_null() && self.is_nullable {
            return Ok(());
        }
        let faults: Vec<_> = self
            .validator
            .iter_errors(value)
            .take(FAULTS_MAX)
            .map(|error| Fault {
                pointer: error.instance_path().to_string(),
                message: error.masked_with("the value").to_string(),
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        match self.unkeepable(value) {
            None => Ok(()),
            Some(message) => {
                Err(vec![Fault { pointer: String::new(), message: message.to_owned() }])
            }
        }
    }

    /// Why a value that the schema takes cannot be kept.
    fn unkeepable(&self, value: &Value) -> Option<&'static str> {
        match (self.declared.kind, value) {
            (Kind::Json, _) | (_, Value::Null) => None,
            (Kind::Integer, Value::Number(number)) => {
                let fits = whole(number).is_some();
                (!fits).then_some("the value is no whole number of 64 bits")
            }
            (Kind::Number, Value::Number(number)) => {
                let fits = number.as_f64().is_some_and(f64::is_finite);
                (!fits).then_some("the value is beyond what a number can be")
            }
            (Kind::Boolean, Value::Bool(_)) => None,
            (Kind::Text | Kind::Secret, Value::String(text)) => {
                text.contains('\0').then_some("the value has a NUL character")
            }
            (Kind::Timestamp, Value::String(text)) => {
                let fits = Timestamp::try_from(text.clone()).is_ok();
                (!fits).then_some("the value is no moment as in 2026-02-03T04:05:06.000Z")
            }
            (
                Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Text
                | Kind::Secret
                | Kind::Timestamp,
                _other,
            ) => Some("the value is of another type"),
        }
    }

    /// A value that [`Self::check`] passed in the one form in which it is kept and shown.
    pub(crate) fn normal(&self, value: Value) -> Value {
        match (self.declared.kind, &value) {
            (Kind::Integer, Value::Number(number)) => whole(number).map_or(value, Value::from),
            (Kind::Number, Value::Number(number)) => {
                number.as_f64().and_then(Number::from_f64).map_or(value, Value::Number)
            }
            (Kind::Timestamp, Value::String(text)) => match Timestamp::try_from(text.clone()) {
                Ok(moment) => Value::String(moment.to_string()),
                Err(_no_moment) => value,
            },
            (
                Kind::Text
                | Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Timestamp
                | Kind::Json
                | Kind::Secret,
                _any,
            ) => value,
        }
    }

    /// Its name and that of its column.
    pub(crate) fn name(&self) -> &str {
        &self.declared.name
    }

    /// Whether answers show it.
    pub(crate) fn is_shown(&self) -> bool {
        match self.declared.policy {
            Policy::Rw | Policy::Ro | Policy::WriteOnce => true,
            Policy::WriteOnly | Policy::ShownOnce | Policy::Hidden => false,
        }
    }

    /// Whether clients may say it when they create the resource.
    pub(crate) fn is_said_on_create(&self) -> bool {
        match self.declared.policy {
            Policy::Rw | Policy::WriteOnce | Policy::WriteOnly => true,
            Policy::Ro | Policy::ShownOnce | Policy::Hidden => false,
        }
    }

    /// Whether clients may say it later.
    pub(crate) fn is_said_on_change(&self) -> bool {
        match self.declared.policy {
            Policy::Rw | Policy::WriteOnly => true,
            Policy::WriteOnce | Policy::Ro | Policy::ShownOnce | Policy::Hidden => false,
        }
    }
}

/// The whole number that `number` is: 1.0 is one too.
fn whole(number: &Number) -> Option<i64> {
    let whole_of = |float: f64| {
        // Beyond 2^53 a float does not say which whole number it is.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        let is_whole = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
        is_whole.then(|| format!("{float:.0}").parse().ok())?
    };
    number.as_i64().or_else(|| whole_of(number.as_f64()?))
}

fn check_name(name: &str) -> Result<(), Wrong> {
    FIELD.check(name)?;
    if columns::is_reserved(name) {
        return Err(Wrong::Reserved { what: "the name", name: name.to_owned() });
    }
    if SYSTEM_COLUMNS.contains(&name) {
        return Err(Wrong::SystemColumn { name: name.to_owned() });
    }
    Ok(())
}

/// Makes a validator of a schema that stands alone.
pub(super) fn compile(schema: &Value, what: &'static str) -> Result<Validator, Wrong> {
    if let Some(keyword) = reference_in(schema) {
        return Err(Wrong::NotAlone { what, keyword });
    }
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| Wrong::Schema { what, reason: error.to_string() })
}

fn reference_in(schema: &Value) -> Option<String> {
    match schema {
        Value::Array(all) => all.iter().find_map(reference_in),
        Value::Object(members) => {
            let own = REFERENCES.into_iter().find(|keyword| members.contains_key(*keyword));
            own.map(str::to_owned).or_else(|| {
                let schemas = members.iter().filter(|(name, _)| !LITERALS.contains(&name.as_str()));
                schemas.map(|(_, value)| value).find_map(reference_in)
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The types that a schema may have, so that the column holds what it takes.
struct Wanted {
    kind: &'static str,
    types: &'static [&'static str],
    said: &'static str,
}

impl Wanted {
    fn of(kind: Kind) -> Self {
        let (kind, types, said): (_, &[_], _) = match kind {
            Kind::Text => ("text", &["string"], "`string`"),
            Kind::Secret => ("a secret", &["string"], "`string`"),
            Kind::Timestamp => ("a timestamp", &["string"], "`string`"),
            Kind::Integer => ("an integer", &["integer"], "`integer`"),
            Kind::Number => ("a number", &["number", "integer"], "`number`"),
            Kind::Boolean => ("a boolean", &["boolean"], "`boolean`"),
            Kind::Json => ("JSON", &[], ""),
        };
        Self { kind, types, said }
    }

    /// Whether the schema takes null.
    fn check(&self, schema: &Value) -> Result<bool, Wrong> {
        let Self { kind, types, said } = *self;
        let said_types: Vec<_> = match schema.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(_) | None => Vec::new(),
        };
        let is_null = |name: &&str| *name == "null";
        let is_nullable = said_types.iter().any(is_null);
        let mut others = said_types.iter().filter(|name| !is_null(name)).peekable();
        let has_others = others.peek().is_some();
        if types.is_empty() || (has_others && others.all(|name| types.contains(name))) {
            return Ok(is_nullable);
        }
        Err(Wrong::Type { kind, wanted: said })
    }
}

fn check_policy(declared: &Field) -> Result<(), Wrong> {
    let is_secret = declared.kind == Kind::Secret;
    let is_said = match declared.policy {
        Policy::Rw | Policy::WriteOnce | Policy::WriteOnly => true,
        Policy::Ro | Policy::ShownOnce | Policy::Hidden => false,
    };
    let is_secretive = match declared.policy {
        Policy::WriteOnly | Policy::ShownOnce | Policy::Hidden => true,
        Policy::Rw | Policy::Ro | Policy::WriteOnce => false,
    };
    let has_default = declared.default.as_ref().is_some_and(|value| !value.is_null());
    let contradiction = if is_secret && !is_secretive {
        "it is a secret, so its policy must be write_only, shown_once or hidden"
    } else if !is_secret && declared.policy == Policy::ShownOnce {
        "what is shown once must be stored as a secret"
    } else if declared.required && !is_said {
        "it is required, and its policy lets no client say it"
    } else if declared.required && has_default {
        "it is required, so its default would never be used"
    } else if is_secret && has_default {
        "a secret with a default is none"
    } else {
        return Ok(());
    };
    Err(Wrong::Contradiction(contradiction))
}

fn check_lookups(declared: &Field, has_parent: bool) -> Result<(), Wrong> {
    let is_comparable = match declared.kind {
        Kind::Text | Kind::Integer | Kind::Number | Kind::Boolean | Kind::Timestamp => true,
        Kind::Json | Kind::Secret => false,
    };
    let has_default = declared.default.as_ref().is_some_and(|value| !value.is_null());
    let contradiction = if declared.unique.is_some() && !is_comparable {
        "JSON and secrets cannot be unique"
    } else if declared.indexed && !is_comparable {
        "JSON and secrets cannot be indexed"
    } else if declared.unique == Some(Unique::Parent) && !has_parent {
        "it is unique under the same parent, and its collection has none"
    } else if declared.unique.is_some() && has_default {
        "it is unique, so no two could have its default"
    } else if declared.reference.is_some() && declared.kind != Kind::Text {
        "a reference is stored as text"
    } else {
        return Ok(());
    };
    Err(Wrong::Contradiction(contradiction))
}
