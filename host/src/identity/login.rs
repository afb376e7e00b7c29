//! Recognizing a caller by what it presents.
//!
//! Keys and tokens are verified on the spot; a token that was verified and a password that was hashed count for a
//! while without that. Nothing here asks the store.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use subtle::ConstantTimeEq;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::access_token::{Claims, Signer, looks_like_one};
use super::back_off::BackOff;
use super::caller::{Caller, Credential, Limits};
use super::presented::{Pair, Presented};
use super::recent::Recent;
use super::record::{PrincipalKind, PrincipalRef, User};
use super::register::{ADMIN, Register};
use super::secret::Secret;
use super::token::{digest, id_of};
use super::{Identity, Unauthenticated, password};
use crate::timestamp::Timestamp;

/// What is needed for it, and what is remembered of it.
#[derive(Debug)]
pub(super) struct Logins {
    pub(super) signer: Signer,
    /// Tokens whose signature is right, by their hash.
    tokens: Recent<Arc<Claims>>,
    /// Passwords that are right, by their fingerprint: the hash that they were measured by.
    passwords: Recent<String>,
    failures: BackOff,
    /// Hashing takes a core and 19 MiB each time.
    hashing: tokio::sync::Semaphore,
}

/// How long a verified token and password need not be verified again.
const REMEMBERED: Duration = Duration::from_secs(60);
const N_REMEMBERED_MAX: usize = 10_000;
/// Passwords that are hashed at a time.
const N_HASHING_MAX: usize = 2;
/// When to try again when that is reached.
const BUSY: Duration = Duration::from_secs(1);

impl Logins {
    pub(super) fn new(secret: &Secret) -> Self {
        Self {
            signer: Signer::of(&secret.seed()),
            tokens: Recent::new(REMEMBERED, N_REMEMBERED_MAX),
            passwords: Recent::new(REMEMBERED, N_REMEMBERED_MAX),
            failures: BackOff::default(),
            hashing: tokio::sync::Semaphore::new(N_HASHING_MAX),
        }
    }
}

