//! What a plugin declares, put together of its attribute, its settings, its resources and its router.
//!
//! The position of a route in the descriptor is the position of its endpoint in [`Declaration`]: a request
//! names it by number and nothing is looked up. Made by `descriptor` and again by `run`, from the code
//! alone, so both are always the same.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use plugin_abi::descriptor::{
    Access, Build, Descriptor, Listener, Migration, Mount, Route as RouteDescriptor, RouteBase,
    SCHEMA_VERSION, TypeDescriptor,
};

use plugin_abi::request::HOOK_ROUTE;

use super::{Route, Router};
use crate::connection::OnConnection;
use crate::handler::{Endpoint, endpoint};
use crate::health;
use crate::hooks::Hooks;
use crate::migration::chain::{self, ChainError};
use crate::plugin::Plugin;
use crate::resource;
use crate::resource::declaration::{ByStruct, ResourceError};

/// Under this a type's routes are the SDK's own.
const RESERVED_PREFIX: &str = "/-/";

/// A mistake in what a plugin declares.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeclarationError {
    /// A slug, element or listener has a name that cannot be one.
    #[error("{what} `{name}` must match {pattern}")]
    Name {
        /// What bears the name.
        what: &'static str,
        /// The name.
        name: String,
        /// How it should look.
        pattern: &'static str,
    },
    /// A path is no template.
    #[error("route `{route}`: the path {fault}")]
    Path {
        /// The route.
        route: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Two routes answer the same requests.
    #[error("route `{route}` is declared twice; remove one of them")]
    DuplicateRoute {
        /// The route.
        route: String,
    },
    /// Two types, mounts or listeners have the same name.
    #[error("{what} `{name}` is declared twice; remove one of them")]
    DuplicateName {
        /// What bears the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A router is for a type that the plugin does not serve.
    #[error("the router of type `{slug}` has no type: add `{slug}` to `types` of the attribute")]
    UnknownType {
        /// The slug.
        slug: String,
    },
    /// Something stands where it cannot.
    #[error("{what} inside of {place}: move it to the outermost router")]
    Nested {
        /// What stands there.
        what: &'static str,
        /// Where.
        place: String,
    },
    /// A resource cannot be.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// A step of the schema cannot be.
    #[error(transparent)]
    Migration(#[from] ChainError),
}

/// See the module.
pub(crate) struct Declaration<P> {
    pub(crate) descriptor: Descriptor,
    /// One for each route of the descriptor, in its order.
    endpoints: Vec<Arc<Endpoint<P>>>,
    /// What the host calls by name.
    hooks: Hooks<P>,
    /// Which struct was registered for which collection.
    pub(crate) by_struct: ByStruct,
    /// One for each listener of the descriptor, in its order.
    pub(crate) on_connection: Vec<OnConnection<P>>,
}

impl<P: Plugin> Declaration<P> {
    /// Puts the declaration of `P` together.
    pub(crate) fn of_plugin() -> Result<Self, DeclarationError> {
        check_name("element", P::ELEMENT, NamePattern::Element)?;
        let mut names = HashSet::new();
        for slug in P::TYPES {
            check_name("type", slug, NamePattern::Slug)?;
            check_new("type", slug, &mut names)?;
        }
        let (migrations, mut hooks) = chain::check(P::migrations())?;
        let mut descriptor = Self::descriptor_without_routes(migrations);
        let by_struct =
            resource::declaration::declare(P::resources(), &mut descriptor.types, &mut hooks)?;
        let mut declaration =
            Self { descriptor, endpoints: Vec::new(), hooks, by_struct, on_connection: Vec::new() };
        declaration.add_outermost(P::router())?;
        declaration.add_health();
        Ok(declaration)
    }

    /// The bytes of the descriptor; equal for equal code.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.descriptor).expect("a descriptor consists of text and JSON values")
    }

    fn descriptor_without_routes(migrations: Vec<Migration>) -> Descriptor {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<P::Settings>();
        Descriptor {
            schema_version: SCHEMA_VERSION,
            element: P::ELEMENT.to_owned(),
            version: P::VERSION.to_owned(),
            build: Build::own(),
            types: P::TYPES.iter().map(|slug| TypeDescriptor::new(*slug)).collect(),
            routes: Vec::new(),
            mounts: Vec::new(),
            listeners: Vec::new(),
            migrations,
            settings_schema: schema.to_value(),
        }
    }

    fn add_outermost(&mut self, router: Router<P>) -> Result<(), DeclarationError> {
        let Router { routes, of_types, mounts, listeners } = router;
        let every_type = P::TYPES.iter().map(|slug| RouteBase::Type((*slug).to_owned()));
        self.add_routes(&every_type.collect::<Vec<_>>(), routes)?;
        for (slug, router) in of_types {
            if !P::TYPES.contains(&slug.as_str()) {
                return Err(DeclarationError::UnknownType { slug });
            }
            let routes = router.into_routes_alone(&slug)?;
            self.add_routes(&[RouteBase::Type(slug)], routes)?;
        }
        let mut prefixes = HashSet::new();
        for (prefix, router) in mounts {
            check_prefix(&prefix)?;
            check_new("mount", &prefix, &mut prefixes)?;
            let routes = router.into_routes_alone(&prefix)?;
            self.add_routes(&[RouteBase::Mount(prefix.clone())], routes)?;
            self.descriptor.mounts.push(Mount { prefix });
        }
        let mut names = HashSet::new();
        for (name, serve) in listeners {
            check_name("listener", &name, NamePattern::Element)?;
            check_new("listener", &name, &mut names)?;
            self.descriptor.listeners.push(Listener { name });
            self.on_connection.push(serve);
        }
        Ok(())
    }

    fn add_routes(
        &mut self,
        bases: &[RouteBase],
        routes: Vec<Route<P>>,
    ) -> Result<(), DeclarationError> {
        for route in routes {
            let name = format!("{route:?}");
            check_path(&name, &route.path)?;
            let Route { method, path, body_bytes_max, deadline, access, endpoint } = route;
            let endpoint = Arc::new(endpoint);
            for base in bases {
                let descriptor = RouteDescriptor {
                    base: base.clone(),
                    method: method.as_ref().map(ToString::to_string),
                    path: path.clone(),
                    body_bytes_max,
                    deadline_ms: deadline
                        .map(|deadline| u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX)),
                    access: access.clone(),
                };
                if self.descriptor.routes.iter().any(|known| is_same(known, &descriptor)) {
                    return Err(DeclarationError::DuplicateRoute { route: name });
                }
                self.descriptor.routes.push(descriptor);
                self.endpoints.push(Arc::clone(&endpoint));
            }
        }
        Ok(())
    }

    fn add_health(&mut self) {
        let health = Arc::new(endpoint(health::answer::<P>));
        for slug in P::TYPES {
            self.descriptor.routes.push(RouteDescriptor {
                base: RouteBase::Type((*slug).to_owned()),
                method: Some("GET".to_owned()),
                path: health::PATH.to_owned(),
                body_bytes_max: None,
                deadline_ms: None,
                access: Access::Public,
            });
            self.endpoints.push(Arc::clone(&health));
        }
    }
}

