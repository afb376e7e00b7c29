//! `/v1/types/{slug}/{collection}…`: the resources that types declare, out of the store.
//!
//! No plugin is asked, so they can be read while theirs is absent, broken or being replaced. `list` and `one` are
//! what can be asked for; here are the paths, and whose a resource is.
//!
//! Guarantees: what the caller may not see is told like what is not there, in a list and by its name; a name that
//! means several is never guessed at. Not here: a plugin's own routes, which never answer where a declared collection
//! does ([`crate::model`]).

use std::net::IpAddr;
use std::sync::Arc;

use ::http::{Method, Request, Response};
use hyper::body::Incoming;
use uuid::Uuid;

use super::problem::{Code, Problem};
use super::{Body, State, access, respond};
use crate::identity::{Caller, Forbidden, ProjectError, ProjectId, Scope, Visible};
use crate::model::ResourceModel;
use crate::plugin::table::{TYPES_PREFIX, Table};
use crate::resource::document::{Available, Seen};
use crate::resource::reads::Shown;
use crate::resource::rows::Key;

mod list;
mod one;

/// A declared collection, or one of its resources.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    model: Arc<ResourceModel>,
    /// What it hangs under, from the top: the collections, and the id or name in each.
    above: Vec<(Arc<ResourceModel>, &'p str)>,
    /// The id or name of the one; none: all of the collection.
    key: Option<&'p str>,
    /// Whether a plugin answers for the type, in the table that the place was found in.
    available: Available,
}

/// A request for a place.
struct Asked<'a> {
    state: &'a State,
    place: &'a Place<'a>,
    request: &'a Request<Incoming>,
    caller: &'a Caller,
    /// The project that the request names.
    project: Option<ProjectId>,
}

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(table: &Table, path: &'p str) -> Option<Self> {
        let mut segments = path.strip_prefix(TYPES_PREFIX)?.split('/');
        let served = table.type_of(segments.next()?)?;
        if served.model.is_bare() {
            return None;
        }
        let available = match served.published() {
            Some(_published) => Available::Since(served.since),
            None => Available::NotSince(served.since),
        };
        let mut above: Vec<(Arc<ResourceModel>, _)> = Vec::new();
        loop {
            let parent = above.last().map(|(model, _key)| model.collection());
            let collection = segments.next()?;
            let model = served.model.below(parent).find(|it| it.collection() == collection)?;
            let model = Arc::clone(model);
            let Some(key) = segments.next() else {
                return Some(Self { model, above, key: None, available });
            };
            let mut rest = segments.clone();
            if rest.next().is_none() {
                return Some(Self { model, above, key: Some(key), available });
            }
            above.push((model, key));
        }
    }
}

/// Answers a request for one of these places.
///
/// # Errors
/// There is no such resource for this caller, or what is asked of it says nothing.
pub(crate) async fn answer(
    state: &State,
    place: &Place<'_>,
    request: &Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let caller = state.identity.authenticate(request.headers(), peer)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    let named = access::project_named(request.headers(), request.uri());
    let project = named.map(|name| caller.project(Some(&name))).transpose()?;
    let asked = Asked { state, place, request, caller: &caller, project };
    match place.key {
        None => list::answer(&asked).await,
        Some(key) => one::answer(&asked, key).await,
    }
}

impl Asked<'_> {
    /// What the caller may see by `permission`; refused, if it is nothing anywhere.
    fn visible(&self, permission: &str) -> Result<Visible, Problem> {
        let slug = &self.place.model.slug;
        let visible = self.caller.visible(permission, slug);
        if visible != Visible::Nothing {
            return Ok(visible);
        }
        let project = match self.project {
            Some(project) => Ok(project),
            None => self.caller.project(None),
        };
        match project {
            Ok(project) => {
                let scope = Scope { project, slug: Some(slug), instance: None };
                self.caller.demand(permission, &scope)?;
                Ok(visible)
            }
            Err(ProjectError::Ambiguous(names)) => {
                Err(Forbidden::in_any_of(permission, &names).into())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What the place hangs under, and the instance at the top of it.
    async fn parent(&self, permission: &str) -> Result<Option<(Shown, Uuid)>, Problem> {
        let mut parent: Option<(Shown, Uuid)> = None;
        for (model, key) in &self.place.above {
            let seen = self.seen();
            let found = self.find(model, parent.as_ref(), key, permission, &seen).await?;
            let instance = parent.map_or(found.id, |(_parent, instance)| instance);
            parent = Some((found, instance));
        }
        Ok(parent)
    }

    /// The resource `key` of a collection, as the caller sees it.
    async fn find(
        &self,
        model: &Arc<ResourceModel>,
        parent: Option<&(Shown, Uuid)>,
        key: &str,
        permission: &str,
        seen: &Seen,
    ) -> Result<Shown, Problem> {
        let above = parent.map(|(parent, _instance)| parent.id);
        let reads = &self.state.reads;
        let project = parent.map(|(parent, _instance)| parent.project).or(self.project);
        let found = match (id_of(key), project) {
            (Some(id), _) => reads.one(model, above, Key::Id(id), seen).await.map(Vec::from_iter),
            (None, Some(project)) => {
                reads.one(model, above, Key::Name(key, project), seen).await.map(Vec::from_iter)
            }
            (None, None) => reads.named(model, above, key, seen).await,
        };
        let mut found = found.map_err(|error| respond::internal(&error))?;
        found.retain(|it| {
            let instance = parent.map_or(it.id, |(_parent, instance)| *instance);
            let scope =
                Scope { project: it.project, slug: Some(&model.slug), instance: Some(instance) };
            project.is_none_or(|project| project == it.project)
                && self.caller.allows(permission, &scope)
        });
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(another), false) => {
                found.push(another);
                Err(self.ambiguous(&found))
            }
            (None, _) => Err(not_found(model, key)),
        }
    }

    /// Several projects have one of this name.
    fn ambiguous(&self, found: &[Shown]) -> Problem {
        let names = found.iter().map(|it| match self.caller.project_of(it.project) {
            Some(project) => project.name.clone(),
            None => it.project.to_string(),
        });
        ProjectError::Ambiguous(names.collect()).into()
    }

    /// A whole document.
    fn seen(&self) -> Seen {
        Seen { available: self.place.available, fields: None }
    }
}

/// A segment in the syntax of a UUID is an id; any other is a name.
fn id_of(key: &str) -> Option<Uuid> {
    (key.len() == 36).then(|| Uuid::try_parse(key).ok()).flatten()
}

fn not_found(model: &ResourceModel, key: &str) -> Problem {
    let one = model.declared.name.replace('_', " ");
    Problem::new(Code::NotFound, format!("There is no {one} {key} of type {}.", model.slug))
        .with("type", model.slug.as_str())
        .with("collection", model.collection())
        .with("name", key)
}
