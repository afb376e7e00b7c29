//! The scene of every story here: `broken` 0.1.0 keeps its promises, a neighbor serves, and somebody watches both.

use std::time::Duration;

use expect_test::Expect;
use metapaas_tests::client::Reply;
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::plugins::{Plugin, Workspace};
use metapaas_tests::swaps::Lane;
use serde_json::{Value, json};

use crate::eventually::{comes_true, eventually};

use super::bundles::{self, BROKEN, ELEMENT, HEALTHY, Offer};

/// Both lanes.
pub(super) const LANES: [Lane; 2] = [Lane::InProcess, Lane::Worker];

/// Short enough that a story about waiting is short, long enough that nothing healthy is late.
const DEADLINES: [(&str, &str); 5] = [
    ("METAPAAS__HTTP__REQUEST_DEADLINE_MS", "3000"),
    ("METAPAAS__PLUGIN__PROBE_DEADLINE_MS", "3000"),
    ("METAPAAS__PLUGIN__START_DEADLINE_MS", "1500"),
    ("METAPAAS__PLUGIN__DRAIN_DEADLINE_MS", "500"),
    ("METAPAAS__PLUGIN__STOP_DEADLINE_MS", "1000"),
];
/// What waits for nothing takes no longer, on a busy machine too.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// A daemon in which a version of `broken` serves, and a neighbor.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) daemon: Daemon,
    /// Where `broken` runs. The neighbor is in the daemon's own process.
    lane: Lane,
}

impl Scene {
    /// The neighbor serves and nothing else.
    pub(super) async fn with_neighbor(lane: Lane, environment: &[(&str, &str)]) -> Self {
        let options = Options::default().with_environment(&DEADLINES).with_environment(environment);
        let daemon = Daemon::start_with(options).await;
        let neighbor = Plugin::built(Workspace::Fixtures, "swap");
        daemon.offer(&neighbor);
        let _document = daemon.install(Wanted::of(&neighbor)).await;
        Self { daemon, lane }
    }

    /// `broken` 0.1.0 serves too.
    pub(super) async fn set(lane: Lane) -> Self {
        Self::set_with(lane, &[]).await
    }

    /// `broken` 0.1.0 serves too, in a daemon with this environment.
    pub(super) async fn set_with(lane: Lane, environment: &[(&str, &str)]) -> Self {
        let scene = Self::with_neighbor(lane, environment).await;
        scene.daemon.offer(&bundles::packed("healthy").plugin);
        let _document = scene.daemon.install(scene.wanted(HEALTHY)).await;
        scene
    }

    /// `broken` in this version, on the scene's lane.
    pub(super) fn wanted(&self, version: &str) -> Wanted {
        let wanted = Wanted::new(ELEMENT, version);
        match self.lane {
            Lane::InProcess => wanted,
            Lane::Worker => wanted.isolated(),
        }
    }

    /// `broken` 0.2.0, which shall not show the probe what is wrong with it.
    pub(super) fn wanted_past_the_probe(&self) -> Wanted {
        self.wanted(BROKEN).with("settings", json!({ "spares_probe": true }))
    }

    /// Wants 0.2.0 and is refused: with this text, while 0.1.0 serves as if nothing had been.
    pub(super) async fn is_refused(&self, offer: &Offer, wanted: &Wanted, text: &Expect) {
        self.daemon.offer(&offer.plugin);
        let before = self.daemon.health(ELEMENT).await;
        let reply = self.daemon.put(wanted).await;
        assert_problem(&reply, 422, "ROLLOUT_FAILED");
        let detail = self.detail(&reply);
        let keeps = format!(". Generation {} ({HEALTHY}) keeps serving.", before["generation"]);
        text.assert_eq(detail.strip_suffix(&keeps).unwrap_or(&detail));
        assert!(detail.ends_with(&keeps), "{detail}");
        assert_eq!(self.daemon.health(ELEMENT).await, before, "the same generation serves");
        self.assert_neighbor_serves().await;
        let element = self.daemon.element(ELEMENT).await;
        let told = ["status", "version", "serving_version"].map(|field| element[field].as_str());
        assert_eq!(told, ["ERROR", BROKEN, HEALTHY].map(Some), "{element}");
    }

