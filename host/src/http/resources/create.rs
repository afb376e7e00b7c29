//! `POST` to a collection: a resource that was not there.

use ::http::Response;
use hyper::body::Incoming;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Asked;
use super::write::{BYTES_MAX, ID, read, renders};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::without_slash;
use crate::http::{Body, document};
use crate::identity::{ProjectId, Scope};
use crate::resource::write::{Ask, New, Written};

/// Where one shall be: the project, what it hangs under and the instance at the top of that.
pub(super) type Home = (ProjectId, Option<(Uuid, Uuid)>);

/// Answers with what was made.
pub(super) async fn answer(asked: &Asked<'_>, body: Incoming) -> Result<Response<Body>, Problem> {
    let manner = asked.manner(&Query::of(&asked.head.uri), &[])?;
    let home = asked.home().await?;
    asked.check_media_type(&["application/json"])?;
    let whole = document::whole(asked.state, body, BYTES_MAX).await?;
    let template = asked.location_template();
    let render = renders(&asked.state.operations, Some(template));
    let parent = home.1.map(|(parent, _top)| parent);
    asked
        .perform(manner, &whole, render, parent, async |ask| {
            asked.make(ask, home, read(&whole)?).await
        })
        .await
}

impl Asked<'_> {
    /// Where one may be made.
    pub(super) async fn home(&self) -> Result<Home, Problem> {
        let model = &self.place.collection.model;
        let permission = model.permission("create");
        let parent = self.parent(&permission).await?;
        let project = match (&parent, self.project) {
            (Some((parent, _top)), _) => parent.project,
            (None, Some(project)) => project,
            (None, None) => self.caller.project(None)?,
        };
        let instance = parent.as_ref().map(|(_parent, top)| *top);
        self.caller.demand(&permission, &Scope { project, slug: Some(&model.slug), instance })?;
        Ok((project, parent.map(|(parent, top)| (parent.id, top))))
    }

    /// Makes one of these members.
    pub(super) async fn make(
        &self,
        ask: Ask,
        home: Home,
        members: Map<String, Value>,
    ) -> Result<Written, Problem> {
        self.check_available()?;
        let (project, parent) = home;
        let new = New { project, parent, members };
        let made = self.state.writes.create(ask, new).await;
        made.map_err(|refused| self.refused(&refused, None))
    }

    /// Where what is made will be.
    fn location_template(&self) -> String {
        format!("{}/{ID}", without_slash(self.head.uri.path()))
    }
}
