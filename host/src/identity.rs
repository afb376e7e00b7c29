//! Who is calling and what they may: organizations, projects, principals, roles, keys.
//!
//! | room | what it holds |
//! |---|---|
//! | [`caller`] | what authentication yields: a principal with its rights, ready to be asked |
//! | [`permission`], [`role`], [`grants`] | what may be done, sets of that, and who has which where; pure |
//! | [`record`], [`register`] | the rows, and all of them in memory with what follows of them |
//! | [`bootstrap`] | what the first start makes |
//! | [`change`] | changing rows, so that the register has it when the change returns |
//! | [`login`], [`presented`], [`admin_token`], [`token`], [`password`] | by what a caller is recognized |
//! | [`access_token`], [`issue`], [`recent`], [`secret`] | short-lived tokens; what was verified a moment ago; the key |
//! | [`back_off`], [`buckets`], [`uses`] | failed logins, requests per second, when a key was used last |
//! | [`quota`] | how much a project may have |
//!
//! Guarantees: authenticating asks the store nothing and waits for nothing; a change counts from the moment on in which
//! whoever made it is told so; what is secret is kept as a hash, compared in constant time, and is in no log, error
//! or answer. Not here: HTTP, and which permission something needs.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::data::DataDir;
use crate::log;
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::timestamp::Timestamp;

mod access_token;
pub(crate) mod admin_token;
mod back_off;
mod bootstrap;
mod buckets;
pub(crate) mod caller;
pub(crate) mod change;
pub(crate) mod config;
mod grants;
mod issue;
mod login;
pub(crate) mod password;
pub(crate) mod permission;
mod presented;
pub(crate) mod quota;
mod recent;
pub(crate) mod record;
pub(crate) mod register;
pub(crate) mod role;
mod secret;
#[cfg(test)]
pub(crate) mod testing;
mod token;
mod uses;

use admin_token::AdminToken;
use buckets::Buckets;
pub(crate) use buckets::{Empty, Rate};
pub(crate) use caller::{Caller, Forbidden, ProjectError, ProjectId, Scope, Visible};
pub(crate) use config::Config;
pub(crate) use issue::Issue;
use login::Logins;
use quota::{NoInstances, Usage};
use record::Key;
use register::{LoadError, Register, Rows};
use secret::Secret;
pub(crate) use token::Token;
use uses::Uses;

/// Knows who may call, and what.
#[derive(Debug)]
pub(crate) struct Identity {
    admin: AdminToken,
    secret: Secret,
    store: Store,
    config: Config,
    /// As the store has it; replaced by who changed it, and by period.
    register: ArcSwap<Register>,
    /// Counts the registers; who keeps a caller watches it.
    generation: watch::Sender<u64>,
    /// Held while the register is replaced, so that an older one never follows a newer one.
    replacing: Mutex<()>,
    logins: Logins,
    buckets: Buckets,
    uses: Uses,
    /// Said once, by the resource engine.
    usage: OnceLock<Arc<dyn Usage>>,
}

/// Why a caller is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    /// The request carries no credentials.
    #[error("the request carries no credentials")]
    Absent,
    /// It carries some that are not valid.
    #[error("the credentials are not valid")]
    Invalid,
    /// There were too many logins that failed, or there are too many at once.
    #[error("logins are throttled")]
    LoginThrottled {
        /// When to try again.
        wait: Duration,
    },
    /// They are valid, and whoever has them asks too often.
    #[error("there are too many requests")]
    Throttled(Empty),
}

impl From<Empty> for Unauthenticated {
    fn from(empty: Empty) -> Self {
        Self::Throttled(empty)
    }
}

