//! API keys: made, rotated, revoked.
//!
//! A key is shown when it is made and never again. Rotating makes another one that may do the same; both count
//! until the overlap is over, so that whoever uses the old one can take up the new one without a failed request.

use std::time::Duration;

use ipnet::IpNet;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use uuid::Uuid;

use super::principals::check_there;
use super::{ChangeError, Kind, Refusal, not_found, project_in};
use crate::identity::Identity;
use crate::identity::caller::ProjectId;
use crate::identity::permission::Pattern;
use crate::identity::record::{Key, PrincipalRef};
use crate::identity::register::Rows;
use crate::identity::token::Token;
use crate::store::Transaction;
use crate::store::entity::api_key;
use crate::timestamp::Timestamp;

/// A key that shall be.
#[derive(Debug)]
pub(crate) struct NewKey {
    pub(crate) name: String,
    pub(crate) owner: PrincipalRef,
    pub(crate) scopes: Option<Vec<Pattern>>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_by: String,
}

/// How a key is rotated.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// How long the old one still counts.
    pub(crate) overlap: Duration,
    /// When the new one ends; nothing: as long from now as the old one was made for.
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_by: String,
}

impl Identity {
    /// Makes a key. This is the only time that it is there in clear text.
    pub(crate) async fn create_key(&self, new: NewKey) -> Result<(Uuid, Token), ChangeError> {
        self.change(async |db, rows| {
            check_there(rows, new.owner)?;
            if let Some(project) = new.project {
                project_in(rows, project)?;
            }
            let (id, token) = (Uuid::now_v7(), unused_token(rows, &self.token_id())?);
            self.insert_key(db, id, &token, new).await?;
            Ok((id, token))
        })
        .await
    }

    /// Makes another key that may do the same; the old one counts for a while yet.
    pub(crate) async fn rotate_key(
        &self,
        id: Uuid,
        rotation: Rotation,
    ) -> Result<(Uuid, Token), ChangeError> {
        self.change(async |db, rows| {
            let Some(old) = rows.keys.get(&id) else {
                return Err(not_found(Kind::ApiKey, id).into());
            };
            let now = Timestamp::now();
            if old.rotated_to.is_some() || !old.counts_at(now) {
                return Err(Refusal::Over { key_id: old.key_id.clone() }.into());
            }
            let lifetime = old.expires_at.map(|end| end.into_inner() - old.created_at.into_inner());
            let as_long = lifetime.map(|lifetime| Timestamp::from(now.into_inner() + lifetime));
            let successor = NewKey {
                name: old.name.clone(),
                owner: old.owner,
                scopes: old.scopes.clone(),
                project: old.project,
                cidrs: old.cidrs.clone(),
                expires_at: rotation.expires_at.or(as_long),
                created_by: rotation.created_by,
            };
            let (new, token) = (Uuid::now_v7(), unused_token(rows, &self.token_id())?);
            self.insert_key(db, new, &token, successor).await?;
            let end = Timestamp::from(now.into_inner() + rotation.overlap);
            let end = old.expires_at.map_or(end, |own| own.min(end));
            let row = api_key::ActiveModel {
                id: Set(id.to_string()),
                rotated_to: Set(Some(new.to_string())),
                expires_at: Set(Some(end.into_inner())),
                ..Default::default()
            };
            api_key::Entity::update(row).exec_without_returning(db).await?;
            Ok((new, token))
        })
        .await
    }

    /// Takes a key back, at once; a second time changes nothing.
    pub(crate) async fn revoke_key(&self, id: Uuid) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            let Some(Key { revoked_at, .. }) = rows.keys.get(&id) else {
                return Err(not_found(Kind::ApiKey, id).into());
            };
            if revoked_at.is_none() {
                let row = api_key::ActiveModel {
                    id: Set(id.to_string()),
                    revoked_at: Set(Some(Timestamp::now().into_inner())),
                    ..Default::default()
                };
                api_key::Entity::update(row).exec_without_returning(db).await?;
            }
            Ok(())
        })
        .await
    }

    async fn insert_key(
        &self,
        db: &Transaction,
        id: Uuid,
        token: &Token,
        new: NewKey,
    ) -> Result<(), DbErr> {
        let NewKey { name, owner, scopes, project, cidrs, expires_at, created_by } = new;
        let cidrs: Vec<_> = cidrs.iter().map(IpNet::to_string).collect();
        let row = api_key::ActiveModel {
            id: Set(id.to_string()),
            key_id: Set(token.id().to_owned()),
            name: Set(name),
            principal_kind: Set(owner.kind.word().to_owned()),
            principal_id: Set(owner.id.to_string()),
            hash: Set(hex::encode(self.secret.hash(token.reveal().as_bytes()))),
            scopes: Set(scopes.map(|scopes| serde_json::json!(scopes))),
            project_id: Set(project.map(|project| project.to_string())),
            cidrs: Set(cidrs.into()),
            created_by: Set(created_by),
            created_at: Set(Timestamp::now().into_inner()),
            expires_at: Set(expires_at.map(Timestamp::into_inner)),
            revoked_at: Set(None),
            rotated_to: Set(None),
            last_used_at: Set(None),
            last_used_ip: Set(None),
        };
        api_key::Entity::insert(row).exec_without_returning(db).await?;
        Ok(())
    }
}

/// A token whose shown part is no other's: by that part a key is found.
fn unused_token(rows: &Rows, admins: &str) -> Result<Token, ChangeError> {
    loop {
        let token = Token::random().map_err(|error| ChangeError::Secret(error.to_string()))?;
        let is_taken = rows.keys.values().any(|key| key.key_id == token.id());
        if !is_taken && token.id() != admins {
            return Ok(token);
        }
    }
}
