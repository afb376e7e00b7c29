//! A real SQLite in memory behind a plugin in a test, with the plugin's own migrations applied.
//!
//! Every plugin that is started in a test has one (feature `testing-database`). A [`Database`] of one's own
//! is for tests that look into the tables, start a plugin twice on the same data, or check that migrations
//! go back: it is given to [`Host::database`](super::Host::database).
//!
//! Transactions are as the daemon's on SQLite: one at a time, everything else waits for its end, and one that
//! lives longer than two seconds is taken back. Not here: the fence around other plugins' tables, and
//! PostgreSQL.

mod sqlite;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_abi::database::answer::{Fault, FaultKind, begun, done};
use plugin_abi::database::{Backend, Request, TransactionId, Wanted};
use plugin_abi::descriptor::{Descriptor, Migration, Phase};
use plugin_abi::message::CallId;
use plugin_abi::resource::columns;
use plugin_abi::{AbiError, ErrorCode};
use serde_json::Value;

use super::descriptor;
use crate::plugin::Plugin;

/// How long a transaction may live.
pub(super) const TRANSACTION_LIMIT: Duration = Duration::from_secs(2);

/// The tables of a plugin in a test; clones are the same.
#[derive(Clone)]
pub struct Database {
    state: Arc<Mutex<State>>,
}

struct State {
    connection: rusqlite::Connection,
    /// The transaction that is open.
    open: Option<TransactionId>,
    n_transactions: u64,
    /// Requests that wait for its end, oldest first.
    waiting: VecDeque<(CallId, Vec<u8>)>,
    /// Ids of the steps that were applied.
    applied: HashSet<String>,
    /// The tables of declared resources that were made.
    made: Vec<String>,
}

