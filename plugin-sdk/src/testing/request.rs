//! Requests to a plugin in a test, and the routes that they find.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use plugin_abi::descriptor::{Descriptor, RouteBase};
use plugin_abi::request::{BodyKind, HOOK_ROUTE, Identity, RequestHead, WHOLE_BODY_BYTES_MAX};
use serde_json::Value;
use tokio::sync::mpsc;

use super::TestPlugin;
use super::answer::{Answer, Pending};

/// The deadline that a request tells in a test; nobody enforces it.
const DEADLINE_MS: u32 = 30_000;

/// The methods of a path, with the positions of their routes in the descriptor.
type Methods = Vec<(Option<String>, u32)>;

/// The routes of a plugin, found as a daemon finds them.
pub(super) struct Routes {
    /// By full path.
    paths: matchit::Router<Methods>,
    /// Where paths that are not found as they stand are looked up.
    first_type: String,
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first_type)
    }
}

/// A route that was found.
struct Found<'p> {
    route: u32,
    params: Vec<&'p str>,
}

impl Routes {
    pub(super) fn of(descriptor: Descriptor) -> Self {
        let mut by_path: Vec<(String, Methods)> = Vec::new();
        for (idx, route) in (0..).zip(descriptor.routes) {
            let base = match route.base {
                RouteBase::Type(slug) => format!("/v1/types/{slug}"),
                RouteBase::Mount(prefix) => prefix,
            };
            let path = format!("{base}{}", route.path);
            match by_path.iter_mut().find(|(each, _methods)| *each == path) {
                Some((_path, methods)) => methods.push((route.method, idx)),
                None => by_path.push((path, vec![(route.method, idx)])),
            }
        }
        let mut paths = matchit::Router::new();
        for (path, methods) in by_path {
            paths
                .insert(path, methods)
                .expect("the routes of a plugin do not contradict each other");
        }
        let first_type = descriptor.types.first();
        let first_type = first_type.map_or(String::new(), |it| format!("/v1/types/{}", it.slug));
        Self { paths, first_type }
    }

    /// The path as it is found.
    fn full_path(&self, path: &str) -> String {
        if self.paths.at(path).is_ok() {
            return path.to_owned();
        }
        format!("{}{path}", self.first_type)
    }

    fn find<'p>(&self, method: &str, path: &'p str) -> Option<Found<'p>> {
        let found = self.paths.at(path).ok()?;
        let exact = found.value.iter().find(|(each, _route)| each.as_deref() == Some(method));
        let any = || found.value.iter().find(|(each, _route)| each.is_none());
        let (_method, route) = exact.or_else(any)?;
        Some(Found { route: *route, params: found.params.iter().map(|(_name, it)| it).collect() })
    }
}

/// A request that is put together.
#[derive(Debug)]
pub struct TestRequest<'t> {
    plugin: &'t TestPlugin,
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    principal: String,
    project: Option<String>,
    body: TestBody,
    kind: Kind,
}

/// Whether a route or a hook is asked for; a hook's name is the path.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Route,
    Hook,
}

#[derive(Debug)]
enum TestBody {
    Known(Bytes),
    Coming(mpsc::UnboundedReceiver<Bytes>),
}

impl<'t> TestRequest<'t> {
    pub(super) fn new(plugin: &'t TestPlugin, method: &str, path: &str) -> Self {
        Self {
            plugin,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            principal: "user:test".to_owned(),
            project: None,
            body: TestBody::Known(Bytes::new()),
            kind: Kind::Route,
        }
    }

    pub(super) fn of_hook(plugin: &'t TestPlugin, name: &str) -> Self {
        Self { kind: Kind::Hook, ..Self::new(plugin, "HOOK", name) }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.as_ref().to_owned()));
        self
    }

    /// Sets who asks; else it is `user:test`.
    #[must_use]
    pub fn identity(mut self, principal: &str, project: Option<&str>) -> Self {
        self.principal = principal.to_owned();
        self.project = project.map(str::to_owned);
        self
    }

    /// Sets the body; a large one is pulled by the plugin, as from a daemon.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = TestBody::Known(body.into());
        self
    }

    /// Sets the body to a JSON document.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sets the body to one that comes chunk by chunk, and ends with the sender's drop.
    #[must_use]
    pub fn body_from(mut self, chunks: mpsc::UnboundedReceiver<Bytes>) -> Self {
        self.body = TestBody::Coming(chunks);
        self
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Panics
    /// When there is no such route, or the request ends without an answer.
    pub async fn send(self) -> Answer {
        self.begin().answer().await
    }

    /// Sends it.
    ///
    /// # Panics
    /// When there is no such route.
    #[must_use]
    pub fn begin(self) -> Pending {
        let Self { plugin, method, path, headers, principal, project, body, kind } = self;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path.as_str(), None),
        };
        let path = match kind {
            Kind::Route => plugin.routes.full_path(path),
            Kind::Hook => path.to_owned(),
        };
        let found = match kind {
            Kind::Route => plugin.routes.find(&method, &path),
            Kind::Hook => Some(Found { route: HOOK_ROUTE, params: Vec::new() }),
        };
        let found = found.unwrap_or_else(|| panic!("no route answers `{method} {path}`"));
        let (body, whole, pulled) = match body {
            TestBody::Known(bytes) if bytes.len() as u64 > WHOLE_BODY_BYTES_MAX => {
                let n_bytes = bytes.len() as u64;
                (BodyKind::Pulled(Some(n_bytes)), Bytes::new(), Some(one_chunk(bytes)))
            }
            TestBody::Known(bytes) => (BodyKind::Whole, bytes, None),
            TestBody::Coming(chunks) => (BodyKind::Pulled(None), Bytes::new(), Some(chunks)),
        };
        let head = RequestHead {
            route: found.route,
            deadline_ms: DEADLINE_MS,
            body,
            method: &method,
            path: &path,
            query,
            params: &found.params,
            identity: Identity { principal: &principal, project: project.as_deref() },
            request_id: "test-request",
            traceparent: None,
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())),
        };
        let (request, heard) = plugin.port.begin(head.encode(&whole), pulled);
        Pending { port: Arc::clone(&plugin.port), request, heard }
    }
}

fn one_chunk(bytes: Bytes) -> mpsc::UnboundedReceiver<Bytes> {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(bytes).expect("the receiver is here");
    receiver
}
