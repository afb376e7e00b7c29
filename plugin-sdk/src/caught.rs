//! Panics: what the plugin's code may throw is caught here, told with its place and backtrace, and costs
//! no more than it must.
//!
//! [`catch`] surrounds every poll of an author's code. The panic hook, installed once for each mapped copy
//! of the library, writes down what happened for the `catch` around it. A panic outside of any `catch`
//! (a thread of the author's, a blocking task) becomes an error line in the host's log; whoever joins
//! that thread or task sees the panic too.
//!
//! The current request rides along in a thread-local for the time of a poll, so that log lines and panics
//! know where they belong; it is moved there and back and never counted.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};

use plugin_abi::api::HostApi;
use plugin_abi::message::Outbound;
use tokio::task::JoinError;

use crate::log;
use crate::request::Head;

thread_local! {
    static CURRENT: Cell<Option<Arc<Head>>> = const { Cell::new(None) };
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    static REPORT: Cell<Option<PanicReport>> = const { Cell::new(None) };
}

/// A future of an author's, behind one type.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is known of a panic.
#[derive(Debug)]
pub(crate) struct PanicReport {
    message: String,
    backtrace: String,
}

impl PanicReport {
    /// Tells the host.
    pub(crate) fn send(&self, host: &HostApi, request: Option<u64>) {
        let Self { message, backtrace } = self;
        host.send(Outbound::Panicked { request, message, backtrace });
    }

    /// Writes it into the host's log, for a panic that cost `what` and nothing else.
    pub(crate) fn log(&self, what: &str) {
        let Self { message, backtrace } = self;
        tracing::error!(backtrace, "{what} panicked: {message}");
    }

    /// What the runtime says of a task that did not end.
    pub(crate) fn of_join_error(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Self::of_payload(payload.as_ref()),
            Err(error) => Self { message: error.to_string(), backtrace: String::new() },
        }
    }

    fn of_payload(payload: &(dyn Any + Send)) -> Self {
        // The hook was not called: `resume_unwind`, or a hook of the author's stands before this one.
        let message = text_of(payload).unwrap_or("panicked with something that is not text");
        Self { message: message.to_owned(), backtrace: String::new() }
    }
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Runs `work` as part of `request`, or of the shared state, and turns a panic into a report.
pub(crate) fn catch<T>(
    request: &mut Option<Arc<Head>>,
    work: impl FnOnce() -> T,
) -> Result<T, PanicReport> {
    let outer = CURRENT.replace(request.take());
    CATCHING.set(CATCHING.get() + 1);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(CATCHING.get() - 1);
    *request = CURRENT.replace(outer);
    outcome.map_err(|payload| {
        REPORT.take().unwrap_or_else(|| PanicReport::of_payload(payload.as_ref()))
    })
}

/// Shows the request that is being worked on to `look`.
pub(crate) fn with_current<T>(look: impl FnOnce(Option<&Head>) -> T) -> T {
    let head = CURRENT.try_with(Cell::take).ok().flatten();
    let seen = look(head.as_deref());
    if head.is_some() {
        let _gone = CURRENT.try_with(|current| current.set(head));
    }
    seen
}

/// Installs the panic hook. Later calls in the same copy of the library change nothing.
pub(crate) fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outer = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() > 0 {
                REPORT.set(Some(report(info)));
            } else if log::is_thread_of_plugin() {
                report(info).log("a thread or task of the plugin's own");
            } else {
                outer(info);
            }
        }));
    });
}

fn report(info: &PanicHookInfo<'_>) -> PanicReport {
    let text = text_of(info.payload()).unwrap_or("something that is not text");
    let message = match info.location() {
        Some(place) => format!("{text} ({place})"),
        None => text.to_owned(),
    };
    PanicReport { message, backtrace: backtrace() }
}

/// Where this thread is. Naming the frames maps the library's file a second time; std's own backtraces keep
/// that mapping for ever, and with it the library, so it is not they that are used here.
fn backtrace() -> String {
    let backtrace = backtrace::Backtrace::new();
    let text = format!("{backtrace:?}");
    backtrace::clear_symbol_cache();
    text
}

fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&'static str>().copied())
}

/// A future whose panics, while it is polled and while it is dropped, are caught.
pub(crate) struct Caught<T> {
    /// `None` when it has ended.
    future: Option<BoxFuture<T>>,
    /// What it is part of; away while it is polled.
    request: Option<Arc<Head>>,
}

impl<T> Caught<T> {
    /// Part of a request.
    pub(crate) fn in_request(head: Arc<Head>, future: BoxFuture<T>) -> Self {
        Self { future: Some(future), request: Some(head) }
    }

    /// Part of the plugin's shared state.
    pub(crate) fn in_shared(future: BoxFuture<T>) -> Self {
        Self { future: Some(future), request: None }
    }
}

impl<T> Future for Caught<T> {
    type Output = Result<T, PanicReport>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { future, request } = &mut *self;
        let running = future.as_mut().expect("nobody polls a future that has ended");
        match catch(request, || running.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(report) => Poll::Ready(Err(report)),
        }
    }
}

impl<T> Drop for Caught<T> {
    fn drop(&mut self) {
        let Self { future, request } = self;
        let future = future.take();
        if let Err(report) = catch(request, || drop(future)) {
            report.log("the drop of a task");
        }
    }
}
