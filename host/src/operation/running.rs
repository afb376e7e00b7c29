//! An operation that is being done, and its journal.

use std::sync::OnceLock;

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::cancel::{Call, Canceled};
use super::changes::Change;
use super::journal::{Entry, Written};
use super::logs::{self, LINES_MAX, Level, Line};
use super::steps::{Begun, Steps};
use super::{Error, Failure, Operation, OperationId, Operations, State};
use crate::log;
use crate::store::entity::{operation as row, operation_log as line_row};
use crate::timestamp::Timestamp;

/// An operation that is being done. Dropped without an end, it is unfinished: the next start of the daemon finds
/// it.
#[derive(Debug)]
pub(crate) struct Running {
    operations: Operations,
    id: OperationId,
    started_at: Timestamp,
    /// Where it hears that it was called off, once it said that it can be.
    call: OnceLock<Call>,
    /// Held while it is written: what is written second must hold what was written first.
    journal: Mutex<Journal>,
}

/// What the row does not hold yet.
#[derive(Debug)]
struct Journal {
    steps: Steps,
    description: String,
    /// The lines that no write has carried yet.
    lines: Vec<Line>,
    next_seq: i64,
    /// How many writes the store did not take.
    n_missed: u32,
}

/// How an operation ends.
#[derive(Debug)]
enum End {
    Succeeded { description: String, result: Value },
    Failed(Failure),
    Canceled(Failure),
    Superseded { by: OperationId },
}

impl Operations {
    /// Begins an operation, or goes on with one that a crash ended; `plan` are the names of its steps in order.
    ///
    /// # Errors
    /// There is none of this id, it has ended, or the store cannot be read. A store that cannot be *written* is
    /// logged only.
    pub(crate) async fn run(&self, id: OperationId, plan: &[&str]) -> Result<Running, Error> {
        let operation = self.open(id).await?;
        let started_at = operation.started_at.unwrap_or_else(Timestamp::now);
        let journal = self.journal(self.store.connection(), operation, plan).await?;
        let (operations, call) = (self.clone(), OnceLock::new());
        let running = Running { operations, id, started_at, call, journal: Mutex::new(journal) };
        match running.write(&mut *running.journal.lock().await).await {
            // It was called off in this very moment.
            Some(Written::TooLate) => {
                let _ended = self.open(id).await?;
            }
            Some(Written::Yes) | None => {}
        }
        Ok(running)
    }

    /// Ends an operation that is not run here, because `by` takes its place.
    ///
    /// # Errors
    /// There is none of this id, it has ended, or the store cannot be read.
    pub(crate) async fn supersede(&self, id: OperationId, by: OperationId) -> Result<(), Error> {
        let operation = self.open(id).await?;
        let journal = self.journal(self.store.connection(), operation, &[]).await?;
        self.write_end(journal.end(id, End::Superseded { by })).await;
        Ok(())
    }

    /// Ends an operation in the transaction of the wish that `by` is about, if it is still open. Say
    /// [`Self::ended`] when that is committed.
    ///
    /// # Errors
    /// The store did not take it: the wish must not be taken either.
    pub(crate) async fn supersede_in(
        &self,
        db: &impl ConnectionTrait,
        id: OperationId,
        by: OperationId,
    ) -> Result<(), Error> {
        self.end_in(db, id, End::Superseded { by }).await
    }

    /// Ends an operation in the transaction by which it comes true, if it is still open. Say [`Self::ended`] when
    /// that is committed.
    ///
    /// # Errors
    /// The store did not take it.
    pub(crate) async fn succeed_in(
        &self,
        db: &impl ConnectionTrait,
        id: OperationId,
        description: &str,
    ) -> Result<(), Error> {
        let description = description.to_owned();
        self.end_in(db, id, End::Succeeded { description, result: Value::Null }).await
    }

    async fn end_in(
        &self,
        db: &impl ConnectionTrait,
        id: OperationId,
        end: End,
    ) -> Result<(), Error> {
        let found = self.get_in(db, id).await?;
        let Some(operation) = found.filter(|found| !found.state.is_done()) else { return Ok(()) };
        let journal = self.journal(db, operation, &[]).await?;
        self.write_in(db, &journal.end(id, end)).await.map(drop)
    }

