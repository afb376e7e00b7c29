//! Where a daemon of a test's own lives: its folder, and its database if that is on a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Options;
use crate::database::{Database, Look, OwnDatabase};
use crate::plugins::{self, Plugin};
use crate::shell::Shell;

/// In the folder.
const BUNDLES: &str = "bundles";
pub(super) const ELEMENTS: &str = "elements";
const DATA: &str = "data";
const CONTEXT_FILE: &str = "context.json";
/// In the data.
const DATABASE_FILE: &str = "metapaas.db";

/// A place of a daemon's own, gone when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// On PostgreSQL.
    pub(super) database: Option<OwnDatabase>,
    /// Holds the data, the bundles and the manifests.
    folder: TempDir,
}

impl Place {
    /// An empty one.
    pub(super) async fn make(database: Database) -> Self {
        let folder = tempfile::Builder::new().prefix("metapaas-").tempdir();
        let folder = folder.expect("there is room for temporary files");
        for made in [BUNDLES, ELEMENTS] {
            fs::create_dir(folder.path().join(made)).expect("an own folder can be written");
        }
        let database = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(OwnDatabase::make().await),
        };
        Self { database, folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn bundles(&self) -> PathBuf {
        self.folder().join(BUNDLES)
    }

    pub(super) fn elements(&self) -> PathBuf {
        self.folder().join(ELEMENTS)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder().join(DATA)
    }

    pub(super) fn context_file(&self) -> PathBuf {
        self.folder().join(CONTEXT_FILE)
    }

    /// Puts a bundle where the daemon finds it.
    pub(super) fn offer(&self, plugin: &Plugin) {
        let name = plugin.bundle.file_name().expect("a bundle has a name");
        let copied = fs::copy(&plugin.bundle, self.bundles().join(name));
        copied.expect("an own folder can be written");
    }

    /// The flags that say where the state is.
    pub(super) fn flags(&self) -> Vec<String> {
        let data = self.data().to_string_lossy().into_owned();
        let database =
            self.database.iter().flat_map(|own| ["--database-url".to_owned(), own.url()]);
        ["--data".to_owned(), data].into_iter().chain(database).collect()
    }

    /// Starts a daemon here.
    pub(super) fn serve(&self, options: &Options) -> Command {
        let Options { environment, database: _, flags } = options;
        let mut command = Command::new(plugins::daemon());
        command.current_dir(self.folder());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(self.flags());
        command.arg("--bundles").arg(self.bundles()).args(flags);
        // Never the home directory of whoever runs the tests.
        command.env("METAPAAS_CONTEXT", self.context_file());
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Somebody at a command line here.
    pub(super) fn shell(&self) -> Shell {
        let (folder, context) = (self.folder().to_owned(), self.context_file());
        Shell { folder, context, environment: Vec::new() }
    }

    /// A connection to the database, past the daemon.
    pub(super) async fn look(&self) -> Look {
        match &self.database {
            None => Look::into_file(&self.data().join(DATABASE_FILE)).await,
            Some(own) => Look::into_url(&own.superuser_url()).await,
        }
    }
}
