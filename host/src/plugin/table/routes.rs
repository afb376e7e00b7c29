//! The routes of one plugin, ready to be asked: which of its descriptor's routes a method and a path mean.

use std::collections::HashMap;
use std::sync::Arc;

use plugin_abi::descriptor::{Descriptor, RouteBase};

use super::Clash;

/// The routes under one base.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_path: matchit::Router<Methods>,
}

/// The routes of one path.
#[derive(Debug, Default)]
pub(super) struct Methods {
    /// Method (`None`: any) and position in the descriptor.
    routes: Vec<(Option<String>, u32)>,
}

/// Whether the routes of a descriptor can be published; the probe asks before anybody publishes them.
///
/// # Errors
/// When a route is no path template, or there twice.
pub(crate) fn check_routes(descriptor: &Descriptor) -> Result<(), Clash> {
    routes(descriptor).map(drop)
}

/// The routes of a descriptor by base.
///
/// # Errors
/// When a route is no path template, or there twice.
pub(super) fn routes(descriptor: &Descriptor) -> Result<HashMap<RouteBase, Arc<Routes>>, Clash> {
    let mut by_path: HashMap<(&RouteBase, &str), Methods> = HashMap::new();
    for (position, route) in (0..).zip(&descriptor.routes) {
        let methods = by_path.entry((&route.base, &route.path)).or_default();
        if methods.routes.iter().any(|(method, _position)| *method == route.method) {
            let reason = "it is declared twice".to_owned();
            return Err(Clash::Route { path: route.path.clone(), reason });
        }
        methods.routes.push((route.method.clone(), position));
    }
    let mut routes: HashMap<RouteBase, Routes> = HashMap::new();
    let mut by_path: Vec<_> = by_path.into_iter().collect();
    // As declared, so that of two that clash it is always the later one that is told.
    by_path.sort_by_key(|(_place, methods)| methods.routes[0].1);
    for ((base, path), methods) in by_path {
        let under_base = routes.entry(base.clone()).or_default();
        under_base
            .by_path
            .insert(path, methods)
            .map_err(|error| Clash::Route { path: path.to_owned(), reason: error.to_string() })?;
    }
    Ok(routes.into_iter().map(|(base, routes)| (base, Arc::new(routes))).collect())
}

impl Routes {
    /// What is declared for a path, which may have a slash at its end, and the values of its parameters.
    pub(super) fn at<'r, 'p>(
        &'r self,
        path: &'p str,
    ) -> Option<matchit::Match<'r, 'p, &'r Methods>> {
        let trimmed = path.strip_suffix('/').filter(|path| !path.is_empty());
        let matched = self.by_path.at(path).ok();
        matched.or_else(|| self.by_path.at(trimmed?).ok())
    }
}

impl Methods {
    /// The route that answers `method`.
    pub(super) fn route(&self, method: &str) -> Option<u32> {
        let of = |wanted: Option<&str>| {
            self.routes.iter().find(|(method, _position)| method.as_deref() == wanted)
        };
        let as_get = || if method == "HEAD" { of(Some("GET")) } else { None };
        let found = of(Some(method)).or_else(as_get).or_else(|| of(None));
        found.map(|(_method, position)| *position)
    }

    /// The methods for which there is a route.
    pub(super) fn allow(&self) -> Vec<String> {
        let mut allow: Vec<_> =
            self.routes.iter().filter_map(|(method, _position)| method.clone()).collect();
        if allow.iter().any(|method| method == "GET") {
            allow.push("HEAD".to_owned());
        }
        allow.sort();
        allow
    }
}

#[cfg(test)]
mod tests {
    use plugin_abi::descriptor::{Access, Build, Route};

    use super::*;

    fn methods(declared: &[Option<&str>]) -> Methods {
        let owned = declared.iter().map(|method| method.map(str::to_owned));
        Methods { routes: owned.zip(0..).collect() }
    }

    #[test]
    fn a_method_finds_its_own_route_before_any_other() {
        let own = methods(&[Some("GET"), Some("POST"), None]);
        for (method, route) in [("GET", 0), ("POST", 1), ("HEAD", 0), ("DELETE", 2)] {
            assert_eq!(own.route(method), Some(route), "{method}");
        }
        let few = methods(&[Some("POST"), Some("GET")]);
        assert_eq!((few.route("HEAD"), few.route("PUT")), (Some(1), None));
        assert_eq!(few.allow(), ["GET", "HEAD", "POST"]);
        assert_eq!(methods(&[Some("PUT")]).route("HEAD"), None);
    }

    #[test]
    fn a_route_declared_twice_is_refused_by_its_path() {
        let route = |method: &str| Route {
            base: RouteBase::Type("demo".to_owned()),
            method: Some(method.to_owned()),
            path: "/notes/{id}".to_owned(),
            body_bytes_max: None,
            deadline_ms: None,
            access: Access::default(),
        };
        let descriptor = |routes| Descriptor {
            schema_version: 1,
            element: "demo".to_owned(),
            version: "0.1.0".to_owned(),
            build: Build::own(),
            types: Vec::new(),
            routes,
            mounts: Vec::new(),
            listeners: Vec::new(),
            migrations: Vec::new(),
            settings_schema: serde_json::Value::Null,
        };
        check_routes(&descriptor(vec![route("GET"), route("PUT")])).unwrap();
        let clash = check_routes(&descriptor(vec![route("GET"), route("GET")])).unwrap_err();
        assert_eq!(clash.to_string(), "route `/notes/{id}`: it is declared twice");
    }
}
