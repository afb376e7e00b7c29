//! `metapaas probe FILE`: examines a plugin's library in this process.
//!
//! Prints a line of JSON for each step as it begins, and the verdict last. Exit code 0: passed, 2: refused.
//! What the plugin itself prints goes between.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use crate::plugin::probe::{Line, Verdict, child};

/// The flags of `probe`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The library to examine.
    library: PathBuf,
    /// The descriptor that the library must describe itself by.
    #[arg(long, value_name = "FILE")]
    descriptor: Option<PathBuf>,
    /// The settings to start it with, as JSON.
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = parse_settings)]
    settings: serde_json::Value,
    /// Only print the descriptor that the library describes itself by.
    #[arg(long, conflicts_with_all = ["descriptor", "settings"])]
    describe: bool,
}

/// Examines the library.
pub(crate) fn run(flags: &Flags) -> Result<Exit, Failure> {
    let Flags { library, descriptor, settings, describe } = flags;
    if *describe {
        return print_descriptor(library);
    }
    let verdict =
        child::examine(library, descriptor.as_deref(), settings, |step| print(&Line::Step(step)));
    let exit = match verdict {
        Verdict::Passed { .. } => Exit::Ok,
        Verdict::Refused { .. } | Verdict::NotStarted { .. } => Exit::Refused,
    };
    print(&Line::Verdict(verdict));
    Ok(exit)
}

fn print_descriptor(library: &Path) -> Result<Exit, Failure> {
    match child::describe(library) {
        Ok(descriptor) => {
            let printed = io::stdout().write_all(&descriptor);
            printed.map_err(|source| Failure::new(Exit::Failed, source))?;
            Ok(Exit::Ok)
        }
        Err(reason) => Err(Failure::new(Exit::Refused, reason)),
    }
}

fn parse_settings(text: &str) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(text)
}

fn print(line: &Line) {
    let line = serde_json::to_string(line).expect("a line of a probe is plain data");
    // Whoever does not listen any more does not want the verdict either.
    let _printed = writeln!(io::stdout(), "{line}");
}
