//! `POST …/actions/{verb}`: something that is done to one.

use ::http::Response;
use hyper::body::Incoming;
use plugin_abi::descriptor::Hook;
use serde_json::Value;

use super::write::{BYTES_MAX, renders};
use super::{Asked, Target};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, access, document, respond, wait};
use crate::model::ActionModel;
use crate::resource::write::act::{Act, RETRY};
use crate::resource::write::input;

/// Answers with the operation, or, where nothing is changed, with what came of it.
pub(super) async fn answer(
    asked: &Asked<'_>,
    key: &str,
    verb: &str,
    body: Incoming,
) -> Result<Response<Body>, Problem> {
    let model = &asked.place.collection.model;
    let has_retry = verb == RETRY && model.has(Hook::Reconcile);
    let action = model.action(verb);
    if action.is_none() && !has_retry {
        // Told only to whoever may know of the resource.
        asked.target(key, "read").await?;
        return Err(respond::no_action(verb, &known(asked)));
    }
    let target = asked.target(key, verb).await?;
    let precondition = asked.precondition(None)?;
    asked.check_media_type(&["application/json"])?;
    let whole = document::whole(asked.state, body, BYTES_MAX).await?;
    let input = read(action, &whole)?;
    let Target { found, instance, parent } = &target;
    let refused = |refused| asked.refused(&refused, Some(key));
    let act = match action {
        Some(action) => Act::of(action, input, precondition),
        None => Act { precondition, verb: verb.to_owned(), input, deadline_ms: None },
    };
    let query = Query::of(&asked.head.uri);
    if action.is_some_and(|action| action.declared.safe) {
        query.only(&[access::PROJECT_PARAMETER, wait::PARAMETER])?;
        asked.check_available()?;
        let collection = &asked.place.collection;
        let output = asked.state.writes.act_safely(collection, found.id, &act).await;
        return Ok(respond::json(&output.map_err(refused)?));
    }
    let manner = asked.manner(&query, &[])?;
    let render = renders(&asked.state.operations, None);
    let write = async |ask| {
        asked.check_available()?;
        asked.state.writes.act(ask, found.id, *instance, act).await.map_err(refused)
    };
    asked.perform(manner, &whole, render, *parent, write).await
}

fn known<'a>(asked: &'a Asked<'_>) -> Vec<&'a str> {
    let model = &asked.place.collection.model;
    let declared = model.actions().iter().map(|action| action.declared.verb.as_str());
    declared.chain(model.has(Hook::Reconcile).then_some(RETRY)).collect()
}

/// What is sent with an action.
fn read(action: Option<&ActionModel>, whole: &[u8]) -> Result<Value, Problem> {
    let input = if whole.is_empty() {
        Value::Null
    } else {
        input::read(whole).map_err(|error| respond::resource::unreadable(&error))?
    };
    match action.map(|action| action.check(&input)) {
        Some(Err(faults)) => Err(respond::resource::faults(&faults)),
        Some(Ok(())) | None => Ok(input),
    }
}
