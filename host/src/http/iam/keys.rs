//! API keys.
//!
//! Everybody has keys of their own; those of a service account are made by whoever looks after it, those of another
//! user by whoever may do everything. A key that narrows its owner's rights makes no other.

use std::net::IpAddr;
use std::time::Duration;

use ::http::{Method, Response};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::principals::may_become;
use super::projects::whole;
use super::{Asked, bad_member, bindings, changed, created, gone, not_found, not_stored, roles};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, State, document, respond};
use crate::identity::change::{Kind, NewKey, Rotation};
use crate::identity::record::{Key, PrincipalKind, PrincipalRef};
use crate::identity::register::Register;
use crate::identity::{Caller, Forbidden, ProjectId, Token};
use crate::timestamp::Timestamp;

const KIND: Kind = Kind::ApiKey;
const MEMBERS: [&str; 7] =
    ["name", "principal", "scopes", "project", "cidrs", "expires_at", "expires_in"];
/// How long the old key still counts, where nothing else is said.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Default, Deserialize)]
struct Sent {
    name: Option<String>,
    principal: Option<String>,
    scopes: Option<Vec<String>>,
    project: Option<String>,
    cidrs: Option<Vec<String>>,
    expires_at: Option<Timestamp>,
    /// In seconds.
    expires_in: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct SentRotation {
    /// In seconds.
    overlap: Option<u32>,
    expires_at: Option<Timestamp>,
    expires_in: Option<u32>,
}

pub(super) async fn answer(asked: Asked<'_>, rest: &[&str]) -> Result<Response<Body>, Problem> {
    match (rest, asked.method()) {
        ([], _) if asked.is_read() => list(&asked),
        ([], &Method::POST) => create(asked).await,
        ([], _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        ([named], _) => one(asked, named).await,
        ([named, "actions", verb], &Method::POST) => act(asked, named, verb).await,
        ([_, "actions", _], _) => Err(Problem::method_not_allowed("POST")),
        ([..], _) => Err(asked.no_route()),
    }
}

/// Refuses what the caller may not do with the keys of `owner`.
fn demand(
    caller: &Caller,
    register: &Register,
    permission: &str,
    owner: PrincipalRef,
) -> Result<(), Forbidden> {
    if caller.principal() == owner {
        return Ok(());
    }
    let project = match owner.kind {
        PrincipalKind::User => None,
        PrincipalKind::ServiceAccount => {
            register.rows().service_accounts.get(&owner.id).and_then(|account| account.project)
        }
    };
    match project {
        Some(project) => caller.demand(permission, &whole(project)),
        None => caller.demand_on_platform(permission),
    }
}

/// Refuses a new key by which the caller would get more rights than it has.
fn demand_to_make(
    caller: &Caller,
    register: &Register,
    owner: PrincipalRef,
) -> Result<(), Forbidden> {
    demand(caller, register, "iam.api_key.create", owner)?;
    match owner.kind {
        PrincipalKind::User => may_become(caller, owner),
        PrincipalKind::ServiceAccount if caller.is_narrowed() => Err(caller.narrowed()),
        PrincipalKind::ServiceAccount => Ok(()),
    }
}

fn list(asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let query = Query::of(asked.uri());
    let register = &asked.register;
    let owner = match query.get("principal") {
        Some(text) => Some(bindings::principal_of(register, text)?),
        None => None,
    };
    let seen = register.rows().keys.values().filter(|key| {
        owner.is_none_or(|owner| key.owner == owner)
            && demand(&asked.caller, register, "iam.api_key.list", key.owner).is_ok()
    });
    asked.page(&["principal"], seen.map(|key| (key.id, document_of(asked.state, register, key))))
}

async fn create(asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let Asked { state, caller, register, request } = asked;
    let sent: Sent = document::read(state, request.into_body(), "An API key", &MEMBERS).await?;
    let owner = match &sent.principal {
        Some(text) => bindings::principal_of(&register, text)?,
        None => caller.principal(),
    };
    demand_to_make(&caller, &register, owner)?;
    let new = NewKey {
        name: sent.name.unwrap_or_default(),
        owner,
        scopes: roles::patterns("scopes", sent.scopes)?,
        project: sent.project.map(|named| caller.project(Some(&named))).transpose()?,
        cidrs: sent
            .cidrs
            .unwrap_or_default()
            .iter()
            .map(|text| cidr(text))
            .collect::<Result<_, _>>()?,
        expires_at: expiry(sent.expires_at, sent.expires_in)?,
        created_by: caller.name().to_owned(),
    };
    let (id, token) = state.identity.create_key(new).await.map_err(changed)?;
    shown(state, id, &token)
}

async fn one(asked: Asked<'_>, named: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let key = find(&asked, named)?;
    match *asked.method() {
        Method::GET | Method::HEAD => {
            Ok(respond::json(&document_of(asked.state, &asked.register, key)))
        }
        Method::DELETE => {
            demand(&asked.caller, &asked.register, "iam.api_key.delete", key.owner)?;
            asked.state.identity.revoke_key(key.id).await.map_err(changed)?;
            Ok(gone())
        }
        _ => Err(Problem::method_not_allowed("DELETE, GET, HEAD")),
    }
}

async fn act(asked: Asked<'_>, named: &str, verb: &str) -> Result<Response<Body>, Problem> {
    asked.no_parameters()?;
    let Key { id, owner, .. } = *find(&asked, named)?;
    if verb != "rotate" {
        return Err(respond::no_action(verb, &["rotate"]));
    }
    demand_to_make(&asked.caller, &asked.register, owner)?;
    let Asked { state, caller, request, .. } = asked;
    let members = &["overlap", "expires_at", "expires_in"];
    let sent: SentRotation =
        document::read(state, request.into_body(), "A rotation", members).await?;
    let rotation = Rotation {
        overlap: sent.overlap.map_or(OVERLAP, |seconds| Duration::from_secs(seconds.into())),
        expires_at: expiry(sent.expires_at, sent.expires_in)?,
        created_by: caller.name().to_owned(),
    };
    let (id, token) = state.identity.rotate_key(id, rotation).await.map_err(changed)?;
    shown(state, id, &token)
}

/// The key of this id, or with this shown part, if the caller sees it.
fn find<'a>(asked: &'a Asked<'_>, named: &str) -> Result<&'a Key, Problem> {
    let found = asked.register.key_of(named);
    let sees =
        |key: &&Key| demand(&asked.caller, &asked.register, "iam.api_key.read", key.owner).is_ok();
    found.filter(sees).ok_or_else(|| not_found(KIND, named))
}

/// The one answer that has the key in it.
fn shown(state: &State, id: Uuid, token: &Token) -> Result<Response<Body>, Problem> {
    let register = state.identity.register();
    let key = register.rows().keys.get(&id).ok_or_else(|| not_found(KIND, "any more"))?;
    let mut document = document_of(state, &register, key);
    document["key"] = token.reveal().into();
    Ok(not_stored(created("api-keys", id, &document)))
}

/// A network, or a single address.
fn cidr(text: &str) -> Result<IpNet, Problem> {
    let of_one = || text.parse::<IpAddr>().map(IpNet::from);
    let net = text.parse::<IpNet>().or_else(|_no_net| of_one());
    net.map_err(|_no_address| {
        bad_member("cidrs", format!("{text:?} is no network, as in 10.0.0.0/8"))
    })
}

/// When something ends that is said in one of these ways.
fn expiry(at: Option<Timestamp>, within_s: Option<u32>) -> Result<Option<Timestamp>, Problem> {
    let now = Timestamp::now();
    match (at, within_s) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(bad_member("expires_in", "expires_at is there too: say one")),
        (Some(at), None) if at <= now => Err(bad_member("expires_at", "it is past")),
        (Some(at), None) => Ok(Some(at)),
        (None, Some(0)) => Err(bad_member("expires_in", "it is 0 seconds")),
        (None, Some(seconds)) => {
            Ok(Some((now.into_inner() + Duration::from_secs(seconds.into())).into()))
        }
    }
}

fn document_of(state: &State, register: &Register, key: &Key) -> Value {
    let now = Timestamp::now();
    let status = match (key.revoked_at, key.counts_at(now)) {
        (Some(_), _) => "REVOKED",
        (None, true) => "ACTIVE",
        (None, false) => "EXPIRED",
    };
    let (last_used_at, last_used_ip) = state.identity.last_use(key);
    let cidrs: Vec<_> = key.cidrs.iter().map(IpNet::to_string).collect();
    json!({
        "id": key.id,
        "key_id": key.key_id,
        "name": key.name,
        "principal": register.name_of(key.owner),
        "status": status,
        "scopes": key.scopes,
        "project_id": key.project.map(ProjectId::uuid),
        "cidrs": cidrs,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "rotated_to": key.rotated_to,
        "last_used_at": last_used_at,
        "last_used_ip": last_used_ip,
        "created_by": key.created_by,
        "created_at": key.created_at,
    })
}
