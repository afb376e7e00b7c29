//! How a daemon is reached: what the flags, the environment and the client context say, in this order.
//!
//! Guarantees: the token of a context is used for that context's daemon alone.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::Args;

use super::Error;
use crate::cli::context::{self, Contexts, Endpoint, Secret};
use crate::cli::output::Format;

/// The daemon that is meant when nothing says otherwise.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8080";

/// The flags that every command of the client has, before or after its noun.
#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "The daemon to speak to")]
pub(crate) struct Reach {
    /// Its user API [env: METAPAAS_ENDPOINT] [default: the current context].
    #[arg(short, long, global = true, value_name = "URL")]
    endpoint: Option<Endpoint>,
    /// The user to authenticate as, with `--password`.
    #[arg(short, long, global = true, value_name = "USER")]
    user: Option<String>,
    /// That user's password; for `admin` the admin token.
    #[arg(short, long, global = true, value_name = "PASSWORD")]
    password: Option<Secret>,
    /// The token to authenticate with [env: METAPAAS_TOKEN] [default: the context's].
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<Secret>,
    /// Certificates to trust beside the system's, in PEM [env: METAPAAS_CA].
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What an answer looks like; JSON is the API's own document [default: table].
    #[arg(short, long, global = true, value_name = "FORMAT")]
    output: Option<Format>,
}

/// A daemon, and who speaks to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where its user API is.
    pub(crate) endpoint: Endpoint,
    /// Who is calling.
    pub(crate) credentials: Option<Credentials>,
    /// Certificates to trust beside those of the system.
    pub(crate) ca: Option<PathBuf>,
}

/// What proves who is calling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A token.
    Token(Secret),
    /// A user and a password.
    Password {
        /// Who.
        user: String,
        /// What only that user knows.
        password: Secret,
    },
}

/// Without what nobody may see.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "token {token}"),
            Self::Password { user, password: _ } => write!(f, "user {user}"),
        }
    }
}

impl Reach {
    /// What was said here, else what was said in `before`.
    pub(crate) fn or(self, before: Self) -> Self {
        let Self { endpoint, user, password, token, ca, output } = self;
        let says_who = user.is_some() || password.is_some() || token.is_some();
        let who = if says_who {
            (user, password, token)
        } else {
            (before.user, before.password, before.token)
        };
        let (user, password, token) = who;
        let (endpoint, ca) = (endpoint.or(before.endpoint), ca.or(before.ca));
        Self { endpoint, user, password, token, ca, output: output.or(before.output) }
    }

    /// What an answer looks like.
    pub(crate) fn format(&self) -> Format {
        self.output.unwrap_or(Format::Table)
    }

    /// The daemon that is meant.
    pub(crate) fn target(&self) -> Result<Target, Error> {
        let contexts = Contexts::load(&context::path()?)?;
        if let (Some(warning), Format::Table) = (contexts.warning(), self.format()) {
            crate::cli::output::warn(&warning);
        }
        self.resolve(|name| env::var_os(name), &contexts)
    }

    /// The endpoint that flags or environment name.
    pub(crate) fn named_endpoint(&self) -> Result<Option<Endpoint>, Error> {
        named_endpoint(self.endpoint.as_ref(), &|name| env::var_os(name))
    }

    /// The token that flags or environment name; the password of `admin` is one.
    pub(crate) fn named_token(&self) -> Result<Option<Secret>, Error> {
        let Self { user, password, token, .. } = self;
        let named = || variable(&|name| env::var_os(name), "METAPAAS_TOKEN").map(Secret::new);
        match by_flag(user.as_deref(), password.as_ref(), token.as_ref())? {
            None => Ok(named()),
            Some(Credentials::Token(token)) => Ok(Some(token)),
            Some(Credentials::Password { user, password }) if user == "admin" => Ok(Some(password)),
            Some(Credentials::Password { .. }) => {
                Err(Error::Usage("a context keeps a token: give it with `--token`"))
            }
        }
    }

    /// The certificates that flags or environment name.
    pub(crate) fn named_ca(&self) -> Option<PathBuf> {
        let named = || variable(&|name| env::var_os(name), "METAPAAS_CA").map(PathBuf::from);
        self.ca.clone().or_else(named)
    }

    /// The daemon that flags, this environment and these contexts mean.
    fn resolve(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
        contexts: &Contexts,
    ) -> Result<Target, Error> {
        let Self { endpoint, user, password, token, ca, output: _ } = self;
        let current = || contexts.current().map(|(_name, context)| context.endpoint.clone());
        let endpoint = match named_endpoint(endpoint.as_ref(), &environment)?.or_else(current) {
            Some(endpoint) => endpoint,
            None => DEFAULT_ENDPOINT.parse().expect("the default is an endpoint"),
        };
        let known = contexts.of_endpoint(&endpoint);
        let by_flag = by_flag(user.as_deref(), password.as_ref(), token.as_ref())?;
        let by_environment = || variable(&environment, "METAPAAS_TOKEN").map(Secret::new);
        let by_context = || known.and_then(|context| context.token.clone());
        let token = || by_environment().or_else(by_context).map(Credentials::Token);
        let ca = ca
            .clone()
            .or_else(|| variable(&environment, "METAPAAS_CA").map(PathBuf::from))
            .or_else(|| known.and_then(|context| context.ca.clone()));
        Ok(Target { endpoint, credentials: by_flag.or_else(token), ca })
    }
}

fn named_endpoint(
    flag: Option<&Endpoint>,
    environment: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Endpoint>, Error> {
    let named = || variable(environment, "METAPAAS_ENDPOINT").map(|text| text.parse());
    match flag {
        Some(endpoint) => Ok(Some(endpoint.clone())),
        None => named().transpose().map_err(|error| Error::Context(context::Error::from(error))),
    }
}

fn by_flag(
    user: Option<&str>,
    password: Option<&Secret>,
    token: Option<&Secret>,
) -> Result<Option<Credentials>, Error> {
    match (user, password, token) {
        (None, None, None) => Ok(None),
        (None, None, Some(token)) => Ok(Some(Credentials::Token(token.clone()))),
        (Some(user), Some(password), None) => {
            Ok(Some(Credentials::Password { user: user.to_owned(), password: password.clone() }))
        }
        (Some(_), None, None) => Err(Error::Usage("`--user` needs `--password`")),
        (None, Some(_), None) => Err(Error::Usage("`--password` needs `--user`")),
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            Err(Error::Usage("give either `--token`, or `--user` and `--password`"))
        }
    }
}

/// A variable that is set to something.
fn variable(environment: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<String> {
    let value = environment(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests;
