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
        read(request).map(Self).map_err(|error| unfit(request, &error))
    }
}

fn read<P, T: DeserializeOwned>(request: &Request<P>) -> Result<T, String> {
    let mut params = request.params().map(decode);
    // Most routes have one parameter, which needs no list.
    let read = match (params.next().transpose()?, params.next().transpose()?) {
        (None, _) => T::deserialize(Params::new(&[])),
        (Some(only), None) => T::deserialize(Params::new(&[only])),
        (Some(first), Some(second)) => {
            let mut all = vec![first, second];
            for param in params {
                all.push(param?);
            }
            T::deserialize(Params::new(&all))
        }
    };
    read.map_err(|PathError(error)| error)
}

fn decode(param: &str) -> Result<Cow<'_, str>, String> {
    percent_decode_str(param).decode_utf8().map_err(|error| error.to_string())
}

fn unfit<P>(request: &Request<P>, error: &str) -> Problem {
    let detail = format!("nothing can be at `{}`: {error}", request.path());
    Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
}
