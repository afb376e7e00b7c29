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

use self::client::Acquaintance;
use self::demo::Checkout;
use super::serve;
use crate::config::{Config, Sources};
use crate::data::DataDir;
use crate::http::State;
use crate::http::readiness::Standing;
use crate::log;

mod client;
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
        if self.0.is_none() {
            return;
        }
        let (program, data) = (program(), &config.data);
        say(format!(
            "ready after {:.1} s; the state is in `{}`, bundles come from `{}`\n\n\
             Three things to do in another terminal, here:\n",
            after.as_secs_f64(),
            data.display(),
            config.bundles().display(),
        ));
        let client = client::acquaintance(endpoint, &state.identity.token_id());
        for command in commands(demo::is_known(&state.elements), client, &program, endpoint) {
            say(format!("  {command}"));
        }
        match client {
            Acquaintance::Current | Acquaintance::Known => {}
            Acquaintance::Stranger => say(format!(
                "\nThe client of this user does not have the admin token; `{}` gives it a new one.",
                on(data, format!("{program} token reset"))
            )),
        }
        let down = on(data, format!("{program} down"));
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
        if self.0.is_none() {
            return;
        }
        say(format!(
            "stopped; nothing is left running, so there is nothing for `{}` to end.\n\
             The state stays in `{}`: the next `up` goes on with it.",
            on(data, format!("{} down", program())),
            data.display()
        ));
    }
}

/// A command about the daemon on `data`, which goes without saying when it is where `up` keeps it.
fn on(data: &Path, command: String) -> String {
    if data == Path::new(DATA) { command } else { format!("{command} --data {}", data.display()) }
}

/// What to try, ready to be pasted.
fn commands(demo: demo::Known, client: Acquaintance, program: &str, endpoint: &str) -> [String; 3] {
    let endpoint_flag = match client {
        Acquaintance::Current => String::new(),
        Acquaintance::Known | Acquaintance::Stranger => format!(" -e {endpoint}"),
    };
    let token = format!("-H \"Authorization: Bearer $({program}{endpoint_flag} token show)\"");
    match demo {
        demo::Known::Yes => [
            format!(
                "curl {endpoint}/v1/types/demo/instances {token} -H 'content-type: application/json' -d '{{\"name\": \"first\"}}'"
            ),
            format!(
                "{program}{endpoint_flag} element upgrade {}@{}",
                demo::ELEMENT,
                demo::NEXT_VERSION
            ),
            format!("curl {endpoint}/v1/types/demo/instances {token}"),
        ],
        demo::Known::No => [
            format!("curl {endpoint}/readyz"),
            format!("{program}{endpoint_flag} element list"),
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
