//! The statements of a step, for each database.

use plugin_abi::database::Backend;
use plugin_abi::descriptor::Statements;

/// Statements of a migration. Each text is one statement.
///
/// ```
/// # use plugin_sdk::Sql;
/// let text = Sql::both("CREATE INDEX demo_instances_name ON demo_instances (name)");
/// let apart = Sql::new()
///     .sqlite("CREATE TABLE demo_log (id integer PRIMARY KEY AUTOINCREMENT, line text)")
///     .postgres("CREATE TABLE demo_log (id serial PRIMARY KEY, line text)");
/// # let _ = (text, apart);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Sql {
    statements: Statements,
    /// What could not be written, and why; told when the plugin is packed.
    pub(super) faults: Vec<(Backend, String)>,
}

impl Sql {
    /// No statements yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A statement that is the same for both databases.
    #[must_use]
    pub fn both(statement: impl Into<String>) -> Self {
        Self::new().and(statement)
    }

    /// A further statement that is the same for both databases.
    #[must_use]
    pub fn and(self, statement: impl Into<String>) -> Self {
        let statement = statement.into();
        self.sqlite(statement.clone()).postgres(statement)
    }

    /// A further statement for SQLite.
    #[must_use]
    pub fn sqlite(mut self, statement: impl Into<String>) -> Self {
        self.statements.sqlite.push(statement.into());
        self
    }

    /// A further statement for PostgreSQL.
    #[must_use]
    pub fn postgres(mut self, statement: impl Into<String>) -> Self {
        self.statements.postgres.push(statement.into());
        self
    }

    /// These statements, then those.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        let Self { statements: Statements { sqlite, postgres }, faults } = other;
        self.statements.sqlite.extend(sqlite);
        self.statements.postgres.extend(postgres);
        self.faults.extend(faults);
        self
    }

    /// The statements as the descriptor has them, and what could not be written in `part` of a step.
    pub(super) fn into_statements(self, part: &str) -> (Statements, Vec<String>) {
        let Self { statements, faults } = self;
        let faults = faults
            .into_iter()
            .map(|(backend, why)| format!("`{part}` cannot be written for {backend}: {why}"));
        (statements, faults.collect())
    }
}

impl From<&str> for Sql {
    fn from(statement: &str) -> Self {
        Self::both(statement)
    }
}

impl From<String> for Sql {
    fn from(statement: String) -> Self {
        Self::both(statement)
    }
}

impl<S: Into<String>, const COUNT: usize> From<[S; COUNT]> for Sql {
    fn from(statements: [S; COUNT]) -> Self {
        statements.into_iter().fold(Self::new(), |sql, statement| sql.and(statement))
    }
}
