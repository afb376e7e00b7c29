//! The parameters of a route.

use std::borrow::Cow;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::path_de::{Params, PathError};
use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};

/// The parameters of the route, percent-decoded: one value, or a tuple or struct of all in their order.
///
/// A struct's fields are filled in the order of the parameters in the path; their names are the author's.
/// A value that does not fit its type is answered with 404 `NOT_FOUND`: no such thing can exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<P, T: DeserializeOwned> FromRequestParts<P> for Path<T> {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        let decoded: Result<Vec<Cow<'_, str>>, _> =
            request.params().map(|param| percent_decode_str(param).decode_utf8()).collect();
        let decoded = decoded.map_err(|error| unfit(request, &error.to_string()))?;
        T::deserialize(Params::new(&decoded))
            .map(Self)
            .map_err(|PathError(error)| unfit(request, &error))
    }
}

fn unfit<P>(request: &Request<P>, error: &str) -> Problem {
    let detail = format!("nothing can be at `{}`: {error}", request.path());
    Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
}
