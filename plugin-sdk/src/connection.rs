//! Connections that come in on a listener of the plugin's own.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::caught::BoxFuture;
use crate::extract::State;
use crate::stream::UpgradedStream;

/// A connection that came in on a listener.
#[derive(Debug)]
pub struct Incoming {
    /// The listener's name.
    pub listener: String,
    /// Where the connection comes from; `None` when it has no address, as with a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The connection.
    pub stream: UpgradedStream,
}

/// How the run loop serves a connection.
pub(crate) type OnConnection<P> = Box<dyn Fn(Arc<P>, Incoming) -> BoxFuture<()> + Send + Sync>;

/// An `async fn(State<P>, Incoming)` or `async fn(Incoming)`.
pub trait ConnectionHandler<P, Args>: Send + Sync + 'static {
    /// Serves one connection.
    #[doc(hidden)]
    fn serve(&self, plugin: Arc<P>, incoming: Incoming) -> BoxFuture<()>;
}

impl<P, F, Serving> ConnectionHandler<P, (Incoming,)> for F
where
    F: Fn(Incoming) -> Serving + Send + Sync + 'static,
    Serving: Future<Output = ()> + Send + 'static,
{
    fn serve(&self, _plugin: Arc<P>, incoming: Incoming) -> BoxFuture<()> {
        Box::pin(self(incoming))
    }
}

impl<P, F, Serving> ConnectionHandler<P, (State<P>, Incoming)> for F
where
    F: Fn(State<P>, Incoming) -> Serving + Send + Sync + 'static,
    Serving: Future<Output = ()> + Send + 'static,
{
    fn serve(&self, plugin: Arc<P>, incoming: Incoming) -> BoxFuture<()> {
        Box::pin(self(State(plugin), incoming))
    }
}