    /// Tells whoever waits for an operation that was ended in a transaction.
    pub(crate) fn ended(&self, id: OperationId) {
        self.changes.tell(id, Change::Ended);
    }

    /// The operation, which has not ended.
    pub(super) async fn open(&self, id: OperationId) -> Result<Operation, Error> {
        let operation = self.get(id).await?.ok_or(Error::NotFound(id))?;
        match operation.state {
            State::Pending | State::Running => Ok(operation),
            state @ (State::Succeeded | State::Failed | State::Canceled | State::Superseded) => {
                Err(Error::Ended { id, state })
            }
        }
    }

    async fn journal(
        &self,
        db: &impl ConnectionTrait,
        operation: Operation,
        plan: &[&str],
    ) -> Result<Journal, Error> {
        let last: Option<Option<i64>> = line_row::Entity::find()
            .select_only()
            .column_as(line_row::Column::Seq.max(), "last")
            .filter(line_row::Column::OperationId.eq(operation.id.to_string()))
            .into_tuple()
            .one(db)
            .await
            .map_err(Error::Read)?;
        Ok(Journal {
            steps: Steps::planned(operation.steps, plan, Timestamp::now()),
            description: "begun".to_owned(),
            lines: Vec::new(),
            next_seq: last.flatten().unwrap_or_default() + 1,
            n_missed: 0,
        })
    }
}

impl Running {
    /// Does `work` as the step `name`: what it comes to is written down, and handed back.
    ///
    /// # Cancellation
    /// Dropping the future drops the work; the step is then told as interrupted.
    pub(crate) async fn step<T, E>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        E: std::error::Error,
    {
        let begun = self.begin(name).await;
        let done = work.await;
        let failed = done.as_ref().err().map(|error| log::chain(error).to_string());
        self.end(name, begun, failed).await;
        done
    }

    /// Says something about what it does.
    pub(crate) async fn log(&self, level: Level, message: impl Into<String>) {
        let mut journal = self.journal.lock().await;
        journal.say(level, message.into());
        self.write(&mut journal).await;
    }

    /// It is done; `description` says in a sentence what it came to.
    pub(crate) async fn succeed(self, description: impl Into<String>, result: Value) {
        self.finish(End::Succeeded { description: description.into(), result }).await;
    }

    /// It could not be done.
    pub(crate) async fn fail(self, failure: Failure) {
        self.finish(End::Failed(failure)).await;
    }

    /// It was called off, and what was done is taken back.
    pub(crate) async fn end_canceled(self, failure: Failure) {
        self.finish(End::Canceled(failure)).await;
    }

    /// From now on it can be called off: whoever says so looks from time to time whether it was.
    pub(crate) fn hear_calls(&self) {
        self.call.get_or_init(|| self.operations.calls.hear(self.id));
    }

    /// Refuses to go on if it was called off.
    ///
    /// # Errors
    /// It was.
    pub(crate) fn go_on(&self) -> Result<(), Canceled> {
        match self.call.get() {
            Some(call) if call.was_called() => Err(Canceled),
            Some(_) | None => Ok(()),
        }
    }

    /// From now on it cannot be called off any more.
    ///
    /// # Errors
    /// It was.
    pub(crate) fn close_calls(&self) -> Result<(), Canceled> {
        self.call.get().map_or(Ok(()), Call::close)
    }

    /// Ends when it is called off; never, if it cannot be. Cancel-safe.
    pub(crate) async fn called_off(&self) {
        match self.call.get() {
            Some(call) => call.called().await,
            None => std::future::pending().await,
        }
    }

    async fn begin(&self, name: &'static str) -> Begun {
        let mut journal = self.journal.lock().await;
        let begun = journal.steps.begin(name, Timestamp::now());
        journal.description = journal.steps.description(begun);
        self.write(&mut journal).await;
        begun
    }

