//! Reading resources for clients: the document of one, or of a page of them, as text.
//!
//! Guarantees: no plugin is asked; what is read is one statement, and so one state of the table; statements that
//! are known to be short run on the caller's thread where the database is a file ([`Readers`]), all others
//! elsewhere. Not here: who may see what, which the caller narrows a selection by or decides by what comes back.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, PostgresQueryBuilder, Query, SqliteQueryBuilder, Values};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement, Value as Sea};
use uuid::Uuid;

use super::cells::{CellError, Cells, IdText, at};
use super::document::{self, Seen, Shown};
use super::kept;
use super::query::Selection;
use super::rows::Key;
use crate::identity::ProjectId;
use crate::model::ResourceModel;
use crate::store::{Backend, Readers, Store};

mod key;
mod page;
mod sqlite;

pub(crate) use key::PageKey;
pub(crate) use page::{End, Page};
use page::{Growing, Keys};

/// Pages of more items are not read on the caller's thread.
const SHORT_PAGE_MAX: u64 = 200;

/// Reads resources. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Reads {
    connection: DatabaseConnection,
    /// Where the database is a file.
    readers: Option<Readers>,
}

/// Why resources cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// SQLite says no.
    #[error("the store did not give the resources")]
    File(#[from] rusqlite::Error),
    /// PostgreSQL says no.
    #[error("the store did not give the resources")]
    Server(#[from] DbErr),
    /// A row is not one that a daemon wrote.
    #[error("a resource cannot be read; restore the row, or the whole store, from a backup")]
    Cell(#[from] CellError),
    /// The thread that read is gone.
    #[error("the reading was given up")]
    Abandoned,
}

/// A part of a collection in the order of age.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageOf {
    /// Where; none: everywhere, of a collection under the type itself.
    pub(crate) place: Option<(ProjectId, Option<Uuid>)>,
    /// What it comes behind.
    pub(crate) after: Option<PageKey>,
    /// The most items.
    pub(crate) n_max: u64,
}

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It finds what it reads by an index, and reads little.
    Short,
    /// It may read all there is.
    Long,
}

/// Takes one row after the other.
trait Sink {
    fn take(&mut self, cells: &impl Cells) -> Result<(), CellError>;
}

impl Reads {
    /// Reads from `store`.
    pub(crate) fn of(store: &Store) -> Self {
        Self { connection: store.connection().clone(), readers: store.readers().cloned() }
    }

    fn backend(&self) -> Backend {
        if self.readers.is_some() { Backend::Sqlite } else { Backend::Postgres }
    }

    /// The resource `key` under `parent`.
    pub(crate) async fn one(
        &self,
        model: &Arc<ResourceModel>,
        parent: Option<Uuid>,
        key: Key<'_>,
        seen: &Seen,
    ) -> Result<Option<Shown>, ReadError> {
        let backend = self.backend();
        let sql = model.sql(backend);
        let parent = kept::uuid(backend, parent.unwrap_or(Uuid::nil()));
        let (sql, values) = match key {
            Key::Id(id) => (&sql.shown_by_id, vec![kept::uuid(backend, id), parent]),
            Key::Name(name, project) => {
                let project = kept::uuid(backend, project.uuid());
                (&sql.shown_by_name_in_project, vec![parent, Sea::from(name), project])
            }
        };
        let found = All::new(model, seen);
        Ok(self.run(Pace::Short, sql, values, found).await?.shown.pop())
    }

    /// A page in the order of age.
    pub(crate) async fn page(
        &self,
        model: &Arc<ResourceModel>,
        page: PageOf,
        seen: &Seen,
    ) -> Result<Page, ReadError> {
        let backend = self.backend();
        let PageOf { place, after, n_max } = page;
        let pages = &model.sql(backend).pages;
        let mut values = Vec::with_capacity(5);
        if let Some((project, parent)) = place {
            values.push(kept::uuid(backend, project.uuid()));
            values.push(kept::uuid(backend, parent.unwrap_or(Uuid::nil())));
        }
        if let Some(PageKey { created_at, id }) = after {
            values.push(kept::moment(backend, created_at.into_inner()));
            values.push(kept::uuid(backend, id));
        }
        // One more than asked for tells whether there are more.
        values.push(Sea::from(i64::try_from(n_max).unwrap_or(i64::MAX).saturating_add(1)));
        let sql = match (place, after) {
            (None, None) => &pages.first,
            (None, Some(_)) => &pages.next,
            (Some(_), None) => &pages.first_of_project,
            (Some(_), Some(_)) => &pages.next_of_project,
        };
        let pace = if n_max <= SHORT_PAGE_MAX { Pace::Short } else { Pace::Long };
        let growing = Growing::new(model, seen, n_max, Keys::Age);
        Ok(self.run(pace, sql, values, growing).await?.done())
    }

