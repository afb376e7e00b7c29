//! The statements on the tables of resources.
//!
//! They run on any connection, a transaction among them, and change one row each. Guarantees: explicit columns
//! only; [`update`] writes nothing if the row is not the one that was read. Not here: what a change means, who may
//! make it, and what is written beside it (events, operations).

use sea_orm::{ConnectionTrait, DbErr, Statement, Value as Sea};
use uuid::Uuid;

use super::kept;
use super::reads::PageKey;
use super::row::{self, Row};
use crate::identity::ProjectId;
use crate::model::{ResourceModel, quoted};
use crate::store::Backend;

/// By what a resource is named under its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// Its id.
    Id(Uuid),
    /// Its name in a project.
    Name(&'a str, ProjectId),
}

/// The resource `key` under `parent`.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    parent: Option<Uuid>,
    key: Key<'_>,
) -> Result<Option<Row>, DbErr> {
    let backend = Backend::of(db);
    let sql = model.sql(backend);
    let parent = parent_value(parent, backend);
    let (sql, values) = match key {
        Key::Id(id) => (&sql.by_id, vec![kept::uuid(backend, id), parent]),
        Key::Name(name, project) => {
            let project = kept::uuid(backend, project.uuid());
            (&sql.by_name_in_project, vec![parent, Sea::from(name), project])
        }
    };
    let found = db.query_one_raw(statement(db, sql, values)).await?;
    found.map(|row| Row::of(model, backend, &row)).transpose()
}

/// The resource of this id, whatever it hangs under.
pub(crate) async fn whole(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    id: Uuid,
) -> Result<Option<Row>, DbErr> {
    let found = select(db, model, "id = $1", vec![kept::uuid(Backend::of(db), id)]).await?;
    Ok(found.into_iter().next())
}

/// The resource of this id, which nobody else changes until the transaction ends.
pub(crate) async fn held(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    id: Uuid,
) -> Result<Option<Row>, DbErr> {
    let backend = Backend::of(db);
    let condition = match backend {
        // A transaction that may write is the only one.
        Backend::Sqlite => "id = $1",
        Backend::Postgres => "id = $1 FOR UPDATE",
    };
    let found = select(db, model, condition, vec![kept::uuid(backend, id)]).await?;
    Ok(found.into_iter().next())
}

/// How many there are in a project.
pub(crate) async fn count_of(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    project: ProjectId,
) -> Result<u64, DbErr> {
    let sql = format!("SELECT count(*) FROM {} WHERE project_id = $1", quoted(model.table()));
    let values = vec![kept::uuid(Backend::of(db), project.uuid())];
    let counted = db.query_one_raw(statement(db, &sql, values)).await?;
    let n: i64 = counted.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(u64::try_from(n).unwrap_or_default())
}

/// Which of a collection, in the order in which they were made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slice {
    /// Those under this one alone.
    pub(crate) parent: Option<Uuid>,
    /// Those of this project alone.
    pub(crate) project: Option<ProjectId>,
    /// Those behind this.
    pub(crate) after: Option<PageKey>,
}

/// The first `n_max` of a slice.
pub(crate) async fn slice(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    slice: Slice,
    n_max: u32,
) -> Result<Vec<Row>, DbErr> {
    let backend = Backend::of(db);
    let Slice { parent, project, after } = slice;
    let (mut conditions, mut values) = (vec!["TRUE".to_owned()], Vec::new());
    let mut number = |value: Sea| {
        values.push(value);
        values.len()
    };
    if let Some(parent) = parent {
        conditions.push(format!("parent_id = ${}", number(kept::uuid(backend, parent))));
    }
    if let Some(project) = project {
        conditions.push(format!("project_id = ${}", number(kept::uuid(backend, project.uuid()))));
    }
    if let Some(PageKey { created_at, id }) = after {
        let moment = number(kept::moment(backend, created_at.into_inner()));
        let id = number(kept::uuid(backend, id));
        conditions.push(format!("(created_at, id) > (${moment}, ${id})"));
    }
    let condition = conditions.join(" AND ");
    let condition = format!("{condition} ORDER BY created_at, id LIMIT {n_max}");
    select(db, model, &condition, values).await
}

/// What hangs under `parent`, oldest first.
pub(crate) async fn under(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    parent: Uuid,
) -> Result<Vec<Row>, DbErr> {
    let values = vec![kept::uuid(Backend::of(db), parent)];
    select(db, model, "parent_id = $1 ORDER BY created_at, id", values).await
}

async fn select(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    condition: &str,
    values: Vec<Sea>,
) -> Result<Vec<Row>, DbErr> {
    let backend = Backend::of(db);
    let (columns, table) = (&model.sql(backend).columns, quoted(model.table()));
    let sql = format!("SELECT {columns} FROM {table} WHERE {condition}");
    let found = db.query_all_raw(statement(db, &sql, values)).await?;
    found.iter().map(|row| Row::of(model, backend, row)).collect()
}

/// The ids of all that there are, oldest first.
pub(crate) async fn ids(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
) -> Result<Vec<Uuid>, DbErr> {
    let sql =
        format!("SELECT CAST(id AS text) FROM {} ORDER BY created_at, id", quoted(model.table()));
    let found = db.query_all_raw(statement(db, &sql, Vec::new())).await?;
    let ids = found.iter().map(|row| {
        let id: String = row.try_get_by_index(0)?;
        id.parse().map_err(|error| DbErr::Type(format!("id `{id}` of a resource: {error}")))
    });
    ids.collect()
}

/// Adds a row.
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    row: &Row,
) -> Result<(), DbErr> {
    let backend = Backend::of(db);
    let values = row.values(model, backend, row::Part::Whole);
    db.execute_raw(statement(db, &model.sql(backend).insert, values)).await.map(drop)
}

/// Writes what can change of a row; `false`: its revision is not `expected_revision` any more, or it is gone.
pub(crate) async fn update(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    row: &Row,
    expected_revision: i64,
) -> Result<bool, DbErr> {
    let backend = Backend::of(db);
    let mut values = row.values(model, backend, row::Part::Changeable);
    values.extend([kept::uuid(backend, row.id), Sea::from(expected_revision)]);
    let done = db.execute_raw(statement(db, &model.sql(backend).update, values)).await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a row; `false`: it was gone.
pub(crate) async fn delete(
    db: &impl ConnectionTrait,
    model: &ResourceModel,
    id: Uuid,
) -> Result<bool, DbErr> {
    let backend = Backend::of(db);
    let values = vec![kept::uuid(backend, id)];
    let done = db.execute_raw(statement(db, &model.sql(backend).delete, values)).await?;
    Ok(done.rows_affected() == 1)
}

fn parent_value(parent: Option<Uuid>, backend: Backend) -> Sea {
    kept::uuid(backend, parent.unwrap_or(Uuid::nil()))
}

fn statement(db: &impl ConnectionTrait, sql: &str, values: Vec<Sea>) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

#[cfg(test)]
mod tests;
