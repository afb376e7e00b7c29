//! What is asked of JSON in a column of text.
//!
//! Guarantees: a key is looked up in objects only, never as a position in an array; a cast is made only of what was
//! seen to be of its kind, so that no row makes a statement fail. Numbers compare as 64-bit floats, as documents
//! have them.

use sea_orm::sea_query::{Expr, ExprTrait};

use super::super::member::Member;
use super::super::predicate::{JsonCheck, JsonScalar};
use super::bytewise;
use crate::store::Backend;

/// PostgreSQL: a column as `jsonb`, which cannot have the NUL that JSON can: it becomes the character next to it, which
/// no filter has either, so that everything compares as it would.
const JSONB: &str = r"CAST(CASE WHEN strpos($1, '\u0000') = 0 THEN $1 ELSE
    regexp_replace($1, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\u0001', 'g') END AS jsonb)";

/// A JSON value in a row.
pub(super) struct Json {
    backend: Backend,
    place: Place,
}

/// How SQL comes to it.
enum Place {
    /// SQLite: a column and a path in it.
    Path(Expr, String),
    /// SQLite: an element that `json_each` gives.
    Element,
    /// PostgreSQL: a `jsonb`.
    Value(Expr),
}

impl Json {
    /// The value of a member.
    pub(super) fn of(backend: Backend, member: &Member) -> Self {
        let column = member.column.expression();
        let place = match backend {
            Backend::Sqlite => Place::Path(column, path(&member.path)),
            Backend::Postgres => {
                let whole = Expr::cust_with_exprs(JSONB, [column]);
                Place::Value(member.path.iter().fold(whole, |value, key| step(value, key)))
            }
        };
        Self { backend, place }
    }

    /// The value at `key` of this one.
    fn member(&self, key: &str) -> Self {
        let place = match &self.place {
            Place::Path(column, path) => {
                Place::Path(column.clone(), format!("{path}{}", label(key)))
            }
            // Elements are compared with, and not looked into.
            Place::Element => Place::Element,
            Place::Value(value) => Place::Value(step(value.clone(), key)),
        };
        Self { backend: self.backend, place }
    }

    /// What `text` has a place for `?`, or `$1`, for each of.
    fn filled(&self, n_places: usize, sqlite: Sqlite, postgres: &'static str) -> Expr {
        match &self.place {
            Place::Path(column, path) => {
                let places = (0..n_places).flat_map(|_| [column.clone(), Expr::val(path.as_str())]);
                Expr::cust_with_exprs(sqlite.of_path, places)
            }
            Place::Element => Expr::cust(sqlite.of_element),
            Place::Value(value) => Expr::cust_with_exprs(postgres, [value.clone()]),
        }
    }

    /// Whether it is there, and not null.
    pub(super) fn is_present(&self) -> Expr {
        let sqlite =
            Sqlite { of_path: "(json_type(?, ?) <> 'null')", of_element: "(type <> 'null')" };
        self.filled(1, sqlite, "(jsonb_typeof($1) <> 'null')")
    }

    /// It as text, if it is text.
    pub(super) fn text(&self) -> Expr {
        let sqlite = Sqlite {
            of_path: "(CASE json_type(?, ?) WHEN 'text' THEN json_extract(?, ?) END)",
            of_element: "(CASE type WHEN 'text' THEN value END)",
        };
        self.filled(2, sqlite, "(CASE jsonb_typeof($1) WHEN 'string' THEN ($1) #>> '{}' END)")
    }

    fn number(&self) -> Expr {
        let sqlite = Sqlite {
            of_path: "(CASE WHEN json_type(?, ?) IN ('integer', 'real') THEN CAST(json_extract(?, ?) AS REAL) END)",
            of_element: "(CASE WHEN type IN ('integer', 'real') THEN CAST(value AS REAL) END)",
        };
        self.filled(
            2,
            sqlite,
            "(CASE jsonb_typeof($1) WHEN 'number' THEN CAST(($1) #>> '{}' AS double precision) END)",
        )
    }

    fn boolean(&self) -> Expr {
        let sqlite = Sqlite {
            of_path: "(CASE json_type(?, ?) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END)",
            of_element: "(CASE type WHEN 'true' THEN 1 WHEN 'false' THEN 0 END)",
        };
        self.filled(
            1,
            sqlite,
            "(CASE jsonb_typeof($1) WHEN 'boolean' THEN ($1) #>> '{}' = 'true' END)",
        )
    }

    /// Whether it is like this.
    pub(super) fn expression(&self, check: &JsonCheck) -> Expr {
        match check {
            JsonCheck::Is(scalar) => self.is(scalar),
            JsonCheck::Number(comparison, number) => {
                comparison.apply(self.number(), (*number).into())
            }
            JsonCheck::Text(comparison, text) => {
                comparison.apply(bytewise(self.backend, self.text()), text.as_str().into())
            }
            JsonCheck::Has(scalar) => self.has(scalar),
        }
    }

    fn is(&self, scalar: &JsonScalar) -> Expr {
        let JsonScalar { text, number, boolean } = scalar;
        let as_text = text.expression(self.backend, self.text());
        let as_number = number.map(|number| self.number().eq(number));
        let as_boolean = boolean.map(|boolean| self.boolean().eq(boolean));
        [as_number, as_boolean].into_iter().flatten().fold(as_text, Expr::or)
    }

    fn has(&self, scalar: &JsonScalar) -> Expr {
        let within = scalar.text.clone().within().expression(self.backend, self.text());
        let key = self.member(&scalar.text.text).is_present();
        within.or(self.is(scalar)).or(key).or(self.has_element(scalar))
    }

    fn has_element(&self, scalar: &JsonScalar) -> Expr {
        match &self.place {
            Place::Path(column, path) => {
                let element = Self { backend: self.backend, place: Place::Element };
                let path = || Expr::val(path.as_str());
                // Of an object it would give the members, of a scalar itself.
                let elements = "(json_type(?, ?) = 'array' AND EXISTS (SELECT 1 FROM json_each(?, ?) WHERE ?))";
                Expr::cust_with_exprs(
                    elements,
                    [column.clone(), path(), column.clone(), path(), element.is(scalar)],
                )
            }
            Place::Element => Expr::cust("1 = 0"),
            Place::Value(value) => {
                let element = Place::Value(Expr::cust("element"));
                let element = Self { backend: self.backend, place: element };
                let elements = "EXISTS (SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof($1) WHEN 'array' THEN $1 \
                                ELSE CAST('[]' AS jsonb) END) AS elements (element) WHERE $2)";
                Expr::cust_with_exprs(elements, [value.clone(), element.is(scalar)])
            }
        }
    }
}

/// The same of a path in a column and of an element, for SQLite.
#[derive(Clone, Copy)]
struct Sqlite {
    of_path: &'static str,
    of_element: &'static str,
}

/// PostgreSQL: the value at `key`, if this is an object.
fn step(value: Expr, key: &str) -> Expr {
    Expr::cust_with_exprs("(($1) -> $2)", [value, Expr::val(key)])
}

/// SQLite: the path to a value.
fn path(keys: &[String]) -> String {
    let labels = keys.iter().map(|key| label(key));
    std::iter::once("$".to_owned()).chain(labels).collect()
}

/// SQLite: a step of a path, with the key as JSON writes it.
fn label(key: &str) -> String {
    format!(".{}", serde_json::Value::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_leave_their_quotes() {
        assert_eq!(path(&["a".to_owned(), r#"b"].c"#.to_owned()]), r#"$."a"."b\"].c""#);
        assert_eq!(path(&[]), "$");
    }
}
