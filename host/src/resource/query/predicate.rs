//! What a resource must be like to be in a list.
//!
//! Every parameter that selects comes to this, and this has two readings which agree: a condition in SQL
//! ([`super::sql`]) and a test of a document ([`super::evaluate`]). Logic has two values: a check of what is absent
//! is false, and `Not` turns it round. Not here: how a predicate is written.

use uuid::Uuid;

use super::cursor::Literal;
use super::member::{Kind, Member};
use crate::timestamp::Timestamp;

/// What a resource must be like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predicate {
    /// All of this; of anything, if it is nothing.
    All(Vec<Predicate>),
    /// One of this.
    Any(Vec<Predicate>),
    /// Anything but this.
    Not(Box<Predicate>),
    /// One member is like this.
    Check(Member, Check),
}

/// What a member must be like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    /// It is there: neither missing nor null, and no map without keys.
    Present,
    /// It compares so; its kind is the scalar's.
    Compare(Comparison, Scalar),
    /// It is text like this.
    Like(Pattern),
    /// It is JSON like this.
    Json(JsonCheck),
}

/// What a JSON value must be like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JsonCheck {
    /// It is this text, number or boolean.
    Is(JsonScalar),
    /// It is a number that compares so.
    Number(Comparison, f64),
    /// It is text that compares so.
    Text(Comparison, String),
    /// It is text with this in it, an array with this among its elements, an object with this key, or this.
    Has(JsonScalar),
}

/// What a written value may mean where any JSON may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonScalar {
    /// As text.
    pub(crate) text: Pattern,
    /// As a number.
    pub(crate) number: Option<f64>,
    /// As a boolean.
    pub(crate) boolean: Option<bool>,
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value that a member is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// Of [`Kind::Uuid`].
    Uuid(Uuid),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Number`]; finite.
    Number(f64),
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Timestamp`].
    Timestamp(Timestamp),
}

/// Text with anything at either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// The text.
    pub(crate) text: String,
    /// Whether anything may come before.
    pub(crate) open_start: bool,
    /// Whether anything may follow.
    pub(crate) open_end: bool,
}

impl Predicate {
    /// All of `parts`; a single one is itself.
    pub(crate) fn all(parts: Vec<Self>) -> Self {
        Self::single(parts).unwrap_or_else(Self::All)
    }

    /// One of `parts`; a single one is itself.
    pub(crate) fn any(parts: Vec<Self>) -> Self {
        Self::single(parts).unwrap_or_else(Self::Any)
    }

    fn single(mut parts: Vec<Self>) -> Result<Self, Vec<Self>> {
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            Some(last) => {
                parts.push(last);
                Err(parts)
            }
            None => Err(parts),
        }
    }

    /// Anything but this.
    pub(crate) fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// `member` is this text.
    pub(crate) fn is_text(member: Member, text: &str) -> Self {
        let scalar = Scalar::Text(text.to_owned());
        Self::Check(member, Check::Compare(Comparison::Equal, scalar))
    }

    /// `member` is this UUID.
    pub(crate) fn is_uuid(member: Member, id: Uuid) -> Self {
        Self::Check(member, Check::Compare(Comparison::Equal, Scalar::Uuid(id)))
    }
}

impl Scalar {
    /// What `text` says as a value of this kind; else what it should have been.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, &'static str> {
        let read = match kind {
            Kind::Uuid => Uuid::try_parse(text).ok().map(Self::Uuid),
            Kind::Text | Kind::Map | Kind::Json => Some(Self::Text(text.to_owned())),
            Kind::Integer => text.parse().ok().map(Self::Integer),
            Kind::Number => number(text).map(Self::Number),
            Kind::Boolean => text.parse().ok().map(Self::Boolean),
            Kind::Timestamp => text.parse().ok().map(Self::Timestamp),
        };
        read.ok_or(match kind {
            Kind::Uuid => "a UUID",
            Kind::Text | Kind::Map | Kind::Json => "text",
            Kind::Integer => "a whole number of 64 bits",
            Kind::Number => "a number",
            Kind::Boolean => "true or false",
            Kind::Timestamp => "a time like 2026-01-31T23:59:59Z",
        })
    }
}

impl JsonScalar {
    pub(super) fn of(literal: &Literal) -> Self {
        let bare = (!literal.is_quoted && !literal.is_open()).then_some(literal.text.as_str());
        Self {
            text: Pattern::of(literal),
            number: bare.and_then(number),
            boolean: bare.and_then(|text| text.parse().ok()),
        }
    }
}

impl Pattern {
    pub(super) fn of(literal: &Literal) -> Self {
        let Literal { text, open_start, open_end, offset: _, is_quoted: _ } = literal;
        Self { text: text.clone(), open_start: *open_start, open_end: *open_end }
    }

    /// What `:` means: the text anywhere, unless its ends are said.
    pub(super) fn within(self) -> Self {
        match (self.open_start, self.open_end) {
            (false, false) => Self { open_start: true, open_end: true, ..self },
            (_, _) => self,
        }
    }

    /// Whether `text` is like it.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Self { text: wanted, open_start, open_end } = self;
        match (open_start, open_end) {
            (false, false) => text == wanted,
            (false, true) => text.starts_with(wanted),
            (true, false) => text.ends_with(wanted),
            (true, true) => text.contains(wanted),
        }
    }
}

/// A finite number, written as JSON or nearly so.
fn number(text: &str) -> Option<f64> {
    // `inf`, `nan` and `infinity` are numbers to Rust.
    let is_written_so = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number: f64 = text.parse().ok().filter(|_| is_written_so)?;
    number.is_finite().then_some(number)
}
