//! Role bindings: who has which role where.
//!
//! Whoever binds a role must be allowed to where it is bound, and must have there what the role grants.

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::projects::whole;
use super::{Asked, bad_member, changed, created, gone, not_found, required, roles};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, document, respond};
use crate::identity::change::{Kind, NewBinding};
use crate::identity::record::{
    Binding, BindingScope, PrincipalKind, PrincipalRef, Project, RoleRef,
};
use crate::identity::register::Register;
use crate::identity::{Caller, Forbidden, ProjectId, Scope};

const KIND: Kind = Kind::RoleBinding;
const FILTERS: [&str; 3] = ["principal", "project", "role"];

#[derive(Debug, Default, Deserialize)]
struct Sent {
    principal: Option<String>,
    role: Option<String>,
    scope: Option<SentScope>,
}

/// Where. Nothing of it: on the platform.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentScope {
    organization: Option<String>,
    project: Option<String>,
    r#type: Option<String>,
    instance_id: Option<Uuid>,
}

pub(super) async fn answer(asked: Asked<'_>, rest: &[&str]) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list(&asked),
        ([], &Method::POST) => create(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([id], _) => one(asked, id).await,
        ([..], _) => Err(asked.no_route()),
    }
}

/// Refuses what the caller may not do with bindings there.
fn demand(caller: &Caller, permission: &str, scope: &BindingScope) -> Result<(), Forbidden> {
    match scope {
        BindingScope::Platform => caller.demand_on_platform(permission),
        BindingScope::Organization(id) => caller.demand_in_organization(permission, *id),
        BindingScope::Project(id) => caller.demand(permission, &whole(*id)),
        BindingScope::Type(project, slug) => caller
            .demand(permission, &Scope { project: *project, slug: Some(slug), instance: None }),
        BindingScope::Instance(project, slug, id) => {
            let instance = Some(*id);
            caller.demand(permission, &Scope { project: *project, slug: Some(slug), instance })
        }
    }
}

fn sees(caller: &Caller, binding: &Binding) -> bool {
    caller.principal() == binding.principal
        || demand(caller, "iam.role_binding.read", &binding.scope).is_ok()
}

/// Whether a binding there counts in `project`.
pub(super) fn is_about(scope: &BindingScope, project: &Project) -> bool {
    match scope {
        BindingScope::Platform => false,
        BindingScope::Organization(id) => *id == project.organization,
        BindingScope::Project(id)
        | BindingScope::Type(id, _)
        | BindingScope::Instance(id, _, _) => *id == project.id,
    }
}

fn list(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let query = Query::of(asked.uri());
    let register = &asked.register;
    let principal = match query.get("principal") {
        Some(text) => Some(
            principal_of(register, text)
                .map_err(|_no_such| Query::refused("principal", text, NAMED))?,
        ),
        None => None,
    };
    let role = query.get("role").map(|text| roles::find(register, text)).transpose()?;
    let project = match query.get("project") {
        Some(named) => register.project(asked.caller.project(Some(named))?),
        None => None,
    };
    let wanted = |binding: &&Binding| {
        principal.is_none_or(|principal| binding.principal == principal)
            && role.as_ref().is_none_or(|role| binding.role == *role)
            && project.is_none_or(|project| is_about(&binding.scope, project))
            && sees(&asked.caller, binding)
    };
    let seen = register.rows().bindings.values().filter(wanted);
    asked.page(&FILTERS, seen.map(|binding| (binding.id, document_of(register, binding))))
}

