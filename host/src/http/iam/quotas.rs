//! How much a project may have, and has.
//!
//! Who has a role in a project may see it; only who may so in its organization may change it, so that nobody raises
//! their own limits.

use std::collections::{BTreeMap, BTreeSet};

use ::http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::projects::{find, whole};
use super::{Asked, bad_member, changed};
use crate::http::problem::Problem;
use crate::http::{Body, State, document, respond};
use crate::identity::ProjectId;
use crate::identity::quota::{Limits, Measure};

/// The limits by type, and by measure.
#[derive(Debug, Default, Deserialize)]
struct Sent {
    limits: Option<BTreeMap<String, BTreeMap<String, u64>>>,
}

pub(super) async fn answer(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let project = find(&asked, named)?;
    let (id, organization) = (project.id, project.organization);
    match *asked.method() {
        Method::GET | Method::HEAD => {
            asked.caller.demand("iam.quota.read", &whole(id))?;
            show(asked.state, id).await
        }
        Method::PUT => {
            asked.caller.demand_in_organization("iam.quota.update", organization)?;
            let Asked { state, request, .. } = asked;
            let sent: Sent =
                document::read(state, request.into_body(), "A quota", &["limits"]).await?;
            let limits = parse(sent.limits.unwrap_or_default())?;
            state.identity.set_quotas(id, limits).await.map_err(changed)?;
            show(state, id).await
        }
        _ => Err(Problem::method_not_allowed("GET, HEAD, PUT")),
    }
}

fn parse(
    sent: BTreeMap<String, BTreeMap<String, u64>>,
) -> Result<BTreeMap<String, Limits>, Problem> {
    let measure = |(word, limit): (String, u64)| {
        let known = || Measure::ALL.map(Measure::word).join(", ");
        let measure = Measure::named(&word);
        let wrong = || bad_member("limits", format!("there is no {word}, there are {}", known()));
        measure.map(|measure| (measure, limit)).ok_or_else(wrong)
    };
    let one = |(slug, limits): (String, BTreeMap<String, u64>)| {
        Ok((slug, limits.into_iter().map(measure).collect::<Result<Limits, Problem>>()?))
    };
    sent.into_iter().map(one).collect()
}

/// Each type that is limited or used: what is used, and how much there may be.
async fn show(state: &State, project: ProjectId) -> Result<Response<Body>, Problem> {
    let failed = |error| respond::internal(&error);
    let limits = state.identity.quotas(project).await.map_err(failed)?;
    let used = state.identity.usage().used(project).await.map_err(failed)?;
    let slugs: BTreeSet<_> = limits.keys().chain(used.keys()).collect();
    let items: Vec<_> = slugs
        .into_iter()
        .map(|slug| {
            let limit_of: BTreeMap<_, _> =
                limits.get(slug).into_iter().flat_map(Limits::iter).collect();
            let measures = Measure::ALL.map(|measure| {
                let limit = limit_of.get(&measure);
                let used = used.get(slug).and_then(|used| used.get(&measure)).copied().unwrap_or(0);
                (measure.word().to_owned(), json!({"used": used, "limit": limit}))
            });
            json!({"type": slug, "quotas": Value::Object(measures.into_iter().collect())})
        })
        .collect();
    Ok(respond::json(&json!({"project_id": project.uuid(), "items": items})))
}
