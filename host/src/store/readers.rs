//! Connections to a SQLite store that can only read, used where the caller is.
//!
//! A statement that finds a row in the page cache takes microseconds; handing it to a thread of its own takes many
//! times that. So what is known to be short runs on the thread that answers. Guarantees: nothing can be written
//! through one; each statement sees what was committed before it began; a statement ends at its deadline. Not here:
//! which statements are short.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

/// Statements that a connection keeps compiled.
const STATEMENTS_MAX: usize = 256;
/// Pages that a connection keeps, in KiB.
const CACHE_KIB: i32 = 16 * 1024;
/// Steps of SQLite's between two looks at the clock.
const STEPS: i32 = 10_000;
/// Idle connections beyond these are closed.
const IDLE_MAX: usize = 16;

/// See the module. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    path: Arc<PathBuf>,
    limit: Duration,
    idle: Arc<Mutex<Vec<Reader>>>,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    deadline: Deadline,
}

/// Until when a statement may run, in microseconds since the connection was opened.
#[derive(Debug, Clone)]
struct Deadline {
    opened: Instant,
    until_us: Arc<AtomicU64>,
}

impl Readers {
    /// Readers of the store at `path`. None is open yet.
    pub(super) fn of(path: &Path, limit: Duration) -> Self {
        Self { path: Arc::new(path.to_owned()), limit, idle: Arc::default() }
    }

    /// Runs `read` on a connection of its own, on this thread.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = idle.map_or_else(|| Reader::open(&self.path), Ok)?;
        reader.deadline.set(self.limit);
        let outcome = read(&reader.connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_ok() && idle.len() < IDLE_MAX {
            idle.push(reader);
        }
        outcome
    }

    /// Closes those that nobody uses.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let deadline = Deadline::new();
        let asked = deadline.clone();
        connection.progress_handler(STEPS, Some(move || asked.is_over()))?;
        Ok(Self { connection, deadline })
    }
}

impl Deadline {
    fn new() -> Self {
        Self { opened: Instant::now(), until_us: Arc::default() }
    }

    fn set(&self, limit: Duration) {
        let until = (self.opened.elapsed() + limit).as_micros();
        self.until_us.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.opened.elapsed() > Duration::from_micros(self.until_us.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(folder: &Path, limit: Duration) -> Readers {
        let path = folder.join("x.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)",
            )
            .unwrap();
        Readers::of(&path, limit)
    }

    #[test]
    fn a_reader_reads_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path(), Duration::from_secs(5));
        let n = || {
            readers
                .read(|db| db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)))
        };
        assert_eq!(n().unwrap(), 1);
        let written = readers.read(|db| db.execute("INSERT INTO t VALUES (2)", []));
        assert!(written.unwrap_err().to_string().contains("readonly"));
        assert_eq!(n().unwrap(), 1);
    }

    #[test]
    fn a_statement_ends_at_its_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path(), Duration::from_millis(20));
        let endless =
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
        let read = readers.read(|db| db.query_row(endless, [], |row| row.get::<_, i64>(0)));
        assert!(read.unwrap_err().to_string().contains("interrupted"));
    }
}