    async fn end(&self, name: &str, begun: Begun, failed: Option<String>) {
        let mut journal = self.journal.lock().await;
        let failed = failed.map(logs::cut);
        journal.steps.end(begun, failed.clone(), Timestamp::now());
        let ms = journal.steps.duration(begun).whole_milliseconds();
        match failed {
            None => journal.say(Level::Info, format!("{name}: done in {ms} ms")),
            Some(why) => journal.say(Level::Error, format!("{name}: failed after {ms} ms: {why}")),
        }
        self.write(&mut journal).await;
    }

    /// Writes how far it is; nothing if the store did not take it.
    async fn write(&self, journal: &mut Journal) -> Option<Written> {
        let entry = Entry {
            id: self.id,
            from: &State::OPEN,
            row: row::ActiveModel {
                state: Set(State::Running.word().to_owned()),
                started_at: Set(Some(self.started_at.into_inner())),
                description: Set(journal.description.clone()),
                ..journal.columns()
            },
            lines: journal.lines.clone(),
            change: Change::Moved,
        };
        match self.operations.write(&entry).await {
            Ok(written) => {
                journal.lines.clear();
                Some(written)
            }
            Err(error) => {
                journal.n_missed += 1;
                let (id, cause) = (self.id, log::chain(&error).to_string());
                tracing::error!(operation = %id, "its journal is late, the work goes on: {cause}");
                None
            }
        }
    }

    async fn finish(self, end: End) {
        let Self { operations, id, started_at: _, call, journal } = self;
        // What ends by itself can no longer be called off.
        drop(call);
        operations.write_end(journal.into_inner().end(id, end)).await;
    }
}

impl Journal {
    /// The columns that tell how far it is.
    fn columns(&self) -> row::ActiveModel {
        let steps = serde_json::to_value(self.steps.list()).expect("steps are strings and moments");
        row::ActiveModel {
            steps: Set(steps),
            percent: Set(self.steps.percent()),
            ..row::ActiveModel::default()
        }
    }

    fn say(&mut self, level: Level, message: String) {
        let (level, message) = match self.next_seq {
            LINES_MAX => (Level::Warn, format!("more than {LINES_MAX} lines are not kept")),
            seq if seq > LINES_MAX => return,
            _room => (level, message),
        };
        self.lines.push(Line::now(self.next_seq, level, message));
        self.next_seq += 1;
    }

    /// The last write.
    fn end(mut self, id: OperationId, end: End) -> Entry {
        let now = Timestamp::now();
        self.steps.close(now);
        if self.n_missed > 0 {
            let message = format!("{} writes of this journal were late", self.n_missed);
            self.say(Level::Warn, message);
        }
        let columns = self.columns();
        let (state, level, description, columns) = match end {
            End::Succeeded { description, result } => {
                let (percent, result) = (Set(100), Set(Some(result)));
                let columns = row::ActiveModel { percent, result, ..columns };
                (State::Succeeded, Level::Info, description, columns)
            }
            End::Failed(failure) => {
                let (detail, columns) = columns_of(failure, columns);
                (State::Failed, Level::Error, detail, columns)
            }
            End::Canceled(failure) => {
                let (detail, columns) = columns_of(failure, columns);
                (State::Canceled, Level::Warn, detail, columns)
            }
            End::Superseded { by } => {
                let result = Set(Some(json!({"superseded_by": by.to_string()})));
                let columns = row::ActiveModel { result, ..columns };
                (State::Superseded, Level::Info, format!("superseded by {by}"), columns)
            }
        };
        self.say(level, description.clone());
        let row = row::ActiveModel {
            state: Set(state.word().to_owned()),
            description: Set(description),
            finished_at: Set(Some(now.into_inner())),
            ..columns
        };
        Entry { id, from: &State::OPEN, row, lines: self.lines, change: Change::Ended }
    }
}

/// What a failure says, and the columns with it.
fn columns_of(failure: Failure, columns: row::ActiveModel) -> (String, row::ActiveModel) {
    let error = serde_json::to_value(&failure).expect("a failure is strings and JSON");
    (failure.detail, row::ActiveModel { error: Set(Some(error)), ..columns })
}
