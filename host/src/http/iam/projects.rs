//! Projects, and who has which role in one.

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::organizations::{Sent as PlaceSent, patch};
use super::{Asked, bad_member, bindings, changed, created, gone, name, not_found};
use crate::http::problem::Problem;
use crate::http::{Body, document, respond};
use crate::identity::change::{Kind, NewProject};
use crate::identity::record::Project;
use crate::identity::{ProjectId, Scope};

const KIND: Kind = Kind::Project;
const MEMBERS: [&str; 3] = ["name", "description", "organization"];

#[derive(Debug, Default, Deserialize)]
struct Sent {
    name: Option<String>,
    description: Option<String>,
    organization: Option<String>,
}

pub(super) async fn answer(asked: Asked<'_>, rest: &[&str]) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list(&asked),
        ([], &Method::POST) => create(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([named], _) => one(asked, named).await,
        ([named, "roles"], _) => asked.only_read(|asked| members(asked, named)),
        ([..], _) => Err(asked.no_route()),
    }
}

/// What is about a project and no type in it.
pub(super) fn whole(project: ProjectId) -> Scope<'static> {
    Scope { project, slug: None, instance: None }
}

fn list(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let all = asked.register.rows().projects.values();
    let seen = all.filter(|one| asked.caller.sees_project(one.id));
    asked.page(&[], seen.map(|one| (one.id.uuid(), document_of(one))))
}

async fn create(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let Asked { state, caller, register, request } = asked;
    let body = request.into_body();
    let Sent { name: text, description, organization } =
        document::read(state, body, "A project", &MEMBERS).await?;
    let may = |id| caller.allows_in_organization("iam.project.create", id);
    let organization = match organization {
        Some(named) => {
            let found = register.organization_named(&named);
            let found = found.filter(|found| caller.sees_organization(found.id));
            let id =
                found.map(|found| found.id).ok_or_else(|| not_found(Kind::Organization, &named))?;
            caller.demand_in_organization("iam.project.create", id)?;
            id
        }
        None => {
            let mut own = register.rows().organizations.keys().copied().filter(|id| may(*id));
            match (own.next(), own.next()) {
                (Some(only), None) => only,
                (None, _) => {
                    return Err(caller
                        .demand_on_platform("iam.project.create")
                        .map_or_else(Into::into, |()| {
                            bad_member("organization", "there is no organization yet")
                        }));
                }
                (Some(_), Some(_)) => {
                    return Err(bad_member("organization", "there are several: name one"));
                }
            }
        }
    };
    let name = name(text)?;
    let new = NewProject { organization, name, description: description.unwrap_or_default() };
    let id = state.identity.create_project(new).await.map_err(changed)?;
    let register = state.identity.register();
    let made = register.project(id).ok_or_else(|| not_found(KIND, "any more"))?;
    Ok(created("projects", id, &document_of(made)))
}

async fn one(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let found = find(&asked, named)?;
    let id = found.id;
    match *asked.method() {
        Method::GET | Method::HEAD => Ok(respond::json(&document_of(found))),
        Method::PATCH => {
            asked.caller.demand("iam.project.update", &whole(id))?;
            let Asked { state, request, .. } = asked;
            let members = &MEMBERS[..2];
            let sent: PlaceSent =
                document::read(state, request.into_body(), "A change of a project", members)
                    .await?;
            state.identity.update_project(id, patch(sent)?).await.map_err(changed)?;
            let register = state.identity.register();
            let now = register.project(id).ok_or_else(|| not_found(KIND, named))?;
            Ok(respond::json(&document_of(now)))
        }
        Method::DELETE => {
            asked.caller.demand("iam.project.delete", &whole(id))?;
            asked.state.identity.delete_project(id).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH")),
    }
}

/// The project of this id or name, if the caller sees it.
pub(super) fn find<'a>(asked: &'a Asked<'_>, named: &str) -> Result<&'a Project, Problem> {
    let found = asked.register.project_named(named);
    let found = found.filter(|found| asked.caller.sees_project(found.id));
    found.ok_or_else(|| not_found(KIND, named))
}

/// Who has which role in a project, by its organization included.
fn members(asked: &Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    let project = find(asked, named)?;
    asked.caller.demand("iam.role_binding.list", &whole(project.id))?;
    let all = asked.register.rows().bindings.values();
    let here = all.filter(|binding| bindings::is_about(&binding.scope, project));
    asked.page(
        &[],
        here.map(|binding| (binding.id, bindings::document_of(&asked.register, binding))),
    )
}

fn document_of(project: &Project) -> Value {
    let Project { id, organization, name, description, created_at, updated_at } = project;
    json!({
        "id": id.uuid(),
        "organization_id": organization,
        "name": name,
        "description": description,
        "created_at": created_at,
        "updated_at": updated_at,
    })
}
