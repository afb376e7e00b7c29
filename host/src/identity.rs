//! Who is calling and what they may: organizations, projects, principals, roles, keys.
//!
//! | room | what it holds |
//! |---|---|
//! | [`caller`] | what authentication yields: a principal with its rights, ready to be asked |
//! | [`permission`], [`role`], [`grants`] | what may be done, sets of that, and who has which where; pure |
//! | [`record`], [`register`] | the rows, and all of them in memory with what follows of them |
//! | [`bootstrap`] | what the first start makes |
//! | [`admin_token`], [`token`], [`presented`], [`secret`] | by what a caller is recognized |
//!
//! Guarantees: authenticating asks the store nothing and takes no lock; a change counts from the moment on in which
//! whoever made it is told so; what is secret is kept as a hash, compared in constant time, and is in no log, error
//! or answer. Not here: HTTP, and which permission something needs.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::data::DataDir;
use crate::log;
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::timestamp::Timestamp;

pub(crate) mod admin_token;
mod bootstrap;
pub(crate) mod caller;
pub(crate) mod config;
mod grants;
pub(crate) mod permission;
mod presented;
pub(crate) mod record;
pub(crate) mod register;
pub(crate) mod role;
mod secret;
#[cfg(test)]
pub(crate) mod testing;
mod token;

use admin_token::AdminToken;
pub(crate) use caller::{Caller, Forbidden, ProjectError, ProjectId, Scope, Visible};
use caller::{Credential, Limits};
pub(crate) use config::Config;
use presented::Presented;
use register::{LoadError, Register, Rows};
use secret::Secret;
pub(crate) use token::Token;

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
        show: impl FnOnce(&Token) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let secret = Secret::open(data)?;
        bootstrap::run(store).await.map_err(Error::Bootstrap)?;
        let rows = Rows::load(store.connection()).await?;
        let register = Register::new(rows, config.gate());
        Ok(Self {
            // The last that can fail: a token that was shown is one that counts.
            admin: AdminToken::open(data, show)?,
            secret,
            store: store.clone(),
            config: config.clone(),
            register: ArcSwap::from_pointee(register),
            generation: watch::Sender::new(0),
            replacing: Mutex::new(()),
        })
    }

    /// Who sends these headers from `peer`.
    ///
    /// # Errors
    /// Nobody that is known, or who must not call from there.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Caller, Unauthenticated> {
        let found = match Presented::of(headers)? {
            Presented::Bearer(text) | Presented::Key(text) => self.by_key(text, peer),
            Presented::Basic(pair) => {
                let is_admins = |caller: &Caller| match caller.credential() {
                    Credential::AdminToken(_) => pair.user() == register::ADMIN.as_bytes(),
                    Credential::ApiKey(_)
                    | Credential::Token { .. }
                    | Credential::Password
                    | Credential::Own => true,
                };
                self.by_key(pair.password(), peer).filter(is_admins)
            }
        };
        found.ok_or(Unauthenticated::Invalid)
    }

    /// The caller with the rights that it has now; nothing if it is nobody any more.
    pub(crate) fn renew(&self, caller: &Caller) -> Option<Caller> {
        let register = self.register.load_full();
        let limits = caller.limits().clone();
        match caller.credential() {
            Credential::AdminToken(id) => {
                self.admin.refresh();
                (*id == self.admin.id()).then_some(())?;
            }
            Credential::ApiKey(id) => {
                let key = register.key_named(id)?;
                key.counts_at(Timestamp::now()).then_some(())?;
            }
            Credential::Token { expires_at, .. } => {
                let now = Timestamp::now().into_inner().unix_timestamp();
                (now < *expires_at).then_some(())?;
            }
            Credential::Password | Credential::Own => {}
        }
        let credential = caller.credential().clone();
        Caller::new(&register, caller.principal(), credential, limits, caller.peer())
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

    /// Takes up what another daemon, or somebody in the database, has changed.
    pub(crate) fn follow(self: Arc<Self>, tasks: &Tasks) {
        let stop = tasks.child();
        tasks.spawn("identity", async move {
            let mut period = interval(self.config.refresh_period());
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = period.tick() => {}
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

    /// The holder of a key, the admin token included.
    fn by_key(&self, presented: &[u8], peer: IpAddr) -> Option<Caller> {
        let register = self.register.load();
        let id = token::id_of(presented)?;
        let Some(key) = register.key_named(id) else {
            let id = self.admin.recognize(presented)?;
            let credential = Credential::AdminToken(id);
            return Caller::new(
                &register,
                register.admin()?,
                credential,
                Limits::default(),
                Some(peer),
            );
        };
        let is_it = bool::from(self.secret.hash(presented).ct_eq(&key.hash));
        if !is_it || !key.counts_at(Timestamp::now()) || !key.admits(peer) {
            return None;
        }
        let limits = Limits { scopes: key.scopes.as_deref().map(Into::into), project: key.project };
        let credential = Credential::ApiKey(key.key_id.clone());
        Caller::new(&register, key.owner, credential, limits, Some(peer))
    }
}

impl Config {
    /// The name of the project in which everybody needs a role as well.
    fn gate(&self) -> Option<&str> {
        self.platform_project_required.then_some(self.platform_project.as_str())
    }

    fn refresh_period(&self) -> Duration {
        Duration::from_millis(self.refresh_ms)
    }
}

#[cfg(test)]
mod tests;
