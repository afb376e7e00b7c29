//! Organizations.

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, changed, created, gone, name, not_found};
use crate::http::problem::Problem;
use crate::http::{Body, document, respond};
use crate::identity::change::{Kind, NewOrganization, PlacePatch};
use crate::identity::record::Organization;

const MEMBERS: [&str; 2] = ["name", "description"];

#[derive(Debug, Default, Deserialize)]
pub(super) struct Sent {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
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
    let all = asked.register.rows().organizations.values();
    let seen = all.filter(|one| asked.caller.sees_organization(one.id));
    asked.page(&[], seen.map(|one| (one.id, document_of(one))))
}

async fn create(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.caller.demand_on_platform("iam.organization.create")?;
    asked.no_parameters()?;
    let Asked { state, request, .. } = asked;
    let sent: Sent =
        document::read(state, request.into_body(), "An organization", &MEMBERS).await?;
    let new = NewOrganization {
        name: name(sent.name)?,
        description: sent.description.unwrap_or_default(),
    };
    let id = state.identity.create_organization(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.rows().organizations.get(&id).ok_or_else(|| not_found(KIND, "any more"))?;
    Ok(created("organizations", id, &document_of(made)))
}

const KIND: Kind = Kind::Organization;

async fn one(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let found = find(&asked, named)?;
    let id = found.id;
    match *asked.method() {
        Method::GET | Method::HEAD => Ok(respond::json(&document_of(found))),
        Method::PATCH => {
            asked.caller.demand_in_organization("iam.organization.update", id)?;
            let Asked { state, request, .. } = asked;
            let sent: Sent =
                document::read(state, request.into_body(), "An organization", &MEMBERS).await?;
            state.identity.update_organization(id, patch(sent)?).await.map_err(changed)?;
            let register = state.identity.register();
            let now = register.rows().organizations.get(&id);
            Ok(respond::json(&document_of(now.ok_or_else(|| not_found(KIND, named))?)))
        }
        Method::DELETE => {
            asked.caller.demand_on_platform("iam.organization.delete")?;
            asked.state.identity.delete_organization(id).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH")),
    }
}

pub(super) fn patch(sent: Sent) -> Result<PlacePatch, Problem> {
    let Sent { name: text, description } = sent;
    let name = text.map(|text| name(Some(text))).transpose()?;
    Ok(PlacePatch { name, description })
}

/// The organization of this id or name, if the caller sees it.
pub(super) fn find<'a>(asked: &'a Asked<'_>, named: &str) -> Result<&'a Organization, Problem> {
    let found = asked.register.organization_named(named);
    let found = found.filter(|found| asked.caller.sees_organization(found.id));
    found.ok_or_else(|| not_found(KIND, named))
}

fn document_of(organization: &Organization) -> Value {
    let Organization { id, name, description, created_at, updated_at } = organization;
    json!({
        "id": id,
        "name": name,
        "description": description,
        "created_at": created_at,
        "updated_at": updated_at,
    })
}
