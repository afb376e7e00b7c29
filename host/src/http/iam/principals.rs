//! Users and service accounts.
//!
//! Users are the platform's; everybody may read what is known of themselves and set their own password. A service
//! account of a project is looked after by whoever may do so in that project.

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::projects::whole;
use super::{Asked, bad_member, changed, created, gone, name, not_found};
use crate::http::problem::Problem;
use crate::http::{Body, document, respond};
use crate::identity::change::{Kind, NewServiceAccount, NewUser, PrincipalPatch};
use crate::identity::password::Password;
use crate::identity::record::{PrincipalKind, PrincipalRef, ServiceAccount, Status, User};
use crate::identity::{Caller, Forbidden, ProjectId};

#[derive(Debug, Default, Deserialize)]
struct Sent {
    name: Option<String>,
    description: Option<String>,
    password: Option<String>,
    status: Option<String>,
    project: Option<String>,
}

pub(super) async fn answer_user(
    asked: Asked<'_>,
    rest: &[&str],
) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list_users(&asked),
        ([], &Method::POST) => create_user(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([named], _) => one_user(asked, named).await,
        ([..], _) => Err(asked.no_route()),
    }
}

pub(super) async fn answer_account(
    asked: Asked<'_>,
    rest: &[&str],
) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list_accounts(&asked),
        ([], &Method::POST) => create_account(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([named], _) => one_account(asked, named).await,
        ([..], _) => Err(asked.no_route()),
    }
}

// === users ===

fn list_users(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.caller.demand_on_platform("iam.user.list")?;
    let all = asked.register.rows().users.values();
    asked.page(&[], all.map(|one| (one.id, user(one))))
}

async fn create_user(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.caller.demand_on_platform("iam.user.create")?;
    asked.no_parameters()?;
    let Asked { state, request, .. } = asked;
    let members = &["name", "description", "password"];
    let sent: Sent = document::read(state, request.into_body(), "A user", members).await?;
    let new = NewUser {
        name: name(sent.name)?,
        description: sent.description.unwrap_or_default(),
        password: password(sent.password)?,
    };
    let id = state.identity.create_user(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.rows().users.get(&id).ok_or_else(|| not_found(Kind::User, "any more"))?;
    Ok(created("users", id, &user(made)))
}

async fn one_user(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let found = asked.register.user_of(named);
    let sees = |user: &&User| {
        is_own(&asked.caller, user) || asked.caller.allows_on_platform("iam.user.read")
    };
    let Some(found) = found.filter(sees) else { return Err(not_found(Kind::User, named)) };
    let principal = PrincipalRef { kind: PrincipalKind::User, id: found.id };
    match *asked.method() {
        Method::GET | Method::HEAD => Ok(respond::json(&user(found))),
        Method::PATCH => {
            let is_own = is_own(&asked.caller, found);
            let Asked { state, caller, request, .. } = asked;
            let members = &["description", "status", "password"];
            let what = "A change of a user";
            let sent: Sent = document::read(state, request.into_body(), what, members).await?;
            let only_password = sent.description.is_none() && sent.status.is_none();
            if !(is_own && only_password) {
                caller.demand_on_platform("iam.user.update")?;
            }
            if sent.password.is_some() {
                may_become(&caller, principal)?;
            }
            let patch = PrincipalPatch {
                description: sent.description,
                status: status(sent.status)?,
                password: password(sent.password)?,
            };
            state.identity.update_principal(principal, patch).await.map_err(changed)?;
            let register = state.identity.register();
            let now = register.rows().users.get(&principal.id);
            Ok(respond::json(&user(now.ok_or_else(|| not_found(Kind::User, named))?)))
        }
        Method::DELETE => {
            asked.caller.demand_on_platform("iam.user.delete")?;
            asked.state.identity.delete_principal(principal).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH")),
    }
}

fn is_own(caller: &Caller, user: &User) -> bool {
    caller.principal() == PrincipalRef { kind: PrincipalKind::User, id: user.id }
}

/// Refuses a secret of somebody else, or one that may more than what the caller came with: it would be more rights.
pub(super) fn may_become(caller: &Caller, principal: PrincipalRef) -> Result<(), Forbidden> {
    if caller.is_narrowed() {
        return Err(caller.narrowed());
    }
    if caller.principal() == principal { Ok(()) } else { caller.demand_everything() }
}

fn password(text: Option<String>) -> Result<Option<Password>, Problem> {
    let parsed = text.map(|text| text.parse::<Password>()).transpose();
    parsed.map_err(|error| bad_member("password", error))
}

fn status(text: Option<String>) -> Result<Option<Status>, Problem> {
    let parsed = text.map(|text| text.parse::<Status>()).transpose();
    parsed.map_err(|error| bad_member("status", format!("{error}, write ACTIVE or DISABLED")))
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "principal": format!("{}:{}", PrincipalKind::User.word(), user.name),
        "description": user.description,
        "status": user.status.word(),
        "has_password": user.has_password(),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    })
}

