//! A whole `axum::Router` under a prefix, on the plugin's own runtime.
//!
//! The prefix is taken off the path, as `axum::Router::nest` does. Bodies stream in both directions. The
//! request's extensions hold [`Context`](crate::Context), [`Identity`](crate::Identity) and
//! [`RequestId`](crate::RequestId), which are axum extractors too, as are [`Upgrade`](crate::Upgrade) and
//! [`WebSocket`](crate::WebSocket); axum's own WebSocket needs hyper's connection, which the host keeps.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context as TaskContext, Poll};

use axum::body::Body as AxumBody;
use axum::extract::FromRequestParts as FromAxumParts;
use axum::response::IntoResponse as IntoAxumResponse;
use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body::Body as _;
use tower_service::Service;

use crate::context::Context;
use crate::extract::{BodyStream, Identity, RequestId, State};
use crate::handler::Endpoint;
use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};
use crate::response::{Body, IntoResponse, Response};
use crate::router::{Route, Router};
use crate::stream_body::BoxError;
use crate::upgrade::{OnStream, Upgrade};

/// Up to this size a body of known length is sent in one message.
const WHOLE_BYTES_MAX: u64 = 256 * 1024;

impl<P: Send + Sync + 'static> Router<P> {
    /// Serves everything under `prefix` with the router that `make` gives.
    ///
    /// `make` is called once in each generation, by its first request.
    #[must_use]
    pub fn axum(
        self,
        prefix: &str,
        make: impl Fn(State<P>) -> axum::Router + Send + Sync + 'static,
    ) -> Self {
        let prefix = prefix.trim_end_matches('/');
        let served = Arc::new(Served { router: OnceLock::new(), make: Box::new(make) });
        let route = |path: String, rest: Rest| {
            let served = Arc::clone(&served);
            let endpoint: Endpoint<P> =
                Box::new(move |request| Box::pin(Arc::clone(&served).answer(request, rest)));
            Route::of_endpoint(None, path, endpoint)
        };
        let root = route(format!("{prefix}/"), Rest::Nothing);
        let below = route(format!("{prefix}/{{*rest}}"), Rest::LastParam);
        let router = self.route(root).route(below);
        match prefix {
            "" => router,
            prefix => router.route(route(prefix.to_owned(), Rest::Nothing)),
        }
    }
}

/// Where that stands which follows the prefix.
#[derive(Clone, Copy)]
enum Rest {
    Nothing,
    LastParam,
}

struct Served<P> {
    router: OnceLock<axum::Router>,
    make: Box<dyn Fn(State<P>) -> axum::Router + Send + Sync>,
}

impl<P: Send + Sync + 'static> Served<P> {
    async fn answer(self: Arc<Self>, request: Request<P>, rest: Rest) -> Response {
        let state = State(Arc::clone(request.plugin()));
        let mut router = self.router.get_or_init(|| (self.make)(state)).clone();
        let request = match axum_request(&request, rest) {
            Ok(request) => request,
            Err(problem) => return IntoResponse::into_response(problem),
        };
        match router.call(request).await {
            Ok(response) => from_axum(response).await,
            Err(never) => match never {},
        }
    }
}

fn axum_request<P>(request: &Request<P>, rest: Rest) -> Result<axum::extract::Request, Problem> {
    let head = &request.head;
    let rest = match rest {
        Rest::Nothing => "",
        Rest::LastParam => request.params().last().unwrap_or_default(),
    };
    let uri = match request.query() {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    };
    let body = AxumBody::from_stream(BodyStream::of_head(Arc::clone(head)));
    let mut built = http::Request::new(body);
    *built.method_mut() = request.method().parse().map_err(|_no_method| unreadable("method"))?;
    *built.uri_mut() = uri.parse().map_err(|_no_uri| unreadable("path"))?;
    *built.headers_mut() = head.header_map();
    let extensions = built.extensions_mut();
    extensions.insert(request.context());
    extensions.insert(<Identity as FromRequestParts<P>>::from_request_parts(request)?);
    extensions.insert(<RequestId as FromRequestParts<P>>::from_request_parts(request)?);
    Ok(built)
}

