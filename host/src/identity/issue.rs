//! Issuing access tokens.
//!
//! A token is never good for more, and never lasts longer, than what it was exchanged for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Identity;
use super::access_token::Claims;
use super::caller::{Caller, Credential, ProjectId};
use super::permission::Pattern;
use crate::timestamp::Timestamp;

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Issue {
    /// How long it shall count; nothing: as long as the settings say.
    pub(crate) lifetime: Option<Duration>,
    /// The permissions that it shall be good for; nothing: all that its holder has.
    pub(crate) scopes: Option<Vec<Pattern>>,
    /// The one project that it shall be good for.
    pub(crate) project: Option<ProjectId>,
}

/// A token, with what it is good for.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) lasts: Duration,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) scopes: Option<Vec<Pattern>>,
    pub(crate) project: Option<ProjectId>,
}

impl Identity {
    /// A token for `caller`.
    pub(crate) fn issue(&self, caller: &Caller, issue: Issue) -> Issued {
        let Issue { lifetime, scopes, project } = issue;
        let lifetime = lifetime.unwrap_or_else(|| self.config.token_lifetime());
        let mut claims = Claims::lasting(lifetime, caller.principal());
        claims.scopes = scopes.map(Arc::from);
        claims.project = project.or(caller.only_project());
        match caller.credential() {
            Credential::AdminToken(id) => claims.key = Some(id.clone()),
            Credential::ApiKey(id) => {
                claims.key = Some(id.clone());
                let key = self.register().key_named(id).and_then(|key| key.expires_at);
                claims.end_with(key.map(|end| end.into_inner().unix_timestamp()));
            }
            Credential::Token(own) => {
                claims.key.clone_from(&own.key);
                claims.scopes = claims.scopes.or_else(|| own.scopes.clone());
                claims.end_with(Some(own.expires_at));
            }
            Credential::Password | Credential::Own => {}
        }
        let lasts = u64::try_from(claims.expires_at - claims.issued_at).unwrap_or(0);
        let expires_at = time::OffsetDateTime::from_unix_timestamp(claims.expires_at).ok();
        Issued {
            token: self.logins.signer.sign(caller.name(), &claims),
            lasts: Duration::from_secs(lasts),
            expires_at: expires_at.map(Timestamp::from),
            scopes: claims.scopes.as_deref().map(<[Pattern]>::to_vec),
            project: claims.project,
        }
    }

    /// The longest that a token may count.
    pub(crate) fn longest_lifetime(&self) -> Duration {
        Duration::from_secs(self.config.token_lifetime_s_max.into())
    }

    /// The public key by which others can verify tokens.
    pub(crate) fn key_set(&self) -> Value {
        self.logins.signer.key_set()
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}
