//! What the client prints: results on standard output, everything else on standard error.
//!
//! Guarantees: `-o json` prints the API's document as it came, `-o yaml` the same document, and a table is for
//! people: aligned, colored on a terminal only (and never with `NO_COLOR`), and free of control characters that a
//! daemon or plugin may have sent. Failures go to standard error in the same format, so that standard output
//! holds a result or nothing.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::client::{Answer, Error};
use super::exit::Exit;
use crate::log;

mod table;
mod view;

pub(crate) use table::{Cell, Details, Table};
pub(crate) use view::View;

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// The API's document as it came.
    Json,
    /// The same document, easier to read.
    Yaml,
}

/// Whether words may be colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// They are.
    Colored,
    /// They are not.
    Plain,
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// What they look like.
    pub(crate) format: Format,
}

impl Paint {
    /// What suits a stream.
    pub(crate) fn on(stream: &impl IsTerminal) -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let can = env::var_os("TERM").is_some_and(|term| term != "dumb");
        if stream.is_terminal() && can && !refused { Self::Colored } else { Self::Plain }
    }
}

impl Output {
    /// Prints an answer of the API; `table` renders it for people.
    pub(crate) fn answer(
        self,
        answer: &Answer,
        table: impl FnOnce(View<'_>, Paint) -> String,
    ) -> Result<(), Error> {
        match self.format {
            Format::Json => self.text(&String::from_utf8_lossy(&answer.body)),
            Format::Yaml | Format::Table => self.value(&answer.document()?, table),
        }
    }

    /// Prints a document of the client's own making, or a part of one of the API's.
    pub(crate) fn value(
        self,
        document: &Value,
        table: impl FnOnce(View<'_>, Paint) -> String,
    ) -> Result<(), Error> {
        let text = match self.format {
            Format::Json => document.to_string(),
            Format::Yaml => yaml(document),
            Format::Table => table(View::of(document), Paint::on(&io::stdout())),
        };
        self.text(&text)
    }

    /// Prints a result as it is.
    pub(crate) fn text(self, text: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
            // Whoever closed the pipe has read enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Print(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Says something beside the result; to people only.
    pub(crate) fn note(self, text: &str) {
        if self.format == Format::Table {
            say(text);
        }
    }

    /// Says why there is no result, and how the process ends for it.
    pub(crate) fn failure(self, error: &Error) -> Exit {
        match self.format {
            Format::Table => say(&format!("metapaas: {}", log::chain(error))),
            Format::Json => say(&error.document()),
            Format::Yaml => {
                let document = serde_json::from_str(&error.document());
                say(yaml(&document.expect("a problem is JSON")).trim_end());
            }
        }
        error.exit()
    }
}

/// Says what the user should know, though it keeps nothing from working.
pub(crate) fn warn(text: &str) {
    say(&format!("metapaas: warning: {text}"));
}

fn say(line: &str) {
    // Nobody is left to tell when standard error is gone; the exit code still speaks.
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}

fn yaml(document: &Value) -> String {
    serde_saphyr::to_string(document).expect("a JSON document can be written as YAML")
}

/// The text without what could steer a terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests;
