//! What a caller is, what may be done at all, and whether somebody may.

use std::collections::BTreeMap;

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asked, bindings, required};
use crate::http::problem::Problem;
use crate::http::{Body, document, respond};
use crate::identity::caller::Credential;
use crate::identity::permission::OWN;
use crate::identity::role::BuiltIn;
use crate::identity::{Caller, ProjectId, Scope};

const MEMBERS: [&str; 5] = ["principal", "permission", "project", "type", "instance_id"];

/// The caller, as it was recognized.
pub(super) fn show(asked: &Asked<'_>) -> Response<Body> {
    let Asked { caller, register, .. } = asked;
    let of_caller =
        register.rows().bindings.values().filter(|one| one.principal == caller.principal());
    let roles: Vec<_> = of_caller.map(|one| bindings::document_of(register, one)).collect();
    let projects: Vec<_> = caller
        .projects()
        .into_iter()
        .filter_map(|id| register.project(id))
        .map(|project| json!({"id": project.id.uuid(), "name": project.name}))
        .collect();
    respond::json(&json!({
        "principal": caller.name(),
        "id": caller.principal().id,
        "kind": caller.principal().kind.word(),
        "credential": credential(caller),
        "projects": projects,
        "bindings": roles,
    }))
}

fn credential(caller: &Caller) -> Value {
    let (kind, key_id, expires_at) = match caller.credential() {
        Credential::AdminToken(id) => ("admin-token", Some(id), None),
        Credential::ApiKey(id) => ("api-key", Some(id), None),
        Credential::Token(claims) => ("token", claims.key.as_ref(), Some(&claims.expires_at)),
        Credential::Password => ("password", None, None),
        Credential::Own => ("own", None, None),
    };
    let moment = |at: &i64| time::OffsetDateTime::from_unix_timestamp(*at).ok();
    let expires_at = expires_at.and_then(moment).map(crate::timestamp::Timestamp::from);
    json!({
        "kind": kind,
        "key_id": key_id,
        "expires_at": expires_at,
        "scopes": caller.scopes().iter().map(|set| set.to_vec()).collect::<Vec<_>>(),
        "project_id": caller.only_project().map(ProjectId::uuid),
    })
}

/// Every permission: the daemon's own, and those of the types that are served.
pub(super) fn permissions(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let mut all: BTreeMap<String, Option<String>> =
        OWN.iter().map(|own| ((*own).to_owned(), None)).collect();
    let table = asked.state.plugins.tables.load();
    for descriptor in table.descriptors() {
        let element = Some(descriptor.element.clone());
        for permission in crate::http::access::permissions(descriptor) {
            all.insert(permission, element.clone());
        }
    }
    let item = |(permission, element): (String, Option<String>)| {
        let role =
            BuiltIn::smallest(&permission, element.is_none() && permission.starts_with("core."));
        json!({"permission": permission, "element": element, "smallest_role": role.name()})
    };
    let items: Vec<_> = all.into_iter().map(item).collect();
    Ok(respond::json(&json!({"total_size": items.len(), "items": items, "next_page_token": null})))
}

#[derive(Debug, Default, Deserialize)]
struct Sent {
    principal: Option<String>,
    permission: Option<String>,
    project: Option<String>,
    r#type: Option<String>,
    instance_id: Option<Uuid>,
}

/// Whether the caller, or somebody else, may do something.
pub(super) async fn check(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    if asked.method() != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    asked.no_parameters()?;
    let Asked { state, caller, register, request } = asked;
    let sent: Sent = document::read(state, request.into_body(), "A check", &MEMBERS).await?;
    let permission = required("permission", sent.permission)?;
    let project = sent.project.map(|named| caller.project(Some(&named))).transpose()?;
    let who = match sent.principal.filter(|name| name != caller.name()) {
        None => Some(caller),
        Some(name) => {
            caller.demand_on_platform("iam.role_binding.list")?;
            state.identity.caller_of(bindings::principal_of(&register, &name)?)
        }
    };
    let scope = project.map(|project| Scope {
        project,
        slug: sent.r#type.as_deref(),
        instance: sent.instance_id,
    });
    let (is_allowed, name) = match &who {
        None => (false, None),
        Some(who) => {
            let allowed = scope.as_ref().map_or_else(
                || who.allows_on_platform(&permission),
                |scope| who.allows(&permission, scope),
            );
            (allowed, Some(who.name().to_owned()))
        }
    };
    let role = BuiltIn::smallest(&permission, project.is_none()).name();
    Ok(respond::json(&json!({
        "allowed": is_allowed,
        "principal": name,
        "permission": permission,
        "project_id": project.map(ProjectId::uuid),
        "smallest_role": role,
    })))
}
