//! The listener and its connections.
//!
//! Invariants:
//! - At most `http.connections_max` connections are served, upgraded ones included. One more is told so with a
//!   503 and closed: a client that waits in a queue nobody sees cannot tell a busy daemon from a dead one.
//! - A failing `accept` backs off; it never spins and never ends the daemon.
//! - A drain stops accepting, lets each connection finish the answer it is in, and cuts off what is left at the
//!   deadline.
//! - A listener that has a certificate speaks TLS with everybody.
//! - Answers carry the request id and are counted, whoever made them.
//!
//! Malformed requests and heads over the limits are answered by hyper (400, 431) and close the connection. Not
//! here: routes. What answers is an [`Answer`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use self::connection::{Connection, Transport};
use self::tls::Tls;
use super::problem::Problem;
use super::request_id::RequestId;
use super::{Body, Config};
use crate::log;
use crate::metrics::{HttpMetrics, Refused};
use crate::shutdown::{Outcome, Tasks};

mod connection;
mod exchange;
mod refuse;
mod tls;

/// How long to leave the system alone after it could not accept, as when file descriptors run out.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
/// hyper keeps so many headers on the stack; another limit costs every request an allocation.
const HEADERS_ON_STACK: usize = 100;

/// What answers the requests of a server.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers one request that came from `peer`; a problem is written as the answer by the server.
    ///
    /// # Cancellation
    /// Dropped when the client goes away, and at the drain deadline.
    fn answer(
        &self,
        request: Request<Incoming>,
        id: &RequestId,
        peer: IpAddr,
    ) -> impl Future<Output = Result<Response<Body>, Problem>> + Send;
}

/// An address that was taken. Connections wait from then on, until [`Server::start`].
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    /// `None` where clear text is spoken.
    tls: Option<Arc<Tls>>,
    local_addr: SocketAddr,
}

/// A listener that serves, until it is drained.
#[derive(Debug)]
pub(crate) struct Server {
    /// The accept loop, the connections and the refusals, and what answers leave behind.
    tasks: Tasks,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on `{listen}`: choose another address with `--listen`, or end what has it (`ss -ltnp 'sport = :{}'` says who)", listen.port())]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The files of TLS are no good.
    #[error("TLS cannot be spoken")]
    Tls(#[source] tls::Error),
    /// The listener does not know its own address.
    #[error("the listener does not know its own address")]
    LocalAddr(#[source] io::Error),
}

/// What the connections of a server share.
struct Shared<A> {
    app: Arc<A>,
    protocol: http1::Builder,
    metrics: HttpMetrics,
    tls: Option<Arc<Tls>>,
    /// One permit per connection that may still be opened.
    room: Arc<Semaphore>,
    /// One permit per connection that may be turned away at the same time.
    refusals: Arc<Semaphore>,
    tasks: Tasks,
}

/// Refuses settings by which [`Listener::bind`] could not speak TLS.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    Tls::open(&config.tls).map(drop).map_err(Error::Tls)
}

impl Listener {
    /// Takes the address that the settings name, with the certificate if they name one.
    pub(crate) async fn bind(config: &Config) -> Result<Self, Error> {
        let tls = Tls::open(&config.tls).map_err(Error::Tls)?.map(Arc::new);
        let listen = config.listen;
        let tcp = TcpListener::bind(listen).await;
        let tcp = tcp.map_err(|source| Error::Bind { listen, source })?;
        let local_addr = tcp.local_addr().map_err(Error::LocalAddr)?;
        Ok(Self { tcp, tls, local_addr })
    }

    #[cfg(test)]
    /// Where it listens, with the port that the system chose.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where a client on this machine finds it.
    pub(crate) fn endpoint(&self) -> String {
        let ip = match self.local_addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.local_addr.port()))
    }
}

impl Server {
    /// Serves `listener` with `app`. Whatever else is in `tasks` is drained with the connections.
    pub(crate) fn start<A: Answer>(
        listener: Listener,
        config: &Config,
        metrics: HttpMetrics,
        tasks: Tasks,
        app: Arc<A>,
    ) -> Self {
        let Listener { tcp, tls, local_addr: _ } = listener;
        if let Some(tls) = &tls {
            tasks.spawn("certificate", Arc::clone(tls).follow_files(tasks.clone()));
        }
        let shared = Arc::new(Shared {
            app,
            protocol: protocol(config),
            metrics,
            tls,
            room: Arc::new(Semaphore::new(config.connections_max)),
            refusals: Arc::new(Semaphore::new(refuse::AT_A_TIME)),
            tasks: tasks.clone(),
        });
        tasks.spawn("accept", accept_until_told(tcp, shared));
        Self { tasks }
    }

    /// Stops accepting, waits for the answers under way until `deadline`, then cuts off what is left.
    pub(crate) async fn drain(self, deadline: Duration) -> Outcome {
        self.tasks.shut_down(deadline).await
    }
}

fn protocol(config: &Config) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout())
        .max_header_size(config.header_bytes_max)
        .max_buf_size(config.header_bytes_max);
    if config.headers_max != HEADERS_ON_STACK {
        protocol.max_headers(config.headers_max);
    }
    protocol
}

async fn accept_until_told<A: Answer>(listener: TcpListener, shared: Arc<Shared<A>>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.tasks.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer.ip(), &shared),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => back_off(&error, &shared).await,
        }
    }
}

/// Serves a connection if there is room for it, and turns it away if not.
fn admit<A: Answer>(stream: TcpStream, peer: IpAddr, shared: &Arc<Shared<A>>) {
    let Ok(room) = Arc::clone(&shared.room).try_acquire_owned() else {
        refuse::over_limit(stream, shared);
        return;
    };
    // Small answers must not wait for an acknowledgement; a connection that refuses the option is closing.
    if stream.set_nodelay(true).is_ok() {
        let shared = Arc::clone(shared);
        let tasks = shared.tasks.clone();
        tasks.spawn("connection", async move {
            if let Some(transport) = secure(stream, &shared).await {
                let connection =
                    Connection::new(transport, room, shared.metrics.connections.clone());
                exchange::serve(connection, peer, shared).await;
            }
        });
    }
}

/// The connection as it is, or with keys agreed on, if that is what is spoken here.
async fn secure<A>(stream: TcpStream, shared: &Shared<A>) -> Option<Transport> {
    let Some(tls) = &shared.tls else { return Some(Transport::Plain(stream)) };
    let agreed = tokio::select! {
        () = shared.tasks.cancelled() => return None,
        agreed = tls.accept(stream) => agreed,
    };
    match agreed {
        Ok(stream) => Some(Transport::Secure(Box::new(stream))),
        Err(error) => {
            shared.metrics.refused(Refused::Handshake);
            let cause = log::chain(&error).to_string();
            tracing::debug!("connection refused: {cause}");
            None
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn back_off<A>(error: &io::Error, shared: &Shared<A>) {
    shared.metrics.refused(Refused::AcceptFailed);
    let cause = log::chain(error).to_string();
    tracing::warn!(back_off_ms = ACCEPT_BACK_OFF.as_millis(), "cannot accept: {cause}");
    tokio::select! {
        () = shared.tasks.cancelled() => {}
        () = sleep(ACCEPT_BACK_OFF) => {}
    }
}

#[cfg(test)]
mod tests;
