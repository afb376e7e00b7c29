//! What statements have touched, by the database's own account.
//!
//! `check` says what statements would touch, as a parser understands them. A witness looks at the database
//! before and after they ran, in their transaction, and tells when something else changed: then the
//! transaction is rolled back. On PostgreSQL it sees the rows that were read and written, too. It sees what
//! happened, not what was attempted, and nothing outside the database.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::store::Backend;

/// Everything with a name, the table that it is of, and what it looks like. Nobody else writes meanwhile.
const SQLITE_THINGS: &str = "SELECT type || ' ' || name AS key, type || ' ' || name AS name, \
    CASE WHEN type IN ('table', 'index') THEN lower(tbl_name) END AS of, coalesce(sql, '') AS state \
    FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// What this transaction has done with each relation: its row of the catalog, and the locks that it holds to
/// its end on whatever it looked at. What it dropped is known by its lock alone. Others go on meanwhile.
const POSTGRES_THINGS: &str = "WITH mine AS ( \
    SELECT relation, string_agg(DISTINCT mode, ' ' ORDER BY mode) AS modes FROM pg_locks \
    WHERE pid = pg_backend_pid() AND locktype = 'relation' \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY relation) \
    SELECT c.oid::text AS key, c.oid::regclass::text AS name, CASE \
      WHEN c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) \
        THEN c.relname::text \
      WHEN c.relkind IN ('i', 'I') THEN t.relname::text \
      WHEN c.relkind = 'S' THEN s.relname::text END AS of, \
    concat_ws(' ', mine.modes, CASE WHEN c.xmin::text = (txid_current() & 4294967295)::text \
      THEN 'changed' END) AS state \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN mine ON mine.relation = c.oid \
    LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid \
    LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass \
      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S' \
    LEFT JOIN pg_class s ON s.oid = d.refobjid \
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
    UNION ALL SELECT relation::text, NULL, NULL, 'gone' FROM mine \
    WHERE NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = mine.relation)";

/// The rows of each table that this transaction has read or written.
const POSTGRES_ROWS: &str = "SELECT relid::text AS key, relid::regclass::text AS name, \
    relname::text AS of, \
    concat_ws(' ', seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del) AS state \
    FROM pg_stat_xact_user_tables \
    WHERE coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del > 0";

/// What there is, and what was used of it.
#[derive(Debug)]
pub(super) struct Witness {
    things: Account,
    rows: Account,
}

/// By what the database calls a thing: whose it is, and what was done with it.
type Account = BTreeMap<String, Seen>;

#[derive(Debug)]
struct Seen {
    /// What people call it; unknown of what is gone.
    name: Option<String>,
    /// The table that it is, or is part of.
    of: Option<String>,
    /// Empty for what nothing was done with.
    state: String,
}

impl Witness {
    /// Looks.
    pub(super) async fn look(db: &impl ConnectionTrait, backend: Backend) -> Result<Self, DbErr> {
        let (things, rows) = match backend {
            Backend::Sqlite => (account(db, SQLITE_THINGS).await?, Account::new()),
            Backend::Postgres => {
                (account(db, POSTGRES_THINGS).await?, account(db, POSTGRES_ROWS).await?)
            }
        };
        Ok(Self { things, rows })
    }

    /// The first thing that was touched since `before` and is of none of these tables.
    pub(super) fn strayed(&self, before: &Self, own: &BTreeSet<String>) -> Option<String> {
        let changed = strayed(&before.things, &self.things, own);
        let used = || strayed(&before.rows, &self.rows, own).map(|name| format!("rows of {name}"));
        changed.or_else(used)
    }
}

async fn account(db: &impl ConnectionTrait, sql: &str) -> Result<Account, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let mut account = Account::new();
    for row in db.query_all_raw(statement).await? {
        let seen = Seen {
            name: row.try_get("", "name")?,
            of: row.try_get("", "of")?,
            state: row.try_get("", "state")?,
        };
        account.insert(row.try_get("", "key")?, seen);
    }
    Ok(account)
}

fn strayed(before: &Account, after: &Account, own: &BTreeSet<String>) -> Option<String> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter().find_map(|key| {
        let (before, after) = (before.get(key), after.get(key));
        let state = |seen: Option<&Seen>| seen.map_or("", |seen| &seen.state).to_owned();
        // What was made and dropped in between has no name, and nothing of it is left.
        let known = [after, before].into_iter().flatten().find(|seen| seen.name.is_some())?;
        let is_own = known.of.as_ref().is_some_and(|table| own.contains(table));
        let strays = state(before) != state(after) && !is_own;
        strays.then(|| format!("`{}`", known.name.as_deref().unwrap_or(key)))
    })
}
