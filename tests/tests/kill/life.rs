//! A life of an element, during which the daemon is killed, and what must be true whenever it has come back.

use std::path::Path;
use std::time::Duration;

use http::Method;
use metapaas_tests::client::Client;
use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::database::{Database, Look};
use metapaas_tests::plugins::Plugin;
use metapaas_tests::writes::Writes;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::facts::Facts;
use crate::eventually::eventually;
use crate::migrating::{ELEMENT, plugins};

const KILL_AT: &str = "METAPAAS_KILL_AT";
const FAULT_LOG: &str = "METAPAAS_FAULT_LOG";
/// Longer than any step takes that is not stuck.
const QUIET_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
pub(super) const ELEMENT_PATH: &str = "/v1/elements/migrates";

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

impl Ask {
    /// Whether it is so already: it was written down before the daemon was killed.
    fn is_done(&self, facts: &Facts, after: Option<&str>) -> bool {
        match self {
            Self::Act("finalize") => !facts.may_return(),
            Self::Version(_) | Self::Act(_) | Self::Purge => facts.serves() == after,
        }
    }
}

/// A life without a kill, with its points written to `log`.
pub(super) async fn record(database: Database, log: &Path) {
    let log = log.to_str().expect("a temporary folder has a plain name");
    let mut life = Life::begin(Options::on(database).with_environment(&[(FAULT_LOG, log)])).await;
    for step in &LIFE {
        life.go(step).await;
    }
    assert_eq!(life.end().await, Ended::Untouched);
}

/// A life with these kills.
pub(super) async fn live(database: Database, kills: Kills) -> Ended {
    let first = kills.first.to_string();
    let mut life = Life::begin(Options::on(database).with_environment(&[(KILL_AT, &first)])).await;
    life.again = kills.again;
    for step in &LIFE {
        life.go(step).await;
    }
    life.end().await
}

struct Life {
    daemon: Daemon,
    /// Past the daemon, and open over all of its lives.
    look: Look,
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
        let writes = Writes::start(&daemon.client, ELEMENT, "life");
        let look = daemon.look().await;
        Self { daemon, look, writes, serves: None, again: None, n_kills: 0 }
    }

    /// Nothing of the element is in the daemon's memory any more.
    async fn end(self) -> Ended {
        eventually("no library is mapped", async || {
            self.daemon.proc().plugin_mappings().is_empty()
        })
        .await;
        if self.n_kills > 0 { Ended::AfterAKill } else { Ended::Untouched }
    }

    /// Brings one step about, however often the daemon is killed meanwhile.
    async fn go(&mut self, step: &Step) {
        let Step { ask, after } = step;
        while ask.try_do(&self.daemon.client).await.is_err() {
            self.come_back().await;
            let facts = self.settle(&[self.serves, *after]).await;
            if ask.is_done(&facts, *after) {
                break;
            }
        }
        let _facts = self.settle(&[*after]).await;
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

    /// Waits until all is quiet, during which the daemon may be killed once more, and looks at everything.
    async fn settle(&mut self, may_serve: &[Option<&'static str>]) -> Facts {
        loop {
            if self.is_quiet().await
                && let Ok(facts) =
                    Facts::of(&self.daemon, &mut self.look, self.writes.so_far()).await
            {
                facts.assert_whole(may_serve);
                return facts;
            }
            self.come_back().await;
        }
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
}
