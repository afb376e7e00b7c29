//! Whether this user's client can speak to the daemon that was just started.
//!
//! Not here: the first start, which gives the client its token (`serve::show_first_token`).

use crate::cli::context::{self, Contexts, Endpoint, Error};
use crate::log;

/// What the client knows of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// It is the one that is meant when nothing else is said.
    Current,
    /// Its token, but another daemon is the current one.
    Known,
    /// Not its token.
    Stranger,
}

/// What the client knows of the daemon at `endpoint` with the admin token whose public part is `token_id`.
///
/// A daemon that listens elsewhere than before is known by its token: then the client is told where.
pub(super) fn acquaintance(endpoint: &str, token_id: &str) -> Acquaintance {
    find(endpoint, token_id).unwrap_or_else(|error| {
        let why = log::chain(&error).to_string();
        tracing::warn!("the client context cannot be used: {why}");
        Acquaintance::Stranger
    })
}

fn find(endpoint: &str, token_id: &str) -> Result<Acquaintance, Error> {
    let wanted: Endpoint = endpoint.parse()?;
    let contexts = Contexts::load(&context::path()?)?;
    let is_ours = |token: &&context::Secret| token.id() == Some(token_id);
    let of_endpoint = contexts.of_endpoint(&wanted).and_then(|context| context.token.as_ref());
    if of_endpoint.is_some_and(|token| is_ours(&token)) {
        let current = contexts.current().is_some_and(|(_name, context)| context.endpoint == wanted);
        return Ok(if current { Acquaintance::Current } else { Acquaintance::Known });
    }
    let mut tokens = contexts.iter().filter_map(|(_name, context)| context.token.as_ref());
    let Some(token) = tokens.find(is_ours) else { return Ok(Acquaintance::Stranger) };
    context::remember(endpoint, token.reveal())?;
    Ok(Acquaintance::Current)
}
