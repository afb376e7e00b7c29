//! A request, read in place from the memory that the host lent, and how arguments are made of it.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use plugin_abi::guest::Parcel;
use plugin_abi::message::RequestId as RequestNumber;
use plugin_abi::request::RequestLayout;

use crate::context::Context;
use crate::generation::Generation;
use crate::problem::Problem;

/// A request on its way to a handler; what extractors are made of.
#[derive(Debug)]
pub struct Request<P> {
    pub(crate) head: Arc<Head>,
    pub(crate) plugin: Arc<P>,
}

/// The parcel of a request and what is known of it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) number: RequestNumber,
    pub(crate) parcel: Parcel,
    pub(crate) layout: RequestLayout,
    pub(crate) generation: Arc<Generation>,
    /// The largest body that is collected into memory.
    pub(crate) body_bytes_max: u64,
}

impl Head {
    pub(crate) fn request_id(&self) -> &str {
        self.layout.request_id(&self.parcel)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.layout.headers(&self.parcel);
        headers.find(|(each, _value)| each.eq_ignore_ascii_case(name)).map(|(_name, value)| value)
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let fields = self.layout.headers(&self.parcel).filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        });
        let mut map = HeaderMap::with_capacity(self.layout.headers(&self.parcel).len());
        fields.for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    }
}

impl<P> Request<P> {
    /// `GET`, `POST`, …
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.layout.method(&self.head.parcel)
    }

    /// The whole path as the client wrote it, percent-encoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.layout.path(&self.head.parcel)
    }

    /// What follows the `?`, percent-encoded.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.layout.query(&self.head.parcel)
    }

    /// The values of the route's parameters in order, percent-encoded.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.head.layout.params(&self.head.parcel)
    }

    /// The first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.header(name)
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<P> {
        &self.plugin
    }

    /// The plugin's way to its host.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { generation: Arc::clone(&self.head.generation) }
    }
}

/// An argument that is made of everything but the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an argument of a handler of `{P}`, or not at this place",
    note = "an argument that takes the body (`Json<_>`, `Bytes`, `String`, `BodyStream`) must be the last one"
)]
pub trait FromRequestParts<P>: Sized {
    /// Makes it.
    ///
    /// # Errors
    /// The answer to a request that it cannot be made of.
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem>;
}

/// A last argument: one that may take the body.
///
/// `Via` keeps the two ways apart in which it is implemented; leave it out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a last argument of a handler of `{P}`",
    note = "implement `FromRequestParts` or `FromRequest` for it"
)]
pub trait FromRequest<P, Via = ViaBody>: Sized {
    /// Makes it.
    ///
    /// # Errors
    /// The answer to a request that it cannot be made of.
    fn from_request(request: Request<P>) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// See [`FromRequest`].
#[derive(Debug)]
pub enum ViaBody {}

/// See [`FromRequest`].
#[derive(Debug)]
pub enum ViaParts {}

impl<P: Send + Sync, T: FromRequestParts<P> + Send> FromRequest<P, ViaParts> for T {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        T::from_request_parts(&request)
    }
}