/// The largest body that `Json`, `Bytes` and `String` collect, unless the route says otherwise.
const COLLECTED_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl<P> Declaration<P> {
    /// What answers a request for `route`, which for a hook is called by `path`, and the largest body that it
    /// collects into memory. `None` for a route that there is not; a hook that there is not has an answer.
    pub(crate) fn endpoint(&self, route: u32, path: &str) -> Option<(&Endpoint<P>, u64)> {
        if route == HOOK_ROUTE {
            return Some((self.hooks.find(path), COLLECTED_BYTES_MAX));
        }
        let route_idx = route as usize;
        let endpoint = self.endpoints.get(route_idx)?;
        let own_limit = self.descriptor.routes[route_idx].body_bytes_max;
        Some((endpoint, own_limit.unwrap_or(COLLECTED_BYTES_MAX)))
    }
}

impl<P> fmt::Debug for Declaration<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.descriptor.fmt(f)
    }
}

impl<P> Router<P> {
    fn into_routes_alone(self, place: &str) -> Result<Vec<Route<P>>, DeclarationError> {
        let Self { routes, of_types, mounts, listeners } = self;
        let nested = [
            (of_types.is_empty(), "a router of a type"),
            (mounts.is_empty(), "a mount"),
            (listeners.is_empty(), "a listener"),
        ];
        match nested.into_iter().find(|(is_empty, _what)| !is_empty) {
            Some((_is_empty, what)) => {
                Err(DeclarationError::Nested { what, place: format!("`{place}`") })
            }
            None => Ok(routes),
        }
    }
}

