//! Header fields.

use std::sync::Arc;

use http::HeaderMap;

use crate::problem::Problem;
use crate::request::{FromRequestParts, Head, Request};

/// The header fields, looked up where they lie; no map is built.
///
/// Take [`HeaderMap`] instead where a map is wanted.
#[derive(Debug, Clone)]
pub struct Headers(Arc<Head>);

impl Headers {
    /// The first field of this name, if it is text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The first field of this name.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.header(name)
    }

    /// All fields in the order they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.0.layout.headers(&self.0.parcel)
    }
}

impl<P> FromRequestParts<P> for Headers {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(Self(Arc::clone(&request.head)))
    }
}

impl<P> FromRequestParts<P> for HeaderMap {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(request.head.header_map())
    }
}
