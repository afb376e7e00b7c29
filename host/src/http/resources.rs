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

use ::http::request::Parts;
use ::http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use uuid::Uuid;

use super::problem::{Code, Problem};
use super::request_id::RequestId;
use super::{Body, State, access, respond};
use crate::identity::{Caller, Forbidden, ProjectError, ProjectId, Scope, Visible};
use crate::model::ResourceModel;
use crate::plugin::table::{TYPES_PREFIX, Table};
use crate::resource::document::Seen;
use crate::resource::document::Shown;
use crate::resource::query::{self, Members, Selection};
use crate::resource::rows::Key;
use crate::resource::write::Collection;

mod act;
mod change;
mod create;
mod delete;
mod list;
mod one;
mod watching;
mod write;

/// So many projects are named to whoever named none.
const NAMED_MAX: u64 = 16;
/// What is between one and the verb of an action on it.
const ACTIONS: &str = "actions";

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A declared collection, or something in it.
#[derive(Debug)]
pub(crate) struct Place {
    collection: Collection,
    /// What it hangs under, from the top: the collections, and the id or name in each.
    above: Vec<(Arc<ResourceModel>, String)>,
    what: What,
}

/// What of a collection; what is named is an id or a name.
#[derive(Debug)]
enum What {
    All,
    One(String),
    /// An action on one.
    Action(String, String),
}

/// A request for a place.
struct Asked<'a> {
    state: &'a State,
    place: &'a Place,
    head: &'a Parts,
    request_id: &'a RequestId,
    caller: &'a Caller,
    /// The project that the request names.
    project: Option<ProjectId>,
}

/// The one that a write is about.
#[derive(Debug)]
struct Target {
    found: Shown,
    /// At the top of what it hangs under, or itself.
    instance: Uuid,
    parent: Option<Uuid>,
}

impl Place {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(table: &Table, path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix(TYPES_PREFIX)?.split('/');
        let served = table.type_of(segments.next()?)?;
        if served.model.is_bare() {
            return None;
        }
        let mut above: Vec<(Arc<ResourceModel>, _)> = Vec::new();
        loop {
            let parent = above.last().map(|(model, _key)| model.collection());
            let collection = segments.next()?;
            let model = served.model.below(parent).find(|it| it.collection() == collection)?;
            let key = segments.next().map(str::to_owned);
            let mut rest = segments.clone();
            let what = match (key, rest.next(), rest.next(), rest.next()) {
                (None, ..) => What::All,
                (Some(key), None, ..) => What::One(key),
                (Some(key), Some(ACTIONS), Some(verb), None) => What::Action(key, verb.to_owned()),
                (Some(key), Some(_), ..) => {
                    above.push((Arc::clone(model), key));
                    continue;
                }
            };
            return Some(Self { collection: Collection::of(served, model), above, what });
        }
    }
}