impl Identity {
    /// Who sends these headers from `peer`.
    ///
    /// # Errors
    /// Nobody that is known, who must not call from there, or who called too often.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Caller, Unauthenticated> {
        let caller = match Presented::of(headers)? {
            Presented::Bearer(text) if looks_like_one(text) => self.by_token(text, peer),
            Presented::Bearer(text) | Presented::Key(text) => self.by_key(text, peer),
            Presented::Basic(pair) => self.by_pair(&pair, peer)?,
        };
        let caller = caller.ok_or(Unauthenticated::Invalid)?;
        self.buckets.take(caller.principal(), Instant::now())?;
        Ok(caller)
    }

    /// The user of this name and password, from `peer`.
    ///
    /// # Errors
    /// There is none, or it was tried too often.
    pub(crate) async fn login(
        &self,
        user: &str,
        password: String,
        peer: IpAddr,
    ) -> Result<Caller, Unauthenticated> {
        self.may_try(user, peer)?;
        let _turn = self.logins.hashing.acquire().await.expect("it is never closed");
        let register = self.register();
        let hash = register.user_named(user).and_then(|user| user.password.clone());
        let measured =
            tokio::task::spawn_blocking(move || password::is(hash.as_deref(), password.as_bytes()));
        let is_right = measured.await.unwrap_or(false);
        let found = register.user_named(user).filter(|_| is_right);
        self.settle(&register, user, found, peer).ok_or(Unauthenticated::Invalid)
    }

    /// The caller with the rights that it has now; nothing if it is nobody any more.
    pub(crate) fn renew(&self, caller: &Caller) -> Option<Caller> {
        let register = self.register();
        let (principal, peer) = (caller.principal(), caller.peer());
        match caller.credential() {
            Credential::AdminToken(id) => {
                self.admin.refresh();
                (*id == self.admin.id()).then_some(())?;
            }
            Credential::ApiKey(id) => {
                let key = register.key_named(id)?;
                key.counts_at(Timestamp::now()).then_some(())?;
            }
            Credential::Token(claims) => return self.by_claims(claims, peer),
            Credential::Password => {
                let user = register.rows().users.get(&principal.id)?;
                let is_older = |changed| changed <= caller.since();
                user.password_changed_at.is_none_or(is_older).then_some(())?;
            }
            Credential::Own => {}
        }
        caller.renewed(&register)
    }

    /// What `principal` may, whoever asks.
    pub(crate) fn caller_of(&self, principal: PrincipalRef) -> Option<Caller> {
        Caller::new(&self.register(), principal, Credential::Own, Limits::default(), None)
    }

    /// The holder of a key, the admin token included.
    fn by_key(&self, presented: &[u8], peer: IpAddr) -> Option<Caller> {
        let register = self.register.load();
        let Some(key) = register.key_named(id_of(presented)?) else {
            let credential = Credential::AdminToken(self.admin.recognize(presented)?);
            let limits = Limits::default();
            return Caller::new(&register, register.admin()?, credential, limits, Some(peer));
        };
        let now = Timestamp::now();
        let is_it = bool::from(self.secret.hash(presented).ct_eq(&key.hash));
        if !is_it || !key.counts_at(now) || !key.admits(peer) {
            return None;
        }
        self.uses.note(key.id, now, peer);
        let scopes = key.scopes.as_deref().map(Into::into).into_iter().collect();
        let limits = Limits { scopes, project: key.project };
        let credential = Credential::ApiKey(key.key_id.clone());
        Caller::new(&register, key.owner, credential, limits, Some(peer))
    }

    fn by_token(&self, presented: &[u8], peer: IpAddr) -> Option<Caller> {
        let hash = digest(presented);
        let claims = match self.logins.tokens.get(&hash) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.logins.signer.verify(presented)?);
                self.logins.tokens.put(hash, Arc::clone(&claims));
                claims
            }
        };
        self.by_claims(&claims, Some(peer))
    }

    /// Whoever a token is about, if the token and what it was exchanged for still count.
    fn by_claims(&self, claims: &Arc<Claims>, peer: Option<IpAddr>) -> Option<Caller> {
        let (register, now) = (self.register.load(), Timestamp::now());
        claims.counts_at(now).then_some(())?;
        let mut limits = Limits { scopes: Vec::new(), project: claims.project };
        limits.scopes.extend(claims.scopes.clone());
        match &claims.key {
            Some(id) if *id == self.admin.id() => self.admin.refresh(),
            Some(id) => {
                let key = register.key_named(id)?;
                let counts = key.counts_at(now) && peer.is_none_or(|peer| key.admits(peer));
                counts.then_some(())?;
                limits.scopes.extend(key.scopes.as_deref().map(Arc::from));
                limits.project = limits.project.or(key.project);
            }
            None => self.password_is_that_of(claims, &register).then_some(())?,
        }
        if claims.key.as_ref().is_some_and(|id| !self.is_key(&register, id)) {
            return None;
        }
        let credential = Credential::Token(Arc::clone(claims));
        Caller::new(&register, claims.principal, credential, limits, peer)
    }

    /// Whether that is the admin token's id or a key's: a reset of the token ends what was made of the old one.
    fn is_key(&self, register: &Register, id: &str) -> bool {
        *id == self.admin.id() || register.key_named(id).is_some()
    }

    /// A new password ends the tokens that the old one was exchanged for.
    fn password_is_that_of(&self, claims: &Claims, register: &Register) -> bool {
        let user = register.rows().users.get(&claims.principal.id);
        let changed = user.and_then(|user| user.password_changed_at);
        changed.is_none_or(|changed| changed.into_inner().unix_timestamp() <= claims.issued_at)
    }

    fn by_pair(&self, pair: &Pair, peer: IpAddr) -> Result<Option<Caller>, Unauthenticated> {
        if id_of(pair.password()).is_some() {
            let found = self.by_key(pair.password(), peer);
            return Ok(found.filter(|caller| match caller.credential() {
                Credential::AdminToken(_) => pair.user() == ADMIN.as_bytes(),
                Credential::ApiKey(_)
                | Credential::Token(_)
                | Credential::Password
                | Credential::Own => true,
            }));
        }
        let Ok(name) = str::from_utf8(pair.user()) else { return Ok(None) };
        let register = self.register();
        let user = register.user_named(name);
        let fingerprint = self.secret.fingerprint(pair.user(), pair.password());
        let remembered = self.logins.passwords.get(&fingerprint);
        if let (Some(user), Some(hash)) = (user, remembered)
            && user.password.as_ref() == Some(&hash)
        {
            return Ok(of_user(&register, user, peer));
        }
        self.may_try(name, peer)?;
        let found = user.filter(|user| user.password.is_some());
        let hash = found.and_then(|user| user.password.as_deref());
        let is_right = self.measure(hash, pair.password())?;
        let found = found.filter(|_| is_right);
        if let Some(hash) = found.and_then(|user| user.password.clone()) {
            self.logins.passwords.put(fingerprint, hash);
        }
        Ok(self.settle(&register, name, found, peer))
    }

    /// Whether that is the password with this hash. Others are answered meanwhile.
    fn measure(&self, hash: Option<&str>, presented: &[u8]) -> Result<bool, Unauthenticated> {
        let Ok(_turn) = self.logins.hashing.try_acquire() else {
            return Err(Unauthenticated::LoginThrottled { wait: BUSY });
        };
        let measure = || password::is(hash, presented);
        let may_block = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        Ok(if may_block { tokio::task::block_in_place(measure) } else { measure() })
    }

    fn may_try(&self, name: &str, peer: IpAddr) -> Result<(), Unauthenticated> {
        match self.logins.failures.wait(name, peer, Instant::now()) {
            Some(wait) => Err(Unauthenticated::LoginThrottled { wait }),
            None => Ok(()),
        }
    }

    /// Counts what came of a login.
    fn settle(
        &self,
        register: &Arc<Register>,
        name: &str,
        found: Option<&User>,
        peer: IpAddr,
    ) -> Option<Caller> {
        let caller = found.and_then(|user| of_user(register, user, peer));
        if caller.is_some() {
            self.logins.failures.succeeded(name, peer);
        } else {
            self.logins.failures.failed(name, peer, Instant::now());
            tracing::warn!(%peer, "a login failed");
        }
        caller
    }
}

fn of_user(register: &Arc<Register>, user: &User, peer: IpAddr) -> Option<Caller> {
    let principal = PrincipalRef { kind: PrincipalKind::User, id: user.id };
    Caller::new(register, principal, Credential::Password, Limits::default(), Some(peer))
}
