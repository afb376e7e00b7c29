//! Secrets: fields that the host keeps encrypted, and the plugin sees as references.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use plugin_abi::AbiError;
use plugin_abi::secret::{Answer, Fault, FaultKind, REFERENCE_MEMBER, Request};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::schema::SECRET_MARK;
use crate::problem::Problem;

/// A secret: text that is stored encrypted and never shown again, or shown once.
///
/// As a field of a stored resource it is a reference, which [`Context::secret`](crate::Context::secret) opens;
/// a plugin that makes one says it by [`Secret::new`]. Nothing shows what is in it, not even `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Reference(String),
    Text(String),
}

impl Secret {
    /// A new one, to be kept by the host.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Form::Text(text.into()))
    }

    /// What to ask the host to learn it; else it is known here already.
    pub(crate) fn request(&self) -> Result<Request, SecretText> {
        match &self.0 {
            Form::Reference(reference) => Ok(Request::Open { reference: reference.clone() }),
            Form::Text(text) => Err(SecretText(text.clone())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Text(text) => serializer.serialize_str(text),
            Form::Reference(reference) => {
                let mut object = serializer.serialize_map(Some(1))?;
                object.serialize_entry(REFERENCE_MEMBER, reference)?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(Form::Text(text))),
            Value::Object(mut object) => match object.remove(REFERENCE_MEMBER) {
                Some(Value::String(reference)) => Ok(Self(Form::Reference(reference))),
                _none => Err(de::Error::custom("an object that is no reference to a secret")),
            },
            // Never the value itself: it may be one that was meant to be secret.
            Value::Null => Err(de::Error::custom("there is no secret")),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Err(de::Error::custom("a secret is text"))
            }
        }
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({"type": "string", "format": "password", "writeOnly": true});
        schema.insert(SECRET_MARK.to_owned(), true.into());
        schema
    }
}

/// What a secret says. It is not shown by `Debug`; whoever has it keeps it out of logs and errors.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// What the host answered.
    pub(crate) fn of_answer(bytes: &[u8]) -> Result<Self, SecretError> {
        match Answer::decode(bytes) {
            Ok(Answer::Text(text)) => Ok(Self(text)),
            Ok(Answer::Fault(fault)) => Err(SecretError(fault)),
            // Never the error's own words, which may have a part of the answer in them.
            Err(_unreadable) => Err(SecretError::new(FaultKind::Other, "an unreadable answer")),
        }
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Why a secret cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret cannot be opened: {}", self.0.message)]
pub struct SecretError(Fault);

impl SecretError {
    fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self(Fault { kind, message: message.into() })
    }

    /// Whether it refers to nothing, or no longer.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == FaultKind::NotFound
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind == FaultKind::Unavailable
    }
}

impl From<AbiError> for SecretError {
    fn from(error: AbiError) -> Self {
        Self::new(FaultKind::Unavailable, error.message)
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        tracing::error!("{error}");
        let detail = "a secret cannot be opened";
        if error.is_transient() {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Self::new(status, "SECRETS_UNAVAILABLE", detail).hint("try again in a moment");
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
            .hint("the log of the daemon says more, under this request's id")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_and_a_text_come_back_as_what_they_were() {
        for document in [json!({"$secret": "r1"}), json!("xyz")] {
            let secret: Secret = serde_json::from_value(document.clone()).unwrap();
            assert_eq!(serde_json::to_value(&secret).unwrap(), document);
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
        for document in [json!({"secret": "xyz"}), json!(["xyz"]), json!(17), json!(null)] {
            let error = serde_json::from_value::<Secret>(document).unwrap_err().to_string();
            assert!(!error.contains("xyz") && !error.contains("17"), "{error}");
        }
    }
}
