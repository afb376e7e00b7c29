//! A daemon of a test's own: its directory, its port, its token, its bundles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Reply};
use crate::plugins::{self, Plugin};
use crate::proc::Proc;
use crate::process::Server;

const TOKEN: &str = "admin token: ";
/// Longer than any rollout takes that is not stuck.
const PREFER_WAIT: &str = "wait=60";

const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How to start a daemon.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variables of its environment, such as `METAPAAS__HTTP__DRAIN_DEADLINE_MS`.
    pub environment: Vec<(String, String)>,
}

/// A daemon of a test's own, gone when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    /// What to ask it with: knows the address and the token.
    pub client: Client,
    /// `None` only while it is being restarted.
    server: Option<Server>,
    options: Options,
    /// Holds the data and the bundles; deleted after the daemon is gone, so it comes last.
    folder: TempDir,
}

/// What an element shall be.
#[derive(Debug, Clone)]
pub struct Wanted {
    name: String,
    document: Value,
}

impl Wanted {
    /// This version of this element, in the daemon's own process.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.to_owned(), document: json!({ "version": version }) }
    }

    /// The element that `plugin` is the code of.
    #[must_use]
    pub fn of(plugin: &Plugin) -> Self {
        Self::new(&plugin.element, &plugin.version)
    }

    /// In a worker process.
    #[must_use]
    pub fn isolated(self) -> Self {
        self.with("isolation", json!("process"))
    }

    /// Asks a daemon for it and waits for the end of that, good or bad.
    pub async fn put(&self, client: &Client) -> Reply {
        let Self { name, document } = self;
        client.put(&format!("/v1/elements/{name}"), &[("prefer", PREFER_WAIT)], document).await
    }

    /// With this field of the document: `settings`, `mounts`, `listeners`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.document[field] = value;
        self
    }
}

impl Daemon {
    /// Starts one with nothing installed.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts one with nothing installed, with these options.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_with(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("metapaas-").tempdir();
        let folder = folder.expect("there is room for temporary files");
        fs::create_dir(bundles(&folder)).expect("an own folder can be written");
        let server = Server::start(&mut serve(&folder, &options)).await;
        let token = server.preface.iter().find_map(|line| line.strip_prefix(TOKEN));
        let token = Some(token.expect("the first start prints the token").to_owned());
        let client = Client { address: server.address, token };
        Self { client, server: Some(server), options, folder }
    }

    /// Puts a bundle where the daemon finds it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn offer(&self, plugin: &Plugin) {
        let name = plugin.bundle.file_name().expect("a bundle has a name");
        let to = bundles(&self.folder).join(name);
        fs::copy(&plugin.bundle, to).expect("an own folder can be written");
    }

    /// Makes an element what it shall be and waits until it is: its document.
    ///
    /// # Panics
    /// When the daemon refuses or fails.
    pub async fn install(&self, wanted: Wanted) -> Value {
        self.put(&wanted).await.expect(200).json()
    }

    /// Asks for an element to be what it shall be and waits for the end of that, good or bad.
    pub async fn put(&self, wanted: &Wanted) -> Reply {
        wanted.put(&self.client).await
    }

    /// The document of an element.
    pub async fn element(&self, name: &str) -> Value {
        self.client.get(&format!("/v1/elements/{name}")).await.expect(200).json()
    }

    /// Uninstalls an element and waits until it is gone.
    pub async fn uninstall(&self, name: &str) {
        let path = format!("/v1/elements/{name}");
        let _gone = self.client.delete(&path, &[("prefer", PREFER_WAIT)]).await.expect(204);
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.client.get(path).await
    }

    /// What `GET /-/health` of a type says, answered by its plugin's code.
    pub async fn health(&self, slug: &str) -> Value {
        self.get(&format!("/v1/types/{slug}/-/health")).await.expect(200).json()
    }

    /// The sum over all series of a metric; `None` without any.
    ///
    /// # Panics
    /// When `/metrics` is not in the text format.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.expect(200).text();
        let series = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.rsplit_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            let value = value.split(' ').next().unwrap_or_default();
            Some(value.parse::<f64>().unwrap_or_else(|_| panic!("`{line}` has no value")))
        });
        series.reduce(|sum, value| sum + value)
    }

    /// When its process was started last.
    #[must_use]
    pub fn started_at(&self) -> Instant {
        self.server().started_at
    }

    /// What `/proc` says of it.
    #[must_use]
    pub fn proc(&self) -> Proc {
        self.server().proc()
    }

    /// Everything it has logged since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.server().log()
    }

    /// The directory that holds all of its state.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Asks it to end and starts it again on the same data: how it ended.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn restart(&mut self) -> ExitStatus {
        let status = self.take_server().terminate().await;
        self.start_again().await;
        status
    }

    /// Kills it, as a power cut would, and starts it again on the same data.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn crash(&mut self) {
        self.take_server().kill().await;
        self.start_again().await;
    }

    /// Waits until all that is installed serves: a daemon that starts again listens before that.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn ready(&self) {
        let ready = async { while self.get("/readyz").await.status != 200 {} };
        tokio::time::timeout(READY_TIME_MAX, ready).await.expect("it becomes ready");
    }

    /// Asks it to end and waits until it has.
    pub async fn terminate(mut self) -> ExitStatus {
        self.take_server().terminate().await
    }

    /// How it ended by itself, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.server.as_mut().and_then(Server::has_ended)
    }

    async fn start_again(&mut self) {
        let server = Server::start(&mut serve(&self.folder, &self.options)).await;
        self.client.address = server.address;
        self.server = Some(server);
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it is running")
    }

    fn take_server(&mut self) -> Server {
        self.server.take().expect("it is running")
    }
}

fn serve(folder: &TempDir, options: &Options) -> Command {
    let mut command = Command::new(plugins::daemon());
    command
        .current_dir(folder.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .arg("--bundles")
        .arg(bundles(folder));
    let Options { environment } = options;
    command.envs(environment.iter().map(|(key, value)| (key, value)));
    command
}

fn bundles(folder: &TempDir) -> PathBuf {
    Path::new(folder.path()).join("bundles")
}