async fn create(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let Asked { state, caller, register, request } = asked;
    let members = &["principal", "role", "scope"];
    let sent: Sent = document::read(state, request.into_body(), "A role binding", members).await?;
    let principal = required("principal", sent.principal)?;
    let role = roles::find(&register, &required("role", sent.role)?)?;
    let scope = scope_of(&caller, &register, sent.scope.unwrap_or_default())?;
    demand(&caller, "iam.role_binding.create", &scope)?;
    caller.demand_to_pass_on(&role, &scope)?;
    let principal = principal_of(&register, &principal)?;
    let created_by = caller.name().to_owned();
    let new = NewBinding { principal, role, scope, created_by };
    let id = state.identity.create_binding(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.rows().bindings.get(&id).ok_or_else(|| not_found(KIND, "any more"))?;
    Ok(created("bindings", id, &document_of(&register, made)))
}

async fn one(asked: Asked<'_>, text: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let id = text.parse::<Uuid>().ok();
    let found = id.and_then(|id| asked.register.rows().bindings.get(&id));
    let found = found.filter(|found| sees(&asked.caller, found));
    let Some(found) = found else { return Err(not_found(KIND, text)) };
    match *asked.method() {
        Method::GET | Method::HEAD => Ok(respond::json(&document_of(&asked.register, found))),
        Method::DELETE => {
            demand(&asked.caller, "iam.role_binding.delete", &found.scope)?;
            asked.state.identity.delete_binding(found.id).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD")),
    }
}

const NAMED: &str = "a principal, as in user:ada or service-account:ci";

/// The principal that is called so: `user:ada`, `service-account:ci`.
pub(super) fn principal_of(register: &Register, text: &str) -> Result<PrincipalRef, Problem> {
    let (kind, name) = text.split_once(':').ok_or_else(|| bad_member("principal", NAMED))?;
    let kind: PrincipalKind = kind.parse().map_err(|error| bad_member("principal", error))?;
    let (id, of) = match kind {
        PrincipalKind::User => (register.user_of(name).map(|user| user.id), Kind::User),
        PrincipalKind::ServiceAccount => {
            (register.service_account_of(name).map(|account| account.id), Kind::ServiceAccount)
        }
    };
    id.map(|id| PrincipalRef { kind, id }).ok_or_else(|| not_found(of, name))
}

fn scope_of(
    caller: &Caller,
    register: &Register,
    sent: SentScope,
) -> Result<BindingScope, Problem> {
    let SentScope { organization, project, r#type, instance_id } = sent;
    let project = project.map(|named| caller.project(Some(&named))).transpose()?;
    match (organization, project, r#type, instance_id) {
        (None, None, None, None) => Ok(BindingScope::Platform),
        (Some(named), None, None, None) => {
            let found = register.organization_named(&named);
            let found = found.filter(|found| caller.sees_organization(found.id));
            let found = found.ok_or_else(|| not_found(Kind::Organization, &named))?;
            Ok(BindingScope::Organization(found.id))
        }
        (None, Some(project), None, None) => Ok(BindingScope::Project(project)),
        (None, Some(project), Some(slug), None) => Ok(BindingScope::Type(project, slug_of(slug)?)),
        (None, Some(project), Some(slug), Some(id)) => {
            Ok(BindingScope::Instance(project, slug_of(slug)?, id))
        }
        (_, _, _, _) => Err(bad_member(
            "scope",
            "it is empty for the platform, or has organization, or project, or project and type, or project, type and instance_id",
        )),
    }
}

fn slug_of(slug: String) -> Result<String, Problem> {
    let fits = slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let fits = fits && (1..=31).contains(&slug.len());
    if fits { Ok(slug) } else { Err(bad_member("scope", "its type is no slug, as in s3")) }
}

pub(super) fn document_of(register: &Register, binding: &Binding) -> Value {
    let Binding { id, principal, role, scope, created_by, created_at } = binding;
    let (user, account) = match principal.kind {
        PrincipalKind::User => (Some(principal.id), None),
        PrincipalKind::ServiceAccount => (None, Some(principal.id)),
    };
    json!({
        "id": id,
        "principal": register.name_of(*principal),
        "user_id": user,
        "service_account_id": account,
        "role": role_name(register, role),
        "scope": scope_document(scope),
        "created_by": created_by,
        "created_at": created_at,
    })
}

pub(super) fn role_name(register: &Register, role: &RoleRef) -> String {
    match role {
        RoleRef::BuiltIn(role) => role.name().to_owned(),
        RoleRef::Custom(id) => {
            register.rows().roles.get(id).map_or_else(|| id.to_string(), |role| role.name.clone())
        }
    }
}

fn scope_document(scope: &BindingScope) -> Value {
    let project = scope.project().map(ProjectId::uuid);
    match scope {
        BindingScope::Platform => json!({"kind": "platform"}),
        BindingScope::Organization(id) => json!({"kind": "organization", "organization_id": id}),
        BindingScope::Project(_) => json!({"kind": "project", "project_id": project}),
        BindingScope::Type(_, slug) => {
            json!({"kind": "type", "project_id": project, "type": slug})
        }
        BindingScope::Instance(_, slug, id) => {
            json!({"kind": "instance", "project_id": project, "type": slug, "instance_id": id})
        }
    }
}