/// Why it is not known who may call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The admin token.
    #[error(transparent)]
    AdminToken(#[from] admin_token::Error),
    /// The key by which keys are hashed.
    #[error(transparent)]
    Secret(#[from] secret::Error),
    /// The rows.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What the first start makes.
    #[error("the first organization, project and user cannot be made")]
    Bootstrap(#[source] sea_orm::DbErr),
}

impl Identity {
    /// Reads who may call; on the first start makes the admin token and hands it to `show`, once.
    pub(crate) async fn open(
        data: &DataDir,
        store: &Store,
        config: &Config,
        rate: Rate,
        show: impl FnOnce(&Token) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let secret = Secret::open(data)?;
        bootstrap::run(store).await.map_err(Error::Bootstrap)?;
        let rows = Rows::load(store.connection()).await?;
        let register = Register::new(rows, config.gate());
        Ok(Self {
            // The last that can fail: a token that was shown is one that counts.
            admin: AdminToken::open(data, show)?,
            logins: Logins::new(&secret),
            secret,
            buckets: Buckets::new(rate),
            uses: Uses::default(),
            usage: OnceLock::new(),
            store: store.clone(),
            config: config.clone(),
            register: ArcSwap::from_pointee(register),
            generation: watch::Sender::new(0),
            replacing: Mutex::new(()),
        })
    }

    /// Counts how often rights changed: who keeps a caller looks again whenever it moves.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// All that is known now.
    pub(crate) fn register(&self) -> Arc<Register> {
        self.register.load_full()
    }

    /// The public part of the admin token.
    pub(crate) fn token_id(&self) -> String {
        self.admin.id()
    }

    /// Who tells what is used of a project.
    pub(crate) fn usage(&self) -> Arc<dyn Usage> {
        self.usage.get().map_or_else(|| Arc::new(NoInstances) as Arc<dyn Usage>, Arc::clone)
    }

    /// From now on `usage` tells what is used. Who says so second is not heard.
    pub(crate) fn count_with(&self, usage: Arc<dyn Usage>) {
        if self.usage.set(usage).is_err() {
            tracing::warn!("there is somebody already who tells what is used of projects");
        }
    }

    /// When and from where a key was used last.
    pub(crate) fn last_use(&self, key: &Key) -> (Option<Timestamp>, Option<String>) {
        match self.uses.of(key.id) {
            Some((at, from)) => (Some(at), Some(from.to_string())),
            None => (key.last_used_at, key.last_used_ip.clone()),
        }
    }

    /// Takes up what another daemon, or somebody in the database, has changed.
    pub(crate) fn follow(self: Arc<Self>, tasks: &Tasks) {
        let stop = tasks.child();
        tasks.spawn("identity", async move {
            let mut period = interval(self.config.refresh_period());
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let is_over = tokio::select! {
                    () = stop.cancelled() => true,
                    _ = period.tick() => false,
                };
                if let Err(error) = self.uses.write(self.store.connection()).await {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!("when keys were used last cannot be written: {cause}");
                }
                if is_over {
                    return;
                }
                if let Err(error) = self.look().await {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!(
                        "who may do what cannot be read again; the last state counts: {cause}"
                    );
                }
            }
        });
    }

    async fn look(&self) -> Result<(), LoadError> {
        let revision = register::revision(self.store.connection()).await?;
        if revision == self.register.load().rows().revision {
            return Ok(());
        }
        self.reload().await
    }

    /// Reads everything again.
    async fn reload(&self) -> Result<(), LoadError> {
        let _only = self.replacing.lock().await;
        let rows = Rows::load(self.store.connection()).await?;
        if rows.revision < self.register.load().rows().revision {
            return Ok(());
        }
        self.register.store(Arc::new(Register::new(rows, self.config.gate())));
        self.generation.send_modify(|generation| *generation += 1);
        Ok(())
    }
}

impl Config {
    /// The name of the project in which everybody needs a role as well.
    fn gate(&self) -> Option<&str> {
        self.platform_project_required.then_some(self.platform_project.as_str())
    }

    fn token_lifetime(&self) -> Duration {
        Duration::from_secs(self.token_lifetime_s.into())
    }

    fn refresh_period(&self) -> Duration {
        Duration::from_millis(self.refresh_ms)
    }
}

#[cfg(test)]
mod tests;
