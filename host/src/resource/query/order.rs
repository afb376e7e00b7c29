//! `order_by`, and the place in an order at which a page begins.
//!
//! Guarantees: an order is total, since the id is its last key; what is absent comes last, whichever way the order
//! goes; both databases have the same order. A page begins behind the keys of an item, which need not exist any
//! more. Not here: how the keys are signed (`http::paging`).

use std::sync::Arc;

use sea_orm::sea_query::{
    Condition, Expr, ExprTrait, NullOrdering, Order as Direction, SelectStatement,
};
use serde_json::Value;

use super::cursor::Cursor;
use super::error::Fault;
use super::member::{Column, Kind, Member, Members};
use super::predicate::Scalar;
use super::sql::{bytewise, never};
use crate::store::Backend;

/// How a list is ordered.
#[derive(Debug, Clone)]
pub(crate) struct Order(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    column: Arc<Column>,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// The keys of an item, behind which a page begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct After(Vec<Option<Scalar>>);

impl Order {
    /// What `text` says; the oldest first, if it says nothing.
    pub(super) fn parse(members: &Members, text: &str) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(text)?;
        cursor.skip_space();
        if cursor.peek().is_none() {
            let oldest_first = Key { column: members.of_all("created_at").column, way: Way::Up };
            return Ok(Self::total(vec![oldest_first], members));
        }
        let mut keys = vec![Key::next(&mut cursor, members, &[])?];
        cursor.skip_space();
        while cursor.eat(",") {
            cursor.skip_space();
            keys.push(Key::next(&mut cursor, members, &keys)?);
            cursor.skip_space();
        }
        cursor.expect_end("asc, desc, a comma or the end")?;
        Ok(Self::total(keys, members))
    }

    /// With the id at its end, the way of the key before, so that one index can serve both.
    fn total(mut keys: Vec<Key>, members: &Members) -> Self {
        let has_id = keys.iter().any(|key| key.column.name == "id");
        if let Some(last) = keys.last().filter(|_| !has_id) {
            let way = last.way;
            keys.push(Key { column: members.of_all("id").column, way });
        }
        Self(keys)
    }

    /// Orders `select`.
    pub(super) fn apply(&self, select: &mut SelectStatement, backend: Backend) {
        for key in &self.0 {
            let expression = key.expression(backend);
            // Without the words where nothing can be absent: then an index can be read either way.
            if key.column.is_declared {
                select.order_by_expr_with_nulls(expression, key.way.into(), NullOrdering::Last);
            } else {
                select.order_by_expr(expression, key.way.into());
            }
        }
    }

    /// What comes behind `after`.
    pub(super) fn behind(&self, after: &After, backend: Backend) -> Condition {
        let pairs = self.0.iter().zip(&after.0);
        // From the last key to the first: behind by this key, or level with it and behind by the next.
        let behind = pairs
            .rev()
            .fold(None, |inner, (key, value)| Some(key.behind(value.as_ref(), inner, backend)));
        behind.expect("an order has a key")
    }

    /// The keys of an item, by its document, as the text that a page token holds.
    pub(crate) fn keys_of(&self, document: &Value) -> String {
        let keys = self.0.iter().map(|key| {
            let member = Member { column: Arc::clone(&key.column), path: Vec::new() };
            member.of(document).map_or(Value::Null, |value| match value {
                // Numbers travel as text: what is read is then what was written.
                Value::Number(number) => number.to_string().into(),
                Value::Bool(boolean) => boolean.to_string().into(),
                Value::String(text) => text.as_str().into(),
                Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
            })
        });
        Value::Array(keys.collect()).to_string()
    }

    /// Reads what [`Self::keys_of`] wrote; none, if it was not of this order.
    pub(crate) fn read(&self, keys: &str) -> Option<After> {
        let keys: Vec<Option<String>> = serde_json::from_str(keys).ok()?;
        if keys.len() != self.0.len() {
            return None;
        }
        let pairs = self.0.iter().zip(keys);
        let read = pairs.map(|(key, text)| match text {
            Some(text) => Scalar::read(key.column.kind, &text).ok().map(Some),
            None => key.column.is_declared.then_some(None),
        });
        read.collect::<Option<Vec<_>>>().map(After)
    }
}

impl Key {
    fn next(cursor: &mut Cursor<'_>, members: &Members, before: &[Self]) -> Result<Self, Fault> {
        let offset = cursor.offset();
        let name = cursor.word(|c| c.is_alphanumeric() || c == '_');
        if name.is_empty() {
            return Err(Fault::wanted(offset, "the name of a field"));
        }
        let found = members.find(name).filter(|column| column.kind.is_sortable());
        let Some(column) = found else {
            return Err(Fault::unknown(offset, name, members.sortable()));
        };
        if before.iter().any(|key| key.column.name == name) {
            return Err(Fault::wanted(offset, format!("{name} once")));
        }
        cursor.skip_space();
        let way = if cursor.eat_keyword("desc") { Way::Down } else { Way::Up };
        if way == Way::Up {
            cursor.eat_keyword("asc");
        }
        Ok(Self { column: Arc::clone(column), way })
    }

    /// What is sorted.
    fn expression(&self, backend: Backend) -> Expr {
        let column = self.column.expression();
        match (self.column.kind, backend) {
            (Kind::Text, _) => bytewise(backend, column),
            // A plugin's own statements may keep more digits than documents show, and tokens have.
            (Kind::Timestamp, Backend::Sqlite) if self.column.is_declared => {
                Expr::cust_with_exprs("substr(?, 1, 23)", [column])
            }
            (Kind::Timestamp, Backend::Postgres) if self.column.is_declared => {
                Expr::cust_with_exprs("date_trunc('milliseconds', $1)", [column])
            }
            (_, _) => column,
        }
    }

    /// What is behind `value` by this key, or level with it and `inner`.
    fn behind(
        &self,
        value: Option<&Scalar>,
        inner: Option<Condition>,
        backend: Backend,
    ) -> Condition {
        let key = || self.expression(backend);
        let level = |level: Expr| inner.map(|inner| Condition::all().add(level).add(inner));
        let Some(scalar) = value else {
            // The absent ones come last.
            return level(key().is_null()).unwrap_or_else(|| Condition::all().add(never()));
        };
        let value = || self.parameter(scalar, backend);
        let (at_least, more) = match self.way {
            Way::Up => (key().gte(value()), key().gt(value())),
            Way::Down => (key().lte(value()), key().lt(value())),
        };
        let behind = Condition::any().add(more).add_option(level(key().eq(value())));
        if self.column.is_declared {
            return behind.add(key().is_null());
        }
        // Says the same twice, for the index's sake: the first is where to begin to read.
        Condition::all().add(at_least).add(behind)
    }

    fn parameter(&self, scalar: &Scalar, backend: Backend) -> Expr {
        let value = Expr::val(scalar.value(backend));
        let is_cut = self.column.is_declared && self.column.kind == Kind::Timestamp;
        match backend {
            Backend::Sqlite if is_cut => Expr::cust_with_exprs("substr(?, 1, 23)", [value]),
            Backend::Sqlite | Backend::Postgres => value,
        }
    }
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Up => Self::Asc,
            Way::Down => Self::Desc,
        }
    }
}

#[cfg(test)]
impl Order {
    /// The names of the keys, how they compare, and whether they go down.
    pub(super) fn keys(&self) -> Vec<(String, Kind, bool)> {
        let keys = self.0.iter();
        keys.map(|key| (key.column.name.clone(), key.column.kind, key.way == Way::Down)).collect()
    }
}
