//! A daemon of a test's own: its directory, its port, its token, its bundles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, Reply};
use crate::database::{Database, Look, OwnDatabase};
use crate::plugins::{self, Plugin};
use crate::proc::Proc;
use crate::process::Server;
use crate::shell::Shell;

mod place;
mod wanted;

pub use self::wanted::Wanted;

use self::place::{ELEMENTS, Place};
use self::wanted::PREFER_WAIT;

const TOKEN: &str = "admin token: ";
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How to start a daemon.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variables of its environment, such as `METAPAAS__HTTP__DRAIN_DEADLINE_MS`.
    pub environment: Vec<(String, String)>,
    /// What it keeps its state in.
    pub database: Database,
    /// Further flags of `metapaas serve`.
    pub flags: Vec<String>,
}

impl Options {
    /// On this database.
    #[must_use]
    pub fn on(database: Database) -> Self {
        Self { database, ..Self::default() }
    }

    /// Logging warnings only, as a bench wants it.
    #[must_use]
    pub fn quiet() -> Self {
        Self::default().with_environment(&[("METAPAAS__LOG__FILTER", "warn")])
    }

    /// Watching the directory that [`Daemon::drop_in`] writes to.
    #[must_use]
    pub fn watching(mut self) -> Self {
        self.flags.extend(["--elements".to_owned(), ELEMENTS.to_owned()]);
        self
    }

    /// With these variables in its environment.
    #[must_use]
    pub fn with_environment(mut self, environment: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        self.environment.extend(environment.iter().map(owned));
        self
    }
}

/// A daemon of a test's own, gone when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    /// What to ask it with: knows the address and the token.
    pub client: Client,
    /// `None` only while it is being restarted.
    server: Option<Server>,
    options: Options,
    /// Dropped after the daemon is gone, so it comes after it.
    place: Place,
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
        let place = Place::make(options.database).await;
        let server = Server::start(&mut place.serve(&options)).await;
        let token = server.preface.iter().find_map(|line| line.strip_prefix(TOKEN));
        let token = Some(token.expect("the first start prints the token").to_owned());
        let client = Client { address: server.address, token };
        Self { client, server: Some(server), options, place }
    }

    /// Starts one with what `backup` holds, in a place of its own. It has these bundles, and the token of the daemon
    /// that the backup was made of.
    ///
    /// # Panics
    /// When it cannot be restored, or does not come up.
    pub async fn restored(
        options: Options,
        backup: &Path,
        made_of: &Self,
        plugins: &[Plugin],
    ) -> Self {
        let place = Place::make(options.database).await;
        let restore = format!("store restore {} {}", place.flags().join(" "), backup.display());
        let restored = place.shell().run(&restore).expect(0);
        plugins.iter().for_each(|plugin| place.offer(plugin));
        let server = Server::start(&mut place.serve(&options)).await;
        assert!(server.preface.iter().all(|line| !line.starts_with(TOKEN)), "{restored:?}");
        let client = Client { address: server.address, token: made_of.client.token.clone() };
        Self { client, server: Some(server), options, place }
    }

    /// Starts one on this database, with nothing installed.
    pub async fn on(database: Database) -> Self {
        Self::start_with(Options::on(database)).await
    }

    /// Puts a bundle where the daemon finds it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn offer(&self, plugin: &Plugin) {
        self.place.offer(plugin);
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

    /// Does what the verb says with an element and waits for the end of that, good or bad.
    pub async fn act(&self, name: &str, verb: &str, document: &Value) -> Reply {
        let path = format!("/v1/elements/{name}/actions/{verb}");
        self.client.post(&path, &[("prefer", PREFER_WAIT)], document).await
    }

    /// The operations of an element, the newest first.
    ///
    /// # Panics
    /// When they are no list.
    pub async fn history(&self, name: &str) -> Vec<Value> {
        let page: Value =
            self.get(&format!("/v1/elements/{name}/history")).await.expect(200).json();
        page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}")).clone()
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

    /// The directory that it takes bundles from.
    #[must_use]
    pub fn bundles(&self) -> PathBuf {
        self.place.bundles()
    }

    /// The directory of manifests and bundles that it watches if it was told to: [`Options::watching`].
    #[must_use]
    pub fn elements(&self) -> PathBuf {
        self.place.elements()
    }

    /// Writes a file into the directory that it watches: aside and renamed, so that it is never half there.
    ///
    /// # Panics
    /// When it cannot.
    pub fn drop_in(&self, name: &str, content: impl AsRef<[u8]>) {
        let aside = self.elements().join(format!(".{name}.part"));
        fs::write(&aside, content).expect("an own folder can be written");
        fs::rename(aside, self.elements().join(name)).expect("an own file can be renamed");
    }

    /// Takes a file out of the directory that it watches.
    ///
    /// # Panics
    /// When it is not there.
    pub fn take_out(&self, name: &str) {
        fs::remove_file(self.elements().join(name)).expect("the file is there");
    }

    /// A connection to its database, past it.
    pub async fn look(&self) -> Look {
        self.place.look().await
    }

    /// Its database, when that is one of PostgreSQL.
    #[must_use]
    pub fn own_database(&self) -> Option<&OwnDatabase> {
        self.place.database.as_ref()
    }

    /// Runs a command of the client as somebody who is logged in to this daemon.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(plugins::daemon());
        command.current_dir(self.place.folder()).args(arguments);
        command.env("METAPAAS_CONTEXT", self.place.context_file());
        command.env("METAPAAS_ENDPOINT", format!("http://{}", self.client.address));
        command.envs(self.client.token.as_ref().map(|token| ("METAPAAS_TOKEN", token)));
        command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
    }

    /// Somebody at a command line on its host, with the client context that its first start wrote.
    #[must_use]
    pub fn shell(&self) -> Shell {
        self.place.shell()
    }

    /// The directory that holds all of its state.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.place.data()
    }

    /// The flags that say where its state is.
    #[must_use]
    pub fn flags_of_place(&self) -> Vec<String> {
        self.place.flags()
    }

    /// Asks it to end and starts it again on the same data: how it ended.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn restart(&mut self) -> ExitStatus {
        let status = self.stop().await;
        self.start_again().await;
        status
    }

    /// Asks it to end, and waits until it has: how. It can be [started again](Self::start_again).
    pub async fn stop(&mut self) -> ExitStatus {
        self.take_server().terminate().await
    }

    /// Kills it, as a power cut would, and starts it again on the same data.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn crash(&mut self) {
        self.take_server().kill().await;
        self.start_again().await;
    }

    /// From its next start on, this variable is so in its environment, or not there.
    pub fn set_environment(&mut self, name: &str, value: Option<&str>) {
        let environment = &mut self.options.environment;
        environment.retain(|(known, _)| known != name);
        environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// The processes that are left of its earlier lives and of those that they started.
    #[must_use]
    pub fn strays(&self) -> Vec<Proc> {
        let own = self.proc();
        let known: Vec<_> = own.children().iter().chain([&own]).map(Proc::id).collect();
        let all = Proc::all_with_environment(&self.place.context_file().to_string_lossy());
        all.into_iter().filter(|process| !known.contains(&process.id())).collect()
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

    /// Starts what was stopped, on the same data.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn start_again(&mut self) {
        let server = Server::start(&mut self.place.serve(&self.options)).await;
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
