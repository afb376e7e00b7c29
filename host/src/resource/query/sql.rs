//! A predicate as a condition in SQL, for both databases.
//!
//! Guarantees:
//! - Values are parameters, keys of JSON too; the text of a statement holds names of columns and nothing of a caller's.
//! - A column is compared as it is, so that its index serves `=`, the order and the beginning of a text. PostgreSQL
//!   compares text by its bytes (`COLLATE "C"`), as SQLite does; its indexes serve order where the column has that
//!   collation, as those of the host do.
//! - `Not` is pushed down to the checks: SQL's third value, which a check of what is absent has, is false to a
//!   condition, and turned to true by `IS NOT TRUE`.
//!
//! Not here: which table, which order.

use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Value};
use time::Duration;

use super::member::{Column, Kind, Member};
use super::predicate::{Check, Comparison, Pattern, Predicate, Scalar};
use crate::resource::kept;
use crate::store::Backend;
use crate::timestamp::Timestamp;

mod json;

use json::Json;

impl Predicate {
    /// It as a condition.
    pub(crate) fn condition(&self, backend: Backend) -> Condition {
        self.condition_for(backend, true)
    }

    /// The condition that holds when this one is `wanted`.
    fn condition_for(&self, backend: Backend, wanted: bool) -> Condition {
        let join = |parts: &[Self], condition: Condition| {
            parts.iter().fold(condition, |all, part| all.add(part.condition_for(backend, wanted)))
        };
        match self {
            Self::All(parts) if parts.is_empty() => {
                Condition::all().add(if wanted { always() } else { never() })
            }
            Self::Any(parts) if parts.is_empty() => {
                Condition::all().add(if wanted { never() } else { always() })
            }
            Self::All(parts) if wanted => join(parts, Condition::all()),
            Self::All(parts) => join(parts, Condition::any()),
            Self::Any(parts) if wanted => join(parts, Condition::any()),
            Self::Any(parts) => join(parts, Condition::all()),
            Self::Not(inner) => inner.condition_for(backend, !wanted),
            Self::Check(member, check) => {
                let check = check.expression(backend, member);
                let check = if wanted { check } else { template(backend, UNTRUE, [check]) };
                Condition::all().add(check)
            }
        }
    }
}

impl Check {
    fn expression(&self, backend: Backend, member: &Member) -> Expr {
        let value = || member.expression(backend);
        match self {
            Self::Present => match member.column.kind {
                Kind::Map if member.path.is_empty() => value().ne("{}"),
                Kind::Json => Json::of(backend, member).is_present(),
                Kind::Map
                | Kind::Uuid
                | Kind::Text
                | Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Timestamp => value().is_not_null(),
            },
            Self::Compare(comparison, scalar) => scalar.compared(backend, *comparison, value()),
            Self::Like(pattern) => pattern.expression(backend, value()),
            Self::Json(check) => Json::of(backend, member).expression(check),
        }
    }
}

impl Member {
    /// Its value; of a key of a map the text that it leads to.
    fn expression(&self, backend: Backend) -> Expr {
        match self.path.first() {
            Some(_) if self.column.kind == Kind::Map => Json::of(backend, self).text(),
            Some(_) | None => self.column.expression(),
        }
    }
}

impl Column {
    /// It as it is.
    pub(super) fn expression(&self) -> Expr {
        Expr::col(Alias::new(&self.name))
    }
}

impl Scalar {
    /// It as a parameter.
    pub(super) fn value(&self, backend: Backend) -> Value {
        match self {
            Self::Uuid(id) => kept::uuid(backend, *id),
            Self::Text(text) => text.as_str().into(),
            Self::Integer(integer) => (*integer).into(),
            Self::Number(number) => (*number).into(),
            Self::Boolean(boolean) => (*boolean).into(),
            Self::Timestamp(moment) => kept::moment(backend, moment.into_inner()),
        }
    }

    /// Whether `expression` compares so with it.
    fn compared(&self, backend: Backend, comparison: Comparison, expression: Expr) -> Expr {
        match (self, comparison) {
            (Self::Timestamp(moment), _) => within_ms(backend, *moment, comparison, expression),
            (_, Comparison::Equal) => expression.eq(self.value(backend)),
            (Self::Text(_), _) => {
                comparison.apply(bytewise(backend, expression), self.value(backend))
            }
            (_, _) => comparison.apply(expression, self.value(backend)),
        }
    }
}

