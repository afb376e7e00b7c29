//! What is wanted of a resource: all that clients may say of it, checked and in its one form.
//!
//! It is made of what a create says, or of what there is and what a change says. Pure. Guarantees: nothing in it is
//! unknown, another's to say, or of the wrong shape; all that is wrong is told at once; a member that a create does
//! not say, or a change takes away, has its default. Who may say what follows from the policy of each field.
//!
//! What is said of secrets is apart, in the clear, until it is sealed. Not here: anything that needs the store or
//! the plugin.

use std::collections::BTreeMap;

use plugin_abi::descriptor::{Kind, Policy};
use plugin_abi::resource::columns;
use serde_json::{Map, Value};

use super::objection::{Objection, Objections, Why, pointer};
use super::patch::{Becomes, Said};
use crate::model::{FieldModel, ResourceModel};
use crate::nearest::nearest;
use crate::resource::row::Row;

mod members;
mod name;

/// What clients may always say, beside the declared fields.
const OF_ALL: [&str; 4] = ["annotations", "deletion_protection", "description", "labels"];

/// See the module.
#[derive(Clone, PartialEq)]
pub(crate) struct Wanted {
    /// Its name, which never changes.
    pub(crate) name: String,
    /// In its maker's words.
    pub(crate) description: String,
    /// What it is selected by.
    pub(crate) labels: BTreeMap<String, String>,
    /// Notes of its users.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether nobody may delete it.
    pub(crate) deletion_protection: bool,
    /// Every declared field; secrets that were not said now are as they are kept.
    pub(crate) fields: Map<String, Value>,
    /// What was said of secrets, in the clear.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// What a change does not speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaid {
    /// It stays as it is.
    Stays,
    /// It is as if it had never been said; but what nobody sees stays, because nobody could say it again.
    Goes,
}

impl Wanted {
    /// What a create wants.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn new(
        model: &ResourceModel,
        members: Map<String, Value>,
    ) -> Result<Self, Vec<Objection>> {
        let mut judge = Judge { model, objections: Objections::default() };
        let mut wanted = Self::nothing();
        for field in model.fields() {
            if field.declared.required && !members.contains_key(field.name()) {
                judge.object(field.name(), Why::Required, "it must be said");
            }
            wanted.fields.insert(field.name().to_owned(), default(field));
        }
        if !members.contains_key("name") {
            judge.object("name", Why::Required, "it must be said");
        }
        for (name, value) in members {
            judge.take_new(&mut wanted, &name, value);
        }
        judge.objections.or(wanted)
    }

    /// What is wanted of `row`, which clients see as `document`, after a change.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn changed(
        model: &ResourceModel,
        row: &Row,
        document: &Map<String, Value>,
        mut said: Said,
        unsaid: Unsaid,
    ) -> Result<Self, Vec<Objection>> {
        let mut judge = Judge { model, objections: Objections::default() };
        let mut wanted = Self::of(row);
        if unsaid == Unsaid::Goes {
            let seen = model.fields().iter().filter(|field| field.declared.policy == Policy::Rw);
            for name in OF_ALL.into_iter().chain(seen.map(FieldModel::name)) {
                said.entry(name.to_owned()).or_insert(Becomes::Nothing);
            }
        }
        for (name, becomes) in said {
            judge.take_change(&mut wanted, document, &name, becomes);
        }
        judge.objections.or(wanted)
    }

    /// What is wanted of a resource as it is.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            name: row.name.clone(),
            description: row.description.clone(),
            labels: row.labels.clone(),
            annotations: row.annotations.clone(),
            deletion_protection: row.deletion_protection,
            fields: row.fields.clone(),
            secrets: BTreeMap::new(),
        }
    }

    fn nothing() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            deletion_protection: false,
            fields: Map::new(),
            secrets: BTreeMap::new(),
        }
    }
}

/// What a field is when nothing is said of it.
fn default(field: &FieldModel) -> Value {
    field.normal(field.declared.default.clone().unwrap_or_default())
}

/// Whether `becomes` leaves a member as it is.
fn is_same(field: Option<&FieldModel>, current: Option<&Value>, becomes: &Becomes) -> bool {
    let said = match (becomes, field) {
        (Becomes::Nothing, _) => Value::Null,
        (Becomes::Value(value), None) => value.clone(),
        (Becomes::Value(value), Some(field)) => field.normal(value.clone()),
    };
    said == *current.unwrap_or(&Value::Null)
}

struct Judge<'m> {
    model: &'m ResourceModel,
    objections: Objections,
}

