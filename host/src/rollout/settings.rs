//! An element's settings: secrets are looked up, and the whole is held against the plugin's schema.
//!
//! A secret is written as a reference, `{"$secret": "env:NAME"}` or `{"$secret": "file:NAME"}`, and stays one
//! everywhere but in the document that a generation is started with: it is in no answer, log or error. What
//! references may name is fenced in, so that whoever may change settings cannot read the daemon's other secrets:
//! variables that begin with [`VARIABLE_PREFIX`], files directly in `<data>/secrets`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Which variables may be named.
const VARIABLE_PREFIX: &str = "METAPAAS_SECRET_";

/// The only member of a reference.
const REFERENCE: &str = "$secret";

/// The most that a secret may hold.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// How many violations are told at once.
const VIOLATIONS_MAX: usize = 20;

/// Settings with every secret in its place. For the plugin alone: it cannot be printed.
pub(crate) struct Resolved(Value);

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where, as a JSON pointer.
    pub(crate) pointer: String,
    /// What; never the value of a secret.
    pub(crate) message: String,
}

/// Where secrets are looked up.
#[derive(Debug)]
pub(crate) struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Those of the daemon whose state is in `data`.
    pub(crate) fn of(data: &Path) -> Self {
        Self { folder: data.join("secrets") }
    }

    /// The settings with their secrets.
    ///
    /// # Errors
    /// Every reference that leads nowhere.
    pub(crate) fn resolve(&self, settings: &Value) -> Result<Resolved, Vec<Violation>> {
        let (mut resolved, mut violations) = (settings.clone(), Vec::new());
        self.fill_in(&mut resolved, "", &mut violations);
        if violations.is_empty() { Ok(Resolved(resolved)) } else { Err(violations) }
    }

    fn fill_in(&self, value: &mut Value, pointer: &str, violations: &mut Vec<Violation>) {
        match value {
            Value::Object(object) => match reference(object) {
                Some(name) => match self.look_up(name) {
                    Ok(secret) => *value = Value::String(secret),
                    Err(message) => {
                        violations.push(Violation { pointer: pointer.to_owned(), message });
                    }
                },
                None => object.iter_mut().for_each(|(key, value)| {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    self.fill_in(value, &format!("{pointer}/{key}"), violations);
                }),
            },
            Value::Array(items) => items.iter_mut().enumerate().for_each(|(idx, value)| {
                self.fill_in(value, &format!("{pointer}/{idx}"), violations);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn look_up(&self, name: &str) -> Result<String, String> {
        match name.split_once(':') {
            Some(("env", variable)) => read_variable(variable),
            Some(("file", file)) => self.read_file(file),
            Some(_) | None => {
                Err(format!("`{name}` is no secret; name one as `env:…` or `file:…`"))
            }
        }
    }

    fn read_file(&self, name: &str) -> Result<String, String> {
        let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        if !is_plain {
            return Err(format!("`{name}` is no plain file name"));
        }
        let path = self.folder.join(name);
        let failed = |error: std::io::Error| {
            format!("secret `file:{name}` cannot be read from `{}`: {error}", path.display())
        };
        let bytes = std::fs::metadata(&path).map_err(failed)?.len();
        if bytes > SECRET_BYTES_MAX {
            return Err(format!(
                "secret `file:{name}` has {bytes} bytes, more than {SECRET_BYTES_MAX}"
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }
}

fn read_variable(variable: &str) -> Result<String, String> {
    if !variable.starts_with(VARIABLE_PREFIX) {
        return Err(format!("only variables that begin with `{VARIABLE_PREFIX}` can be named"));
    }
    std::env::var(variable)
        .map_err(|_absent| format!("the daemon's environment has no `{variable}`"))
}

/// The name in a reference, if the object is one.
fn reference(object: &Map<String, Value>) -> Option<&str> {
    if object.len() == 1 { object.get(REFERENCE)?.as_str() } else { None }
}

impl Resolved {
    /// Holds the settings against the plugin's schema.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn validate(&self, schema: &Value) -> Result<(), Vec<Violation>> {
        let whole = |message| vec![Violation { pointer: String::new(), message }];
        let validator = jsonschema::validator_for(schema)
            .map_err(|error| whole(format!("the plugin's own schema is none: {error}")))?;
        let violations: Vec<_> = validator
            .iter_errors(&self.0)
            .take(VIOLATIONS_MAX)
            .map(|error| Violation {
                pointer: error.instance_path().to_string(),
                // The value may be a secret.
                message: error.masked_with("the value").to_string(),
            })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// For the document that a generation is started with, and for nothing else.
    pub(crate) fn reveal(&self) -> &Value {
        &self.0
    }
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolved(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> (tempfile::TempDir, Secrets) {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::of(data.path());
        std::fs::create_dir(&secrets.folder).unwrap();
        std::fs::write(secrets.folder.join("token"), "s3cret\n").unwrap();
        (data, secrets)
    }

    #[test]
    fn a_reference_becomes_its_secret_wherever_it_stands() {
        let (_data, secrets) = secrets();
        let settings = json!({"a": [{"$secret": "file:token"}], "b": {"$secret": 1, "c": 2}});
        let resolved = secrets.resolve(&settings).unwrap();
        assert_eq!(resolved.reveal(), &json!({"a": ["s3cret"], "b": {"$secret": 1, "c": 2}}));
        assert_eq!(format!("{resolved:?}"), "Resolved(…)");
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_told_with_its_place() {
        let (_data, secrets) = secrets();
        for (reference, said) in [
            ("env:HOME", "only variables that begin with `METAPAAS_SECRET_` can be named"),
            ("env:METAPAAS_SECRET_ABSENT", "has no `METAPAAS_SECRET_ABSENT`"),
            ("file:../identity.json", "`../identity.json` is no plain file name"),
            ("file:absent", "secret `file:absent` cannot be read"),
            ("vault:x", "`vault:x` is no secret"),
        ] {
            let settings = json!({"x/y": {"$secret": reference}});
            let violations = secrets.resolve(&settings).unwrap_err();
            let [Violation { pointer, message }] = &*violations else { panic!("{violations:?}") };
            assert_eq!(pointer, "/x~1y");
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn what_does_not_fit_the_schema_is_told_without_the_value() {
        let (_data, secrets) = secrets();
        let resolved = secrets.resolve(&json!({"token": {"$secret": "file:token"}})).unwrap();
        let schema = json!({"properties": {"token": {"type": "integer"}}, "required": ["url"]});
        let violations = resolved.validate(&schema).unwrap_err();
        let pointers: Vec<_> = violations.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(pointers, ["", "/token"]);
        assert!(violations.iter().all(|it| !it.message.contains("s3cret")), "{violations:?}");
    }
}
