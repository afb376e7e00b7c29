//! The arguments that handlers may take.

mod body;
mod headers;
mod json;
mod path;
mod path_de;
mod query;
mod unknown_field;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use self::body::{BodyBroken, BodyStream};
pub use self::headers::Headers;
pub use self::json::Json;
pub use self::path::Path;
pub use self::query::Query;
use crate::context::Context;
use crate::problem::Problem;
use crate::request::{FromRequestParts, Head, Request};

/// The plugin itself, as [`Plugin::start`](crate::Plugin::start) made it.
pub struct State<P>(pub Arc<P>);

impl<P> Deref for State<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

impl<P> Clone for State<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: fmt::Debug> fmt::Debug for State<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P> FromRequestParts<P> for State<P> {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(Self(Arc::clone(&request.plugin)))
    }
}

impl<P> FromRequestParts<P> for Context {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(request.context())
    }
}

/// Who makes the request. The host has checked that they may.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Head>);

impl Identity {
    /// Their name: `user:…`, `service-account:…`, or `anonymous` on a public route.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.0.layout.identity(&self.0.parcel).principal
    }

    /// The tenant project the request acts in, if it acts in one.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.0.layout.identity(&self.0.parcel).project
    }
}

impl<P> FromRequestParts<P> for Identity {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(Self(Arc::clone(&request.head)))
    }
}

/// The id that log lines, answers and errors of this request carry.
#[derive(Debug, Clone)]
pub struct RequestId(Arc<Head>);

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.request_id()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<P> FromRequestParts<P> for RequestId {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(Self(Arc::clone(&request.head)))
    }
}
