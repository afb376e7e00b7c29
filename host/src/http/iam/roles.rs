//! Roles: those that every daemon has, and others. Everybody may read them.

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asked, bad_member, changed, created, gone, name, not_found};
use crate::http::problem::{Code, Problem};
use crate::http::{Body, document, respond};
use crate::identity::change::{Kind, NewRole, RolePatch};
use crate::identity::permission::Pattern;
use crate::identity::record::{Role, RoleRef};
use crate::identity::register::Register;
use crate::identity::role::BuiltIn;

const KIND: Kind = Kind::Role;

#[derive(Debug, Default, Deserialize)]
struct Sent {
    name: Option<String>,
    description: Option<String>,
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

pub(super) async fn answer(asked: Asked<'_>, rest: &[&str]) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list(&asked),
        ([], &Method::POST) => create(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([named], _) => one(asked, named).await,
        ([..], _) => Err(asked.no_route()),
    }
}

fn list(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    // They come first: an id that no role has, and that grows with their number.
    let built_in = (0..).zip(BuiltIn::ALL).map(|(n, role)| (Uuid::from_u128(n), built_in(role)));
    let others = asked.register.rows().roles.values().map(|role| (role.id, custom(role)));
    asked.page(&[], built_in.chain(others))
}

async fn create(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.caller.demand_on_platform("iam.role.create")?;
    asked.no_parameters()?;
    let Asked { state, request, .. } = asked;
    let members = &["name", "description", "allow", "deny"];
    let sent: Sent = document::read(state, request.into_body(), "A role", members).await?;
    let new = NewRole {
        name: name(sent.name)?,
        description: sent.description.unwrap_or_default(),
        allow: patterns("allow", sent.allow)?.unwrap_or_default(),
        deny: patterns("deny", sent.deny)?.unwrap_or_default(),
    };
    let id = state.identity.create_role(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.rows().roles.get(&id).ok_or_else(|| not_found(KIND, "any more"))?;
    Ok(created("roles", id, &custom(made)))
}

async fn one(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let found = find(&asked.register, named)?;
    if asked.is_read() {
        return Ok(respond::json(&document_of(&asked.register, &found)));
    }
    let RoleRef::Custom(id) = found else {
        let detail = format!("Role {named} is built in: it stays as it is.");
        return Err(Problem::new(Code::BuiltIn, detail)
            .with("kind", KIND.word())
            .with("name", named));
    };
    match *asked.method() {
        Method::PATCH => {
            asked.caller.demand_on_platform("iam.role.update")?;
            // Whoever has the role gets what it says from now on.
            asked.caller.demand_everything()?;
            let Asked { state, request, .. } = asked;
            let (what, members) = ("A change of a role", &["description", "allow", "deny"]);
            let sent: Sent = document::read(state, request.into_body(), what, members).await?;
            let patch = RolePatch {
                description: sent.description,
                allow: patterns("allow", sent.allow)?,
                deny: patterns("deny", sent.deny)?,
            };
            state.identity.update_role(id, patch).await.map_err(changed)?;
            let register = state.identity.register();
            Ok(respond::json(&document_of(&register, &RoleRef::Custom(id))))
        }
        Method::DELETE => {
            asked.caller.demand_on_platform("iam.role.delete")?;
            asked.state.identity.delete_role(id).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH")),
    }
}

pub(super) fn patterns(
    member: &str,
    texts: Option<Vec<String>>,
) -> Result<Option<Vec<Pattern>>, Problem> {
    let Some(texts) = texts else { return Ok(None) };
    let parsed: Result<Vec<Pattern>, _> = texts.iter().map(|text| text.parse()).collect();
    parsed.map(Some).map_err(|error| bad_member(member, error))
}

/// The role of this name or id.
pub(super) fn find(register: &Register, named: &str) -> Result<RoleRef, Problem> {
    register.role_named(named).ok_or_else(|| not_found(KIND, named))
}

fn document_of(register: &Register, role: &RoleRef) -> Value {
    match role {
        RoleRef::BuiltIn(role) => built_in(*role),
        RoleRef::Custom(id) => register.rows().roles.get(id).map_or(Value::Null, custom),
    }
}

fn built_in(role: BuiltIn) -> Value {
    let place = if role.is_of_the_platform() { "platform" } else { "project" };
    json!({
        "id": role.name(),
        "name": role.name(),
        "description": role.description(),
        "built_in": true,
        "bound_on": place,
    })
}

fn custom(role: &Role) -> Value {
    let Role { id, name, description, allow, deny, created_at, updated_at } = role;
    json!({
        "id": id,
        "name": name,
        "description": description,
        "built_in": false,
        "allow": allow,
        "deny": deny,
        "created_at": created_at,
        "updated_at": updated_at,
    })
}
