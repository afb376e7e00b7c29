//! A life of an element, during which the daemon is killed, and what must be true whenever it has come back.

use std::path::Path;
use std::time::Duration;

use http::Method;
use metapaas_tests::client::Client;
use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::database::Database;
use metapaas_tests::plugins::Plugin;
use metapaas_tests::writes::Writes;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::eventually::eventually;
use crate::migrating::{ELEMENT, plugins, row_ids, schema};

const KILL_AT: &str = "METAPAAS_KILL_AT";
const FAULT_LOG: &str = "METAPAAS_FAULT_LOG";
/// Longer than any step takes that is not stuck.
const QUIET_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ELEMENT_PATH: &str = "/v1/elements/migrates";

/// At which points of a process's life it is killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kills {
    /// In the daemon's first life.
    pub(super) first: u64,
    /// In its second, if at all. There is no such point when it comes back at once.
    pub(super) again: Option<u64>,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The point was reached.
    AfterAKill,
    /// It was not.
    Untouched,
}

/// What is asked of the daemon, and what shall serve afterwards.
#[derive(Debug)]
struct Step {
    ask: Ask,
    /// `None`: nothing, and no data.
    after: Option<&'static str>,
}

#[derive(Debug)]
enum Ask {
    Version(&'static str),
    Act(&'static str),
    Purge,
}

const LIFE: [Step; 7] = [
    Step { ask: Ask::Version("0.1.0"), after: Some("0.1.0") },
    Step { ask: Ask::Version("0.2.0"), after: Some("0.2.0") },
    Step { ask: Ask::Act("rollback"), after: Some("0.1.0") },
    Step { ask: Ask::Act("upgrade"), after: Some("0.2.0") },
    Step { ask: Ask::Version("0.3.0"), after: Some("0.3.0") },
    Step { ask: Ask::Act("finalize"), after: Some("0.3.0") },
    Step { ask: Ask::Purge, after: None },
];

impl Ask {
    /// Asks and waits for the end of it.
    ///
    /// # Errors
    /// When the daemon does not live to answer.
    async fn try_do(&self, client: &Client) -> anyhow::Result<()> {
        let action = |verb| format!("{ELEMENT_PATH}/actions/{verb}");
        let (method, path, document) = match self {
            Self::Version(version) => {
                (Method::PUT, ELEMENT_PATH.to_owned(), json!({ "version": version }))
            }
            // The newest that there is would be the last one.
            Self::Act("upgrade") => {
                (Method::POST, action("upgrade"), json!({ "version": "0.2.0" }))
            }
            Self::Act(verb) => (Method::POST, action(verb), json!({})),
            Self::Purge => (Method::DELETE, format!("{ELEMENT_PATH}?purge=true"), json!({})),
        };
        let fields = [("prefer", "wait=60")];
        let reply = client.try_send(Client::document(method, &path, &fields, &document)).await?;
        assert!(reply.status.is_success(), "{self:?}: {}", reply.text());
        Ok(())
    }
}

/// A life without a kill, with its points written to `log`.
pub(super) async fn record(database: Database, log: &Path) {
    let log = log.to_str().expect("a temporary folder has a plain name");
    let mut life = Life::begin(Options::on(database).with_environment(&[(FAULT_LOG, log)])).await;
    for step in &LIFE {
        life.go(step).await;
    }
    assert_eq!(life.ended(), Ended::Untouched);
}

/// A life with these kills.
pub(super) async fn live(database: Database, kills: Kills) -> Ended {
    let first = kills.first.to_string();
    let mut life = Life::begin(Options::on(database).with_environment(&[(KILL_AT, &first)])).await;
    life.again = kills.again;
    for step in &LIFE {
        life.go(step).await;
    }
    life.ended()
}

struct Life {
    daemon: Daemon,
    writes: Writes,
    /// What serves, and what is wanted.
    serves: Option<&'static str>,
    again: Option<u64>,
    n_kills: usize,
}

impl Life {
    async fn begin(options: Options) -> Self {
        let daemon = Daemon::start_with(options).await;
        plugins().iter().for_each(|plugin: &Plugin| daemon.offer(plugin));
        let writes = Writes::start(daemon.client.address, ELEMENT, "life");
        Self { daemon, writes, serves: None, again: None, n_kills: 0 }
    }

    fn ended(&self) -> Ended {
        if self.n_kills > 0 { Ended::AfterAKill } else { Ended::Untouched }
    }

    /// Brings one step about, however often the daemon is killed meanwhile.
    async fn go(&mut self, step: &Step) {
        let Step { ask, after } = step;
        while ask.try_do(&self.daemon.client).await.is_err() {
            self.come_back().await;
            self.settle(&[self.serves, *after]).await;
            if self.is_done(step).await {
                break;
            }
        }
        self.settle(&[*after]).await;
        self.serves = *after;
    }

    /// Starts the daemon again, which may be killed once more.
    async fn come_back(&mut self) {
        self.n_kills += 1;
        let again = self.again.take().map(|point| point.to_string());
        self.daemon.set_environment(KILL_AT, again.as_deref());
        self.daemon.crash().await;
        self.writes.go_on_at(self.daemon.client.address);
    }

    /// Whether what was asked for is so already: it was written down before the daemon was killed.
    async fn is_done(&self, step: &Step) -> bool {
        match step.ask {
            Ask::Act("finalize") => {
                self.daemon.element(ELEMENT).await["rollback_available"] == false
            }
            Ask::Version(_) | Ask::Act(_) | Ask::Purge => self.serves_now().await == step.after,
        }
    }

    async fn serves_now(&self) -> Option<&'static str> {
        let reply = self.daemon.get(&format!("/v1/types/{ELEMENT}/-/health")).await;
        if reply.status == 404 {
            return None;
        }
        let health: Value = reply.expect(200).json();
        let known = crate::migrating::VERSIONS.into_iter();
        let mut serving = known.filter(|version| health["version"] == *version);
        Some(serving.next().expect("it is one of the versions"))
    }

    /// Waits until all is quiet, during which the daemon may be killed once more, and looks at everything.
    async fn settle(&mut self, may_serve: &[Option<&'static str>]) {
        while !self.is_quiet().await {
            self.come_back().await;
        }
        self.assert_whole(may_serve).await;
    }

    /// Waits until every operation has ended: whether the daemon lives to tell.
    async fn is_quiet(&self) -> bool {
        let client = &self.daemon.client;
        let quiet = async {
            loop {
                let ready = client.try_get("/readyz").await?;
                let operations = client.try_get("/v1/operations?page_size=100").await?;
                let page: Value = operations.expect(200).json();
                let mut all = page["items"].as_array().into_iter().flatten();
                if ready.status == 200 && all.all(|each| each["done"] == true) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        timeout(QUIET_TIME_MAX, quiet).await.expect("every operation comes to its end").is_ok()
    }

    /// What must be true whenever nothing is under way.
    async fn assert_whole(&self, may_serve: &[Option<&'static str>]) {
        let acknowledged = self.writes.so_far();
        let serves = self.serves_now().await;
        assert!(may_serve.contains(&serves), "{serves:?} serves instead of one of {may_serve:?}");
        let reply = self.daemon.get(ELEMENT_PATH).await;
        match serves {
            None => assert_eq!(reply.status, 404, "{}", reply.text()),
            Some(version) => {
                let element: Value = reply.expect(200).json();
                let words =
                    ["status", "version", "serving_version"].map(|word| element[word].as_str());
                assert_eq!(words, ["ACTIVE", version, version].map(Some), "{element}");
            }
        }
        let schema = schema(&self.daemon).await;
        schema.assert_consistent();
        assert_eq!(schema.unsettled, [""; 0], "{schema:#?}");
        let mut look = self.daemon.look().await;
        match serves {
            Some(_) => acknowledged.assert_kept(&row_ids(&mut look).await),
            None => assert_eq!(schema.ledger, [""; 0], "{schema:#?}"),
        }
        self.assert_nothing_is_left(serves).await;
    }

    async fn assert_nothing_is_left(&self, serves: Option<&str>) {
        let strays: Vec<_> = self.daemon.strays().iter().map(|stray| stray.id()).collect();
        assert!(strays.is_empty(), "processes of an earlier life are left: {strays:?}");
        if serves.is_some() {
            return;
        }
        eventually("no library is mapped", async || {
            self.daemon.proc().plugin_mappings().is_empty()
        })
        .await;
        if let Some(own) = self.daemon.own_database() {
            assert_eq!(own.roles_of_elements().await, Vec::<String>::new());
        }
    }
}
