//! Retries without a second effect: the answer to an attempt is kept, and given again to every retry of it.
//!
//! An attempt is named by its client ([`Key`]), within a principal, a method and a path. Its answer is written in
//! the transaction of its effect, so that there is never one without the other, whatever ends the daemon.
//!
//! | a further attempt of this name | comes to |
//! |---|---|
//! | while the first one is made | [`Error::InProgress`] |
//! | with the same content | [`Begun::Again`], with the answer |
//! | with another content | [`Error::Reused`] |
//! | after the first one left no answer | [`Begun::First`] again |
//!
//! What an answer shows once is apart from it, sealed, and there for five minutes only. Names and contents are kept
//! as digests. Not here: what an attempt does, which answers are worth keeping, and HTTP.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::shutdown::Tasks;
use crate::store::Store;
use crate::store::entity::idempotency as row;
use crate::timestamp::Timestamp;

mod config;
mod prune;

pub(crate) use config::Config;

/// How long a retry is told what is shown once.
const SHOWN_FOR: Duration = Duration::from_secs(5 * 60);

/// All attempts that have a name. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    store: Store,
    /// The attempts that are being made; one daemon has the store, so there are no others.
    in_progress: InProgress,
    /// How long an answer is kept.
    keep: Duration,
    tasks: Tasks,
}

type InProgress = Arc<Mutex<HashSet<Id>>>;

/// How a client names an attempt: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// It is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not 1 to 255 visible ASCII characters")]
pub(crate) struct NoKey;

/// An attempt, as a request makes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Who makes it.
    pub(crate) principal: &'a str,
    /// `POST`, …
    pub(crate) method: &'a str,
    /// To what.
    pub(crate) path: &'a str,
    /// How it is named.
    pub(crate) key: &'a Key,
    /// All else that it says, in parts.
    pub(crate) content: &'a [&'a [u8]],
}

impl Attempt<'_> {
    /// As [`First::id`].
    pub(crate) fn id(&self) -> String {
        Id::of(self).text()
    }
}

/// What an attempt finds.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Nobody made it before.
    First(First),
    /// It was made, and this came of it.
    Again(Answer),
}

/// The right to make an attempt; while it is held, every other attempt of its name is refused.
#[derive(Debug)]
pub(crate) struct First {
    id: Id,
    content: Digested,
    /// Dropped when the answer is written, or will never be.
    _held: Held,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers, but for those that every answer has anew.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body, without what is shown once.
    pub(crate) body: String,
    /// What is shown once, sealed; nothing if there is nothing, or not any more.
    pub(crate) sealed: Option<String>,
}

/// Why an attempt is not to be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is being made.
    #[error("an attempt of this name is being made")]
    InProgress,
    /// It was made, and was another one.
    #[error("an attempt of this name had another content")]
    Reused,
    /// The store could not be asked.
    #[error("answers that were given cannot be read from the store")]
    Read(#[source] DbErr),
    /// The answer that is kept is not what this daemon writes.
    #[error("the answer that is kept for this attempt cannot be read")]
    Damaged,
    /// What is old could not be forgotten.
    #[error("old answers cannot be removed from the store")]
    Prune(#[source] DbErr),
}

type Digested = [u8; 32];

/// An attempt's name within everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Id(Digested);

/// Keeps a name taken until it is dropped.
#[derive(Debug)]
struct Held {
    id: Id,
    in_progress: InProgress,
}

impl Attempts {
    /// The attempts whose answers `store` keeps.
    pub(crate) fn new(store: Store, config: &Config, tasks: Tasks) -> Self {
        Self { store, in_progress: InProgress::default(), keep: config.keep(), tasks }
    }

    /// Begins an attempt, or finds what came of it.
    ///
    /// # Errors
    /// It is not to be made, or it is not known whether.
    ///
    /// # Cancellation
    /// Cancel-safe: an attempt that was begun and not made can be begun again.
    pub(crate) async fn begin(&self, attempt: &Attempt<'_>) -> Result<Begun, Error> {
        let id = Id::of(attempt);
        let content = digest(attempt.content.iter().copied());
        // Taken before the look into the store: who gives the name back has written the answer.
        let held = Held::take(id, &self.in_progress);
        let kept = row::Entity::find_by_id(id.text()).one(self.store.connection()).await;
        let kept = kept.map_err(Error::Read)?.filter(|row| !is_over(row, self.keep));
        match (kept, held) {
            (Some(row), _) if row.content != hex::encode(content) => Err(Error::Reused),
            (Some(row), _) => Ok(Begun::Again(answer(row)?)),
            (None, Some(held)) => Ok(Begun::First(First { id, content, _held: held })),
            (None, None) => Err(Error::InProgress),
        }
    }

    /// How many attempts are being made.
    #[cfg(test)]
    fn n_in_progress(&self) -> usize {
        lock(&self.in_progress).len()
    }
}

fn answer(row: row::Model) -> Result<Answer, Error> {
    let is_shown = !is_over(&row, SHOWN_FOR);
    let row::Model { id: _, content: _, status, headers, body, sealed, created_at: _ } = row;
    Ok(Answer {
        status: u16::try_from(status).map_err(|_out_of_range| Error::Damaged)?,
        headers: serde_json::from_value(headers).map_err(|_no_headers| Error::Damaged)?,
        body,
        sealed: sealed.filter(|_| is_shown),
    })
}

/// Whether so much time has passed since the answer was given.
fn is_over(row: &row::Model, limit: Duration) -> bool {
    Timestamp::now().into_inner() - row.created_at >= limit
}

impl First {
    /// The text under which what is shown once is sealed.
    pub(crate) fn id(&self) -> String {
        self.id.text()
    }

    /// Writes what it came to, in the transaction of its effect.
    ///
    /// # Errors
    /// The store did not take it: the effect must not be either.
    pub(crate) async fn keep(
        &self,
        db: &impl ConnectionTrait,
        answer: Answer,
    ) -> Result<(), DbErr> {
        let Self { id, content, _held: _ } = self;
        let Answer { status, headers, body, sealed } = answer;
        let headers: Value = headers.into_iter().map(|(name, value)| vec![name, value]).collect();
        let row = row::ActiveModel {
            id: Set(id.text()),
            content: Set(hex::encode(content)),
            status: Set(status.into()),
            headers: Set(headers),
            body: Set(body),
            sealed: Set(sealed),
            created_at: Set(Timestamp::now().into_inner()),
        };
        // One that is there is too old to count.
        let over_old = OnConflict::column(row::Column::Id)
            .update_columns([
                row::Column::Content,
                row::Column::Status,
                row::Column::Headers,
                row::Column::Body,
                row::Column::Sealed,
                row::Column::CreatedAt,
            ])
            .to_owned();
        let insert = row::Entity::insert(row).on_conflict(over_old);
        insert.exec_without_returning(db).await.map(drop)
    }
}

impl Held {
    fn take(id: Id, in_progress: &InProgress) -> Option<Self> {
        let is_free = lock(in_progress).insert(id);
        is_free.then(|| Self { id, in_progress: Arc::clone(in_progress) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.in_progress).remove(&self.id);
    }
}

impl Id {
    fn of(attempt: &Attempt<'_>) -> Self {
        let Attempt { principal, method, path, key, content: _ } = *attempt;
        Self(digest([principal, method, path, &key.0].map(str::as_bytes)))
    }

    fn text(self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible && (1..=255).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoKey)
        }
    }
}

/// The digest of parts, whose borders count.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digested {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn lock(in_progress: &InProgress) -> MutexGuard<'_, HashSet<Id>> {
    in_progress.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
