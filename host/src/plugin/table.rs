//! The route table: which generation answers which path. The one place where serving and changing meet.
//!
//! A table is immutable and replaced as a whole, so a request sees all of one rollout or nothing of it,
//! keeps the descriptor it began with, and takes no lock. Replacing is one pointer store.
//!
//! `current` is the table in force, `routes` are those of one plugin.
//!
//! Each generation brings its routes and the models of its types ready-made; a new table only says who has which
//! type and which mount. A type that declares resources stays when nobody answers for it any more, so that its
//! resources can be read; it is forgotten with its element.

use std::collections::HashMap;
use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::{Descriptor, RouteBase};
use smallvec::SmallVec;

use super::generation::Generation;
use crate::model::{ModelError, TypeModel};
use crate::timestamp::Timestamp;

mod current;
mod routes;

pub(crate) use current::Tables;
pub(crate) use routes::check_routes;
use routes::{Routes, routes};

/// The prefix of every type's routes.
pub(crate) const TYPES_PREFIX: &str = "/v1/types/";

/// A generation with its routes, ready to be published.
#[derive(Debug)]
pub(crate) struct Published {
    /// Who answers.
    pub(crate) generation: Arc<Generation>,
    routes: HashMap<RouteBase, Arc<Routes>>,
    models: Vec<Arc<TypeModel>>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    elements: HashMap<ElementName, Arc<Published>>,
    /// Looked into by each request. What clients ask for is never put in, so they cannot make slugs collide.
    types: HashMap<String, ServedType, foldhash::fast::RandomState>,
    /// Longest prefix first.
    mounts: Vec<(String, Base)>,
}

/// A type: what it declares, and who answers for it.
#[derive(Debug, Clone)]
pub(crate) struct ServedType {
    /// What it declares, as it was published last.
    pub(crate) model: Arc<TypeModel>,
    /// Since when somebody answers for it, or nobody does.
    pub(crate) since: Timestamp,
    base: Option<Base>,
}

/// Who answers under one base, and for what.
#[derive(Debug, Clone)]
struct Base {
    published: Arc<Published>,
    routes: Arc<Routes>,
}

/// What becomes of an element's types when nobody answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Models {
    /// Those that declare resources stay, to be read.
    Keep,
    /// They go.
    Forget,
}

/// What a path and a method come to.
#[derive(Debug)]
pub(crate) enum Resolved<'p> {
    /// A route of a plugin.
    Route(Found<'p>),
    /// A type that nobody serves.
    UnknownType {
        /// Its slug.
        slug: &'p str,
    },
    /// A type for which nobody answers now.
    Absent {
        /// Which.
        model: Arc<TypeModel>,
    },
    /// The plugin has no such path.
    UnknownPath {
        /// Whose base the path is under.
        published: Arc<Published>,
    },
    /// The plugin has this path for other methods.
    OtherMethods {
        /// Which.
        allow: Vec<String>,
    },
    /// No plugin's path.
    NotOurs,
}

/// The values of a route's parameters; as many as routes usually have need no memory of their own.
pub(crate) type Params<'p> = SmallVec<[&'p str; 4]>;

/// A route that was found.
#[derive(Debug)]
pub(crate) struct Found<'p> {
    /// Who answers. Its count is written by every core, so it is the only one that a request holds.
    pub(crate) generation: Arc<Generation>,
    /// The route's position in the descriptor.
    pub(crate) route: u32,
    /// The values of its parameters, in order, still percent-encoded.
    pub(crate) params: Params<'p>,
}

/// Why a generation cannot be published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Clash {
    /// Another element has this type.
    #[error(
        "type `{slug}` is served by element `{owner}`; uninstall that element, or give the type another slug"
    )]
    Type {
        /// The type.
        slug: String,
        /// Who has it.
        owner: ElementName,
    },
    /// Another element has this mount, or one that overlaps with it.
    #[error(
        "mount `{prefix}` overlaps with `{other}` of element `{owner}`; ask for another prefix"
    )]
    Mount {
        /// What was asked for.
        prefix: String,
        /// What is there.
        other: String,
        /// Whose it is.
        owner: ElementName,
    },
    /// The host's own paths are not to be had.
    #[error("mount `{prefix}` would hide the daemon's own paths; ask for another prefix")]
    Reserved {
        /// What was asked for.
        prefix: String,
    },
    /// What it declares cannot be served; the probe lets no such plugin pass.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A route is no path template, or there twice.
    #[error("route `{path}`: {reason}")]
    Route {
        /// Which.
        path: String,
        /// What the router says.
        reason: String,
    },
}

