//! SQLite's question "may this statement do that?", asked of safe code for each thing a statement would do.
//!
//! Guarantees: a connection that [`install`] returned for asks its [`Gate`] while it compiles a statement, before
//! any of it runs; what the gate does not allow, what this file does not know, and a gate that panics are all
//! refused. The gate lives as long as the connection. Not here: what is allowed (`fence::verdict`).

#![expect(unsafe_code, reason = "neither sqlx nor anybody else wraps these calls of SQLite")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

use super::fence::gate::Gate;

/// What a statement would do, as SQLite tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action<'a> {
    /// Read a column. The column is empty where a table is named and none of its columns used; the database is
    /// then only known if the statement names it.
    Read { table: &'a str, column: &'a str, database: Option<&'a str> },
    /// Write rows.
    Write { table: &'a str, change: Change<'a>, database: Option<&'a str> },
    /// Be a query.
    Select,
    /// Be a recursive query.
    Recursive,
    /// Call a function.
    Function { name: &'a str },
    /// Begin or end a transaction or a savepoint.
    Transaction,
    /// Change the schema, the connection or the file; or something that SQLite did not know when this was
    /// written.
    Other { what: &'static str, name: &'a str },
}

/// What becomes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// New ones.
    Insert,
    /// Another value in this column.
    Update(&'a str),
    /// They go.
    Delete,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Allow,
    /// It may not: the statement is refused.
    Deny,
}

/// A connection that could not be fenced, and is therefore not used.
#[derive(Debug, thiserror::Error)]
#[error("SQLite would not {what} (code {code})")]
pub(crate) struct Unfenced {
    what: &'static str,
    code: c_int,
}

/// Under this name the connection keeps its gate.
const GATE: &CStr = c"metapaas.gate";

/// Lets `gate` decide about every statement of the connection from now on, and takes from it what no statement of
/// a plugin needs.
pub(super) fn install(
    handle: &mut LockedSqliteHandle<'_>,
    gate: Arc<Gate>,
) -> Result<(), Unfenced> {
    let db = handle.as_raw_handle();
    for (option, value) in OPTIONS {
        configure(db, option, value)?;
    }
    for (limit, value) in LIMITS {
        // SAFETY: `db` is open and locked for us; the call takes integers only.
        unsafe { ffi::sqlite3_limit(db.as_ptr(), limit, value) };
    }
    let gate = Arc::into_raw(gate).cast_mut().cast::<c_void>();
    // SAFETY: `gate` came from `Arc::into_raw` and is given away here: SQLite calls `release` with it exactly once,
    // when the connection is closed, or at once if this call fails.
    let code =
        unsafe { ffi::sqlite3_set_clientdata(db.as_ptr(), GATE.as_ptr(), gate, Some(release)) };
    refuse_unless_ok("keep the gate", code)?;
    // SAFETY: the connection keeps `gate` until it is closed, and asks nobody after that.
    let code = unsafe { ffi::sqlite3_set_authorizer(db.as_ptr(), Some(ask), gate) };
    refuse_unless_ok("ask the gate", code)
}

/// Is a transaction open on the connection?
pub(super) fn is_in_transaction(handle: &mut LockedSqliteHandle<'_>) -> bool {
    let db = handle.as_raw_handle();
    // SAFETY: `db` is open and locked for us; the call only reads.
    let autocommit = unsafe { ffi::sqlite3_get_autocommit(db.as_ptr()) };
    autocommit == 0
}

/// How many rows were changed since the connection was opened.
pub(super) fn n_changes(handle: &mut LockedSqliteHandle<'_>) -> u64 {
    let db = handle.as_raw_handle();
    // SAFETY: `db` is open and locked for us; the call only reads.
    let n_changes = unsafe { ffi::sqlite3_total_changes64(db.as_ptr()) };
    u64::try_from(n_changes).unwrap_or_default()
}

/// Options of a connection that are set once.
const OPTIONS: [(c_int, c_int); 6] = [
    // Neither the schema nor the pages of the file can be written but by ordinary statements.
    (ffi::SQLITE_DBCONFIG_DEFENSIVE, 1),
    // What the schema holds may not call functions that have effects.
    (ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (ffi::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    (ffi::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0),
    // `"nmae"` is an unknown column and not a piece of text, as on PostgreSQL.
    (ffi::SQLITE_DBCONFIG_DQS_DML, 0),
    (ffi::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, 0),
];

/// The most bytes of a value or a row, as much as an answer may hold.
const VALUE_BYTES_MAX: c_int = 8 * 1024 * 1024;

/// Limits of a connection, far above what is written by hand and far below what hurts.
const LIMITS: [(c_int, c_int); 11] = [
    (ffi::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
    (ffi::SQLITE_LIMIT_SQL_LENGTH, 1024 * 1024),
    (ffi::SQLITE_LIMIT_COLUMN, 2_000),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH, 1_000),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT, 200),
    (ffi::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (ffi::SQLITE_LIMIT_FUNCTION_ARG, 100),
    (ffi::SQLITE_LIMIT_ATTACHED, 0),
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, 32),
    (ffi::SQLITE_LIMIT_WORKER_THREADS, 0),
];

fn configure(db: NonNull<ffi::sqlite3>, option: c_int, value: c_int) -> Result<(), Unfenced> {
    // SAFETY: `db` is open and locked for us; each of OPTIONS takes an `int` and a pointer that may be null.
    let code = unsafe { ffi::sqlite3_db_config(db.as_ptr(), option, value, null_mut::<c_int>()) };
    refuse_unless_ok("take an option", code)
}

fn refuse_unless_ok(what: &'static str, code: c_int) -> Result<(), Unfenced> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(Unfenced { what, code }) }
}

/// Gives the connection's hold on its gate back.
unsafe extern "C" fn release(gate: *mut c_void) {
    // SAFETY: SQLite hands back what `install` gave it, once.
    drop(unsafe { Arc::from_raw(gate.cast_const().cast::<Gate>()) });
}

/// Called by SQLite for each thing that a statement would do.
unsafe extern "C" fn ask(
    gate: *mut c_void,
    code: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _inside: *const c_char,
) -> c_int {
    // SAFETY: the connection that calls keeps the gate alive.
    let gate = unsafe { &*gate.cast_const().cast::<Gate>() };
    let verdict = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: it is null or a text of SQLite that outlives this call.
        let first = unsafe { text(first) }?;
        // SAFETY: likewise.
        let second = unsafe { text(second) }?;
        // SAFETY: likewise.
        let database = unsafe { text(database) }?;
        Some(gate.judge(action(code, first, second, database)))
    }));
    match verdict {
        Ok(Some(Verdict::Allow)) => ffi::SQLITE_OK,
        Ok(Some(Verdict::Deny) | None) | Err(_) => ffi::SQLITE_DENY,
    }
}

