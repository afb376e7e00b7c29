//! When and from where each key was used last.
//!
//! Noted in memory, written by period: a request never waits for it, and what is lost by a crash is a few seconds of
//! it. A moment in which two requests note at once is noted by one of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, TryLockError};

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::store::entity::api_key;
use crate::timestamp::Timestamp;

/// When and from where.
pub(crate) type Use = (Timestamp, IpAddr);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Uses {
    noted: Mutex<HashMap<Uuid, Noted>>,
}

#[derive(Debug)]
struct Noted {
    last: Use,
    is_written: bool,
}

impl Uses {
    /// Notes that the key `id` is used.
    pub(super) fn note(&self, id: Uuid, at: Timestamp, from: IpAddr) {
        let mut noted = match self.noted.try_lock() {
            Ok(noted) => noted,
            Err(TryLockError::Poisoned(noted)) => noted.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        noted.insert(id, Noted { last: (at, from), is_written: false });
    }

    /// When the key `id` was used last, since the daemon started.
    pub(super) fn of(&self, id: Uuid) -> Option<Use> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get(&id).map(|noted| noted.last)
    }

    /// Writes what is not written yet.
    pub(super) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for (id, (at, from)) in self.unwritten() {
            let row = api_key::ActiveModel {
                last_used_at: Set(Some(at.into_inner())),
                last_used_ip: Set(Some(from.to_string())),
                ..Default::default()
            };
            // One that is gone meanwhile is no failure.
            api_key::Entity::update_many()
                .set(row)
                .filter(api_key::Column::Id.eq(id.to_string()))
                .exec(db)
                .await?;
            self.written(id, at);
        }
        Ok(())
    }

    fn unwritten(&self) -> Vec<(Uuid, Use)> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = noted.iter().filter(|(_, noted)| !noted.is_written);
        unwritten.map(|(id, noted)| (*id, noted.last)).collect()
    }

    fn written(&self, id: Uuid, at: Timestamp) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(noted) = noted.get_mut(&id).filter(|noted| noted.last.0 == at) {
            noted.is_written = true;
        }
    }
}
