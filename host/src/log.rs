//! The daemon's own log: one line per event on stderr, as text or as JSON.
//!
//! Guarantees: a panic anywhere in the host is logged like any other event. [`chain`] is the one way to print
//! an error with its causes. Not here: what plugins log (it arrives through the host services).

use std::backtrace::Backtrace;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The settings under `log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// What a line looks like.
    pub(crate) format: Format,
    /// Which events are logged, as `target=level` pairs; `http::access=debug` is the access log.
    pub(crate) filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The filter cannot be read.
    #[error("setting `log.filter` is `{filter}`: write `level` or `target=level,…` instead")]
    Filter {
        /// What was asked for.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
}

impl TryFrom<String> for Format {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{name}` is not a log format, write `text` or `json`")),
        }
    }
}

/// Starts the log of this process, panics included.
pub(crate) fn start(config: &Config) -> Result<(), Error> {
    let Config { format, filter } = config;
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| Error::Filter { filter: filter.clone(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        at = info.location().map(tracing::field::display),
        backtrace = %Backtrace::capture(),
        "panic: {}",
        info.payload_as_str().unwrap_or("no message"),
    );
}

/// The error and its causes, on one line.
///
/// A cause that the error before it already printed is left out: not every library keeps to its own part.
pub(crate) fn chain<'a>(error: &'a (dyn StdError + 'a)) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        let mut said = error.to_string();
        f.write_str(&said)?;
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.ends_with(&text) {
                write!(f, "; caused by: {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let error = Error::Filter {
            filter: "a=b=c".to_owned(),
            source: EnvFilter::try_new("a=b=c").unwrap_err(),
        };
        let text = chain(&error).to_string();
        assert_eq!(text.matches("caused by").count(), 1, "{text}");
        assert!(text.starts_with("setting `log.filter` is `a=b=c`"), "{text}");
    }
}
