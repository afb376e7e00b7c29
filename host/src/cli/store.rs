//! `metapaas store …`: backups of the daemon's state.
//!
//! Works on the data directory and the database themselves, so it runs on the daemon's host. A backup needs
//! nothing of the daemon, which goes on serving; a restore wants it stopped.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use super::exit::{Exit, Failure};
use crate::config::{Config, Flag, Sources};
use crate::data::DataDir;
use crate::store::backup::{self, Existing, Made, Restored};

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy the store into one file, also while the daemon serves: the database at one moment, the tables of
    /// plugins included, and what the admin token is checked against. Bundles and the
    /// files of secrets are not in it.
    Backup(Backup),
    /// Put a backup in the place of the store. The daemon must be stopped. Whole or not at all.
    Restore(Restore),
}

/// The flags of `store backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file, or a folder to put one into that is named after the time.
    #[arg(value_name = "FILE|DIR")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// The flags of `store restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Replace a store that is not empty: everything that it holds is gone.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
}

/// Where the store is: as for `serve`.
#[derive(Debug, Args)]
struct Place {
    /// The daemon's data directory [default: that of `up` if there is one, else that of `serve`].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The PostgreSQL database, if the state is in one.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The configuration file; without it `metapaas.toml`, if there is one.
    #[arg(long, value_name = "FILE", env = "METAPAAS_CONFIG")]
    config: Option<PathBuf>,
}

/// Does what was asked.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::new(Exit::Failed, source))?;
    let said = match command {
        Command::Backup(flags) => runtime.block_on(make(flags)),
        Command::Restore(flags) => runtime.block_on(restore(flags)),
    }?;
    writeln!(io::stdout(), "{said}").map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}

async fn make(flags: &Backup) -> Result<String, Failure> {
    let config = flags.place.config()?;
    let Made { path, bytes } = backup::make(&config.store, &config.data, &flags.to).await?;
    Ok(format!("{} {bytes} bytes", path.display()))
}

async fn restore(flags: &Restore) -> Result<String, Failure> {
    let config = flags.place.config()?;
    let existing = if flags.force { Existing::Replace } else { Existing::Keep };
    let data = DataDir::open(&config.data)?;
    let Restored { made_at, made_by } =
        backup::restore(&config.store, &data, &flags.from, existing).await?;
    Ok(format!("restored what version {made_by} held at {made_at}; start the daemon"))
}

impl Place {
    fn config(&self) -> Result<Config, Failure> {
        let Self { data, database_url, config } = self;
        let data = data.as_ref().map(|path| path.to_string_lossy().into_owned());
        let flags = [
            ("--data", "data", data),
            ("--database-url", "store.database_url", database_url.clone()),
        ];
        let given = |(name, key, value)| Some(Flag { name, key, value: value? });
        let flags = flags.into_iter().filter_map(given).collect();
        let mut sources = Sources::of_this_process(config.clone(), flags);
        if Path::new(super::up::DATA).is_dir() {
            sources.presets.push(("data", super::up::DATA.to_owned()));
        }
        Ok(Config::load(sources)?)
    }
}