// === service accounts ===

/// Refuses what the caller may not do with the accounts of a project, or of the platform.
fn demand(caller: &Caller, permission: &str, of: Option<ProjectId>) -> Result<(), Forbidden> {
    match of {
        Some(project) => caller.demand(permission, &whole(project)),
        None => caller.demand_on_platform(permission),
    }
}

fn sees(caller: &Caller, account: &ServiceAccount) -> bool {
    let itself = PrincipalRef { kind: PrincipalKind::ServiceAccount, id: account.id };
    caller.principal() == itself
        || demand(caller, "iam.service_account.read", account.project).is_ok()
}

fn list_accounts(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let all = asked.register.rows().service_accounts.values();
    let seen = all.filter(|one| sees(&asked.caller, one));
    asked.page(&[], seen.map(|one| (one.id, account(one))))
}

async fn create_account(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let Asked { state, caller, request, .. } = asked;
    let members = &["name", "description", "project"];
    let sent: Sent =
        document::read(state, request.into_body(), "A service account", members).await?;
    let project = sent.project.map(|named| caller.project(Some(&named))).transpose()?;
    demand(&caller, "iam.service_account.create", project)?;
    let new = NewServiceAccount {
        project,
        name: name(sent.name)?,
        description: sent.description.unwrap_or_default(),
    };
    let id = state.identity.create_service_account(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.rows().service_accounts.get(&id);
    let made = made.ok_or_else(|| not_found(Kind::ServiceAccount, "any more"))?;
    Ok(created("service-accounts", id, &account(made)))
}

async fn one_account(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let found = asked.register.service_account_of(named).filter(|found| sees(&asked.caller, found));
    let Some(found) = found else { return Err(not_found(Kind::ServiceAccount, named)) };
    let principal = PrincipalRef { kind: PrincipalKind::ServiceAccount, id: found.id };
    let project = found.project;
    match *asked.method() {
        Method::GET | Method::HEAD => Ok(respond::json(&account(found))),
        Method::PATCH => {
            demand(&asked.caller, "iam.service_account.update", project)?;
            let Asked { state, request, .. } = asked;
            let (what, members) = ("A change of a service account", &["description", "status"]);
            let sent: Sent = document::read(state, request.into_body(), what, members).await?;
            let (description, status) = (sent.description, status(sent.status)?);
            let patch = PrincipalPatch { description, status, password: None };
            state.identity.update_principal(principal, patch).await.map_err(changed)?;
            let register = state.identity.register();
            let now = register.rows().service_accounts.get(&principal.id);
            let now = now.ok_or_else(|| not_found(Kind::ServiceAccount, named))?;
            Ok(respond::json(&account(now)))
        }
        Method::DELETE => {
            demand(&asked.caller, "iam.service_account.delete", project)?;
            asked.state.identity.delete_principal(principal).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH")),
    }
}

fn account(account: &ServiceAccount) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "principal": format!("{}:{}", PrincipalKind::ServiceAccount.word(), account.name),
        "project_id": account.project.map(ProjectId::uuid),
        "description": account.description,
        "status": account.status.word(),
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    })
}
