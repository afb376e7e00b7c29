//! The gate of one SQLite connection: who speaks, what they may do, and until when.
//!
//! The host speaks to begin and end transactions, the plugin all the rest of the time. Asked on SQLite's own
//! thread by [`authorizer`](crate::store::authorizer) for each statement that is compiled, and by SQLite's
//! progress handler while one runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::territory::{Names, Tables};
use super::verdict::{Ground, verdict};
use crate::store::authorizer::{Action, Verdict};

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    own: Arc<ArcSwap<Tables>>,
    all: Arc<Names>,
    /// Whether it is the host; the plugin otherwise.
    host_speaks: AtomicBool,
    made: Instant,
    /// Microseconds after `made` until which statements may run.
    until_us: AtomicU64,
    /// What was refused first since it was last asked for.
    refused: Mutex<Option<Refused>>,
}

/// Whose statements a connection compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Begins and ends transactions, and does nothing else.
    Host,
    /// Does everything but that.
    Plugin,
}

/// What a statement was refused for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A table, or something that looks like one.
    Table(String),
    /// A function.
    Function(String),
    /// A kind of statement.
    Statement(String),
}

/// Where SQLite keeps what there is.
const CATALOGS: [&str; 2] = ["sqlite_master", "sqlite_temp_master"];

impl Gate {
    /// A gate for a plugin that may touch `own`.
    pub(super) fn new(own: Arc<ArcSwap<Tables>>, all: Arc<Names>) -> Arc<Self> {
        Arc::new(Self {
            own,
            all,
            host_speaks: AtomicBool::new(false),
            made: Instant::now(),
            until_us: AtomicU64::new(u64::MAX),
            refused: Mutex::new(None),
        })
    }

    /// Decides what a statement may do.
    pub(in crate::store) fn judge(&self, action: Action<'_>) -> Verdict {
        if self.host_speaks.load(Ordering::Acquire) {
            return match action {
                Action::Transaction => Verdict::Allow,
                Action::Read { .. }
                | Action::Write { .. }
                | Action::Select
                | Action::Recursive
                | Action::Function { .. }
                | Action::Other { .. } => Verdict::Deny,
            };
        }
        let verdict = verdict(Ground { own: &self.own.load(), all: &self.all }, action);
        if verdict == Verdict::Deny {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.get_or_insert_with(|| Refused::of(action));
        }
        verdict
    }

    /// Says who speaks from now on. Only whoever has the connection to itself may call this.
    pub(super) fn hand_to(&self, speaker: Speaker) {
        self.host_speaks.store(speaker == Speaker::Host, Ordering::Release);
    }

    /// Lets statements run until then, and no longer.
    pub(super) fn run_until(&self, end: Instant) {
        let us = end.saturating_duration_since(self.made).as_micros();
        self.until_us.store(u64::try_from(us).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// May a statement go on? What the host says is short, and must not be left half done.
    pub(super) fn may_go_on(&self) -> bool {
        self.host_speaks.load(Ordering::Acquire)
            || self.made.elapsed() < Duration::from_micros(self.until_us.load(Ordering::Acquire))
    }

    /// What was refused since the last time.
    pub(super) fn take_refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Refused {
    fn of(action: Action<'_>) -> Self {
        match action {
            // So begins every statement that creates, alters or drops something.
            Action::Write { table, .. } if CATALOGS.contains(&table) => {
                Self::Statement("change the schema".to_owned())
            }
            Action::Read { table, .. } | Action::Write { table, .. } => {
                Self::Table(table.to_owned())
            }
            Action::Function { name } => Self::Function(name.to_owned()),
            Action::Select => Self::Statement("query".to_owned()),
            Action::Recursive => Self::Statement("query recursively".to_owned()),
            Action::Transaction => {
                Self::Statement("begin or end a transaction by a statement".to_owned())
            }
            Action::Other { what, name } => Self::Statement(format!("{what} `{name}`")),
        }
    }
}
