//! Writes through a plugin, one after the other, whatever happens to it meanwhile.
//!
//! Guarantees: what was acknowledged is remembered, so that it can be missed; each write is asked once and
//! never again, so that what is there twice was not this. Knows `POST /rows` of the fixture `migrates`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Client;

/// Between two writes, so that a run is not about them.
const BETWEEN: Duration = Duration::from_millis(5);
/// No write may take longer, or a story would.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// Writes that go on.
#[derive(Debug)]
pub struct Writes {
    /// Where to: a daemon that starts again listens somewhere else.
    port: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    written: Arc<Mutex<Written>>,
    /// The only one; ends with this.
    writer: JoinSet<()>,
}

/// What came of them.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The ids of the rows that were acknowledged.
    pub acknowledged: Vec<String>,
    /// What was answered instead, if anything was.
    pub refused: Vec<String>,
}

impl Writes {
    /// Begins to write rows whose ids begin with `prefix` through the type `slug`.
    #[must_use]
    pub fn start(client: &Client, slug: &str, prefix: &str) -> Self {
        let port = Arc::new(AtomicU16::new(client.address.port()));
        let stop = Arc::new(AtomicBool::new(false));
        let path = format!("/v1/types/{slug}/rows");
        let (written, mut writer) = (Arc::default(), JoinSet::new());
        let state = (Arc::clone(&port), Arc::clone(&stop), Arc::clone(&written));
        writer.spawn(write(state, client.token.clone(), path, prefix.to_owned()));
        Self { port, stop, written, writer }
    }

    /// The daemon listens there now.
    pub fn go_on_at(&self, address: SocketAddr) {
        self.port.store(address.port(), Ordering::Relaxed);
    }

    /// What came of them so far.
    #[must_use]
    pub fn so_far(&self) -> Written {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends and tells.
    ///
    /// # Panics
    /// When the writer itself panicked.
    pub async fn finish(mut self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.writer.join_next().await.expect("there is one writer");
        ended.expect("the writer does not panic");
        self.so_far()
    }
}

impl Written {
    fn note(&mut self, id: String, refused: Option<String>) {
        match refused {
            None => self.acknowledged.push(id),
            Some(why) => self.refused.push(format!("{id}: {why}")),
        }
    }

    /// Panics if a write was refused, or if there was none.
    ///
    /// # Panics
    /// With the first refusals.
    pub fn assert_faultless(&self) {
        let Self { acknowledged, refused } = self;
        let shown: Vec<_> = refused.iter().take(5).collect();
        assert!(refused.is_empty(), "{} writes failed: {shown:#?}", refused.len());
        assert!(!acknowledged.is_empty(), "nothing was written");
    }

    /// Panics if something that was acknowledged is not among `kept`.
    ///
    /// # Panics
    /// With the first that are missing.
    pub fn assert_kept(&self, kept: &[String]) {
        let kept: std::collections::HashSet<&String> = kept.iter().collect();
        let lost: Vec<_> = self.acknowledged.iter().filter(|id| !kept.contains(id)).collect();
        let n_all = self.acknowledged.len();
        assert!(
            lost.is_empty(),
            "{} of {n_all} acknowledged writes are lost: {lost:?}",
            lost.len()
        );
    }
}

async fn write(
    (port, stop, written): (Arc<AtomicU16>, Arc<AtomicBool>, Arc<Mutex<Written>>),
    token: Option<String>,
    path: String,
    prefix: String,
) {
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port.load(Ordering::Relaxed)));
        let client = Client { address, token: token.clone() };
        let id = format!("{prefix}-{number}");
        let request = Client::document(Method::POST, &path, &[], &json!({ "id": id }));
        let answer = tokio::time::timeout(WRITE_TIME_MAX, client.try_send(request)).await;
        let refused = match answer {
            Ok(Ok(reply)) if reply.status == 201 => None,
            Ok(Ok(reply)) => Some(reply.text()),
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_late) => Some("not answered in time".to_owned()),
        };
        written.lock().unwrap_or_else(PoisonError::into_inner).note(id, refused);
        tokio::time::sleep(BETWEEN).await;
    }
}
