//! `tracing` of the plugin becomes log lines of the host.
//!
//! One static subscriber, the default of this copy of the library from its first run on. Events carry the
//! fields of the spans around them and the id of the request they belong to. It works on every thread of
//! the plugin; events outside of a run are dropped.
//!
//! It keeps next to nothing when the library is unloaded (about 150 bytes, once), which is why it is no
//! registry of `tracing-subscriber`: spans live in one slab that is emptied when a run ends. What is below [`LEVEL_MAX`] is refused before
//! it is put together.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, RwLock};

use plugin_abi::api::HostApi;
use plugin_abi::message::Outbound;
use plugin_abi::record::{Level, LogRecord};
use slab::Slab;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

use crate::caught;

/// The most talkative level that reaches the host.
const LEVEL_MAX: LevelFilter =
    if cfg!(feature = "testing") { LevelFilter::DEBUG } else { LevelFilter::INFO };

/// The spans that are open. Not in [`Bridge`], whose memory is never given back.
static SPANS: Mutex<Slab<Span>> = Mutex::new(Slab::new());

/// The host of the newest run, for threads that the runtime did not make.
static LINE: RwLock<Option<(u64, HostApi)>> = RwLock::new(None);

thread_local! {
    /// The host of the run that this thread works for.
    static OWN_LINE: Cell<Option<HostApi>> = const { Cell::new(None) };
    /// The spans that this thread is in, innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a run connected with its host's log.
#[derive(Debug)]
pub(crate) struct Connection(u64);

/// Connects this thread, and all that have no connection of their own, until the value is dropped.
pub(crate) fn connect(host: HostApi) -> Connection {
    static N_CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    static BRIDGE: Once = Once::new();
    BRIDGE.call_once(|| {
        // Fails in a test process that has a subscriber of its own, which then gets the lines.
        let _taken = dispatcher::set_global_default(Dispatch::new(Bridge));
    });
    let number = N_CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    *LINE.write().unwrap_or_else(PoisonError::into_inner) = Some((number, host));
    connect_thread(Some(host));
    Connection(number)
}

/// Connects or disconnects this thread alone.
pub(crate) fn connect_thread(host: Option<HostApi>) {
    OWN_LINE.set(host);
}

impl Drop for Connection {
    fn drop(&mut self) {
        connect_thread(None);
        let mut line = LINE.write().unwrap_or_else(PoisonError::into_inner);
        // In a test process a younger run may have taken the line over, and its spans are alive.
        if line.as_ref().is_some_and(|(number, _host)| *number == self.0) {
            *line = None;
            *spans() = Slab::new();
        }
    }
}

/// Whether this is a thread of a plugin that is connected.
///
/// In a test process a thread without a connection may as well be the test's own, so there it is none.
pub(crate) fn is_thread_of_plugin() -> bool {
    OWN_LINE.try_with(|own| own.get().is_some()).unwrap_or(false)
        || (!cfg!(feature = "testing")
            && LINE.read().unwrap_or_else(PoisonError::into_inner).is_some())
}

fn send(record: &[u8]) {
    let message = Outbound::Log { record };
    if let Some(host) = OWN_LINE.try_with(Cell::get).ok().flatten() {
        return host.send(message);
    }
    // The lock is held while the host copies, so that a run cannot return under it.
    if let Some((_number, host)) = &*LINE.read().unwrap_or_else(PoisonError::into_inner) {
        host.send(message);
    }
}

/// See the module.
struct Bridge;

struct Span {
    fields: Vec<(&'static str, String)>,
    parent: Option<u64>,
    n_handles: usize,
}

fn spans() -> MutexGuard<'static, Slab<Span>> {
    SPANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fields of the span and of those around it, outermost first.
fn fields_of(innermost: Option<u64>) -> Vec<(&'static str, String)> {
    let spans = spans();
    let mut around = Vec::new();
    let mut next = innermost;
    while let Some(span) = next.and_then(|id| spans.get(slot(id))) {
        around.push(span);
        next = span.parent;
    }
    around.into_iter().rev().flat_map(|span| span.fields.iter().cloned()).collect()
}

/// Gives up one handle of a span; whether it was the last.
fn release(id: u64) -> bool {
    let mut open = spans();
    let Some(span) = open.get_mut(slot(id)) else { return false };
    span.n_handles -= 1;
    if span.n_handles > 0 {
        return false;
    }
    let parent = open.remove(slot(id)).parent;
    drop(open);
    // A child holds its parent, so that the fields of the parent are there as long as the child's.
    if let Some(parent) = parent {
        release(parent);
    }
    true
}

fn slot(id: u64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

fn innermost() -> Option<u64> {
    ENTERED.try_with(|entered| entered.borrow().last().copied()).ok().flatten()
}

impl Subscriber for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LEVEL_MAX
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LEVEL_MAX)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => innermost(),
            None => None,
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let mut open = spans();
        let parent = parent.filter(|parent| match open.get_mut(slot(*parent)) {
            Some(parent) => {
                parent.n_handles += 1;
                true
            }
            None => false,
        });
        let idx = open.insert(Span { fields: fields.others, parent, n_handles: 1 });
        Id::from_u64(idx as u64 + 1)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = spans().get_mut(slot(id.into_u64())) {
            span.fields.append(&mut fields.others);
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let parent = event.parent().map(Id::into_u64);
        let parent = parent.or_else(|| event.is_contextual().then(innermost).flatten());
        let around = fields_of(parent);
        let metadata = event.metadata();
        caught::with_current(|head| {
            let request = head.map(|head| ("request_id", head.request_id()));
            let pairs = around.iter().chain(&fields.others).map(|(name, value)| (*name, &**value));
            let record = LogRecord {
                level: level_of(*metadata.level()),
                target: metadata.target(),
                message: &fields.message,
                fields: request.into_iter().chain(pairs).collect(),
            };
            send(&record.encode());
        });
    }

    fn enter(&self, span: &Id) {
        let _gone = ENTERED.try_with(|entered| entered.borrow_mut().push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let _gone = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if let Some(idx) = entered.iter().rposition(|id| *id == span.into_u64()) {
                entered.remove(idx);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = spans().get_mut(slot(id.into_u64())) {
            span.n_handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        release(id.into_u64())
    }
}

fn level_of(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// What an event or span says, as text.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").expect("a string takes everything");
        } else {
            self.others.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }
}
