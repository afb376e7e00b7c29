//! The small host behind a plugin in a test.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
#[cfg(feature = "testing-database")]
use plugin_abi::database::DATABASE_SERVICE;
use plugin_abi::host::HostPort;
use plugin_abi::mailbox::Mailbox;
use plugin_abi::message::{
    CallId, CancelReason, EndOutcome, Inbound, Origin, Outbound, RequestId, StreamId, Unreadable,
};
use plugin_abi::record::{Level, LogRecord, Measurement, MetricRecord};
use plugin_abi::response::ResponseHead;
use plugin_abi::{AbiError, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

#[cfg(feature = "testing-database")]
use super::database::{Asked, Database, TRANSACTION_LIMIT};

/// How many bytes wait between the two ends of a connection in a test.
const DUPLEX_BYTES: usize = 64 * 1024;

/// Answers calls of services.
pub(super) struct Services(Box<Answering>);

type Answering = dyn Fn(u64, &[u8]) -> Result<Vec<u8>, AbiError> + Send + Sync;

impl Services {
    pub(super) fn answered_by(
        answer: impl Fn(u64, &[u8]) -> Result<Vec<u8>, AbiError> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(answer))
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::answered_by(|service, _payload| {
            let message = format!("service {service} is not there in this test");
            Err(AbiError::new(ErrorCode::Unavailable, message))
        })
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

/// How the start went.
#[derive(Debug)]
pub(super) enum Start {
    Started,
    Failed(String),
}

/// A line of the plugin's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// A measurement of the plugin's.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The series' name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What happened to it.
    pub measurement: Measurement,
}

/// A panic of the plugin's.
#[derive(Debug, Clone)]
pub struct PanicNote {
    /// In which request, or `None` when in shared state.
    pub request: Option<RequestId>,
    /// What it said, and where.
    pub message: String,
    /// How it came there.
    pub backtrace: String,
}

/// What the plugin said about one request.
#[derive(Debug)]
pub(super) enum Said {
    Whole(Head, Bytes),
    Head(Head),
    /// The call is completed by whoever takes the chunk.
    Chunk(CallId, Bytes),
    End(EndOutcome),
    Upgraded(Head, DuplexStream),
    Panicked,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// What stands behind the plugin.
pub(super) struct Port {
    /// For the tasks that serve streams.
    own: Weak<Self>,
    mailbox: Mailbox,
    services: Services,
    #[cfg(feature = "testing-database")]
    database: Database,
    /// The runtime of the test, which moves the bytes of streams.
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    start: Option<oneshot::Sender<Start>>,
    n_ids: u64,
    requests: HashMap<RequestId, Exchange>,
    streams: HashMap<StreamId, Stream>,
    logs: Vec<LogLine>,
    metrics: Vec<Metric>,
    panics: Vec<PanicNote>,
}

struct Exchange {
    said: mpsc::UnboundedSender<Said>,
    /// What is left of the body, for a body that is pulled.
    body: Option<mpsc::UnboundedReceiver<Bytes>>,
    /// What a read left over.
    rest: Bytes,
}

struct Stream {
    reads: mpsc::UnboundedSender<(CallId, u64)>,
    writes: mpsc::UnboundedSender<(CallId, Bytes)>,
}

impl Port {
    pub(super) fn new(
        services: Services,
        #[cfg(feature = "testing-database")] database: Database,
    ) -> (Arc<Self>, oneshot::Receiver<Start>) {
        let (start, started) = oneshot::channel();
        let port = Arc::new_cyclic(|own| Self {
            own: Weak::clone(own),
            mailbox: Mailbox::new().expect("a test may open a few files"),
            services,
            #[cfg(feature = "testing-database")]
            database,
            runtime: Handle::current(),
            state: Mutex::new(State { start: Some(start), ..State::default() }),
        });
        (port, started)
    }

    pub(super) fn post(&self, message: Inbound) {
        self.mailbox.post(message);
    }

    /// Sends a request whose parcel is `parcel`, with a pulled body if there is one.
    pub(super) fn begin(
        &self,
        parcel: Vec<u8>,
        body: Option<mpsc::UnboundedReceiver<Bytes>>,
    ) -> (RequestId, mpsc::UnboundedReceiver<Said>) {
        let (said, heard) = mpsc::unbounded_channel();
        let request = {
            let mut state = self.lock();
            let request = state.next_id();
            state.requests.insert(request, Exchange { said, body, rest: Bytes::new() });
            request
        };
        self.post(Inbound::Request { request, parcel });
        (request, heard)
    }

    pub(super) fn cancel(&self, request: RequestId, reason: CancelReason) {
        self.post(Inbound::Cancel { request, reason });
    }

    pub(super) fn complete(&self, call: CallId, outcome: Result<Vec<u8>, AbiError>) {
        self.post(Inbound::Completed { call, outcome });
    }

    pub(super) fn connect(&self, listener: &str) -> DuplexStream {
        let (stream, client) = self.open_stream();
        let origin = Origin { listener: listener.to_owned(), peer: "127.0.0.1:40000".to_owned() };
        self.post(Inbound::Accepted { stream, origin: origin.encode() });
        client
    }

    pub(super) fn logs(&self) -> Vec<LogLine> {
        self.lock().logs.clone()
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        self.lock().metrics.clone()
    }

    pub(super) fn panics(&self) -> Vec<PanicNote> {
        self.lock().panics.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_stream(&self) -> (StreamId, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        let (reader, writer) = tokio::io::split(ours);
        let (reads, read_calls) = mpsc::unbounded_channel();
        let (writes, write_calls) = mpsc::unbounded_channel();
        let id = {
            let mut state = self.lock();
            let id = state.next_id();
            state.streams.insert(id, Stream { reads, writes });
            id
        };
        let port = self.own.upgrade().expect("whoever opens a stream holds the port");
        self.runtime.spawn(serve_reads(Arc::clone(&port), reader, read_calls));
        self.runtime.spawn(serve_writes(port, writer, write_calls));
        (id, theirs)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.n_ids += 1;
        self.n_ids
    }

    fn tell(&mut self, request: RequestId, said: Said) {
        if let Some(exchange) = self.requests.get(&request) {
            // A test that has dropped its answer does not listen any more.
            let _unheard = exchange.said.send(said);
        }
    }

    fn started(&mut self, start: Start) {
        if let Some(waiting) = self.start.take() {
            // A test that gave up waiting does not listen any more.
            let _unheard = waiting.send(start);
        }
    }
}

impl HostPort for Port {
    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn said(&self, message: Result<Outbound<'_>, Unreadable>) {
        let message = message.expect("the SDK says nothing malformed");
        match message {
            Outbound::Started => self.lock().started(Start::Started),
            Outbound::StartFailed { reason } => self.lock().started(Start::Failed(reason.into())),
            Outbound::Respond { request, head, body } => {
                let said = Said::Whole(Head::of(head), Bytes::copy_from_slice(body));
                self.lock().tell(request, said);
            }
            Outbound::Head { request, head } => {
                self.lock().tell(request, Said::Head(Head::of(head)));
            }
            Outbound::Chunk { request, call, bytes } => {
                self.lock().tell(request, Said::Chunk(call, Bytes::copy_from_slice(bytes)));
            }
            Outbound::End { request, outcome } => self.lock().tell(request, Said::End(outcome)),
            Outbound::BodyRead { request, call, bytes_max } => {
                self.read_body(request, call, bytes_max);
            }
            Outbound::Upgrade { request, call, head } => {
                let (stream, client) = self.open_stream();
                self.lock().tell(request, Said::Upgraded(Head::of(head), client));
                self.complete(call, Ok(stream.to_le_bytes().to_vec()));
            }
            Outbound::StreamRead { stream, call, bytes_max } => {
                let sent =
                    self.lock().streams.get(&stream).map(|it| it.reads.send((call, bytes_max)));
                self.close_unless(matches!(sent, Some(Ok(()))), call);
            }
            Outbound::StreamWrite { stream, call, bytes } => {
                let bytes = Bytes::copy_from_slice(bytes);
                let sent = self.lock().streams.get(&stream).map(|it| it.writes.send((call, bytes)));
                self.close_unless(matches!(sent, Some(Ok(()))), call);
            }
            Outbound::StreamClose { stream } => {
                self.lock().streams.remove(&stream);
            }
            Outbound::Log { record } => self.note_log(record),
            Outbound::Metric { record } => self.note_metric(record),
            Outbound::Panicked { request, message, backtrace } => {
                self.note_panic(request, message, backtrace);
            }
            #[cfg(feature = "testing-database")]
            Outbound::Service { call, service: DATABASE_SERVICE, payload } => {
                self.asked(self.database.ask(call, payload));
            }
            Outbound::Service { call, service, payload } => {
                self.complete(call, self.services.0(service, payload));
            }
        }
    }
}

#[cfg(feature = "testing-database")]
impl Port {
    fn asked(&self, Asked { completed, begun }: Asked) {
        if let Some(transaction) = begun {
            let port = self.own.upgrade().expect("whoever runs a plugin holds the port");
            self.runtime.spawn(async move {
                tokio::time::sleep(TRANSACTION_LIMIT).await;
                port.asked(port.database.expire(transaction));
            });
        }
        completed.into_iter().for_each(|(call, outcome)| self.complete(call, outcome));
    }
}

impl Port {
    fn close_unless(&self, is_open: bool, call: CallId) {
        if !is_open {
            let error = AbiError::new(ErrorCode::Closed, "the stream is closed");
            self.complete(call, Err(error));
        }
    }

    fn note_log(&self, record: &[u8]) {
        let record = LogRecord::decode(record).expect("the SDK says nothing malformed");
        let LogRecord { level, target: _, message, fields } = record;
        self.lock().logs.push(LogLine {
            level,
            message: message.to_owned(),
            fields: owned_pairs(&fields),
        });
    }

    fn note_metric(&self, record: &[u8]) {
        let record = MetricRecord::decode(record).expect("the SDK says nothing malformed");
        let MetricRecord { name, labels, measurement } = record;
        let labels = owned_pairs(&labels);
        self.lock().metrics.push(Metric { name: name.to_owned(), labels, measurement });
    }

    fn note_panic(&self, request: Option<RequestId>, message: &str, backtrace: &str) {
        let (message, backtrace) = (message.to_owned(), backtrace.to_owned());
        let mut state = self.lock();
        state.panics.push(PanicNote { request, message, backtrace });
        state.started(Start::Failed(String::new()));
        if let Some(request) = request {
            state.tell(request, Said::Panicked);
        }
    }

    fn read_body(&self, request: RequestId, call: CallId, bytes_max: u64) {
        let mut state = self.lock();
        let exchange = state.requests.get_mut(&request);
        let body = exchange.and_then(|it| Some((it.body.take()?, std::mem::take(&mut it.rest))));
        drop(state);
        let port = self.own.upgrade().expect("whoever runs a plugin holds the port");
        self.runtime.spawn(async move {
            let Some((mut body, mut rest)) = body else {
                let error = AbiError::new(ErrorCode::Closed, "this request has no body to pull");
                return port.complete(call, Err(error));
            };
            if rest.is_empty() {
                rest = body.recv().await.unwrap_or_default();
            }
            let n_bytes = rest.len().min(usize::try_from(bytes_max).unwrap_or(usize::MAX));
            let chunk = rest.split_to(n_bytes);
            if let Some(exchange) = port.lock().requests.get_mut(&request) {
                (exchange.body, exchange.rest) = (Some(body), rest);
            }
            port.complete(call, Ok(chunk.into()));
        });
    }
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let head = ResponseHead::decode(bytes).expect("the SDK says nothing malformed");
        let status = head.status;
        let headers = head.headers().map(|field| {
            let (name, value) = field.expect("the SDK says nothing malformed");
            (name.to_owned(), value.to_owned())
        });
        Self { status, headers: headers.collect() }
    }
}

async fn serve_reads(
    port: Arc<Port>,
    mut reader: ReadHalf<DuplexStream>,
    mut calls: mpsc::UnboundedReceiver<(CallId, u64)>,
) {
    while let Some((call, bytes_max)) = calls.recv().await {
        let mut bytes = vec![0; usize::try_from(bytes_max).unwrap_or(DUPLEX_BYTES)];
        let outcome = reader.read(&mut bytes).await.map_err(|error| io_error(&error));
        port.complete(call, outcome.map(|n_bytes| bytes[..n_bytes].to_vec()));
    }
}

async fn serve_writes(
    port: Arc<Port>,
    mut writer: WriteHalf<DuplexStream>,
    mut calls: mpsc::UnboundedReceiver<(CallId, Bytes)>,
) {
    while let Some((call, bytes)) = calls.recv().await {
        let outcome = writer.write_all(&bytes).await.map_err(|error| io_error(&error));
        port.complete(call, outcome.map(|()| Vec::new()));
    }
    // When the client has gone there is nobody to tell.
    let _gone = writer.shutdown().await;
}

fn io_error(error: &std::io::Error) -> AbiError {
    AbiError::new(ErrorCode::Io, error.to_string())
}

fn owned_pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