/// The first path segments that are the daemon's.
const RESERVED: [&str; 9] =
    ["v1", "healthz", "readyz", "metrics", "version", "docs", "openapi.json", "console", "health"];

impl Published {
    /// Makes the routes of a generation.
    ///
    /// # Errors
    /// When its descriptor declares what cannot be routed.
    pub(crate) fn new(generation: Arc<Generation>) -> Result<Arc<Self>, Clash> {
        let routes = routes(&generation.descriptor)?;
        let models = TypeModel::all_of(&generation.descriptor)?;
        Ok(Arc::new(Self { generation, routes, models }))
    }

    /// What its types declare.
    pub(crate) fn models(&self) -> &[Arc<TypeModel>] {
        &self.models
    }

    fn element(&self) -> &ElementName {
        &self.generation.identity.element
    }

    fn base(self: &Arc<Self>, base: &RouteBase) -> Base {
        let routes = self.routes.get(base).cloned().unwrap_or_default();
        Base { published: Arc::clone(self), routes }
    }
}

impl ServedType {
    /// Who answers for it now.
    pub(crate) fn published(&self) -> Option<&Arc<Published>> {
        self.base.as_ref().map(|base| &base.published)
    }

    /// It when nobody answers for it any more.
    fn left(&self, models: Models) -> Option<Self> {
        if models == Models::Forget || self.model.is_bare() {
            return None;
        }
        let since = if self.base.is_some() { Timestamp::now() } else { self.since };
        Some(Self { model: Arc::clone(&self.model), since, base: None })
    }
}

impl Base {
    fn resolve<'p>(&self, method: &str, path: &'p str) -> Resolved<'p> {
        let Some(matched) = self.routes.at(path) else {
            return Resolved::UnknownPath { published: Arc::clone(&self.published) };
        };
        match matched.value.route(method) {
            Some(route) => {
                let params = matched.params.iter().map(|(_name, value)| value).collect();
                let generation = Arc::clone(&self.published.generation);
                Resolved::Route(Found { generation, route, params })
            }
            None => Resolved::OtherMethods { allow: matched.value.allow() },
        }
    }
}

