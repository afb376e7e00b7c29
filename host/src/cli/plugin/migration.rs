//! `metapaas plugin migration …`: keeps a plugin's migrations in step with its declared resources.
//!
//! The plugin is built and asked for its descriptor in a probe; what its declared fields need is held against what its
//! migrations give. `check` tells the difference; its exit code is the answer for a script: 0, there is none; 2, there
//! is one; 1, whatever kept the answer away. `new` writes the difference into the plugin's sources (`source`).
//! Guarantees: `new` writes only what passes the daemon's own checks and leaves nothing missing, and it overwrites
//! nothing but the list of the steps. Not here: what is missing, and in which statements (`migration::wanted`).

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use plugin_abi::descriptor::{Descriptor, Migration, Phase};
use tokio::runtime::Builder;
use uuid::Uuid;

use self::source::Sources;
use super::{describe, say};
use crate::cli::cargo;
use crate::cli::exit::{Exit, Failure};
use crate::migration::wanted::draft::draft;
use crate::migration::wanted::{Gap, Survey, survey};

mod source;

/// More would not be a few words.
const NAME_CHARS_MAX: usize = 60;

/// What authors do with migrations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the steps that declared fields still need, below `src/migrations`.
    New {
        /// What they do, in a few words: letters, digits, spaces, `-` and `_`.
        #[arg(value_parser = parse_name)]
        name: String,
        #[command(flatten)]
        plugin: Of,
    },
    /// Tell what declared fields need and the migrations do not give: exit code 2 if there is anything.
    Check(Of),
}

/// Which plugin.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Its manifest.
    #[arg(long, value_name = "FILE", default_value = "Cargo.toml")]
    manifest_path: PathBuf,
    /// The features to build it with, as cargo takes them.
    #[arg(long, value_name = "FEATURES")]
    features: Option<String>,
    /// Its library, if it is built already.
    #[arg(long, value_name = "FILE", conflicts_with = "features")]
    library: Option<PathBuf>,
}

/// What declared fields lack, and what to do about it.
#[derive(Debug)]
struct Lacking<'a> {
    descriptor: &'a Descriptor,
    gaps: &'a [Gap],
}

/// Does what was asked.
pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    let (Command::New { plugin, .. } | Command::Check(plugin)) = &command;
    let Some(library) = library(plugin)? else { return Ok(Exit::Interrupted) };
    let (_bytes, descriptor) =
        describe(&library).map_err(|error| Failure::new(Exit::Failed, error))?;
    match command {
        Command::New { name, plugin } => new(&descriptor, &plugin.manifest_path, &name),
        Command::Check(_) => check(&descriptor),
    }
}

/// Passes when the migrations give every declared field what it needs.
///
/// # Errors
/// What they do not give.
pub(super) fn require(descriptor: &Descriptor) -> anyhow::Result<()> {
    let Survey { gaps, .. } = survey(descriptor)?;
    if gaps.is_empty() {
        return Ok(());
    }
    bail!("{}", Lacking { descriptor, gaps: &gaps })
}

fn check(descriptor: &Descriptor) -> Result<Exit, Failure> {
    require(descriptor).map_err(|error| Failure::new(Exit::Refused, error))?;
    say(&nothing_is_missing(descriptor))?;
    Ok(Exit::Ok)
}

fn new(descriptor: &Descriptor, manifest: &Path, name: &str) -> Result<Exit, Failure> {
    let survey = survey(descriptor).map_err(|error| Failure::new(Exit::Refused, error))?;
    if survey.gaps.is_empty() {
        say(&nothing_is_missing(descriptor))?;
        return Ok(Exit::Ok);
    }
    let steps = draft(descriptor, &survey, name, || Uuid::now_v7().to_string())
        .map_err(|error| Failure::new(Exit::Refused, error))?;
    let written = check_drafted(descriptor, &steps)
        .and_then(|()| Sources::of(manifest).add(&steps))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    for (file, step) in written.files.iter().zip(&steps) {
        say(&format!("wrote `{}`: {}", file.display(), in_words(step)))?;
    }
    for gap in survey.demanding() {
        say(&format!(
            "rows that are there have no `{}` and cannot do without: let the step fill it in by a `.backfill(…)`, or give the field a default",
            gap.field
        ))?;
    }
    if let Some(rest) = written.left_to_do {
        say(&rest)?;
    }
    Ok(Exit::Ok)
}

/// With the drafted steps nothing is missing, and the daemon would run them.
fn check_drafted(descriptor: &Descriptor, steps: &[Migration]) -> anyhow::Result<()> {
    let mut with_steps = descriptor.clone();
    with_steps.migrations.extend_from_slice(steps);
    require(&with_steps).context("the steps that would be written do not do; write them by hand")
}

/// The plugin's library; none when Ctrl-C ended the build.
fn library(plugin: &Of) -> Result<Option<PathBuf>, Failure> {
    let Of { manifest_path, features, library } = plugin;
    if let Some(library) = library {
        return Ok(Some(library.clone()));
    }
    let plugin = cargo::Plugin {
        manifest: manifest_path,
        package: None,
        features: features.as_deref(),
        target: None,
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Failure::new(Exit::Failed, source))?;
    runtime.block_on(async {
        tokio::select! {
            built = cargo::build(&plugin) => {
                built.map(Some).map_err(|error| Failure::new(Exit::Failed, error))
            }
            _pressed = tokio::signal::ctrl_c() => Ok(None),
        }
    })
}

fn nothing_is_missing(descriptor: &Descriptor) -> String {
    let Descriptor { element, version, migrations, .. } = descriptor;
    let given = match migrations.len() {
        0 => "no declared field needs a migration".to_owned(),
        1 => "its migration gives every declared field what it needs".to_owned(),
        n => format!("its {n} migrations give every declared field what it needs"),
    };
    format!("`{element}` {version}: {given}, on SQLite and on PostgreSQL")
}

fn in_words(step: &Migration) -> String {
    let n = step.up.sqlite.len();
    let statements = if n == 1 { "statement" } else { "statements" };
    match step.phase {
        Phase::Expand => format!("an expand step of {n} {statements}"),
        Phase::Contract => format!(
            "a contract step of {n} {statements}, because rows that are there could be refused"
        ),
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && text.len() <= NAME_CHARS_MAX && text.chars().all(is_plain) {
        return Ok(text.trim_end().to_owned());
    }
    Err(format!(
        "wanted a letter, then at most {} letters, digits, spaces, `-` and `_`",
        NAME_CHARS_MAX - 1
    ))
}

impl fmt::Display for Lacking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptor: Descriptor { element, version, .. }, gaps } = self;
        writeln!(
            f,
            "the migrations of `{element}` {version} do not give its declared fields all they need:"
        )?;
        gaps.iter().try_for_each(|gap| writeln!(f, "  {gap}"))?;
        f.write_str("write the missing steps with `metapaas plugin migration new NAME`")
    }
}

#[cfg(test)]
mod tests;
