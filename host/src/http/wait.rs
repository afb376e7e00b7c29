//! How long a client wants to wait for what it asked for: `Prefer: wait=30` or `?wait=30s`.
//!
//! Guarantees: never longer than [`LIMIT`]. The parameter wins over the header; a parameter that is no time is
//! refused, a preference that is none is ignored, as RFC 7240 has it.

use std::time::Duration;

use ::http::{HeaderMap, Request, Uri};

use super::problem::Problem;
use super::query::Query;

/// The name of the parameter.
pub(crate) const PARAMETER: &str = "wait";

/// The longest wait that is granted.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The wait that `request` asks for, if it asks for one.
///
/// # Errors
/// The parameter is no time.
pub(crate) fn asked<B>(request: &Request<B>) -> Result<Option<Duration>, Problem> {
    asked_by(request.uri(), request.headers())
}

/// The same of a request whose body has gone another way.
///
/// # Errors
/// As [`asked`].
pub(crate) fn asked_by(uri: &Uri, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    match Query::of(uri).get(PARAMETER) {
        Some(value) => match seconds(value) {
            Some(wait) => Ok(Some(wait)),
            None => Err(Query::refused(PARAMETER, value, "seconds, as in 30s")),
        },
        None => Ok(preferred(headers)),
    }
}

fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    preferences.filter_map(|preference| preference.strip_prefix("wait=")).find_map(seconds)
}

/// `30` or `30s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: u64 = text.strip_suffix('s').unwrap_or(text).parse().ok()?;
    Some(Duration::from_secs(seconds).min(LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, prefer: &[&str]) -> Request<()> {
        let request = prefer.iter().fold(Request::get(uri), |r, value| r.header("prefer", *value));
        request.body(()).unwrap()
    }

    #[test]
    fn both_ways_are_read_and_bounded() {
        let cases: [(&str, &[&str], Option<u64>); 9] = [
            ("/x", &[], None),
            ("/x?wait=30s", &[], Some(30)),
            ("/x?wait=30", &[], Some(30)),
            ("/x?wait=0", &[], Some(0)),
            ("/x?a=b&wait=121", &[], Some(120)),
            ("/x?wait=5s", &["wait=7"], Some(5)),
            ("/x", &["respond-async, wait=7"], Some(7)),
            ("/x", &["handling=lenient; wait=7"], Some(7)),
            ("/x", &["wait=soon", "wait=9"], Some(9)),
        ];
        for (uri, prefer, wanted) in cases {
            let wait = asked(&request(uri, prefer)).unwrap();
            assert_eq!(wait, wanted.map(Duration::from_secs), "{uri} {prefer:?}");
        }
    }

    #[test]
    fn a_parameter_that_is_no_time_is_refused() {
        for value in ["", "soon", "-1", "1.5", "s"] {
            let uri = format!("/x?wait={value}");
            assert!(asked(&request(&uri, &[])).is_err(), "{value}");
        }
    }
}
