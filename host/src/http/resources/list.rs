//! A page of a collection.
//!
//! The common ones (by age, in one project or everywhere) are statements that are written ahead; what is filtered,
//! ordered or seen in part is selected.

use std::sync::Arc;

use ::http::Response;
use serde_json::Value;
use uuid::Uuid;

use super::watching::{OfResources, PART, Wanted};
use super::{Asked, not_found};
use crate::http::paging::{self, Behind, Last, Paging, TOTAL_SIZE};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::watch::{self, Filters};
use crate::http::{Body, access, respond};
use crate::identity::{ProjectId, Visible};
use crate::resource::document::Seen;
use crate::resource::document::Shown;
use crate::resource::query::{self, FieldMask, Members, Order, Selection};
use crate::resource::reads::{End, Page, PageOf};

/// Answers with the part of the collection that is asked for, or with all of it and what becomes of it.
pub(super) async fn answer(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let query = Query::of(&asked.head.uri);
    let own = [TOTAL_SIZE, access::PROJECT_PARAMETER];
    let known = [&query::PARAMETERS[..], &own, &watch::PARAMETERS, &paging::PARAMETERS].concat();
    query.only(&known)?;
    match watch::asked(&query, &asked.head.headers)? {
        Some(watched) => follow(asked, &query, watched).await,
        None => page(asked, &query).await,
    }
}

async fn follow(
    asked: &Asked<'_>,
    query: &Query,
    watched: watch::Asked,
) -> Result<Response<Body>, Problem> {
    let model = &asked.place.collection.model;
    let permission = model.permission("watch");
    let parent = asked.parent(&permission).await?;
    asked.listed(&permission, parent.as_ref())?;
    let members = Members::of(&model.declared);
    let (selection, fields) = selected(query, &members, PART)?;
    let asks_for_all = query::Asked { order_by: None, ..asked_of(query) }.is_nothing();
    let filters = if asks_for_all { Filters::Nothing } else { Filters::Something };
    let parent = parent.map(|(parent, top)| (parent.id, parent.project, top));
    let wanted = Wanted { selection, filters, fields, only: None };
    let source = OfResources::new(asked, parent, wanted);
    watch::objects(asked.state, &asked.head.uri, asked.caller.clone(), watched, source).await
}

fn asked_of(query: &Query) -> query::Asked<'_> {
    query::Asked::of(|name| query.get(name))
}

/// Which of the collection, and what of each.
fn selected(
    query: &Query,
    members: &Members,
    limit: u64,
) -> Result<(Selection, Option<Arc<FieldMask>>), Problem> {
    let refused = |error| respond::query(&error);
    let selection = Selection::parse(members, &asked_of(query), limit).map_err(refused)?;
    let fields = query.get(query::FIELDS).map(|text| query::fields(members, text).map(Arc::new));
    Ok((selection, fields.transpose().map_err(refused)?))
}

async fn page(asked: &Asked<'_>, query: &Query) -> Result<Response<Body>, Problem> {
    let Asked { state, place, head, .. } = *asked;
    let model = &place.collection.model;
    let permission = model.permission("list");
    let parent = asked.parent(&permission).await?;
    let visible = asked.listed(&permission, parent.as_ref())?;
    let paging = Paging::of(&head.uri, query, &state.page_key)?;
    let members = Members::of(&model.declared);
    let is_counted = query.flag(TOTAL_SIZE)?;
    let (selection, fields) = selected(query, &members, paging.size())?;
    let above = parent.as_ref().map(|(parent, _instance)| parent.id);
    let project = parent.as_ref().map(|(parent, _instance)| parent.project).or(asked.project);
    let sees_all = covers(&visible, project);
    let mut selection = selection.under(&members, above);
    if let Some(project) = project {
        selection = selection.of_project(&members, project);
    }
    if !sees_all {
        selection = selection.seen_as(&members, &visible);
    }
    let keys = keys_behind(asked, parent.as_ref(), &paging, &selection.order).await?;
    let seen = Seen { fields, ..asked.seen() };
    let page = if asked_of(query).is_nothing() && sees_all {
        let after = keys.as_deref().map(str::parse).transpose();
        let after = after.map_err(|_of_another_list| paging::mismatch())?;
        let place = project.map(|project| (project, above));
        let page = PageOf { place, after, n_max: paging.size() };
        state.reads.page(model, page, &seen).await
    } else {
        let after = keys.as_deref().map(|keys| selection.order.read(keys));
        let after = after.map(|after| after.ok_or_else(paging::mismatch)).transpose()?;
        selection = selection.behind(after);
        state.reads.select(model, &selection, &seen).await
    };
    let Page { items, more_after, .. } = page.map_err(|error| respond::internal(&error))?;
    let total = if is_counted {
        let counted = state.reads.count(model, &selection).await;
        Some(counted.map_err(|error| respond::internal(&error))?)
    } else {
        None
    };
    let end = more_after.map(|End { keys, id }| (keys, id.to_string()));
    let last = end.as_ref().map(|(keys, id)| Last { keys, marker: id });
    Ok(paging.answer_written(&items, last, total))
}

/// Whether all that there is in `project`, or everywhere, is seen.
fn covers(visible: &Visible, project: Option<ProjectId>) -> bool {
    match (visible, project) {
        (Visible::Everything, _) => true,
        (Visible::Some { projects, hidden, .. }, Some(project)) => {
            hidden.is_empty() && projects.contains(&project)
        }
        (Visible::Some { .. }, None) | (Visible::Nothing, _) => false,
    }
}

/// The keys that the page comes behind, in the order of the list.
async fn keys_behind(
    asked: &Asked<'_>,
    parent: Option<&(Shown, Uuid)>,
    paging: &Paging<'_>,
    order: &Order,
) -> Result<Option<String>, Problem> {
    match paging.behind() {
        None => Ok(None),
        Some(Behind::Keys(keys)) => Ok(Some(keys.to_owned())),
        Some(Behind::Marker(key)) => {
            let model = &asked.place.collection.model;
            let permission = model.permission("list");
            let found = asked.find(model, parent, key, &permission, &asked.seen()).await?;
            let found = found.ok_or_else(|| not_found(model, key))?;
            let document: Value = serde_json::from_slice(&found.text).expect("a document is JSON");
            Ok(Some(order.keys_of(&document)))
        }
    }
}
