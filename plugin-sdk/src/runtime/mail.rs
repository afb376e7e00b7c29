//! The mailbox, emptied while something else is awaited.
//!
//! A turn takes one batch of messages and then gives way to the tasks that it woke or spawned, so neither
//! starves the other. A handler is polled once where its request is read; only one that has to wait
//! becomes a task. Before the thread sleeps every task has had its turn, so that a burst costs one wake-up.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use plugin_abi::guest::{Message, Parcel};
use plugin_abi::message::{Origin, RequestId, StreamId};
use plugin_abi::request::RequestLayout;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::exchange::Exchange;
use crate::caught::{Caught, catch};
use crate::connection::Incoming;
use crate::generation::Generation;
use crate::request::{Head, Request};
use crate::router::declaration::Declaration;
use crate::stream::UpgradedStream;
use crate::tasks::spawn_background;

/// See the module.
pub(super) struct Mail<P> {
    generation: Arc<Generation>,
    wake: AsyncFd<MailboxFd>,
    /// A batch of messages; kept for its memory.
    batch: Vec<Message>,
    /// `None` until the plugin has started.
    serving: Option<Serving<P>>,
    /// When everything must be over; set by the host's order to stop.
    deadline: Option<Instant>,
}

/// What answers.
pub(super) struct Serving<P> {
    pub(super) plugin: Arc<P>,
    pub(super) declaration: Arc<Declaration<P>>,
}

/// The host's descriptor, only watched here.
#[derive(Debug)]
struct MailboxFd(RawFd);

impl AsRawFd for MailboxFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl<P: Send + Sync + 'static> Mail<P> {
    #[expect(
        deprecated,
        reason = "the replacement needs `AsFd`, which a raw descriptor has by unsafe code only"
    )]
    pub(super) fn new(generation: Arc<Generation>) -> io::Result<Self> {
        let mailbox = MailboxFd(generation.host.mailbox_fd());
        let wake = AsyncFd::with_interest(mailbox, Interest::READABLE)?;
        Ok(Self { generation, wake, batch: Vec::new(), serving: None, deadline: None })
    }

    /// From now on requests are answered.
    pub(super) fn serve(&mut self, serving: Serving<P>) {
        self.serving = Some(serving);
    }

    /// Handles messages until `future` is done or the host has said stop; then `Err(deadline)`.
    pub(super) async fn until<F: Future>(&mut self, future: F) -> Result<F::Output, Instant> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            let turn = self.poll_turn(cx);
            match self.deadline {
                Some(deadline) => Poll::Ready(Err(deadline)),
                None => turn.map(|never| match never {}),
            }
        })
        .await
    }

    /// Handles messages until `future` is done; another order to stop changes nothing.
    pub(super) async fn until_stopped_again<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
            self.poll_turn(cx).map(|never| match never {})
        })
        .await
    }

    /// Handles one batch; pending until there is another.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<std::convert::Infallible> {
        let mut has_given_way = false;
        loop {
            let mut batch = std::mem::take(&mut self.batch);
            let received = self.generation.host.receive(&mut batch);
            if let Err(error) = &received {
                tracing::error!("the host sent a message of another kind: {error}");
            }
            let is_empty = matches!(received, Ok(0));
            batch.drain(..).for_each(|message| self.deliver(message));
            self.batch = batch;
            if !is_empty {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !has_given_way {
                // Whoever fills the mailbox may be waiting for this very core. Letting it run first costs
                // next to nothing when nobody waits, and under load saves a wake-up for most requests.
                has_given_way = true;
                std::thread::yield_now();
                continue;
            }
            if self.generation.host.arm() {
                match ready!(self.wake.poll_read_ready(cx)) {
                    Ok(mut guard) => guard.clear_ready(),
                    // The runtime is shutting down; nobody polls this again.
                    Err(_shut_down) => return Poll::Pending,
                }
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Request { request, parcel } => self.answer(request, parcel),
            Message::Completed { call, outcome } => self.generation.calls.complete(call, outcome),
            Message::Cancel { request, reason: _ } => self.generation.tasks.cancel(request),
            Message::Wake { resource: _ } => {
                tracing::debug!("woken for a resource; none is declared")
            }
            Message::Accepted { stream, origin } => self.accept(stream, origin),
            Message::Stop { deadline } => {
                self.deadline.get_or_insert(Instant::now() + deadline);
            }
        }
    }

    fn answer(&self, number: RequestId, parcel: Parcel) {
        let generation = Arc::clone(&self.generation);
        let layout = match RequestLayout::parse(&parcel) {
            Ok(layout) => layout,
            Err(error) => return Exchange::refuse(&generation.host, number, &error.to_string()),
        };
        let (route, path) = (layout.route, layout.path(&parcel));
        let Some((serving, (endpoint, body_bytes_max))) = self
            .serving
            .as_ref()
            .and_then(|serving| Some((serving, serving.declaration.endpoint(route, path)?)))
        else {
            let reason = format!("there is no route {route}");
            return Exchange::refuse(&generation.host, number, &reason);
        };
        let head = Arc::new(Head { number, parcel, layout, generation, body_bytes_max });
        let request = Request { head: Arc::clone(&head), plugin: Arc::clone(&serving.plugin) };
        let mut answering = Caught::in_request(Arc::clone(&head), endpoint(request));
        let exchange = Exchange::new(head);
        let mut inline = Context::from_waker(Waker::noop());
        match Pin::new(&mut answering).poll(&mut inline) {
            // A task polls it again at once, with a waker of its own.
            Poll::Pending => exchange.spawn_answering(answering),
            Poll::Ready(Ok(response)) => {
                drop(answering);
                exchange.answer(response);
            }
            Poll::Ready(Err(report)) => exchange.panicked(&report),
        }
    }

    fn accept(&self, stream: StreamId, origin: Origin) {
        let generation = &self.generation;
        let stream = UpgradedStream::new(Arc::clone(generation), stream);
        let Some(serving) = &self.serving else { return };
        let listeners = &serving.declaration.descriptor.listeners;
        let Some(idx) = listeners.iter().position(|it| it.name == origin.listener) else {
            return tracing::error!(
                "a connection came on the unknown listener `{}`",
                origin.listener
            );
        };
        let name = format!("connection on `{}` from {}", origin.listener, origin.peer);
        let incoming =
            Incoming { listener: origin.listener, peer: origin.peer.parse().ok(), stream };
        let plugin = Arc::clone(&serving.plugin);
        let begun = catch(&mut None, || serving.declaration.on_connection[idx](plugin, incoming));
        spawn_background(generation, name, async move {
            let served = match begun {
                Ok(talk) => Caught::in_shared(talk).await,
                Err(report) => Err(report),
            };
            if let Err(report) = served {
                report.log("a connection");
            }
        });
    }
}
