//! `PATCH` and `PUT` of one: a resource that shall be otherwise, or be there.

use ::http::Response;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::write::{BYTES_MAX, Manner, read, renders};
use super::{Asked, Target, id_of};
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::query::Query;
use crate::http::route::without_slash;
use crate::http::{Body, document, respond};
use crate::resource::write::change::Change;
use crate::resource::write::input;
use crate::resource::write::mask::Mask;
use crate::resource::write::patch::{Patch, PatchError};
use crate::resource::write::precondition::Unmet;
use crate::resource::write::wanted::Unsaid;
use crate::resource::write::{Refused, Written};

const UPDATE_MASK: &str = "update_mask";
const STEPS: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const PLAIN: &str = "application/json";

/// A `PUT` that finds another state whenever it looks is given up after so many looks.
const LOOKS_MAX: usize = 3;

/// Answers a `PATCH` with the resource as it is then.
pub(super) async fn patch(
    asked: &Asked<'_>,
    key: &str,
    body: Incoming,
) -> Result<Response<Body>, Problem> {
    let query = Query::of(&asked.head.uri);
    let manner = asked.manner(&query, &[UPDATE_MASK])?;
    let target = asked.target(key, "update").await?;
    let media_type = asked.check_media_type(&[PLAIN, MERGE, STEPS])?;
    let whole = document::whole(asked.state, body, BYTES_MAX).await?;
    let render = renders(&asked.state.operations, None);
    let write = async |ask| {
        asked.check_available()?;
        let mut patch = patch_of(&query, media_type, &whole)?;
        let precondition = asked.precondition(patch.take_etag().as_ref())?;
        let change = Change { patch, unsaid: Unsaid::Stays, precondition };
        let Target { found, instance, .. } = &target;
        let changed = asked.state.writes.change(ask, found.id, *instance, change).await;
        changed.map_err(|refused| asked.refused(&refused, Some(key)))
    };
    asked.perform(manner, &whole, render, target.parent, write).await
}

fn patch_of(query: &Query, media_type: &str, whole: &[u8]) -> Result<Patch, Problem> {
    let mask = query.get(UPDATE_MASK).map(|text| {
        Mask::parse(text).map_err(|error| Query::refused(UPDATE_MASK, text, &error.to_string()))
    });
    let mask = mask.transpose()?;
    if media_type != STEPS {
        return Ok(Patch::Merge { members: read(whole)?, mask });
    }
    if mask.is_some() {
        let detail = format!("{UPDATE_MASK} goes with a merge patch; steps name their members.");
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let steps = input::read(whole).map_err(|error| respond::resource::unreadable(&error))?;
    Patch::steps(steps).map_err(|error: PatchError| respond::resource::patch(&error))
}

/// Answers a `PUT`: makes what is named, or makes it so.
pub(super) async fn put(
    asked: &Asked<'_>,
    key: &str,
    body: Incoming,
) -> Result<Response<Body>, Problem> {
    let manner = asked.manner(&Query::of(&asked.head.uri), &[])?;
    asked.check_media_type(&[PLAIN])?;
    let whole = document::whole(asked.state, body, BYTES_MAX).await?;
    let mut members = read(&whole)?;
    let precondition = asked.precondition(members.remove("etag").as_ref())?;
    for _look in 0..LOOKS_MAX {
        match asked.target(key, "update").await {
            Ok(target) => {
                let change = Change {
                    patch: Patch::Whole(members.clone()),
                    unsaid: Unsaid::Goes,
                    precondition: precondition.clone(),
                };
                return replace(asked, key, manner, &whole, &target, change).await;
            }
            // What has an id was made by the host.
            Err(problem) if problem.code() != Code::NotFound || id_of(key).is_some() => {
                return Err(problem);
            }
            Err(_not_there) => {}
        }
        if !precondition.matches.is_empty() {
            let unmet = Refused::Unmet { unmet: Unmet::Absent, etag: None };
            return Err(asked.refused(&unmet, Some(key)));
        }
        match make(asked, key, manner, &whole, &members).await {
            Err(problem) if problem.code() == Code::NameTaken && !precondition.is_absent => {}
            other => return other,
        }
    }
    Err(asked.refused(&Refused::Raced, Some(key)))
}

async fn replace(
    asked: &Asked<'_>,
    key: &str,
    manner: Manner,
    whole: &[u8],
    target: &Target,
    change: Change,
) -> Result<Response<Body>, Problem> {
    let render = renders(&asked.state.operations, None);
    let write = async |ask| {
        asked.check_available()?;
        let Target { found, instance, .. } = target;
        let changed = asked.state.writes.change(ask, found.id, *instance, change).await;
        changed.map_err(|refused| asked.refused(&refused, Some(key)))
    };
    asked.perform(manner, whole, render, target.parent, write).await
}

async fn make(
    asked: &Asked<'_>,
    key: &str,
    manner: Manner,
    whole: &[u8],
    members: &Map<String, Value>,
) -> Result<Response<Body>, Problem> {
    let home = asked.home().await?;
    let mut members = members.clone();
    if members.get("name").is_some_and(|name| name != key) {
        return Err(other_name(key));
    }
    members.insert("name".to_owned(), key.into());
    let path = without_slash(asked.head.uri.path()).to_owned();
    let render = renders(&asked.state.operations, Some(path));
    let parent = home.1.map(|(parent, _top)| parent);
    let write = async |ask| -> Result<Written, Problem> { asked.make(ask, home, members).await };
    asked.perform(manner, whole, render, parent, write).await
}

fn other_name(key: &str) -> Problem {
    let message = "the path names another".to_owned();
    let code = Code::FieldImmutable.spec().name.into();
    let error = FieldError { pointer: "/name".to_owned(), code, message };
    Problem::new(Code::FieldImmutable, format!("The path names {key}, and the document another."))
        .field(error)
}
