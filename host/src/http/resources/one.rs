//! One resource, as it is or as it becomes.

use std::sync::Arc;

use ::http::{HeaderValue, Response};

use super::watching::{OfResources, Wanted};
use super::{Asked, JSON, Target, not_found};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::watch::{self, Filters};
use crate::http::{Body, access, etag, respond};
use crate::resource::document::Seen;
use crate::resource::query::{self, FieldMask, Members, Selection};

/// Answers with the resource `key`, or that the client has it already; or with it and what becomes of it.
pub(super) async fn answer(asked: &Asked<'_>, key: &str) -> Result<Response<Body>, Problem> {
    let model = &asked.place.collection.model;
    let query = Query::of(&asked.head.uri);
    query.only(&[&[query::FIELDS, access::PROJECT_PARAMETER], &watch::PARAMETERS[..]].concat())?;
    let members = Members::of(&model.declared);
    let fields = query.get(query::FIELDS).map(|text| query::fields(&members, text).map(Arc::new));
    let fields = fields.transpose().map_err(|error| respond::query(&error))?;
    if let Some(watched) = watch::asked(&query, &asked.head.headers)? {
        return follow(asked, key, fields, watched).await;
    }
    let permission = model.permission("read");
    let seen = Seen { fields, ..asked.seen() };
    let parent = asked.parent(&permission).await?;
    let found = asked.find(model, parent.as_ref(), key, &permission, &seen).await?;
    let found = found.ok_or_else(|| not_found(model, key))?;
    let etag = HeaderValue::from_str(&found.etag).expect("an etag is digits in quotes");
    let whole = || respond::with_type(JSON, found.text);
    Ok(etag::unless_known(&asked.head.headers, &etag, whole))
}

async fn follow(
    asked: &Asked<'_>,
    key: &str,
    fields: Option<Arc<FieldMask>>,
    watched: watch::Asked,
) -> Result<Response<Body>, Problem> {
    let Target { found, instance, parent } = asked.target(key, "watch").await?;
    let members = Members::of(&asked.place.collection.model.declared);
    let all = Selection::parse(&members, &query::Asked::default(), 1);
    let selection = all.map_err(|error| respond::query(&error))?;
    let wanted = Wanted { selection, filters: Filters::Nothing, fields, only: Some(found.id) };
    let parent = parent.map(|parent| (parent, found.project, instance));
    let source = OfResources::new(asked, parent, wanted);
    watch::objects(asked.state, &asked.head.uri, asked.caller.clone(), watched, source).await
}
