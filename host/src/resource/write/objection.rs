//! What is wrong with what a client says of a resource.

use crate::model::Fault;

/// So many are told.
const MAX: usize = 64;

/// What is wrong with one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Objection {
    /// The member, or what is in it, as a JSON pointer.
    pub(crate) pointer: String,
    /// What kind of fault it is.
    pub(crate) why: Why,
    /// What is wrong, in a few words for people.
    pub(crate) message: String,
}

/// Kinds of faults, the gravest first: a request that has several is told by the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// There is no such member.
    Unknown,
    /// It is for the platform or the plugin to say.
    ReadOnly,
    /// It is said once, when the resource is made.
    Immutable,
    /// It is no name.
    Name,
    /// It must be said.
    Required,
    /// It is not what its schema takes.
    Invalid,
}

/// All that is wrong; bounded.
#[derive(Debug, Default)]
pub(super) struct Objections(Vec<Objection>);

impl Objections {
    pub(super) fn add(&mut self, pointer: String, why: Why, message: impl Into<String>) {
        if self.0.len() < MAX {
            self.0.push(Objection { pointer, why, message: message.into() });
        }
    }

    /// What is wrong with the value of the member at `pointer`.
    pub(super) fn add_faults(&mut self, pointer: &str, faults: Vec<Fault>) {
        for Fault { pointer: below, message } in faults {
            self.add(format!("{pointer}{below}"), Why::Invalid, message);
        }
    }

    /// `good`, unless something is wrong.
    pub(super) fn or<T>(self, good: T) -> Result<T, Vec<Objection>> {
        if self.0.is_empty() { Ok(good) } else { Err(self.0) }
    }
}

/// The member `name` of a document, as a JSON pointer.
pub(super) fn pointer(name: &str) -> String {
    format!("/{}", step(name))
}

/// A name as a step of a pointer, where `~` and `/` have a meaning of their own.
pub(super) fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
