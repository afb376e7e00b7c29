//! The router: every route of a plugin with the function that answers it.
//!
//! It only collects; what is wrong with a path or a name is found when the descriptor is made of it
//! ([`declaration`]), and named there. The host does the matching.

pub(crate) mod declaration;

use std::fmt;
use std::time::Duration;

use http::Method;
pub use plugin_abi::descriptor::Access;

use crate::connection::{ConnectionHandler, OnConnection};
use crate::handler::{Endpoint, Handler, endpoint};

/// The routes of a plugin, or of a part of it.
///
/// Paths are relative to where the router hangs: `/v1/types/<slug>` of each type that the plugin serves, or
/// the prefix of a mount. `{name}` stands for one segment, `{*rest}` for all that follow.
pub struct Router<P> {
    routes: Vec<Route<P>>,
    /// Routers of one type alone.
    of_types: Vec<(String, Router<P>)>,
    mounts: Vec<(String, Router<P>)>,
    listeners: Vec<(String, OnConnection<P>)>,
}

/// One route, with what the host should know about it.
pub struct Route<P> {
    /// `None`: all methods.
    method: Option<Method>,
    path: String,
    body_bytes_max: Option<u64>,
    deadline: Option<Duration>,
    access: Access,
    endpoint: Endpoint<P>,
}

impl<P: 'static> Route<P> {
    /// `handler` answers `method` on `path`.
    pub fn new<Args: 'static>(
        method: Method,
        path: impl Into<String>,
        handler: impl Handler<P, Args>,
    ) -> Self {
        Self::of_endpoint(Some(method), path.into(), endpoint(handler))
    }

    /// `handler` answers every method on `path` that has no route of its own.
    pub fn any<Args: 'static>(path: impl Into<String>, handler: impl Handler<P, Args>) -> Self {
        Self::of_endpoint(None, path.into(), endpoint(handler))
    }

    /// The largest request body; the host refuses larger ones with 413. Else the host's default holds.
    #[must_use]
    pub fn body_bytes_max(self, body_bytes_max: u64) -> Self {
        Self { body_bytes_max: Some(body_bytes_max), ..self }
    }

    /// How long the head of the answer may take; then the request is cancelled. Else the host's default.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Who may use it. Else whoever has `<slug>.route.read`, or `<slug>.route.update` for the methods that
    /// change something.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    pub(crate) fn of_endpoint(method: Option<Method>, path: String, endpoint: Endpoint<P>) -> Self {
        let access = Access::default();
        Self { method, path, body_bytes_max: None, deadline: None, access, endpoint }
    }
}

impl<P: 'static> Router<P> {
    /// A router without routes.
    #[must_use]
    pub fn new() -> Self {
        Self { routes: Vec::new(), of_types: Vec::new(), mounts: Vec::new(), listeners: Vec::new() }
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route<P>) -> Self {
        self.routes.push(route);
        self
    }

    /// `handler` answers `GET path`.
    #[must_use]
    pub fn get<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::new(Method::GET, path, handler))
    }

    /// `handler` answers `POST path`.
    #[must_use]
    pub fn post<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::new(Method::POST, path, handler))
    }

    /// `handler` answers `PUT path`.
    #[must_use]
    pub fn put<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::new(Method::PUT, path, handler))
    }

    /// `handler` answers `PATCH path`.
    #[must_use]
    pub fn patch<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::new(Method::PATCH, path, handler))
    }

    /// `handler` answers `DELETE path`.
    #[must_use]
    pub fn delete<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::new(Method::DELETE, path, handler))
    }

    /// `handler` answers every method on `path` that has no route of its own.
    #[must_use]
    pub fn any<Args: 'static>(self, path: &str, handler: impl Handler<P, Args>) -> Self {
        self.route(Route::any(path, handler))
    }

    /// Opens all routes that it has so far to everybody: the host does not look who calls.
    #[must_use]
    pub fn public(self) -> Self {
        let routes = self.routes.into_iter().map(|route| route.access(Access::Public)).collect();
        let all = |routers: Vec<(String, Self)>| {
            routers.into_iter().map(|(place, router)| (place, router.public())).collect()
        };
        let (of_types, mounts) = (all(self.of_types), all(self.mounts));
        Self { routes, of_types, mounts, listeners: self.listeners }
    }

    /// Routes of one of the plugin's types alone.
    #[must_use]
    pub fn of_type(mut self, slug: &str, router: Self) -> Self {
        self.of_types.push((slug.to_owned(), router));
        self
    }

    /// Asks for a root prefix, such as `/git`, and serves `router` there once the operator grants it.
    #[must_use]
    pub fn mount(mut self, prefix: &str, router: Self) -> Self {
        self.mounts.push((prefix.to_owned(), router));
        self
    }

    /// Asks for a port of its own, on which `handler` serves each connection once the operator grants it.
    #[must_use]
    pub fn listener<Args: 'static>(
        mut self,
        name: &str,
        handler: impl ConnectionHandler<P, Args>,
    ) -> Self {
        let serve: OnConnection<P> =
            Box::new(move |plugin, incoming| handler.serve(plugin, incoming));
        self.listeners.push((name.to_owned(), serve));
        self
    }
}

impl<P: 'static> Default for Router<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for Router<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.routes).finish()
    }
}

impl<P> fmt::Debug for Route<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_ref().map_or("*", Method::as_str), self.path)
    }
}
