//! Clients that read and write while versions come and go.

use std::sync::Arc;
use std::time::Duration;

use metapaas_tests::daemon::Daemon;
use metapaas_tests::load::{Crew, Load, Pace, Plan, Script, Serving};
use metapaas_tests::writes::{Writes, Written};

use crate::migrating::{ELEMENT, ROOT, VERSIONS};

/// No story takes longer.
const TIME_MAX: Duration = Duration::from_secs(120);
const READS_PER_SECOND: f64 = 400.0;

/// Readers that know which versions may answer, and a writer that remembers what was acknowledged.
#[derive(Debug)]
pub(super) struct Traffic {
    serving: Arc<Serving>,
    load: Load,
    writes: Writes,
}

impl Traffic {
    /// Begins; this version serves.
    pub(super) fn start(daemon: &Daemon, version: &str) -> Self {
        let serving = Arc::new(Serving::new(&positions(&[version])));
        let load = Load::start(Plan {
            address: daemon.client.address,
            crews: vec![Crew::new(Script::small(ROOT, &VERSIONS), 4)],
            serving: Arc::clone(&serving),
            pace: Pace::PerSecond(READS_PER_SECOND),
            n_threads: 1,
            time_max: TIME_MAX,
        });
        let writes = Writes::start(&daemon.client, ELEMENT, "traffic");
        Self { serving, load, writes }
    }

    /// From now on these versions may answer and no other.
    pub(super) fn may_be(&self, versions: &[&str]) {
        self.serving.set(&positions(versions));
    }

    /// Ends: no request failed or was answered wrongly, and this was written.
    pub(super) async fn finish(self) -> Written {
        self.load.finish().await.assert_faultless();
        let written = self.writes.finish().await;
        written.assert_faultless();
        written
    }
}

fn positions(versions: &[&str]) -> Vec<usize> {
    let position = |version| VERSIONS.iter().position(|known| known == version);
    versions.iter().map(|version| position(version).expect("it is one of the versions")).collect()
}