/// How a name must look.
#[derive(Clone, Copy)]
enum NamePattern {
    /// As a table name has to look.
    Slug,
    Element,
}

fn check_name(
    what: &'static str,
    name: &str,
    pattern: NamePattern,
) -> Result<(), DeclarationError> {
    let (pattern, n_bytes_max, may_have_dashes) = match pattern {
        NamePattern::Slug => ("[a-z][a-z0-9]{0,30}", 31, false),
        NamePattern::Element => ("[a-z][a-z0-9-]{0,62}", 63, true),
    };
    let is_good = name.len() <= n_bytes_max
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| {
            letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || (may_have_dashes && letter == '-')
        });
    if is_good {
        return Ok(());
    }
    Err(DeclarationError::Name { what, name: name.to_owned(), pattern })
}

fn check_new(
    what: &'static str,
    name: &str,
    names: &mut HashSet<String>,
) -> Result<(), DeclarationError> {
    if names.insert(name.to_owned()) {
        return Ok(());
    }
    Err(DeclarationError::DuplicateName { what, name: name.to_owned() })
}

fn check_prefix(prefix: &str) -> Result<(), DeclarationError> {
    let fault = match prefix {
        "" | "/" => Some("of a mount cannot be the root"),
        prefix if !prefix.starts_with('/') => Some("must begin with `/`"),
        prefix if prefix.ends_with('/') => Some("of a mount must not end with `/`"),
        prefix if prefix.contains(['{', '}', '?', '#']) => Some("of a mount has no parameters"),
        _good => None,
    };
    match fault {
        Some(fault) => Err(DeclarationError::Path { route: prefix.to_owned(), fault }),
        None => Ok(()),
    }
}

fn check_path(route: &str, path: &str) -> Result<(), DeclarationError> {
    match path_fault(path) {
        Some(fault) => Err(DeclarationError::Path { route: route.to_owned(), fault }),
        None => Ok(()),
    }
}

fn path_fault(path: &str) -> Option<&'static str> {
    let Some(segments) = path.strip_prefix('/') else {
        return Some("must begin with `/`");
    };
    if path.starts_with(RESERVED_PREFIX) {
        return Some("must not begin with `/-/`, which is the SDK's own");
    }
    if path.contains(['?', '#']) {
        return Some("must not contain `?` or `#`; take `Query` as an argument");
    }
    let mut names = HashSet::new();
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let Some(param) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            if segment.contains(['{', '}']) {
                return Some("has a brace that is not around a whole segment");
            }
            continue;
        };
        let name = param.strip_prefix('*').unwrap_or(param);
        if param.starts_with('*') && segments.peek().is_some() {
            return Some("goes on after `{*…}`, which must come last");
        }
        if name.is_empty() || !name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') {
            return Some("has a parameter whose name is not made of letters, digits and `_`");
        }
        if !names.insert(name) {
            return Some("names a parameter twice");
        }
    }
    None
}

/// Whether two routes answer the same requests: names of parameters make no difference.
fn is_same(one: &RouteDescriptor, other: &RouteDescriptor) -> bool {
    fn shape(path: &str) -> impl Iterator<Item = &str> {
        path.split('/').map(|segment| match segment {
            rest if rest.starts_with("{*") => "{*}",
            param if param.starts_with('{') => "{}",
            fixed => fixed,
        })
    }
    one.base == other.base && one.method == other.method && shape(&one.path).eq(shape(&other.path))
}
