//! Where a daemon's user API is.
//!
//! Guarantees: an `http` or `https` URL without credentials, query or trailing slash, so that two ways to write
//! one endpoint are equal.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Endpoint(String);

/// A text that is no endpoint.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is no endpoint: write it as `http://127.0.0.1:8080` or `https://paas.example.org`"
)]
pub(crate) struct InvalidEndpoint {
    text: String,
}

impl Endpoint {
    /// It, as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port, as written.
    pub(crate) fn authority(&self) -> &str {
        self.0.split_once("://").map_or(self.as_str(), |(_scheme, rest)| rest)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let refused = || InvalidEndpoint { text: text.to_owned() };
        let url = Url::parse(text.trim()).ok().filter(Url::has_host).ok_or_else(refused)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            return Err(refused());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn one_endpoint_is_written_in_one_way() {
        for (text, wanted) in [
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            (" HTTP://LocalHost:80", Some("http://localhost")),
            ("https://paas.example.org/base/", Some("https://paas.example.org/base")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("localhost:8080", None),
            ("127.0.0.1:8080", None),
            ("ftp://x", None),
            ("http://user:pass@x", None),
            ("http://x?y", None),
            ("", None),
        ] {
            let parsed = text.parse::<Endpoint>().ok();
            assert_eq!(parsed.as_ref().map(Endpoint::as_str), wanted, "{text}");
        }
    }
}
