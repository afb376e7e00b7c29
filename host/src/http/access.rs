//! Who may use a route of a plugin, and in which project.
//!
//! A public route is everybody's: nothing is looked at, and what is presented goes on to the plugin. For any other
//! the host recognizes the caller, checks the permission, and keeps the credentials to itself: the plugin hears a
//! name and a project. Not here: what the resource engine serves.

use std::net::IpAddr;

use ::http::header::AUTHORIZATION;
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, Uri};
use plugin_abi::descriptor::{Access, Descriptor, Route, RouteBase, TypeDescriptor};
use plugin_abi::request::Identity;

use super::State;
use super::problem::Problem;
use super::query::Query;
use crate::identity::caller::{Caller, Forbidden, ProjectError, ProjectId, Scope};

/// Who makes a request, as the plugin hears of it.
#[derive(Debug)]
pub(super) enum Admitted {
    /// Whoever it is.
    Anybody,
    /// One that the host knows.
    Known {
        caller: Caller,
        /// The project that it acts in; nothing where it has several and named none.
        project: Option<String>,
    },
}

/// The permissions of routes that ask for none of their own, and of what the plugin declares, by name.
const READ: &str = "route.read";
const UPDATE: &str = "route.update";
/// The verbs of a declared resource, besides its actions.
const VERBS: [&str; 6] = ["read", "list", "create", "update", "delete", "watch"];
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const PROJECT: HeaderName = HeaderName::from_static("x-project-id");
pub(super) const PROJECT_PARAMETER: &str = "project";

/// Lets a request through to a route, or says what is missing.
pub(super) fn admit(
    state: &State,
    parts: &Parts,
    descriptor: &Descriptor,
    route: &Route,
    peer: IpAddr,
) -> Result<Admitted, Problem> {
    let permission = match &route.access {
        Access::Public => return Ok(Admitted::Anybody),
        Access::Permission(permission) => permission.clone(),
        Access::Authenticated => {
            let default = if parts.method.is_safe() { READ } else { UPDATE };
            format!("{}.{default}", slug_of(descriptor, &route.base))
        }
    };
    let caller = state.identity.authenticate(&parts.headers, peer)?;
    let slug = slug_of(descriptor, &route.base);
    let named = project_named(&parts.headers, &parts.uri);
    let project = place(&caller, &permission, slug, named.as_deref())?;
    Ok(Admitted::Known { caller, project: project.map(|project| project.to_string()) })
}

/// Whether a header is for the host alone.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || *name == API_KEY
}

