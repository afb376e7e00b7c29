//! Statements of sea-query, written for both databases when the plugin is packed.
//!
//! sea-query panics where a database cannot do what a statement says (several changes by one `ALTER TABLE`
//! on SQLite, a changed column, an added foreign key). Such a panic is caught here and told as a fault of
//! that migration.

use plugin_abi::database::Backend;
use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};

use super::Sql;
use crate::caught::catch;

/// What can be written as statements: a statement of sea-query, text, or a tuple, array or `Vec` of those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as SQL",
    note = "give statements of sea-query: `Table::create()…`, `Index::create()…`, `Query::update()…`, or a tuple of them"
)]
pub trait Render {
    /// Writes it for a database, one text for each statement.
    fn render(&self, backend: Backend) -> Vec<String>;
}

impl Sql {
    /// Statements of sea-query, written for each database.
    ///
    /// ```
    /// use plugin_sdk::Sql;
    /// use plugin_sdk::sea_query::{ColumnDef, Table};
    ///
    /// let table = Sql::with(|_backend| {
    ///     let id = ColumnDef::new("id").uuid().not_null().primary_key().take();
    ///     Table::create().table("demo_instances").col(id).take()
    /// });
    /// # let _ = table;
    /// ```
    ///
    /// What sea-query cannot write for one of them is told when the plugin is packed.
    #[must_use]
    pub fn with<S: Render>(statements: impl Fn(Backend) -> S) -> Self {
        let mut sql = Self::new();
        for backend in [Backend::Sqlite, Backend::Postgres] {
            match catch(&mut None, || statements(backend).render(backend)) {
                Ok(written) => {
                    sql = written.into_iter().fold(sql, |sql, statement| match backend {
                        Backend::Sqlite => sql.sqlite(statement),
                        Backend::Postgres => sql.postgres(statement),
                    });
                }
                Err(report) => {
                    let why = format!("sea-query: {report}; give the statements as text instead");
                    sql.faults.push((backend, why));
                }
            }
        }
        sql
    }
}

macro_rules! rendered_as_schema {
    ($($statement:ident)*) => {$(
        impl Render for sea_query::$statement {
            fn render(&self, backend: Backend) -> Vec<String> {
                vec![match backend {
                    Backend::Sqlite => self.build(SqliteQueryBuilder),
                    Backend::Postgres => self.build(PostgresQueryBuilder),
                }]
            }
        }
    )*};
}

rendered_as_schema! {
    TableCreateStatement TableAlterStatement TableDropStatement TableRenameStatement
    IndexCreateStatement IndexDropStatement ForeignKeyCreateStatement ForeignKeyDropStatement
}

macro_rules! rendered_as_query {
    ($($statement:ident)*) => {$(
        impl Render for sea_query::$statement {
            fn render(&self, backend: Backend) -> Vec<String> {
                vec![match backend {
                    Backend::Sqlite => self.to_string(SqliteQueryBuilder),
                    Backend::Postgres => self.to_string(PostgresQueryBuilder),
                }]
            }
        }
    )*};
}

rendered_as_query!(InsertStatement UpdateStatement DeleteStatement);

impl Render for String {
    fn render(&self, _backend: Backend) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Render for &str {
    fn render(&self, _backend: Backend) -> Vec<String> {
        vec![(*self).to_owned()]
    }
}

impl<S: Render> Render for &mut S {
    fn render(&self, backend: Backend) -> Vec<String> {
        S::render(self, backend)
    }
}

impl<S: Render> Render for Vec<S> {
    fn render(&self, backend: Backend) -> Vec<String> {
        self.iter().flat_map(|statement| statement.render(backend)).collect()
    }
}

impl<S: Render, const COUNT: usize> Render for [S; COUNT] {
    fn render(&self, backend: Backend) -> Vec<String> {
        self.iter().flat_map(|statement| statement.render(backend)).collect()
    }
}

macro_rules! rendered_in_order {
    ($($statement:ident)*) => {
        impl<$($statement: Render),*> Render for ($($statement,)*) {
            #[expect(non_snake_case, reason = "the statements are named after their types")]
            fn render(&self, backend: Backend) -> Vec<String> {
                let ($($statement,)*) = self;
                [$($statement.render(backend)),*].concat()
            }
        }
    };
}

rendered_in_order!(A);
rendered_in_order!(A B);
rendered_in_order!(A B C);
rendered_in_order!(A B C D);
rendered_in_order!(A B C D E);
rendered_in_order!(A B C D E F);
rendered_in_order!(A B C D E F G);
rendered_in_order!(A B C D E F G H);

#[cfg(test)]
mod tests {
    use sea_query::{ColumnDef, Index, Query, Table};

    use super::*;
    use crate::migration::{Migration, chain};

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn text(name: &'static str) -> ColumnDef {
        ColumnDef::new(name).text().take()
    }

    #[test]
    fn each_database_gets_its_own_words() {
        let migration = Migration::<()>::expand(ID, "instances")
            .up_with(|_backend| {
                (
                    Table::create()
                        .table("demo_instances")
                        .col(ColumnDef::new("id").uuid().not_null().primary_key())
                        .col(text("name"))
                        .take(),
                    Index::create().name("demo_names").table("demo_instances").col("name").take(),
                )
            })
            .down_with(|_backend| Table::drop().table("demo_instances").take());
        let (steps, _hooks) = chain::check(vec![migration]).unwrap();
        assert_eq!(
            steps[0].up.sqlite,
            [
                r#"CREATE TABLE "demo_instances" ( "id" uuid_text NOT NULL PRIMARY KEY, "name" text )"#,
                r#"CREATE INDEX "demo_names" ON "demo_instances" ("name")"#,
            ]
        );
        assert_eq!(
            steps[0].up.postgres[0],
            r#"CREATE TABLE "demo_instances" ( "id" uuid NOT NULL PRIMARY KEY, "name" text )"#
        );
        assert_eq!(steps[0].down.as_ref().unwrap().sqlite, [r#"DROP TABLE "demo_instances""#]);
    }

    #[test]
    fn what_sea_query_cannot_write_is_told_by_migration_and_database() {
        let migration = Migration::<()>::contract(ID, "two columns").up_with(|_backend| {
            let (one, two) = (text("one"), text("two"));
            Table::alter().table("demo_instances").add_column(one).add_column(two).take()
        });
        let Err(error) = chain::check(vec![migration]) else { panic!("passed") };
        let error = error.to_string();
        assert!(
            error.starts_with(&format!(
                "migration `two columns` ({ID}): `up` cannot be written for SQLite: sea-query: \
                 Sqlite doesn't support multiple alter options"
            )),
            "{error}"
        );
        assert!(error.ends_with("; give the statements as text instead"), "{error}");
    }

    #[test]
    fn rows_may_be_changed_too_and_texts_may_stand_beside() {
        let sql = Sql::with(|backend| {
            let mut update = Query::update();
            update.table("demo_instances").value("name", backend.to_string());
            vec![update.render(backend).concat(), "DROP INDEX demo_names".to_owned()]
        });
        let (statements, faults) = sql.into_statements("up");
        assert!(faults.is_empty());
        let update = r#"UPDATE "demo_instances" SET "name" = 'SQLite'"#;
        assert_eq!(statements.sqlite, [update, "DROP INDEX demo_names"]);
    }
}