/// Compares to the millisecond: a plugin's own statements may have kept more digits than documents show.
fn within_ms(
    backend: Backend,
    moment: Timestamp,
    comparison: Comparison,
    expression: Expr,
) -> Expr {
    let begin = kept::moment(backend, moment.into_inner());
    let end = moment.into_inner().checked_add(Duration::MILLISECOND);
    // The last millisecond that there is ends nowhere.
    let end = end.map(|end| kept::moment(backend, end));
    match (comparison, end) {
        (Comparison::Less, _) => expression.lt(begin),
        (Comparison::GreaterOrEqual, _) => expression.gte(begin),
        (Comparison::Equal, Some(end)) => expression.clone().gte(begin).and(expression.lt(end)),
        (Comparison::Equal, None) => expression.gte(begin),
        (Comparison::LessOrEqual, Some(end)) => expression.lt(end),
        (Comparison::LessOrEqual, None) => expression.is_not_null(),
        (Comparison::Greater, Some(end)) => expression.gte(end),
        (Comparison::Greater, None) => never(),
    }
}

impl Comparison {
    fn apply(self, left: Expr, right: Value) -> Expr {
        match self {
            Self::Equal => left.eq(right),
            Self::Less => left.lt(right),
            Self::LessOrEqual => left.lte(right),
            Self::Greater => left.gt(right),
            Self::GreaterOrEqual => left.gte(right),
        }
    }
}

impl Pattern {
    fn expression(&self, backend: Backend, value: Expr) -> Expr {
        let Self { text, open_start, open_end } = self;
        match (open_start, open_end) {
            (false, false) => value.eq(text.as_str()),
            (_, _) if text.is_empty() => value.is_not_null(),
            (false, true) => begins_with(backend, value, text),
            (true, false) => ends_with(backend, value, text),
            (true, true) => {
                let place = Template { sqlite: "instr(?, ?)", postgres: "strpos($1, $2)" };
                template(backend, place, [value, Expr::val(text.as_str())]).gt(0)
            }
        }
    }
}

/// By its bytes on SQLite, whose functions of text stop at a NUL, which text in JSON may have.
fn ends_with(backend: Backend, value: Expr, text: &str) -> Expr {
    let n = match backend {
        Backend::Sqlite => text.len(),
        Backend::Postgres => text.chars().count(),
    };
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    let ending = Template {
        sqlite: "substr(CAST(? AS BLOB), -?) = CAST(? AS BLOB)",
        postgres: "right($1, $2) = $3",
    };
    template(backend, ending, [value, Expr::val(n), Expr::val(text)])
}

/// As a range, which an index serves.
fn begins_with(backend: Backend, value: Expr, text: &str) -> Expr {
    let value = bytewise(backend, value);
    let begin = value.clone().gte(text);
    match behind_all_beginning_with(text) {
        Some(end) => begin.and(value.lt(end)),
        None => begin,
    }
}

/// The first text that comes after all that begin with `text`; none, if nothing does.
fn behind_all_beginning_with(text: &str) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(last) = chars.pop() {
        // The range steps over what is no character.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Text that is compared and sorted by its bytes.
pub(super) fn bytewise(backend: Backend, text: Expr) -> Expr {
    match backend {
        Backend::Sqlite => text,
        Backend::Postgres => Expr::cust_with_exprs(r#"($1) COLLATE "C""#, [text]),
    }
}

/// A piece of SQL with places for expressions: `?` one after the other, `$1` by number.
#[derive(Debug, Clone, Copy)]
struct Template {
    sqlite: &'static str,
    postgres: &'static str,
}

const UNTRUE: Template = Template { sqlite: "(?) IS NOT TRUE", postgres: "($1) IS NOT TRUE" };

fn template(
    backend: Backend,
    Template { sqlite, postgres }: Template,
    expressions: impl IntoIterator<Item = Expr>,
) -> Expr {
    let text = match backend {
        Backend::Sqlite => sqlite,
        Backend::Postgres => postgres,
    };
    Expr::cust_with_exprs(text, expressions)
}

fn always() -> Expr {
    Expr::cust("1 = 1")
}

pub(super) fn never() -> Expr {
    Expr::cust("1 = 0")
}
