//! A predicate as a test of a document: what the condition in SQL says of the document's row.
//!
//! Watches use it, and the tests as the reference. Guarantees: no document makes it panic; what is missing, null or
//! of another kind than its field is absent.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::member::{Kind, Member};
use super::predicate::{Check, Comparison, JsonCheck, JsonScalar, Predicate, Scalar};
use crate::timestamp::Timestamp;

impl Predicate {
    /// Whether it lets this document through, which must have all of its members.
    pub(crate) fn matches(&self, document: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(document)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(document)),
            Self::Not(inner) => !inner.matches(document),
            Self::Check(member, check) => {
                member.of(document).is_some_and(|value| check.matches(value))
            }
        }
    }
}

impl Member {
    /// Its value in a document; none, if it is absent.
    pub(crate) fn of<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        let whole = document.get(&self.column.name)?;
        let value = self.path.iter().try_fold(whole, |value, key| value.as_object()?.get(key))?;
        let is_empty_map = self.column.kind == Kind::Map
            && value.as_object().is_some_and(serde_json::Map::is_empty);
        (!value.is_null() && !is_empty_map).then_some(value)
    }
}

impl Check {
    fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Present => true,
            Self::Compare(comparison, scalar) => {
                scalar.ordering_of(value).is_some_and(|ordering| comparison.holds(ordering))
            }
            Self::Like(pattern) => value.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Json(check) => check.matches(value),
        }
    }
}

impl JsonCheck {
    fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Is(scalar) => scalar.is(value),
            Self::Number(comparison, wanted) => {
                let ordering = value.as_f64().and_then(|number| number.partial_cmp(wanted));
                ordering.is_some_and(|ordering| comparison.holds(ordering))
            }
            Self::Text(comparison, wanted) => {
                value.as_str().is_some_and(|text| comparison.holds(text.cmp(wanted)))
            }
            Self::Has(scalar) => match value {
                Value::String(text) => scalar.text.clone().within().matches(text),
                Value::Array(elements) => elements.iter().any(|element| scalar.is(element)),
                Value::Object(members) => {
                    members.get(&scalar.text.text).is_some_and(|value| !value.is_null())
                }
                Value::Number(_) | Value::Bool(_) => scalar.is(value),
                Value::Null => false,
            },
        }
    }
}

impl JsonScalar {
    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.text.matches(text),
            Value::Number(number) => self.number.is_some() && number.as_f64() == self.number,
            Value::Bool(boolean) => self.boolean == Some(*boolean),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

impl Scalar {
    /// How `value` compares with it; none, if it is of another kind.
    fn ordering_of(&self, value: &Value) -> Option<Ordering> {
        match self {
            Self::Uuid(id) => Some(Uuid::try_parse(value.as_str()?).ok()?.cmp(id)),
            Self::Text(text) => Some(value.as_str()?.cmp(text)),
            Self::Integer(integer) => Some(value.as_i64()?.cmp(integer)),
            Self::Number(number) => value.as_f64()?.partial_cmp(number),
            Self::Boolean(boolean) => Some(value.as_bool()?.cmp(boolean)),
            Self::Timestamp(moment) => Some(value.as_str()?.parse::<Timestamp>().ok()?.cmp(moment)),
        }
    }
}

impl Comparison {
    /// Whether it holds between two values of this ordering.
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}