impl Table {
    /// Finds who answers.
    pub(crate) fn resolve<'p>(&self, method: &str, path: &'p str) -> Resolved<'p> {
        if let Some(below) = path.strip_prefix(TYPES_PREFIX) {
            let slug_len = below.find('/').unwrap_or(below.len());
            let (slug, rest) = below.split_at(slug_len);
            return match self.types.get(slug) {
                None => Resolved::UnknownType { slug },
                Some(ServedType { base: None, model, .. }) => {
                    Resolved::Absent { model: Arc::clone(model) }
                }
                Some(ServedType { base: Some(base), .. }) => {
                    base.resolve(method, if rest.is_empty() { "/" } else { rest })
                }
            };
        }
        let mounted = self
            .mounts
            .iter()
            .find_map(|(prefix, base)| below(path, prefix).map(|rest| base.resolve(method, rest)));
        mounted.unwrap_or(Resolved::NotOurs)
    }

    /// The type of this slug.
    pub(crate) fn type_of(&self, slug: &str) -> Option<&ServedType> {
        self.types.get(slug)
    }

    /// Every type, in the order of slugs.
    pub(crate) fn types(&self) -> Vec<&ServedType> {
        let mut all: Vec<_> = self.types.values().collect();
        all.sort_by(|one, other| one.model.slug.cmp(&other.model.slug));
        all
    }

    /// What the types of an element declare.
    pub(crate) fn models_of(&self, element: &ElementName) -> Vec<Arc<TypeModel>> {
        let own = self.types.values().filter(|served| served.model.element == *element);
        own.map(|served| Arc::clone(&served.model)).collect()
    }

    /// Who serves this element now.
    pub(crate) fn of_element(&self, element: &ElementName) -> Option<&Arc<Published>> {
        self.elements.get(element)
    }

    /// What each plugin that serves declares.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.elements.values().map(|published| &*published.generation.descriptor)
    }

    /// The method and path of every route that `published` answers in this table.
    pub(crate) fn served<'t>(
        &'t self,
        published: &'t Arc<Published>,
    ) -> impl Iterator<Item = (Option<&'t str>, String)> {
        let routes = &published.generation.descriptor.routes;
        routes.iter().filter_map(|route| {
            let prefix = match &route.base {
                RouteBase::Type(slug) => format!("{TYPES_PREFIX}{slug}"),
                RouteBase::Mount(prefix) => {
                    let is_granted = self.mounts.iter().any(|(mounted, _base)| mounted == prefix);
                    is_granted.then(|| prefix.clone())?
                }
            };
            Some((route.method.as_deref(), format!("{prefix}{}", route.path)))
        })
    }

    /// A table in which `published` answers for its element, and nobody did before.
    fn with(&self, published: &Arc<Published>, mounts: &[String]) -> Result<Self, Clash> {
        let mut table = self.without(published.element(), Models::Forget);
        table.elements.insert(published.element().clone(), Arc::clone(published));
        for model in &published.models {
            let slug = model.slug.clone();
            if let Some(other) = table.types.get(&slug) {
                return Err(Clash::Type { slug, owner: other.model.element.clone() });
            }
            let answered = self.types.get(&slug).filter(|served| served.base.is_some());
            let since = answered.map_or_else(Timestamp::now, |served| served.since);
            let base = Some(published.base(&RouteBase::Type(slug.clone())));
            table.types.insert(slug, ServedType { model: Arc::clone(model), since, base });
        }
        for prefix in mounts {
            table.check_mount(prefix)?;
            let base = published.base(&RouteBase::Mount(prefix.clone()));
            table.mounts.push((prefix.clone(), base));
        }
        table.mounts.sort_by_key(|(prefix, _base)| std::cmp::Reverse(prefix.len()));
        Ok(table)
    }

    /// A table in which these types are known, for which nobody answers.
    fn knowing(mut self, models: Vec<Arc<TypeModel>>) -> Self {
        for model in models {
            let since = Timestamp::now();
            let slug = model.slug.clone();
            self.types.entry(slug).or_insert(ServedType { model, since, base: None });
        }
        self
    }

    fn without(&self, element: &ElementName, models: Models) -> Self {
        let is_other = |base: &Base| base.published.element() != element;
        let types = self.types.iter().filter_map(|(slug, served)| {
            let is_others = served.model.element != *element;
            let served = if is_others { Some(served.clone()) } else { served.left(models) };
            Some((slug.clone(), served?))
        });
        let mounts = self.mounts.iter().filter(|(_prefix, base)| is_other(base));
        let elements = self.elements.iter().filter(|(name, _published)| *name != element);
        Self {
            elements: elements
                .map(|(name, published)| (name.clone(), Arc::clone(published)))
                .collect(),
            types: types.collect(),
            mounts: mounts.cloned().collect(),
        }
    }

    fn check_mount(&self, prefix: &str) -> Result<(), Clash> {
        let first = prefix.trim_start_matches('/').split('/').next().unwrap_or_default();
        if first.is_empty() || RESERVED.contains(&first) {
            return Err(Clash::Reserved { prefix: prefix.to_owned() });
        }
        let overlapping =
            |other: &str| below(prefix, other).is_some() || below(other, prefix).is_some();
        match self.mounts.iter().find(|(other, _base)| overlapping(other)) {
            None => Ok(()),
            Some((other, base)) => Err(Clash::Mount {
                prefix: prefix.to_owned(),
                other: other.clone(),
                owner: base.published.element().clone(),
            }),
        }
    }
}

/// What of `path` is below `prefix`, as a path of its own.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    match path.strip_prefix(prefix)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        for (path, rest) in [
            ("/git", Some("/")),
            ("/git/", Some("/")),
            ("/git/a/b", Some("/a/b")),
            ("/github", None),
            ("/", None),
        ] {
            assert_eq!(below(path, "/git"), rest, "{path}");
        }
    }
}