impl Judge<'_> {
    fn object(&mut self, name: &str, why: Why, message: impl Into<String>) {
        self.objections.add(pointer(name), why, message);
    }

    fn take_new(&mut self, wanted: &mut Wanted, name: &str, value: Value) {
        if name == "name" {
            match name::parse(value) {
                Ok(name) => wanted.name = name,
                Err(message) => self.object(name, Why::Name, message),
            }
        } else if OF_ALL.contains(&name) {
            self.take_of_all(wanted, name, Becomes::Value(value));
        } else if let Some(field) = self.field(name) {
            if field.is_said_on_create() {
                self.take_field(wanted, field, Becomes::Value(value));
            } else {
                self.read_only(name);
            }
        } else if is_of_platform(name) {
            self.read_only(name);
        } else {
            self.unknown(name);
        }
    }

    fn take_change(
        &mut self,
        wanted: &mut Wanted,
        document: &Map<String, Value>,
        name: &str,
        becomes: Becomes,
    ) {
        if OF_ALL.contains(&name) {
            return self.take_of_all(wanted, name, becomes);
        }
        let field = self.field(name);
        if let Some(field) = field.filter(|field| field.is_said_on_change()) {
            return self.take_field(wanted, field, becomes);
        }
        let is_known = field.is_some() || is_of_platform(name) || name == "name";
        if !is_known {
            self.unknown(name);
        } else if is_same(field, document.get(name), &becomes) {
            // What was read may be sent back.
        } else if name == "name" || field.is_some_and(FieldModel::is_said_on_create) {
            self.object(name, Why::Immutable, "it is said once, when the resource is made");
        } else {
            self.read_only(name);
        }
    }

    fn take_field(&mut self, wanted: &mut Wanted, field: &FieldModel, becomes: Becomes) {
        let name = field.name();
        let value = match becomes {
            Becomes::Value(value) => value,
            Becomes::Nothing if field.declared.required => {
                return self.object(name, Why::Required, "it must have a value");
            }
            Becomes::Nothing => default(field),
        };
        if let Err(faults) = field.check(&value) {
            return self.objections.add_faults(&pointer(name), faults);
        }
        wanted.put(field, field.normal(value));
    }

    fn take_of_all(&mut self, wanted: &mut Wanted, name: &str, becomes: Becomes) {
        let value = match becomes {
            Becomes::Value(value) => value,
            Becomes::Nothing => Value::Null,
        };
        let taken = match name {
            "description" => members::description(value).map(|text| wanted.description = text),
            "labels" => members::labels(value).map(|labels| wanted.labels = labels),
            "annotations" => members::annotations(value).map(|notes| wanted.annotations = notes),
            _flag => members::flag(&value).map(|flag| wanted.deletion_protection = flag),
        };
        if let Err(faults) = taken {
            self.objections.add_faults(&pointer(name), faults);
        }
    }

    fn read_only(&mut self, name: &str) {
        self.object(name, Why::ReadOnly, "clients cannot set it");
    }

    /// A field that the plugin keeps to itself is no field to a client.
    fn unknown(&mut self, name: &str) {
        let fields = self.model.fields().iter();
        let open = fields.filter(|field| field.declared.policy != Policy::Hidden);
        let known = OF_ALL.into_iter().chain(["name"]).chain(open.map(FieldModel::name));
        let message = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => "there is no such field".to_owned(),
        };
        self.object(name, Why::Unknown, message);
    }
}

impl<'m> Judge<'m> {
    /// The field of this name, if clients may know of it.
    fn field(&self, name: &str) -> Option<&'m FieldModel> {
        self.model.field(name).filter(|field| field.declared.policy != Policy::Hidden)
    }
}

/// Whether the platform says it, of every resource.
fn is_of_platform(name: &str) -> bool {
    columns::is_reserved(name) && name != "name" && !OF_ALL.contains(&name)
}

impl Wanted {
    fn put(&mut self, field: &FieldModel, value: Value) {
        match (field.declared.kind, value) {
            (Kind::Secret, Value::String(secret)) => {
                self.secrets.insert(field.name().to_owned(), secret);
            }
            (
                Kind::Secret
                | Kind::Text
                | Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Timestamp
                | Kind::Json,
                value,
            ) => {
                self.secrets.remove(field.name());
                self.fields.insert(field.name().to_owned(), value);
            }
        }
    }

    /// Forgets what is said of secrets that are so already.
    pub(crate) fn forget_secrets(&mut self, is_same: impl Fn(&str, &str) -> bool) {
        self.secrets.retain(|field, secret| !is_same(field, secret));
    }

    /// Whether it is otherwise than `row` is.
    pub(crate) fn differs_from(&self, row: &Row) -> bool {
        *self != Self::of(row)
    }
}

#[cfg(test)]
mod tests;
