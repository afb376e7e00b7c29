//! `metapaas config …`: what the settings of a daemon would be, and whether they are good.
//!
//! Takes the flags of `serve` and reads what `serve` would read. Nothing is started and nothing is written.

use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use super::exit::{Exit, Failure};
use super::serve;
use crate::config::{Config, Shown};
use crate::http;

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every setting with its value.
    Show(Show),
    /// Say whether `serve` would take the settings. Exit code 64: it would not.
    Check(serve::Flags),
}

/// The flags of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Show where each value came from, too.
    #[arg(long)]
    origin: bool,
    /// How to show them.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    daemon: serve::Flags,
}

/// How settings are shown.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people: a line for each.
    Table,
    /// For programs: an object for each, in one array.
    Json,
}

/// Does what was asked.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let text = match command {
        Command::Show(Show { origin, output, daemon }) => {
            let settings = Shown::all(daemon.sources())?;
            let columns = if *origin { Columns::WithOrigin } else { Columns::Plain };
            match output {
                Output::Table => table(&settings, columns),
                Output::Json => json(&settings, columns),
            }
        }
        Command::Check(daemon) => {
            http::server::check(&Config::load(daemon.sources())?.http)?;
            "the settings are good\n".to_owned()
        }
    };
    let printed = io::stdout().write_all(text.as_bytes());
    printed.map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}

/// What is told of each setting.
#[derive(Debug, Clone, Copy)]
enum Columns {
    Plain,
    WithOrigin,
}

fn table(settings: &[Shown], columns: Columns) -> String {
    let values: Vec<String> = settings.iter().map(|setting| plain(&setting.value)).collect();
    let key_chars = settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
    let value_chars = values.iter().map(String::len).max().unwrap_or_default();
    let line = |(setting, value): (&Shown, &String)| {
        let Shown { key, value: _, origin } = setting;
        match columns {
            Columns::Plain => format!("{key:key_chars$}  {value}\n"),
            Columns::WithOrigin => format!("{key:key_chars$}  {value:value_chars$}  {origin}\n"),
        }
    };
    settings.iter().zip(&values).map(line).collect()
}

/// A value without the quotes of JSON; `-` where there is none.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn json(settings: &[Shown], columns: Columns) -> String {
    let object = |setting: &Shown| {
        let Shown { key, value, origin } = setting;
        let mut object = Map::new();
        object.insert("key".to_owned(), key.as_str().into());
        object.insert("value".to_owned(), value.clone());
        match columns {
            Columns::Plain => {}
            Columns::WithOrigin => {
                drop(object.insert("origin".to_owned(), origin.to_string().into()))
            }
        }
        Value::Object(object)
    };
    let all = Value::Array(settings.iter().map(object).collect());
    format!("{all:#}\n")
}