/// The text, if there is one; `None` when it is not UTF-8.
///
/// # Safety
/// `text` is null or a C string that outlives the result.
unsafe fn text<'a>(text: *const c_char) -> Option<Option<&'a str>> {
    if text.is_null() {
        return Some(None);
    }
    // SAFETY: it is not null, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().ok().map(Some)
}

/// Every code of SQLite's documentation is here. What is none of them is refused as well.
fn action<'a>(
    code: c_int,
    first: Option<&'a str>,
    second: Option<&'a str>,
    database: Option<&'a str>,
) -> Action<'a> {
    let (name, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    let other = |what| Action::Other { what, name };
    let write = |change| Action::Write { table: name, change, database };
    match code {
        ffi::SQLITE_READ => Action::Read { table: name, column: second, database },
        ffi::SQLITE_INSERT => write(Change::Insert),
        ffi::SQLITE_UPDATE => write(Change::Update(second)),
        ffi::SQLITE_DELETE => write(Change::Delete),
        ffi::SQLITE_SELECT => Action::Select,
        ffi::SQLITE_RECURSIVE => Action::Recursive,
        ffi::SQLITE_FUNCTION => Action::Function { name: second },
        ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT => Action::Transaction,
        ffi::SQLITE_CREATE_TABLE | ffi::SQLITE_CREATE_TEMP_TABLE => other("create the table"),
        ffi::SQLITE_CREATE_INDEX | ffi::SQLITE_CREATE_TEMP_INDEX => other("create the index"),
        ffi::SQLITE_CREATE_TRIGGER | ffi::SQLITE_CREATE_TEMP_TRIGGER => other("create the trigger"),
        ffi::SQLITE_CREATE_VIEW | ffi::SQLITE_CREATE_TEMP_VIEW => other("create the view"),
        ffi::SQLITE_CREATE_VTABLE => other("create the virtual table"),
        ffi::SQLITE_DROP_TABLE | ffi::SQLITE_DROP_TEMP_TABLE => other("drop the table"),
        ffi::SQLITE_DROP_INDEX | ffi::SQLITE_DROP_TEMP_INDEX => other("drop the index"),
        ffi::SQLITE_DROP_TRIGGER | ffi::SQLITE_DROP_TEMP_TRIGGER => other("drop the trigger"),
        ffi::SQLITE_DROP_VIEW | ffi::SQLITE_DROP_TEMP_VIEW => other("drop the view"),
        ffi::SQLITE_DROP_VTABLE => other("drop the virtual table"),
        // The first text is the database here.
        ffi::SQLITE_ALTER_TABLE => Action::Other { what: "alter the table", name: second },
        ffi::SQLITE_REINDEX => other("rebuild the index"),
        ffi::SQLITE_ANALYZE => other("analyze the table"),
        ffi::SQLITE_PRAGMA => other("use the pragma"),
        ffi::SQLITE_ATTACH => other("attach the file"),
        ffi::SQLITE_DETACH => other("detach the database"),
        ffi::SQLITE_COPY => other("copy the table"),
        _unknown => other("do something unheard of with"),
    }
}
