//! Listeners that the operator granted to an element. The sockets are the host's and outlive generations.
//!
//! What comes in is handed to whichever generation serves at that moment. While none does, connections are
//! closed at once rather than kept waiting.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::message::{Inbound, Origin};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::failure::StageError;
use crate::plugin::conversation::Streams;
use crate::plugin::lease::Lease;

/// The most connections that one listener may have open.
const CONNECTIONS_MAX: usize = 1024;

/// The listeners of one element.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: BTreeMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    /// What was asked for; its port may be 0.
    wanted: SocketAddr,
    /// What it became.
    bound: SocketAddr,
    closing: CancellationToken,
}

/// Listeners that are bound and do not accept yet.
#[derive(Debug)]
pub(super) struct Bound {
    new: BTreeMap<String, (SocketAddr, TcpListener)>,
}

impl Listeners {
    /// Binds what is wanted and not open yet. Nothing changes until [`Listeners::adopt`].
    pub(super) async fn bind(
        &self,
        wanted: &BTreeMap<String, SocketAddr>,
    ) -> Result<Bound, StageError> {
        let mut new = BTreeMap::new();
        for (name, address) in wanted {
            if self.open.get(name).is_some_and(|open| open.wanted == *address) {
                continue;
            }
            let refused = |reason: String| StageError::Listen {
                name: name.clone(),
                address: address.to_string(),
                reason,
            };
            if !address.ip().is_loopback() {
                return Err(refused(
                    "without TLS only loopback addresses are listened on".to_owned(),
                ));
            }
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|error| refused(error.to_string()))?;
            new.insert(name.clone(), (*address, listener));
        }
        Ok(Bound { new })
    }

    /// Lets what was bound accept, and closes what is wanted no more.
    pub(super) fn adopt(
        &mut self,
        bound: Bound,
        wanted: &BTreeMap<String, SocketAddr>,
        element: &ElementName,
        shared: &Arc<Shared>,
    ) {
        self.open.retain(|name, open| {
            let stays = wanted.get(name) == Some(&open.wanted);
            if !stays {
                open.closing.cancel();
            }
            stays
        });
        for (name, (address, listener)) in bound.new {
            let Ok(local) = listener.local_addr() else { continue };
            let closing = CancellationToken::new();
            let accepting = accept(
                listener,
                name.clone(),
                element.clone(),
                Arc::clone(shared),
                closing.clone(),
            );
            shared.tasks.spawn("listener", accepting);
            self.open.insert(name, Open { wanted: address, bound: local, closing });
        }
    }

    /// Where each listens.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.open.iter().map(|(name, open)| (name.clone(), open.bound)).collect()
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.open.values().for_each(|open| open.closing.cancel());
    }
}

async fn accept(
    listener: TcpListener,
    name: String,
    element: ElementName,
    shared: Arc<Shared>,
    closing: CancellationToken,
) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => return,
            () = shared.tasks.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (connection, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%element, listener = %name, %error, "cannot accept a connection");
                // Descriptors have run out, most likely; some come back with time.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let origin = Origin { listener: name.clone(), peer: peer.to_string() };
        if let Some(handing_over) = hand_over(connection, &origin, &element, &shared) {
            shared.tasks.spawn("accepted connection", async move {
                handing_over.await;
                drop(place);
            });
        }
    }
}

/// Gives a connection to the generation that serves, or closes it when there is none.
fn hand_over(
    connection: TcpStream,
    origin: &Origin,
    element: &ElementName,
    shared: &Shared,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let table = shared.plugins.tables.load();
    let lease = Lease::take(Arc::clone(&table.of_element(element)?.generation))?;
    let conversation = Arc::clone(&lease.generation().conversation);
    // Without it small answers wait; with an error the connection is about to end anyway.
    let _immediate = connection.set_nodelay(true);
    let opened = conversation.streams().open();
    conversation.post(Inbound::Accepted { stream: opened.stream, origin: origin.encode() });
    Some(async move {
        Streams::run(conversation, opened, connection).await;
        drop(lease);
    })
}
