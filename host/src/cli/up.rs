//! `metapaas up`: a daemon for somebody who sees it for the first time.
//!
//! It is `serve` with other things taken for granted (state in `.metapaas`, a quiet log, the bundles of the
//! checkout), with the demo plugin built, packed and installed once, and with words about what to do next. A
//! second start takes the state as it is and undoes nothing that was chosen since. What `serve` prints, `up`
//! prints too. Not here: the run itself, which `main.rs` tells.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::demo::Checkout;
use super::serve;
use crate::config::{Config, Sources};
use crate::data::DataDir;
use crate::http::State;
use crate::http::readiness::Standing;
use crate::log;

mod cargo;
mod demo;

/// Where `up` keeps the state, unless told otherwise.
pub(super) const DATA: &str = ".metapaas";

/// Tells whoever started the daemon what goes on. After `serve` it is silent.
#[derive(Debug)]
pub(crate) struct Guide(Option<Tour>);

/// What `up` does beyond `serve`.
#[derive(Debug)]
struct Tour {
    /// Where the demo comes from; without it there is none.
    checkout: Option<Checkout>,
}

impl Guide {
    /// Of `serve`.
    pub(crate) fn silent() -> Self {
        Self(None)
    }

    /// Of `up` in the current folder.
    pub(crate) fn of_this_folder() -> Self {
        Self(Some(Tour { checkout: Checkout::here() }))
    }

    /// Where the settings come from: those of `serve`, and what `up` takes for granted.
    pub(crate) fn sources(&self, flags: &serve::Flags) -> Sources {
        let mut sources = flags.sources();
        let Self(Some(Tour { checkout })) = self else { return sources };
        sources.presets.push(("data", DATA.to_owned()));
        sources.presets.push(("log.filter", "warn".to_owned()));
        if let Some(checkout) = checkout {
            let bundles = checkout.bundles().to_string_lossy().into_owned();
            sources.presets.push(("bundles", bundles));
        }
        sources
    }

    /// Builds and packs what is missing of the demo. Its failure is told and ends nothing.
    ///
    /// # Cancellation
    /// Ends the build.
    pub(crate) async fn make_demo(&self, state: &State, bundles: &Path) {
        let Self(Some(Tour { checkout })) = self else { return };
        let Some(checkout) = checkout else {
            say("this folder is no checkout of MetaPaaS, so there is no demo to build");
            return;
        };
        state.readiness.set("daemon", Standing::NotReady("building the demo".to_owned()));
        if let Err(error) = demo::make(checkout, bundles).await {
            say(format!("no demo: {}", log::chain(error.as_ref())));
        }
    }

    /// Installs the demo, unless a start before this one did.
    ///
    /// # Cancellation
    /// The rollout goes on.
    pub(crate) async fn install_demo(&self, state: &State, data: &DataDir, bundles: &Path) {
        if self.0.is_none() {
            return;
        }
        match demo::install_once(&state.elements, data, bundles).await {
            Ok(None) => {}
            Ok(Some(installed)) => say(format!("installed {installed}")),
            Err(error) => say(format!("the demo is not installed: {}", log::chain(error.as_ref()))),
        }
    }

    /// Says that all is there, and what to do with it.
    pub(crate) fn show_ready(
        &self,
        state: &State,
        config: &Config,
        endpoint: &str,
        after: Duration,
    ) {
        let Self(Some(tour)) = self else { return };
        let (program, data, bundles) = (program(), config.data.display(), config.bundles());
        let down = tour.down(&program, &config.data);
        say(format!(
            "ready after {:.1} s; the state is in `{data}`, bundles come from `{}`\n\n\
             Three things to do in another terminal, here:\n",
            after.as_secs_f64(),
            bundles.display(),
        ));
        for command in commands(demo::is_known(&state.elements), &program, endpoint) {
            say(format!("  {command}"));
        }
        say(format!("\nCtrl-C ends it; so does `{down}` from elsewhere."));
    }

    /// Says that the end has begun.
    pub(crate) fn show_stopping(&self) {
        if self.0.is_some() {
            say("\nstopping: requests under way come to their end (Ctrl-C again: they do not)");
        }
    }

    /// Says what is left after the end.
    pub(crate) fn show_ended(&self, data: &Path) {
        let Self(Some(tour)) = self else { return };
        let down = tour.down(&program(), data);
        say(format!(
            "stopped; nothing is left running, so there is nothing for `{down}` to end.\n\
             The state stays in `{}`: the next `up` goes on with it.",
            data.display()
        ));
    }
}

impl Tour {
    /// The command that ends what runs on `data`.
    fn down(&self, program: &str, data: &Path) -> String {
        let default = data == Path::new(DATA);
        if default {
            format!("{program} down")
        } else {
            format!("{program} down --data {}", data.display())
        }
    }
}

/// What to try, ready to be pasted.
fn commands(demo: demo::Known, program: &str, endpoint: &str) -> [String; 3] {
    match demo {
        demo::Known::Yes => [
            format!(
                "curl -X POST {endpoint}/v1/types/demo/instances -H 'content-type: application/json' -d '{{\"name\": \"first\"}}'"
            ),
            format!("curl {endpoint}/v1/types/demo/instances"),
            format!("{program} element upgrade {} --version 0.2.0", demo::ELEMENT),
        ],
        demo::Known::No => [
            format!("curl {endpoint}/readyz"),
            format!("{program} element list"),
            format!("{program} --help"),
        ],
    }
}

/// This binary, as a shell in this folder calls it.
fn program() -> String {
    let absolute = std::env::current_exe().unwrap_or_else(|_unknown| PathBuf::from("metapaas"));
    let folder = std::env::current_dir().unwrap_or_default();
    let path = absolute.strip_prefix(&folder).unwrap_or(&absolute).to_string_lossy().into_owned();
    let is_plain = path.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
    if is_plain { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// A line for whoever started this; nobody minds when they left.
fn say(line: impl Display) {
    let mut stdout = io::stdout();
    let _nobody_listens = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
