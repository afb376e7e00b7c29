//! The databases that daemons keep their state in: which kind, an own one for each daemon, and a look into it.
//!
//! Guarantees: a database of PostgreSQL belongs to one daemon alone, whose role has the rights that an operator
//! would give it and no more, and it is dropped with that daemon, together with the roles that the daemon made.
//! A look goes past the daemon: it shows what the database itself says. Deliberately not here: any knowledge of
//! the host's tables.

mod look;
mod own;

pub use self::look::{Look, Row};
pub use self::own::OwnDatabase;

/// Names the URL of a superuser of a PostgreSQL server.
pub const POSTGRES: &str = "METAPAAS_TEST_POSTGRES";

/// Names the database of stories that leave the choice: `sqlite`, which it is without it, or `postgres`.
const CHOICE: &str = "METAPAAS_TEST_DATABASE";

/// What a daemon keeps its state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in its directory.
    Sqlite,
    /// A database of its own on the server of the tests.
    Postgres,
}

impl Database {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl Default for Database {
    /// What whoever runs the tests chose: the same stories are run once for each.
    fn default() -> Self {
        match std::env::var(CHOICE).as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("`{CHOICE}` is `{other}`: wanted `sqlite` or `postgres`"),
        }
    }
}

/// Makes tests of stories, one for each database: `STORY::on_sqlite` and `STORY::on_postgres`.
///
/// A story is an `async fn(Database)`.
#[macro_export]
macro_rules! on_each_database {
    ($($story:ident),+ $(,)?) => {
        $(mod $story {
            use $crate::database::Database;

            #[tokio::test]
            async fn on_sqlite() {
                super::$story(Database::Sqlite).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                super::$story(Database::Postgres).await;
            }
        })+
    };
}
