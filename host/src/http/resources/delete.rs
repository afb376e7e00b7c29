//! `DELETE` of one.

use ::http::Response;

use super::write::{gone, renders};
use super::{Asked, Target};
use crate::http::Body;
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::resource::write::delete::{Children, Delete};

const CASCADE: &str = "cascade";
const ALLOW_MISSING: &str = "allow_missing";
/// What nothing here needs, because nothing is kept of what was deleted.
const MORE_THAN_IS_KEPT: [&str; 2] = ["force", "purge"];

/// Answers with the operation that takes it down, or with nothing where it is gone.
pub(super) async fn answer(asked: &Asked<'_>, key: &str) -> Result<Response<Body>, Problem> {
    let query = Query::of(&asked.head.uri);
    let [force, purge] = MORE_THAN_IS_KEPT;
    let manner = asked.manner(&query, &[CASCADE, ALLOW_MISSING, force, purge])?;
    let children = if query.flag(CASCADE)? { Children::Cascade } else { Children::Keep };
    let may_be_missing = query.flag(ALLOW_MISSING)?;
    for more in MORE_THAN_IS_KEPT {
        query.flag(more)?;
    }
    let precondition = asked.precondition(None)?;
    let target = match asked.target(key, "delete").await {
        Err(problem) if may_be_missing && problem.code() == Code::NotFound => return Ok(gone()),
        other => other?,
    };
    let Target { found, instance, parent } = &target;
    let render = renders(&asked.state.operations, None);
    let write = async |ask| {
        let delete = Delete { children, precondition };
        let deleted = asked.state.writes.delete(ask, found.id, *instance, delete).await;
        deleted.map_err(|refused| asked.refused(&refused, Some(key)))
    };
    asked.perform(manner, &[], render, *parent, write).await
}
