//! The statements of a resource's table that are run often, written once for each database.
//!
//! Columns are named, never `*`, and always in one order: those of [`columns::ALL`], then the declared fields.
//! The columns of a table may be more than a model knows, when a newer version was served before.

use plugin_abi::descriptor::Resource;
use plugin_abi::resource::columns;

use crate::store::Backend;

/// For both databases.
#[derive(Debug)]
pub(super) struct Statements {
    sqlite: Sql,
    postgres: Sql,
}

/// For one database. What the parameters are is said by the statement's number of them, in this order.
#[derive(Debug)]
pub(crate) struct Sql {
    /// The columns, quoted, with commas between.
    pub(crate) columns: String,
    /// After [`Self::columns`]: the last operation as one text, `kind state percent description`.
    pub(crate) operation: &'static str,
    /// The row `$1` under `$2`.
    pub(crate) by_id: String,
    /// The row under `$1` with the name `$2` in the project `$3`.
    pub(crate) by_name_in_project: String,
    /// [`Self::by_id`], with the operation.
    pub(crate) shown_by_id: String,
    /// [`Self::by_name_in_project`], with the operation.
    pub(crate) shown_by_name_in_project: String,
    /// Pages in the order of age, with the operation.
    pub(crate) pages: Pages,
    /// A row: a value for each column.
    pub(crate) insert: String,
    /// What can change of a row, in the order of the columns, then its id and the revision that it must have.
    pub(crate) update: String,
    /// The row `$1`.
    pub(crate) delete: String,
}

/// Pages in the order of `created_at` and `id`.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The first `$1` of all.
    pub(crate) first: String,
    /// The `$3` after (`$1`, `$2`).
    pub(crate) next: String,
    /// The first `$3` in project `$1` under `$2`.
    pub(crate) first_of_project: String,
    /// The `$5` after (`$3`, `$4`) in project `$1` under `$2`.
    pub(crate) next_of_project: String,
}

/// The columns that nothing changes.
const FIXED: [&str; 5] = ["id", "project_id", "parent_id", "created_at", "created_by"];

impl Statements {
    pub(super) fn of(declared: &Resource) -> Self {
        let of = |backend| Writer { declared, backend }.all();
        Self { sqlite: of(Backend::Sqlite), postgres: of(Backend::Postgres) }
    }

    pub(super) fn of_backend(&self, backend: Backend) -> &Sql {
        match backend {
            Backend::Sqlite => &self.sqlite,
            Backend::Postgres => &self.postgres,
        }
    }
}

/// A name as SQL has it, whatever words the database keeps for itself.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether an update writes the column.
pub(crate) fn is_changeable(column: &str) -> bool {
    !FIXED.contains(&column)
}

struct Writer<'a> {
    declared: &'a Resource,
    backend: Backend,
}

impl Writer<'_> {
    fn all(&self) -> Sql {
        let columns: Vec<_> = self.names().map(quoted).collect();
        let columns = columns.join(", ");
        let table = quoted(&self.declared.table);
        let operation = self.operation();
        let row = format!("SELECT {columns} FROM {table} WHERE ");
        let shown = format!("SELECT {columns}, {operation} FROM {table} WHERE ");
        let by_id = "id = $1 AND parent_id = $2";
        let in_project = "parent_id = $1 AND name = $2 AND project_id = $3";
        let sql = |head: &str, condition: &str| self.sql(&format!("{head}{condition}"));
        Sql {
            by_id: sql(&row, by_id),
            by_name_in_project: sql(&row, in_project),
            shown_by_id: sql(&shown, by_id),
            shown_by_name_in_project: sql(&shown, in_project),
            pages: self.pages(&shown),
            insert: self.insert(&table, &columns),
            update: self.update(&table),
            delete: self.sql(&format!("DELETE FROM {table} WHERE id = $1")),
            columns,
            operation,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.declared.fields.iter().map(|field| field.name.as_str());
        columns::ALL.iter().map(|column| column.name).chain(own)
    }

    /// Kind, state and percentage have no spaces in them.
    fn operation(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite => {
                "(SELECT o.kind || ' ' || o.state || ' ' || o.percent || ' ' || o.description \
                 FROM metapaas_operations AS o WHERE o.id = last_operation)"
            }
            Backend::Postgres => {
                "(SELECT o.kind || ' ' || o.state || ' ' || o.percent::text || ' ' || o.description \
                 FROM metapaas_operations AS o WHERE o.id = last_operation)"
            }
        }
    }

    fn pages(&self, shown: &str) -> Pages {
        let page = |condition: &str, limit: u8| {
            self.sql(&format!("{shown}{condition} ORDER BY created_at, id LIMIT ${limit}"))
        };
        Pages {
            first: page("TRUE", 1),
            next: page("(created_at, id) > ($1, $2)", 3),
            first_of_project: page("project_id = $1 AND parent_id = $2", 3),
            next_of_project: page(
                "project_id = $1 AND parent_id = $2 AND (created_at, id) > ($3, $4)",
                5,
            ),
        }
    }

    fn insert(&self, table: &str, columns: &str) -> String {
        let n = self.names().count();
        let values: Vec<_> = (1..=n).map(|number| format!("${number}")).collect();
        self.sql(&format!("INSERT INTO {table} ({columns}) VALUES ({})", values.join(", ")))
    }

    fn update(&self, table: &str) -> String {
        let changed: Vec<_> = self.names().filter(|name| is_changeable(name)).collect();
        let numbered = (1..).zip(&changed);
        let set: Vec<_> =
            numbered.map(|(number, name)| format!("{} = ${number}", quoted(name))).collect();
        let (id, revision) = (changed.len() + 1, changed.len() + 2);
        self.sql(&format!(
            "UPDATE {table} SET {} WHERE id = ${id} AND revision = ${revision}",
            set.join(", ")
        ))
    }

    /// SQLite numbers parameters with another sign; nothing else in these texts has a dollar.
    fn sql(&self, text: &str) -> String {
        match self.backend {
            Backend::Sqlite => text.replace('$', "?"),
            Backend::Postgres => text.to_owned(),
        }
    }
}
