//! How a reconciliation ended.

use std::any::Any;
use std::time::Duration;

use plugin_abi::resource::{Outcome, ReconcileAnswer};

use super::declared::Resource;
use super::stored::{Said, Stored};
use crate::problem::Problem;

/// How long something on its way is left alone, unless it says otherwise.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A resource that was reconciled, with how far it is.
#[derive(Debug)]
pub struct Reconciled<R> {
    resource: Stored<R>,
    outcome: Outcome,
}

impl<R> Stored<R> {
    /// What is there is what is wanted; of one that is taken down: it is gone.
    #[must_use]
    pub fn settled(self) -> Reconciled<R> {
        Reconciled { resource: self, outcome: Outcome::Settled { again_after_ms: None } }
    }

    /// It is on its way: what it waits for, in a sentence. Asked again after a second, or as
    /// [`Reconciled::again_after`] says.
    #[must_use]
    pub fn progressing(self, message: impl Into<String>) -> Reconciled<R> {
        let again_after_ms = millis(AGAIN_AFTER);
        let outcome =
            Outcome::Progressing { message: message.into(), percent: None, again_after_ms };
        Reconciled { resource: self, outcome }
    }

    /// It did not work, for now: what it says of the resource is kept, and it is tried again with back-off.
    #[must_use]
    pub fn failed(self, failed: Failed) -> Reconciled<R> {
        Reconciled { resource: self, outcome: failed.outcome() }
    }
}

impl<R> Reconciled<R> {
    /// When to look at it again, if nothing changes it before; changes nothing for one that failed.
    #[must_use]
    pub fn again_after(mut self, duration: Duration) -> Self {
        match &mut self.outcome {
            Outcome::Settled { again_after_ms } => *again_after_ms = Some(millis(duration)),
            Outcome::Progressing { again_after_ms, .. } => *again_after_ms = millis(duration),
            Outcome::Failed { .. } => {}
        }
        self
    }

    /// How far it is on its way, from 0 to 100.
    #[must_use]
    pub fn percent(mut self, how_far: u8) -> Self {
        if let Outcome::Progressing { percent, .. } = &mut self.outcome {
            *percent = Some(how_far.min(100));
        }
        self
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why a reconciliation failed.
///
/// Any error becomes one with `?`: the log has it with its causes, whoever looks at the resource reads that
/// something went wrong inside. What they should know is said by [`Failed::new`], or by a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    reason: String,
    message: String,
    retryable: bool,
}

impl Failed {
    /// Says why, in one word (`QuotaExceeded`) and in a sentence. It is tried again, with back-off.
    #[must_use]
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), retryable: true }
    }

    /// Trying again does not help; it waits for a change, or for somebody who says `retry`.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { retryable: false, ..self }
    }

    pub(super) fn outcome(self) -> Outcome {
        let Self { reason, message, retryable } = self;
        Outcome::Failed { reason, message, retryable }
    }
}

impl<E: std::error::Error + 'static> From<E> for Failed {
    fn from(error: E) -> Self {
        if let Some(problem) = (&error as &dyn Any).downcast_ref::<Problem>() {
            return Self::new(in_one_word(problem.code()), problem.to_string());
        }
        let mut causes = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            causes = format!("{causes}: {cause}");
            source = cause.source();
        }
        tracing::warn!("a reconciliation failed: {causes}");
        Self::new("InternalError", "something went wrong inside; the operator's log says more")
    }
}

/// `NAME_TAKEN` as `NameTaken`, as reasons of conditions are written.
fn in_one_word(code: &str) -> String {
    let mut is_first = true;
    let letters = code.chars().filter_map(|letter| {
        let is_kept = std::mem::replace(&mut is_first, letter == '_');
        (letter != '_').then(|| if is_kept { letter } else { letter.to_ascii_lowercase() })
    });
    letters.collect()
}

/// What `reconcile` may give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `reconcile` gives",
    note = "give the resource back: `Ok(resource.settled())`, `Ok(resource.progressing(\"…\"))`, as `Result<Reconciled<{R}>, Failed>`"
)]
pub trait IntoReconciled<R> {
    #[doc(hidden)]
    fn into_answer(self) -> Result<ReconcileAnswer, Problem>;
}

impl<R: Resource> IntoReconciled<R> for Reconciled<R> {
    fn into_answer(self) -> Result<ReconcileAnswer, Problem> {
        let Self { resource, outcome } = self;
        let Said { fields, conditions } = resource.said()?;
        Ok(ReconcileAnswer { outcome, fields, conditions })
    }
}

impl<R, T: IntoReconciled<R>, E: Into<Failed>> IntoReconciled<R> for Result<T, E> {
    fn into_answer(self) -> Result<ReconcileAnswer, Problem> {
        match self {
            Ok(reconciled) => reconciled.into_answer(),
            Err(error) => {
                let Said { fields, conditions } = Said::default();
                Ok(ReconcileAnswer { outcome: error.into().outcome(), fields, conditions })
            }
        }
    }
}
