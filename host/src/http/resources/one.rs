//! One resource.

use std::sync::Arc;

use ::http::{HeaderValue, Response};

use super::{Asked, JSON, not_found};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, access, etag, respond};
use crate::resource::document::Seen;
use crate::resource::query::{self, Members};

/// Answers with the resource `key`, or that the client has it already.
pub(super) async fn answer(asked: &Asked<'_>, key: &str) -> Result<Response<Body>, Problem> {
    let model = &asked.place.collection.model;
    let query = Query::of(&asked.head.uri);
    query.only(&[query::FIELDS, access::PROJECT_PARAMETER])?;
    let permission = model.permission("read");
    let fields = query
        .get(query::FIELDS)
        .map(|text| query::fields(&Members::of(&model.declared), text).map(Arc::new));
    let fields = fields.transpose().map_err(|error| respond::query(&error))?;
    let seen = Seen { fields, ..asked.seen() };
    let parent = asked.parent(&permission).await?;
    let found = asked.find(model, parent.as_ref(), key, &permission, &seen).await?;
    let found = found.ok_or_else(|| not_found(model, key))?;
    let etag = HeaderValue::from_str(&found.etag).expect("an etag is digits in quotes");
    let whole = || respond::with_type(JSON, found.text);
    Ok(etag::unless_known(&asked.head.headers, &etag, whole))
}
