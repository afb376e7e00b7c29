//! A look into a daemon's database, past the daemon.

use std::path::Path;

use serde_json::{Map, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Column, Connection, PgConnection, Row as _, SqliteConnection, TypeInfo, ValueRef};

/// A row, by the names of its columns. Documents and times are texts on SQLite, as it keeps them.
pub type Row = Map<String, Value>;

/// A connection past the daemon.
#[derive(Debug)]
pub enum Look {
    /// To the file of SQLite.
    Sqlite(SqliteConnection),
    /// To PostgreSQL, as the superuser.
    Postgres(PgConnection),
}

impl Look {
    /// Into this file of SQLite, which is not made.
    ///
    /// # Panics
    /// When it is none.
    pub async fn into_file(file: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(file);
        let connection = SqliteConnection::connect_with(&options).await;
        Self::Sqlite(connection.unwrap_or_else(|error| panic!("{}: {error}", file.display())))
    }

    /// Into this database of PostgreSQL.
    ///
    /// # Panics
    /// When it is none.
    pub async fn into_url(url: &str) -> Self {
        Self::Postgres(PgConnection::connect(url).await.expect("the daemon's database is there"))
    }

    /// The rows of a query that both databases understand.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn rows(&mut self, query: &str) -> Vec<Row> {
        let rows = match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(connection).await;
                rows.map(|rows| rows.iter().map(row).collect())
            }
            Self::Postgres(connection) => {
                let query = format!("SELECT to_jsonb(each)::text FROM ({query}) AS each");
                let query = sqlx::query_scalar(sqlx::AssertSqlSafe(query));
                let rows: Result<Vec<String>, _> = query.fetch_all(connection).await;
                let document =
                    |text: &String| serde_json::from_str(text).expect("a row is a document");
                rows.map(|rows| rows.iter().map(document).collect())
            }
        };
        rows.unwrap_or_else(|error| panic!("`{query}`: {error}"))
    }

    /// The first column of every row, as text.
    pub async fn texts(&mut self, query: &str) -> Vec<String> {
        let rows = self.rows(query).await;
        let first = |row: Row| match row.into_values().next() {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        rows.into_iter().map(first).collect()
    }

    /// The names of all tables in order, those of the database itself excepted.
    pub async fn tables(&mut self) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            Self::Postgres(_) => {
                "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \
                 ORDER BY tablename COLLATE \"C\""
            }
        };
        self.texts(query).await
    }

    /// The names of the columns of a table, in order.
    pub async fn columns(&mut self, table: &str) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => {
                format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
            }
            Self::Postgres(_) => format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' \
                 ORDER BY ordinal_position"
            ),
        };
        self.texts(&query).await
    }
}

fn row(row: &SqliteRow) -> Row {
    let columns = row.columns().iter();
    columns.map(|column| (column.name().to_owned(), value(row, column.ordinal()))).collect()
}

/// By what the value is: SQLite lets a column hold anything.
fn value(row: &SqliteRow, idx: usize) -> Value {
    let kind = row.try_get_raw(idx).map(|value| value.type_info().name().to_owned());
    let value = match kind.as_deref() {
        Ok("INTEGER" | "BOOLEAN") => row.try_get_unchecked::<Option<i64>, _>(idx).map(Value::from),
        Ok("REAL") => row.try_get_unchecked::<Option<f64>, _>(idx).map(Value::from),
        Ok(_) | Err(_) => row.try_get_unchecked::<Option<String>, _>(idx).map(Value::from),
    };
    value.expect("a value is a number or a text")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::Executor;

    use super::*;
    use crate::database::OwnDatabase;

    const MAKE: &str = "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT)";
    const FILL: &str = "INSERT INTO things (id, name) VALUES (1, 'one'), (2, NULL)";

    async fn shows_what_is_there(look: &mut Look) {
        let rows = look.rows("SELECT * FROM things ORDER BY id").await;
        let wanted = [json!({ "id": 1, "name": "one" }), json!({ "id": 2, "name": null })];
        assert_eq!(rows.into_iter().map(Value::from).collect::<Vec<_>>(), wanted);
        assert_eq!(look.texts("SELECT count(*) FROM things").await, ["2"]);
        assert_eq!(look.tables().await, ["things"]);
        assert_eq!(look.columns("things").await, ["id", "name"]);
    }

    #[tokio::test]
    async fn a_look_into_sqlite_shows_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metapaas.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        for statement in [MAKE, FILL] {
            connection.execute(statement).await.unwrap();
        }
        shows_what_is_there(&mut Look::into_file(&file).await).await;
    }

    #[tokio::test]
    async fn a_look_into_postgres_shows_what_is_there() {
        let own = OwnDatabase::make().await;
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        for statement in [MAKE, FILL] {
            connection.execute(statement).await.unwrap();
        }
        shows_what_is_there(&mut Look::into_url(&own.superuser_url()).await).await;
    }
}