/// Answers a request for one of these places.
///
/// # Errors
/// There is no such resource for this caller, what is asked of it says nothing, or it cannot be done.
///
/// # Cancellation
/// A write that was begun is made.
pub(crate) async fn answer(
    state: &State,
    place: &Place,
    request: Request<Incoming>,
    request_id: &RequestId,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let caller = &state.identity.authenticate(&head.headers, peer)?;
    let named = access::project_named(&head.headers, &head.uri);
    let project = named.map(|name| caller.project(Some(&name))).transpose()?;
    let asked = &Asked { state, place, head: &head, request_id, caller, project };
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    match (&place.what, &head.method) {
        (What::All, _) if is_read => list::answer(asked).await,
        (What::One(key), _) if is_read => one::answer(asked, key).await,
        (What::All, &Method::POST) => create::answer(asked, body).await,
        (What::One(key), &Method::PATCH) => change::patch(asked, key, body).await,
        (What::One(key), &Method::PUT) => change::put(asked, key, body).await,
        (What::One(key), &Method::DELETE) => delete::answer(asked, key).await,
        (What::Action(key, verb), &Method::POST) => act::answer(asked, key, verb, body).await,
        (What::All, _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        (What::One(_), _) => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PATCH, PUT")),
        (What::Action(..), _) => Err(Problem::method_not_allowed("POST")),
    }
}

impl Asked<'_> {
    /// What the caller may see of a collection by `permission`; refused, if that is nothing.
    fn listed(&self, permission: &str, parent: Option<&(Shown, Uuid)>) -> Result<Visible, Problem> {
        let slug = &*self.place.collection.model.slug;
        let scope = |project, instance| Scope { project, slug: Some(slug), instance };
        if let Some((parent, instance)) = parent {
            self.caller.demand(permission, &scope(parent.project, Some(*instance)))?;
            // Rights on an instance are rights on all below it.
            return Ok(Visible::Everything);
        }
        let visible = match self.project {
            Some(project) => self.caller.visible_in(permission, slug, project),
            None => self.caller.visible(permission, slug),
        };
        if visible != Visible::Nothing {
            return Ok(visible);
        }
        match self.project.map_or_else(|| self.caller.project(None), Ok) {
            Ok(project) => self.caller.demand(permission, &scope(project, None))?,
            Err(ProjectError::Ambiguous(names)) => {
                return Err(Forbidden::in_any_of(permission, &names).into());
            }
            Err(other) => return Err(other.into()),
        }
        Ok(visible)
    }

    /// What the place hangs under, and the instance at the top of it: whoever may do what is asked for, or may read
    /// what is above, finds it.
    async fn parent(&self, permission: &str) -> Result<Option<(Shown, Uuid)>, Problem> {
        let mut parent: Option<(Shown, Uuid)> = None;
        for (model, key) in &self.place.above {
            let seen = self.seen();
            let mut found = self.find(model, parent.as_ref(), key, permission, &seen).await?;
            if found.is_none() {
                let read = model.permission("read");
                found = self.find(model, parent.as_ref(), key, &read, &seen).await?;
            }
            let found = found.ok_or_else(|| not_found(model, key))?;
            let instance = parent.map_or(found.id, |(_parent, instance)| instance);
            parent = Some((found, instance));
        }
        Ok(parent)
    }

    /// The resource `key` of a collection, if there is one on which the caller has `permission`.
    async fn find(
        &self,
        model: &Arc<ResourceModel>,
        parent: Option<&(Shown, Uuid)>,
        key: &str,
        permission: &str,
        seen: &Seen,
    ) -> Result<Option<Shown>, Problem> {
        let above = parent.map(|(parent, _instance)| parent.id);
        let project = parent.map(|(parent, _instance)| parent.project).or(self.project);
        let key = match (id_of(key), project) {
            (Some(id), _) => Key::Id(id),
            (None, Some(project)) => Key::Name(key, project),
            (None, None) => return self.find_anywhere(model, key, permission, seen).await,
        };
        let found = self.state.reads.one(model, above, key, seen).await;
        let found = found.map_err(|error| respond::internal(&error))?;
        Ok(found.filter(|it| {
            let instance = Some(parent.map_or(it.id, |(_parent, instance)| *instance));
            let scope = Scope { project: it.project, slug: Some(&model.slug), instance };
            project.is_none_or(|project| project == it.project)
                && self.caller.allows(permission, &scope)
        }))
    }

    /// The one of this name on which the caller has `permission`, in whatever project.
    async fn find_anywhere(
        &self,
        model: &Arc<ResourceModel>,
        name: &str,
        permission: &str,
        seen: &Seen,
    ) -> Result<Option<Shown>, Problem> {
        let members = Members::of(&model.declared);
        let named = query::Asked { name: Some(name), ..query::Asked::default() };
        // What cannot be asked for is the name of none.
        let Ok(selection) = Selection::parse(&members, &named, NAMED_MAX) else { return Ok(None) };
        let visible = self.caller.visible(permission, &model.slug);
        let selection = selection.under(&members, None).seen_as(&members, &visible);
        let found = self.state.reads.each_selected(model, &selection, seen).await;
        let mut found = found.map_err(|error| respond::internal(&error))?;
        if found.len() > 1 { Err(self.ambiguous(&found)) } else { Ok(found.pop()) }
    }

    /// Several projects have one of this name.
    fn ambiguous(&self, found: &[Shown]) -> Problem {
        let names = found.iter().map(|it| match self.caller.project_of(it.project) {
            Some(project) => project.name.clone(),
            None => it.project.to_string(),
        });
        ProjectError::Ambiguous(names.collect()).into()
    }

    /// What the request is about, on which the caller may do `verb`.
    pub(super) async fn target(&self, key: &str, verb: &str) -> Result<Target, Problem> {
        let model = &self.place.collection.model;
        let permission = model.permission(verb);
        let parent = self.parent(&permission).await?;
        let (parent_id, seen) = (parent.as_ref().map(|(parent, _top)| parent.id), self.seen());
        let found = self.find(model, parent.as_ref(), key, &permission, &seen).await?;
        if let Some(found) = found {
            let instance = parent.map_or(found.id, |(_parent, top)| top);
            return Ok(Target { found, instance, parent: parent_id });
        }
        let read = model.permission("read");
        let readable = self.find(model, parent.as_ref(), key, &read, &seen).await?;
        let readable = readable.ok_or_else(|| not_found(model, key))?;
        let instance = Some(parent.map_or(readable.id, |(_parent, top)| top));
        let (project, slug) = (readable.project, Some(&*model.slug));
        self.caller.demand(&permission, &Scope { project, slug, instance })?;
        Err(not_found(model, key))
    }

    /// A whole document.
    fn seen(&self) -> Seen {
        self.place.collection.seen()
    }

    /// Refuses what only a plugin can do while there is none.
    fn check_available(&self) -> Result<(), Problem> {
        match &self.place.collection.generation {
            Some(_generation) => Ok(()),
            None => Err(respond::absent(&self.place.collection.r#type)),
        }
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
