//! Changing what identity knows.
//!
//! A change is one transaction that first counts [`REVISION`] up, which makes changes come one after the other, also
//! from several daemons; it is judged by the rows as they are in that transaction. When a change returns, the register
//! has it: whoever asked is never measured by the state before. Not here: who may change what.

use std::fmt;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::Identity;
use super::caller::ProjectId;
use super::record::PrincipalRef;
use super::register::{self, LoadError, REVISION, Rows};
use crate::store::Transaction;
use crate::store::entity::identity_revision;

mod keys;
mod name;
mod places;
mod principals;
mod roles;

pub(crate) use keys::{NewKey, Rotation};
pub(crate) use name::Name;
pub(crate) use places::{NewOrganization, NewProject, PlacePatch};
pub(crate) use principals::{NewServiceAccount, NewUser, PrincipalPatch};
pub(crate) use roles::{NewBinding, NewRole, RolePatch};

/// What there is in identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An organization.
    Organization,
    /// A project.
    Project,
    /// A user.
    User,
    /// A service account.
    ServiceAccount,
    /// A role.
    Role,
    /// A role binding.
    RoleBinding,
    /// An API key.
    ApiKey,
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is none.
    #[error("there is no {kind} `{named}`")]
    NotFound {
        /// Of what.
        kind: Kind,
        /// The name or id by which it was looked for.
        named: String,
    },
    /// Something else has the name.
    #[error("there is a {kind} `{name}` already: choose another name")]
    Taken {
        /// What has it.
        kind: Kind,
        /// The name.
        name: String,
    },
    /// Something hangs on it.
    #[error("{kind} `{name}` has {n} {by}: remove them first")]
    InUse {
        /// What is to be removed.
        kind: Kind,
        /// Its name.
        name: String,
        /// How many.
        n: u64,
        /// Of what, in the plural.
        by: &'static str,
    },
    /// It is a part of every daemon.
    #[error("{kind} `{name}` is built in: it stays as it is")]
    BuiltIn {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// A role cannot be bound there.
    #[error("role `{role}` is bound {}", if *.on_platform { "on the platform only" } else { "in organizations and projects, not on the platform" })]
    Misplaced {
        /// The role.
        role: String,
        /// Whether it is one of the platform.
        on_platform: bool,
    },
    /// It is over already.
    #[error("API key `{key_id}` was revoked, rotated or has expired: make another one")]
    Over {
        /// The part of the key that may be shown.
        key_id: String,
    },
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// It makes no sense.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error("the change cannot be kept")]
    Store(#[from] DbErr),
    /// The rows cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The system gave no random bytes, or the password could not be hashed.
    #[error("the secret cannot be made: {0}")]
    Secret(String),
}

impl Identity {
    /// Makes one change: `work` gets the transaction and the rows as they are in it.
    async fn change<T>(
        &self,
        work: impl AsyncFnOnce(&Transaction, &Rows) -> Result<T, ChangeError>,
    ) -> Result<T, ChangeError> {
        let db = self.store.begin().await?;
        identity_revision::Entity::update_many()
            .col_expr(
                identity_revision::Column::Revision,
                Expr::col(identity_revision::Column::Revision).add(1),
            )
            .filter(identity_revision::Column::Name.eq(REVISION))
            .exec(&db)
            .await?;
        let known = self.register();
        let is_newest = register::revision(&db).await? == known.rows().revision + 1;
        let done = if is_newest {
            work(&db, known.rows()).await?
        } else {
            work(&db, &Rows::load(&db).await?).await?
        };
        db.commit().await?;
        self.reload().await?;
        Ok(done)
    }
}

impl Kind {
    /// As sentences have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::User => "user",
            Self::ServiceAccount => "service account",
            Self::Role => "role",
            Self::RoleBinding => "role binding",
            Self::ApiKey => "API key",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn not_found(kind: Kind, named: impl fmt::Display) -> Refusal {
    Refusal::NotFound { kind, named: named.to_string() }
}

/// Refuses a name that one of `others` has.
fn check_free<'a>(
    kind: Kind,
    name: &Name,
    others: impl IntoIterator<Item = &'a String>,
) -> Result<(), Refusal> {
    let is_taken = others.into_iter().any(|other| other == name.as_str());
    if is_taken { Err(Refusal::Taken { kind, name: name.to_string() }) } else { Ok(()) }
}

fn check_unused(kind: Kind, name: &str, n: usize, by: &'static str) -> Result<(), Refusal> {
    let n = n as u64;
    if n == 0 { Ok(()) } else { Err(Refusal::InUse { kind, name: name.to_owned(), n, by }) }
}

/// Removes what a principal had: its roles and its keys.
async fn remove_belongings(db: &Transaction, of: PrincipalRef) -> Result<(), DbErr> {
    use crate::store::entity::{api_key, role_binding};
    let id = of.id.to_string();
    role_binding::Entity::delete_many()
        .filter(role_binding::Column::PrincipalId.eq(id.clone()))
        .exec(db)
        .await?;
    api_key::Entity::delete_many().filter(api_key::Column::PrincipalId.eq(id)).exec(db).await?;
    Ok(())
}

/// A project that is there.
fn project_in(rows: &Rows, id: ProjectId) -> Result<(), Refusal> {
    if rows.projects.contains_key(&id) { Ok(()) } else { Err(not_found(Kind::Project, id)) }
}

/// An organization that is there.
fn organization_in(rows: &Rows, id: Uuid) -> Result<(), Refusal> {
    let is_there = rows.organizations.contains_key(&id);
    if is_there { Ok(()) } else { Err(not_found(Kind::Organization, id)) }
}
