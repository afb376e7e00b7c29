//! The LOGIN roles of elements on PostgreSQL: making them, granting to them, dropping them.
//!
//! Every statement here is the host's. Tables belong to the host's role; a role of an element gets DML on what it is
//! granted, and the use of the sequences of those tables. Granting is idempotent and done again when a daemon first
//! connects as the role, so a restored database is fenced like the one it was taken from.

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::Error;
use super::login::{Password, RoleName, quoted};
use super::territory::is_hosts;
use crate::store::Store;
use crate::store::hold::{RIGHTS, SPACE};

/// The database and schema that the host's tables are in, and what the host's role may do there.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// The database.
    pub(super) database: String,
    /// The schema.
    pub(super) schema: String,
    /// The host's role.
    pub(super) user: String,
    is_superuser: bool,
    may_create_roles: bool,
    /// Anybody may create tables in the schema, as was usual before PostgreSQL 15.
    pub(super) is_open: bool,
    owns_schema: bool,
    /// Anybody may make temporary tables, as is usual, and it is this role's to forbid.
    may_forbid_temporary: bool,
}

impl Home {
    pub(super) async fn of(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let sql = "SELECT datname::text AS database, nspname::text AS schema, rolname::text AS role, \
            rolsuper, rolcreaterole, has_schema_privilege('public', n.oid, 'CREATE') AS open, \
            pg_has_role(nspowner, 'USAGE') AS owns, pg_has_role(datdba, 'USAGE') \
            AND has_database_privilege('public', d.oid, 'TEMPORARY') AS temporary \
            FROM pg_roles, pg_namespace n, pg_database d WHERE rolname = current_user \
            AND nspname = current_schema() AND datname = current_database()";
        let row = one(db, sql, []).await?.ok_or_else(|| {
            DbErr::Custom("the role has no schema in its `search_path`".to_owned())
        })?;
        Ok(Self {
            database: row.try_get("", "database")?,
            schema: row.try_get("", "schema")?,
            user: row.try_get("", "role")?,
            is_superuser: row.try_get("", "rolsuper")?,
            may_create_roles: row.try_get("", "rolcreaterole")?,
            is_open: row.try_get("", "open")?,
            owns_schema: row.try_get("", "owns")?,
            may_forbid_temporary: row.try_get("", "temporary")?,
        })
    }

    /// Makes sure that roles can be made and that one without rights has none here.
    pub(super) async fn prepare(&self, db: &impl ConnectionTrait) -> Result<(), Error> {
        let Self {
            database,
            schema,
            user,
            is_superuser,
            may_create_roles,
            is_open,
            owns_schema,
            may_forbid_temporary,
        } = self;
        if !is_superuser && !may_create_roles {
            return Err(Error::CreateRole { user: quoted(user) });
        }
        if *is_open && !owns_schema {
            return Err(Error::OpenSchema { schema: quoted(schema) });
        }
        if *is_open {
            let schema = quoted(schema);
            tracing::info!(schema, "nobody but its owner may create tables in the schema any more");
            alone(db, &format!("REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")).await?;
        }
        if *may_forbid_temporary {
            let database = quoted(database);
            alone(db, &format!("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")).await?;
        }
        Ok(())
    }

    /// Makes the role if there is none.
    pub(super) async fn make(
        &self,
        db: &impl ConnectionTrait,
        role: &RoleName,
    ) -> Result<(), DbErr> {
        let quoted_role = role.quoted();
        if !exists(db, role).await? {
            execute(
                db,
                &format!(
                    "CREATE ROLE {quoted_role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT \
                     NOREPLICATION NOBYPASSRLS"
                ),
            )
            .await?;
        }
        let sql = "SELECT pg_has_role($1, 'USAGE') AS commands, \
            has_schema_privilege($1, $2, 'USAGE') AS uses, \
            has_database_privilege($1, current_database(), 'CONNECT') AS connects";
        let may = one(db, sql, [role.as_str().into(), self.schema.as_str().into()]).await?;
        let may = may.ok_or_else(|| DbErr::RecordNotFound(role.to_string()))?;
        if !may.try_get::<bool>("", "commands")? {
            // To end its sessions, and to drop what it owns.
            execute(db, &format!("GRANT {quoted_role} TO {}", quoted(&self.user))).await?;
        }
        if !may.try_get::<bool>("", "uses")? {
            let schema = quoted(&self.schema);
            alone(db, &format!("GRANT USAGE ON SCHEMA {schema} TO {quoted_role}")).await?;
        }
        if !may.try_get::<bool>("", "connects")? {
            let database = quoted(&self.database);
            alone(db, &format!("GRANT CONNECT ON DATABASE {database} TO {quoted_role}")).await?;
        }
        Ok(())
    }

