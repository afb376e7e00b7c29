//! `/v1/types`: what the plugins that are installed declare, for whoever writes a client of one of them.
//!
//! All of it follows from what was published last, so it is there while the plugin is not, and a new field is here
//! because it is declared. Any caller may read it: the same is in `/openapi.json`. Not here: the resources of a type,
//! and the routes that its plugin answers itself; one at the type's own path wins over the document of a type that
//! declares nothing.

use std::net::IpAddr;

use ::http::{Method, Request, Response};
use hyper::body::Incoming;

use super::paging::Paging;
use super::problem::{Code, Problem};
use super::query::Query;
use super::{Body, State, paging, respond};
use crate::plugin::table::{Resolved, ServedType, TYPES_PREFIX, Table};

mod document;

pub(crate) use document::{Document, Summary, Version};

/// What of `/v1/types` a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// All of them.
    All,
    /// One, by its slug.
    One(&'p str),
    /// What the instances of one can run.
    Versions(&'p str),
    /// One of those.
    Version(&'p str, &'p str),
}

const ALL: &str = "/v1/types";
const METHODS: &str = "GET, HEAD";

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix(ALL)?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let mut segments = rest.strip_prefix('/')?.split('/');
        let slug = segments.next()?;
        let place = match (segments.next(), segments.next()) {
            (None, _) => Self::One(slug),
            (Some("versions"), None) => Self::Versions(slug),
            (Some("versions"), Some(version)) => Self::Version(slug, version),
            (Some(_), _) => return None,
        };
        segments.next().is_none().then_some(place)
    }

    /// The type that it is about.
    fn slug(self) -> Option<&'p str> {
        match self {
            Self::All => None,
            Self::One(slug) | Self::Versions(slug) | Self::Version(slug, _) => Some(slug),
        }
    }
}

/// Whether the plugin of a type that declares nothing answers there itself.
pub(crate) fn is_of_plugin(table: &Table, place: Place<'_>, path: &str) -> bool {
    let served = place.slug().and_then(|slug| table.type_of(slug));
    let is_bare = served.is_some_and(|served| served.model.is_bare());
    is_bare
        && match table.resolve("GET", path) {
            Resolved::Route(_) | Resolved::OtherMethods { .. } => true,
            Resolved::UnknownType { .. }
            | Resolved::Absent { .. }
            | Resolved::UnknownPath { .. }
            | Resolved::NotOurs => false,
        }
}

/// Answers a request for one of these places.
///
/// # Errors
/// Whoever asks is unknown, or there is no such type or version.
pub(crate) fn answer(
    state: &State,
    place: Place<'_>,
    request: &Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    state.identity.authenticate(request.headers(), peer)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed(METHODS));
    }
    let query = Query::of(request.uri());
    let table = state.plugins.tables.load();
    let find = |slug| table.type_of(slug).ok_or_else(|| respond::no_type(slug));
    match place {
        Place::All => {
            query.only(&paging::PARAMETERS)?;
            let paging = Paging::of(request.uri(), &query, &state.page_key)?;
            let after: Option<String> = paging.after()?;
            Ok(list(&table.types(), &paging, after.as_deref()))
        }
        Place::One(slug) => {
            query.only(&[])?;
            Ok(respond::json(&Document::of(find(slug)?)))
        }
        Place::Versions(slug) => {
            query.only(&paging::PARAMETERS)?;
            let paging = Paging::of(request.uri(), &query, &state.page_key)?;
            let after: Option<usize> = paging.after()?;
            Ok(versions(find(slug)?, &paging, after))
        }
        Place::Version(slug, named) => {
            query.only(&[])?;
            let declared = &find(slug)?.model.declared;
            let found = declared.versions.iter().find(|version| version.version == named);
            let found = found.ok_or_else(|| no_version(slug, named))?;
            Ok(respond::json(&Version::of(found)))
        }
    }
}

fn list(types: &[&ServedType], paging: &Paging<'_>, after: Option<&str>) -> Response<Body> {
    let size = usize::try_from(paging.size()).unwrap_or(usize::MAX);
    let behind =
        types.iter().filter(|served| after.is_none_or(|after| *served.model.slug > *after));
    let mut items: Vec<_> = behind.take(size.saturating_add(1)).map(|it| Summary::of(it)).collect();
    let has_more = items.len() > size;
    items.truncate(size);
    let last = items.last().filter(|_last| has_more).map(|last| last.slug().to_owned());
    paging.answer(&items, last.as_deref())
}

/// They keep the order in which they are declared, so a page goes on behind a number of them.
fn versions(served: &ServedType, paging: &Paging<'_>, after: Option<usize>) -> Response<Body> {
    let size = usize::try_from(paging.size()).unwrap_or(usize::MAX);
    let all = &served.model.declared.versions;
    let begin = after.unwrap_or(0).min(all.len());
    let end = begin.saturating_add(size).min(all.len());
    let items: Vec<_> = all[begin..end].iter().map(Version::of).collect();
    let more = (end < all.len()).then(|| end.to_string());
    paging.answer(&items, more.as_deref())
}

fn no_version(slug: &str, version: &str) -> Problem {
    Problem::new(Code::NotFound, format!("Type {slug} has no version {version}."))
        .hint(format!("GET {TYPES_PREFIX}{slug}/versions lists those that it has."))
        .with("type", slug)
        .with("version", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_its_segments() {
        for (path, place) in [
            ("/v1/types", Some(Place::All)),
            ("/v1/types/demo", Some(Place::One("demo"))),
            ("/v1/types/demo/versions", Some(Place::Versions("demo"))),
            ("/v1/types/demo/versions/1.2", Some(Place::Version("demo", "1.2"))),
            ("/v1/types/demo/versions/1.2/more", None),
            ("/v1/types/demo/instances", None),
            ("/v1/typeset", None),
        ] {
            assert_eq!(Place::at(path), place, "{path}");
        }
    }
}