/// What a request led to.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The calls that are done, with what they brought.
    pub(super) completed: Vec<(CallId, Result<Vec<u8>, AbiError>)>,
    /// A transaction that was begun, which ends at its limit.
    pub(super) begun: Option<TransactionId>,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// An empty one.
    ///
    /// # Panics
    /// When SQLite cannot be started.
    #[must_use]
    pub fn new() -> Self {
        let connection = rusqlite::Connection::open_in_memory().expect("memory is there");
        connection.pragma_update(None, "foreign_keys", true).expect("SQLite knows this pragma");
        let (waiting, applied, made) = (VecDeque::new(), HashSet::new(), Vec::new());
        let state = State { connection, open: None, n_transactions: 0, waiting, applied, made };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Makes the tables of a plugin's declared resources and applies its expand steps, as far as that was not
    /// done yet; as a rollout does.
    ///
    /// # Panics
    /// When the plugin has no descriptor, or SQLite refuses a step.
    pub fn migrate<P: Plugin>(&self) -> &Self {
        self.lock().make_tables(&described::<P>());
        self.apply::<P>(Phase::Expand)
    }

    /// Applies the contract steps of a plugin that were not applied yet, as `finalize` does.
    ///
    /// # Panics
    /// As [`Database::migrate`].
    pub fn finalize<P: Plugin>(&self) -> &Self {
        self.apply::<P>(Phase::Contract)
    }

    /// Takes the expand steps of a plugin back, the last one first, and then the tables of its resources, as a
    /// rollout that failed does.
    ///
    /// # Panics
    /// As [`Database::migrate`].
    pub fn undo<P: Plugin>(&self) -> &Self {
        let mut state = self.lock();
        for step in in_order::<P>().iter().rev() {
            if step.phase == Phase::Expand && state.applied.remove(&step.id) {
                let down = step.down.as_ref().expect("an expand step has a way back");
                state.run_all(step, &down.sqlite);
            }
        }
        state.drop_tables();
        drop(state);
        self
    }

    /// Runs one statement and gives the rows that it brings, for a test to look at.
    ///
    /// # Panics
    /// When SQLite refuses it.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        sqlite::rows_as_json(&self.lock().connection, sql)
            .unwrap_or_else(|error| panic!("SQLite refuses `{sql}`: {error}"))
    }

    fn apply<P: Plugin>(&self, phase: Phase) -> &Self {
        let mut state = self.lock();
        for step in in_order::<P>() {
            if step.phase == phase && state.applied.insert(step.id.clone()) {
                state.run_all(&step, &step.up.sqlite);
            }
        }
        drop(state);
        self
    }

    /// Takes a request and carries out whatever can be carried out now.
    pub(super) fn ask(&self, call: CallId, payload: &[u8]) -> Asked {
        let mut state = self.lock();
        state.waiting.push_back((call, payload.to_owned()));
        state.work()
    }

    /// Takes a transaction back that has reached its limit; nothing when it is over.
    pub(super) fn expire(&self, transaction: TransactionId) -> Asked {
        let mut state = self.lock();
        if state.open != Some(transaction) {
            return Asked::default();
        }
        state.open = None;
        state.connection.execute_batch("ROLLBACK").expect("the transaction is open");
        state.work()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

fn described<P: Plugin>() -> Descriptor {
    descriptor::<P>().unwrap_or_else(|reason| panic!("{reason}"))
}

/// The steps of a plugin, each behind those it depends on.
fn in_order<P: Plugin>() -> Vec<Migration> {
    let (mut ordered, mut left) = (Vec::<Migration>::new(), described::<P>().migrations);
    while !left.is_empty() {
        let is_before = |id: &String| ordered.iter().any(|step| step.id == *id);
        let ready = left.iter().position(|step| step.depends_on.iter().all(is_before));
        let ready = ready.expect("a descriptor's dependencies exist and end");
        ordered.push(left.remove(ready));
    }
    ordered
}

impl State {
    /// What the host makes for declared resources before the plugin's own steps.
    fn make_tables(&mut self, descriptor: &Descriptor) {
        let resources = descriptor.types.iter().flat_map(|it| &it.resources);
        for table in resources.map(|resource| &resource.table) {
            if !self.made.contains(table) {
                let statements = columns::create(table, Backend::Sqlite).join(";");
                self.connection.execute_batch(&statements).unwrap_or_else(|error| {
                    panic!("table `{table}`: SQLite refuses `{statements}`: {error}")
                });
                self.made.push(table.clone());
            }
        }
    }

    fn drop_tables(&mut self) {
        for table in self.made.drain(..).rev() {
            let dropped = self.connection.execute_batch(&columns::drop(&table));
            dropped.unwrap_or_else(|error| panic!("table `{table}` cannot be dropped: {error}"));
        }
    }

    fn run_all(&self, step: &Migration, statements: &[String]) {
        for sql in statements {
            self.connection.execute_batch(sql).unwrap_or_else(|error| {
                panic!("migration `{}` ({}): SQLite refuses `{sql}`: {error}", step.name, step.id)
            });
        }
    }

    /// Carries out, in order, every request that does not have to wait.
    fn work(&mut self) -> Asked {
        let mut asked = Asked::default();
        while let Some(idx) = self.waiting.iter().position(|(_call, payload)| self.is_due(payload))
        {
            let (call, payload) = self.waiting.remove(idx).expect("the position is in the queue");
            let outcome = match Request::decode(&payload) {
                Ok(request) => Ok(self.carry_out(&request, &mut asked)),
                Err(error) => Err(AbiError::new(ErrorCode::Invalid, error.to_string())),
            };
            asked.completed.push((call, outcome));
        }
        asked
    }

    /// Whether a request need not wait for the end of the open transaction.
    fn is_due(&self, payload: &[u8]) -> bool {
        self.open.is_none()
            || match Request::decode(payload) {
                Ok(Request::Query(statement) | Request::Execute(statement)) => {
                    statement.transaction.is_some()
                }
                Ok(Request::Begin) => false,
                Ok(
                    Request::Commit(_)
                    | Request::Rollback(_)
                    | Request::Savepoint(..)
                    | Request::Release(..)
                    | Request::RollbackTo(..),
                )
                | Err(_) => true,
            }
    }

    fn carry_out(&mut self, request: &Request<'_>, asked: &mut Asked) -> Vec<u8> {
        let transaction = match request {
            Request::Query(statement) | Request::Execute(statement) => statement.transaction,
            Request::Begin => None,
            Request::Commit(transaction)
            | Request::Rollback(transaction)
            | Request::Savepoint(transaction, _)
            | Request::Release(transaction, _)
            | Request::RollbackTo(transaction, _) => Some(*transaction),
        };
        if transaction.is_some() && transaction != self.open {
            return transaction_over();
        }
        let sql = match request {
            Request::Query(statement) => {
                return sqlite::run(&self.connection, Wanted::Rows, statement);
            }
            Request::Execute(statement) => {
                return sqlite::run(&self.connection, Wanted::Touched, statement);
            }
            Request::Begin => {
                self.n_transactions += 1;
                self.open = Some(self.n_transactions);
                asked.begun = self.open;
                "BEGIN IMMEDIATE".to_owned()
            }
            Request::Commit(_) => {
                self.open = None;
                "COMMIT".to_owned()
            }
            Request::Rollback(_) => {
                self.open = None;
                "ROLLBACK".to_owned()
            }
            Request::Savepoint(_, savepoint) => format!("SAVEPOINT s{savepoint}"),
            Request::Release(_, savepoint) => format!("RELEASE s{savepoint}"),
            Request::RollbackTo(_, savepoint) => format!("ROLLBACK TO s{savepoint}"),
        };
        match self.connection.execute_batch(&sql) {
            Ok(()) => asked.begun.map_or_else(done, begun),
            Err(error) => {
                if self.open.is_none() && !self.connection.is_autocommit() {
                    self.connection.execute_batch("ROLLBACK").expect("the transaction is open");
                }
                sqlite::fault(&error)
            }
        }
    }
}

fn transaction_over() -> Vec<u8> {
    let message = "the transaction is over: it was ended, or lived longer than 2 s";
    Fault { kind: FaultKind::TransactionOver, code: "", constraint: None, message }.encode()
}