/// Every permission that the types of a plugin know, each once.
pub(crate) fn permissions(descriptor: &Descriptor) -> Vec<String> {
    let mut all: Vec<_> = descriptor.types.iter().flat_map(permissions_of_type).collect();
    for route in &descriptor.routes {
        if let Access::Permission(permission) = &route.access {
            all.push(permission.clone());
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The permissions that a type has by what it declares: those of its routes, then those of each resource.
pub(super) fn permissions_of_type(declared: &TypeDescriptor) -> Vec<String> {
    let slug = &declared.slug;
    let mut all = Vec::from([READ, UPDATE].map(|name| format!("{slug}.{name}")));
    for resource in &declared.resources {
        let actions = resource.actions.iter().map(|action| action.verb.as_str());
        let verbs = VERBS.into_iter().chain(actions);
        all.extend(verbs.map(|verb| format!("{slug}.{}.{verb}", resource.name)));
    }
    all
}

impl Admitted {
    /// As the plugin hears it.
    pub(super) fn identity(&self) -> Identity<'_> {
        match self {
            Self::Anybody => Identity { principal: "anonymous", project: None },
            Self::Known { caller, project } => {
                Identity { principal: caller.name(), project: project.as_deref() }
            }
        }
    }
}

/// The type whose permissions a route needs: that of its base, or for a mount the plugin's first.
fn slug_of<'d>(descriptor: &'d Descriptor, base: &'d RouteBase) -> &'d str {
    match base {
        RouteBase::Type(slug) => slug,
        RouteBase::Mount(_) => {
            descriptor.types.first().map_or(&*descriptor.element, |declared| &*declared.slug)
        }
    }
}

/// The project that a request names, in a header or in its query.
pub(super) fn project_named(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    if let Some(value) = headers.get(PROJECT) {
        return Some(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let query = uri.query().filter(|query| query.contains(PROJECT_PARAMETER));
    query.and_then(|_| Query::of(uri).get(PROJECT_PARAMETER).map(ToOwned::to_owned))
}

/// The project in which the caller may do that; nothing if there are several and none is named.
fn place(
    caller: &Caller,
    permission: &str,
    slug: &str,
    named: Option<&str>,
) -> Result<Option<ProjectId>, Problem> {
    let scope = |project| Scope { project, slug: Some(slug), instance: None };
    match caller.project(named) {
        Ok(project) => {
            caller.demand(permission, &scope(project))?;
            Ok(Some(project))
        }
        Err(ProjectError::Ambiguous(names)) => {
            let may = |project: &ProjectId| caller.allows(permission, &scope(*project));
            let mut allowed = caller.projects().into_iter().filter(may);
            match (allowed.next(), allowed.next()) {
                (Some(only), None) => Ok(Some(only)),
                (Some(_), Some(_)) => Ok(None),
                (None, _) => Err(Forbidden::in_any_of(permission, &names).into()),
            }
        }
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use plugin_abi::descriptor::{Action, Build, Resource, TypeDescriptor};
    use serde_json::Value;

    use super::*;
    use crate::identity::record::{BindingScope, RoleRef};
    use crate::identity::role::BuiltIn;
    use crate::identity::testing::World;

    #[test]
    fn a_route_is_used_where_its_permission_is_granted() {
        let mut world = World::default();
        let organization = world.organization("o");
        let (one, other) =
            (world.project(organization, "one"), world.project(organization, "other"));
        let user = world.user("u");
        let bind = |world: &mut World, role, project| {
            world.bind(user, RoleRef::BuiltIn(role), BindingScope::Project(project));
        };
        let asked = |world: &World, permission, named| {
            let placed = place(&world.caller("u"), permission, "s3", named);
            placed.map_err(|problem| problem.code().spec().name)
        };
        assert_eq!(asked(&world, "s3.route.read", None), Err("FORBIDDEN"));
        bind(&mut world, BuiltIn::Viewer, one);
        assert_eq!(asked(&world, "s3.route.read", None), Ok(Some(one)));
        assert_eq!(asked(&world, "s3.route.update", None), Err("FORBIDDEN"));
        assert_eq!(asked(&world, "s3.route.read", Some("other")), Err("PROJECT_NOT_FOUND"));
        bind(&mut world, BuiltIn::Operator, other);
        assert_eq!(asked(&world, "s3.route.read", None), Ok(None), "there are two");
        assert_eq!(asked(&world, "s3.route.update", None), Ok(Some(other)), "there is one");
        assert_eq!(asked(&world, "s3.route.update", Some("one")), Err("FORBIDDEN"));
        assert_eq!(asked(&world, "s3.secret.read", None), Err("FORBIDDEN"));
    }

    #[test]
    fn a_plugin_contributes_its_permissions() {
        let action = Action {
            verb: "rotate".to_owned(),
            description: String::new(),
            safe: false,
            input: Value::Null,
            output: Value::Null,
            deadline_ms: None,
        };
        let resource = Resource {
            collection: "buckets".to_owned(),
            name: "bucket".to_owned(),
            parent: None,
            description: String::new(),
            table: "s3_buckets".to_owned(),
            fields: Vec::new(),
            actions: vec![action],
            hooks: Vec::new(),
            demands_if_match: false,
        };
        let declared = TypeDescriptor { resources: vec![resource], ..TypeDescriptor::new("s3") };
        let route = Route {
            base: RouteBase::Mount("/s3".to_owned()),
            method: None,
            path: "/".to_owned(),
            body_bytes_max: None,
            deadline_ms: None,
            access: Access::Permission("s3.object.read".to_owned()),
        };
        let descriptor = Descriptor {
            schema_version: 1,
            element: "s3aas".to_owned(),
            version: "0.1.0".to_owned(),
            build: Build::own(),
            types: vec![declared],
            routes: vec![route.clone()],
            mounts: Vec::new(),
            listeners: Vec::new(),
            migrations: Vec::new(),
            settings_schema: Value::Null,
        };
        assert_eq!(
            permissions(&descriptor),
            [
                "s3.bucket.create",
                "s3.bucket.delete",
                "s3.bucket.list",
                "s3.bucket.read",
                "s3.bucket.rotate",
                "s3.bucket.update",
                "s3.bucket.watch",
                "s3.object.read",
                "s3.route.read",
                "s3.route.update",
            ]
        );
        assert_eq!(slug_of(&descriptor, &route.base), "s3", "a mount is of the first type");
    }
}