fn unreadable(what: &str) -> Problem {
    let detail = format!("the {what} of the request cannot be read");
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail)
}

async fn from_axum(response: axum::response::Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let upgrade = parts.extensions.remove::<Agreed>().and_then(|Agreed(on_stream)| {
        on_stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    });
    let body = match upgrade {
        Some(on_stream) => Body::Upgrade(on_stream),
        None => match whole(body).await {
            Ok(body) => body,
            Err(error) => {
                tracing::error!("the body of an answer broke before it began: {error}");
                let detail = "the plugin made an answer that cannot be sent";
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return IntoResponse::into_response(Problem::new(status, "BODY_BROKEN", detail));
            }
        },
    };
    // The host counts what it sends.
    parts.headers.remove(CONTENT_LENGTH);
    let mut last = None;
    let headers = parts.headers.into_iter().filter_map(|(name, value)| {
        // A repeated name is not told again.
        last = name.or_else(|| last.take());
        last.clone().map(|name| (name, value))
    });
    Response { status: parts.status, headers: headers.collect(), body }
}

/// The body as it is sent: whole when its length is known and small, else while it comes.
async fn whole(body: AxumBody) -> Result<Body, BoxError> {
    match body.size_hint().exact() {
        Some(0) => return Ok(Body::Empty),
        Some(n_bytes) if n_bytes <= WHOLE_BYTES_MAX => {}
        Some(_) | None => return Ok(Body::Stream(Box::pin(Chunks(body)))),
    }
    let mut chunks = Chunks(body);
    let mut next = async || poll_fn(|cx| Pin::new(&mut chunks).poll_next(cx)).await.transpose();
    let first = next().await?.unwrap_or_default();
    let Some(second) = next().await? else { return Ok(Body::Shared(first)) };
    let mut bytes = [first, second].concat();
    while let Some(chunk) = next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body::Owned(bytes))
}

/// The data frames of a body.
struct Chunks(AxumBody);

impl Stream for Chunks {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.0).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers have no place in what the host sends.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

/// An upgrade that was agreed to, on its way out through axum, whose extensions must be `Clone`.
#[derive(Clone)]
struct Agreed(Arc<Mutex<Option<OnStream>>>);

impl IntoAxumResponse for Response {
    fn into_response(self) -> axum::response::Response {
        let Self { status, headers, body } = self;
        let mut agreed = None;
        let body = match body {
            Body::Empty => AxumBody::empty(),
            Body::Owned(bytes) => AxumBody::from(bytes),
            Body::Shared(bytes) => AxumBody::from(bytes),
            Body::Stream(chunks) => AxumBody::from_stream(chunks),
            Body::Upgrade(on_stream) => {
                agreed = Some(Agreed(Arc::new(Mutex::new(Some(on_stream)))));
                AxumBody::empty()
            }
        };
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        if let Some(agreed) = agreed {
            response.extensions_mut().insert(agreed);
        }
        response
    }
}

impl IntoAxumResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        IntoAxumResponse::into_response(IntoResponse::into_response(self))
    }
}

macro_rules! from_extensions {
    ($($extractor:ident)*) => {
        $(
            impl<S: Send + Sync> FromAxumParts<S> for $extractor {
                type Rejection = Infallible;

                async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
                    Ok(parts.extensions.get::<Self>().cloned().expect("every request carries it"))
                }
            }
        )*
    };
}

from_extensions!(Context Identity RequestId);

impl<S: Send + Sync> FromAxumParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of_headers(|name| parts.headers.get(name).map(|value| value.as_bytes()))
    }
}

#[cfg(feature = "ws")]
impl<S: Send + Sync> FromAxumParts<S> for crate::WebSocket {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let header = |name: &str| parts.headers.get(name).map(|value| value.as_bytes());
        Self::of_headers(Upgrade::of_headers(header)?, header)
    }
}