    /// Lets the role use a table and the sequences of its columns; of a table of declared resources, read it and
    /// update the plugin's columns.
    pub(super) async fn grant(
        &self,
        db: &impl ConnectionTrait,
        role: &RoleName,
        table: &str,
    ) -> Result<(), Error> {
        let (schema, quoted_role) = (quoted(&self.schema), role.quoted());
        let qualified = format!("{schema}.{}", quoted(table));
        let sql = "SELECT c.relkind::text AS kind, \
            coalesce('security_invoker=true' = ANY (c.reloptions), false) AS invoker \
            FROM pg_class c WHERE c.oid = to_regclass($1)";
        let Some(found) = one(db, sql, [qualified.as_str().into()]).await? else {
            return Err(Error::NoTable { table: table.to_owned() });
        };
        let kind: String = found.try_get("", "kind")?;
        let is_view_of_the_owner = kind == "v" && !found.try_get::<bool>("", "invoker")?;
        if is_view_of_the_owner || !["r", "p", "v"].contains(&&*kind) {
            return Err(Error::NoPlainTable { table: table.to_owned() });
        }
        let rights = rights(db, table, &qualified).await?;
        execute(db, &format!("GRANT {rights} ON TABLE {qualified} TO {quoted_role}")).await?;
        let sql = "SELECT d.objid::regclass::text AS name FROM pg_depend d \
            JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
            AND d.deptype IN ('a', 'i') AND d.refobjid = to_regclass($1)";
        for sequence in all(db, sql, [qualified.as_str().into()]).await? {
            // The server quotes it.
            let name: String = sequence.try_get("", "name")?;
            execute(db, &format!("GRANT USAGE, SELECT ON SEQUENCE {name} TO {quoted_role}"))
                .await?;
        }
        Ok(())
    }

    /// Makes the role ready to log in: it is there, has this password, and every right that the element's tables
    /// give it.
    pub(super) async fn admit(
        &self,
        store: &Store,
        element: &ElementName,
        role: &RoleName,
        password: &Password,
        connections_max: usize,
    ) -> Result<(), Error> {
        let transaction = store.begin().await?;
        self.make(&transaction, role).await?;
        let verifier = password.verifier().map_err(Error::Random)?;
        let sql = format!(
            "ALTER ROLE {} CONNECTION LIMIT {connections_max} PASSWORD '{verifier}'",
            role.quoted()
        );
        execute(&transaction, &sql).await?;
        let sql = "SELECT t.name FROM metapaas_plugin_tables t, \
            to_regclass(quote_ident($3) || '.' || quote_ident(t.name)) c \
            WHERE t.element = $1 AND c IS NOT NULL AND (t.resource OR NOT (has_table_privilege($2, c, 'SELECT') \
            AND has_table_privilege($2, c, 'INSERT') AND has_table_privilege($2, c, 'UPDATE') \
            AND has_table_privilege($2, c, 'DELETE')))";
        let values = [element.as_str().into(), role.as_str().into(), self.schema.as_str().into()];
        for ungranted in all(&transaction, sql, values).await? {
            let table: String = ungranted.try_get("", "name")?;
            self.grant(&transaction, role, &table).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Drops the role with whatever it owns and may, if there is one.
    pub(super) async fn drop(
        &self,
        db: &impl ConnectionTrait,
        role: &RoleName,
    ) -> Result<(), DbErr> {
        if exists(db, role).await? {
            let role = role.quoted();
            alone(db, &format!("DROP OWNED BY {role}")).await?;
            execute(db, &format!("DROP ROLE {role}")).await?;
        }
        Ok(())
    }
}

/// What a role may do with a table of its element.
async fn rights(db: &impl ConnectionTrait, table: &str, qualified: &str) -> Result<String, DbErr> {
    let sql = "SELECT resource FROM metapaas_plugin_tables WHERE name = $1";
    let is_resource = match one(db, sql, [table.into()]).await? {
        Some(row) => row.try_get("", "resource")?,
        None => false,
    };
    if !is_resource {
        return Ok("SELECT, INSERT, UPDATE, DELETE".to_owned());
    }
    let sql = "SELECT attname::text AS name FROM pg_attribute \
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let mut own = Vec::new();
    for row in all(db, sql, [qualified.into()]).await? {
        let name: String = row.try_get("", "name")?;
        if !is_hosts(&name) {
            own.push(quoted(&name));
        }
    }
    let update =
        if own.is_empty() { String::new() } else { format!(", UPDATE ({})", own.join(", ")) };
    Ok(format!("SELECT{update}"))
}

async fn exists(db: &impl ConnectionTrait, role: &RoleName) -> Result<bool, DbErr> {
    let sql = "SELECT 1 AS one FROM pg_roles WHERE rolname = $1";
    Ok(one(db, sql, [role.as_str().into()]).await?.is_some())
}

async fn execute(db: &impl ConnectionTrait, sql: &str) -> Result<(), DbErr> {
    db.execute_unprepared(sql).await.map(|_done| ())
}

/// Changes a right on what all elements have in common. PostgreSQL calls it an error when two do that at once, so
/// each waits until the transaction of the one before is over.
async fn alone(db: &impl ConnectionTrait, sql: &str) -> Result<(), DbErr> {
    execute(db, &format!("SELECT pg_advisory_xact_lock({SPACE}, {RIGHTS}); {sql}")).await
}

async fn one<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [sea_orm::Value; N],
) -> Result<Option<QueryResult>, DbErr> {
    db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await
}

async fn all<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: [sea_orm::Value; N],
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await
}