    /// Installs 0.2.0, which shows only later what is wrong with it.
    pub(super) async fn install(&self, offer: &Offer, wanted: Wanted) {
        self.daemon.offer(&offer.plugin);
        let document = self.daemon.install(wanted).await;
        assert_eq!(document["serving_version"], BROKEN, "{document}");
        self.assert_serves(BROKEN).await;
    }

    /// Returns to 0.1.0, and waits until the generation before it has ended.
    pub(super) async fn return_to_healthy(&self) {
        let document = self.daemon.install(self.wanted(HEALTHY)).await;
        assert_eq!(document["serving_version"], HEALTHY, "{document}");
        self.assert_serves(HEALTHY).await;
        eventually("the generation before ends", async || {
            let ended = "generation ended";
            self.daemon.log().lines().any(|line| line.contains(ended) && line.contains(BROKEN))
        })
        .await;
    }

    /// What `broken` keeps although it has ended, as `(version, reason)`.
    pub(super) async fn retained(&self) -> Vec<(String, String)> {
        let element = self.daemon.element(ELEMENT).await;
        let entries = element["retained"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = entries.map(|entry| {
            assert!(entry["bytes"].as_u64() > Some(0), "{entry}");
            (text(&entry["version"]), text(&entry["reason"]))
        });
        entries.collect()
    }

    /// Whether 0.2.0 is gone without a trace: no mapping and no process of it, nothing that is retained.
    pub(super) async fn assert_nothing_is_left(&self, before: &Holdings) {
        let _is_settled = comes_true(async || self.holdings() == *before).await;
        let mappings = self.daemon.proc().plugin_mappings().join("\n");
        assert_eq!(self.holdings(), *before, "what ended has left something behind:\n{mappings}");
        assert_eq!(self.retained().await, []);
        // What a busy machine was late to end is retained for a moment, and counted until it is looked at again.
        let counted = async || self.daemon.metric("retained_bytes").await == Some(0.0);
        assert!(comes_true(counted).await, "something is still counted as retained");
    }

    /// What must be the same before a version came and after it has gone.
    pub(super) fn holdings(&self) -> Holdings {
        let proc = self.daemon.proc();
        Holdings { n_mappings: proc.plugin_mappings().len(), n_children: proc.children().len() }
    }

    /// `GET` of a route of `broken`.
    pub(super) async fn ask(&self, path: &str) -> Reply {
        self.daemon.get(&format!("/v1/types/{ELEMENT}{path}")).await
    }

    /// This version of `broken` answers.
    pub(super) async fn assert_serves(&self, version: &str) {
        let health = self.daemon.health(ELEMENT).await;
        assert_eq!((&health["status"], &health["version"]), (&"ok".into(), &version.into()));
    }

    /// The neighbor answers.
    pub(super) async fn assert_neighbor_serves(&self) {
        let answer: Value = self.daemon.get("/v1/types/swap/hello/you").await.expect(200).json();
        assert_eq!(answer["hello"], "you");
    }

    /// The text of a problem, without what differs from run to run.
    pub(super) fn detail(&self, problem: &Reply) -> String {
        let problem: Value = problem.json();
        self.tidy(problem["detail"].as_str().unwrap())
    }

    /// A text without what differs from run to run: digests and the daemon's directory.
    pub(super) fn tidy(&self, text: &str) -> String {
        let text = text.replace(self.daemon.data().to_str().unwrap(), "DATA");
        let is_digest = |hex: &str| hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit());
        let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
        let parts = parts.map(|part| {
            let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_digest(word) { part.replace(word, "DIGEST") } else { part.to_owned() }
        });
        parts.collect()
    }
}

/// See [`Scene::holdings`]. Threads are left out: those of a plugin keep its code mapped, and the daemon's own come and
/// go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holdings {
    n_mappings: usize,
    n_children: usize,
}

/// The reply is this problem.
#[track_caller]
pub(super) fn assert_problem(reply: &Reply, status: u16, code: &str) {
    let text = reply.text();
    assert_eq!(reply.status.as_u16(), status, "{text}");
    let problem: Value = reply.json();
    assert_eq!(problem["code"], code, "{text}");
}