    /// A page of what was selected.
    pub(crate) async fn select(
        &self,
        model: &Arc<ResourceModel>,
        selection: &Selection,
        seen: &Seen,
    ) -> Result<Page, ReadError> {
        let n_max = selection.limit;
        let mut one_more = selection.clone();
        one_more.limit = n_max.saturating_add(1);
        let (sql, values) = self.selecting(model, &one_more);
        let growing = Growing::new(model, seen, n_max, Keys::Of(selection.order.clone()));
        Ok(self.run(Pace::Long, &sql, values.0, growing).await?.done())
    }

    /// What was selected, each by itself; the limit keeps it small.
    pub(crate) async fn each_selected(
        &self,
        model: &Arc<ResourceModel>,
        selection: &Selection,
        seen: &Seen,
    ) -> Result<Vec<Shown>, ReadError> {
        let (sql, values) = self.selecting(model, selection);
        Ok(self.run(Pace::Long, &sql, values.0, All::new(model, seen)).await?.shown)
    }

    fn selecting(&self, model: &ResourceModel, selection: &Selection) -> (String, Values) {
        let backend = self.backend();
        let sql = model.sql(backend);
        let mut select = Query::select();
        select.expr(Expr::cust(sql.columns.clone())).expr(Expr::cust(sql.operation));
        select.from(model.table().to_owned());
        selection.apply(&mut select, backend);
        match backend {
            Backend::Sqlite => select.build(SqliteQueryBuilder),
            Backend::Postgres => select.build(PostgresQueryBuilder),
        }
    }

    /// How many were selected.
    pub(crate) async fn count(
        &self,
        model: &ResourceModel,
        selection: &Selection,
    ) -> Result<u64, ReadError> {
        let backend = self.backend();
        let mut select = Query::select();
        select.expr(Expr::cust("count(*)")).from(model.table().to_owned());
        select.cond_where(selection.condition(backend));
        let (sql, values) = match backend {
            Backend::Sqlite => select.build(SqliteQueryBuilder),
            Backend::Postgres => select.build(PostgresQueryBuilder),
        };
        Ok(self.run(Pace::Long, &sql, values.0, Count(0)).await?.0)
    }

    async fn run<S: Sink + Send + 'static>(
        &self,
        pace: Pace,
        sql: &str,
        values: Vec<Sea>,
        mut sink: S,
    ) -> Result<S, ReadError> {
        match (&self.readers, pace) {
            (Some(readers), Pace::Short) => {
                sqlite::run(readers, sql, &values, &mut sink)?;
                Ok(sink)
            }
            (Some(readers), Pace::Long) => {
                let (readers, sql) = (readers.clone(), sql.to_owned());
                let reading = tokio::task::spawn_blocking(move || {
                    sqlite::run(&readers, &sql, &values, &mut sink)?;
                    Ok(sink)
                });
                reading.await.map_err(|_gone| ReadError::Abandoned)?
            }
            (None, Pace::Short | Pace::Long) => {
                let backend = self.connection.get_database_backend();
                let statement = Statement::from_sql_and_values(backend, sql, values);
                for row in self.connection.query_all_raw(statement).await? {
                    let row = row.try_as_pg_row().expect("there is no third database");
                    sink.take(row)?;
                }
                Ok(sink)
            }
        }
    }
}

/// Every document of a result.
struct All {
    model: Arc<ResourceModel>,
    seen: Seen,
    shown: Vec<Shown>,
}

impl All {
    fn new(model: &Arc<ResourceModel>, seen: &Seen) -> Self {
        Self { model: Arc::clone(model), seen: seen.clone(), shown: Vec::new() }
    }
}

impl Sink for All {
    fn take(&mut self, cells: &impl Cells) -> Result<(), CellError> {
        let id = id_of(cells, at::ID)?;
        let project = ProjectId::of(id_of(cells, at::PROJECT)?);
        let mut text = Vec::with_capacity(1024);
        let etag = document::write(&mut text, &self.model, cells, &self.seen)?;
        self.shown.push(Shown { id, project, etag, text });
        Ok(())
    }
}

/// The one number of a result.
struct Count(u64);

impl Sink for Count {
    fn take(&mut self, cells: &impl Cells) -> Result<(), CellError> {
        let n = cells.integer(0)?.unwrap_or_default();
        self.0 = u64::try_from(n).unwrap_or_default();
        Ok(())
    }
}

fn id_of(cells: &impl Cells, index: usize) -> Result<Uuid, CellError> {
    let mut room: IdText = [0; 36];
    let parsed = cells.id(index, &mut room)?.and_then(|text| Uuid::try_parse(text).ok());
    parsed.ok_or(CellError { index, source: None })
}

#[cfg(test)]
mod tests;
