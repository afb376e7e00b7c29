//! The client of a daemon's API: one connection, the caller's credentials, and errors that say what to do.
//!
//! Guarantees: every wait has a limit; a token goes to the daemon that it is for and follows no redirect; whatever
//! is not a success comes back as an [`Error`] that knows its exit code. Not here: what any command asks for.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Method, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::context::Endpoint;

mod error;
mod problem;
mod reach;

pub(crate) use error::Error;
pub(crate) use problem::Problem;
pub(crate) use reach::{Credentials, Reach, Target};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long an answer may take, beyond what the daemon was asked to wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Speaks to one daemon.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    credentials: Option<Credentials>,
}

/// A request that is being put together.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    client: &'c Client,
    method: Method,
    url: Url,
    body: Option<Value>,
    /// How long the daemon is asked to wait before it answers.
    wait: Duration,
}

/// A success, as the daemon sent it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its document; empty where there is none.
    pub(crate) body: Bytes,
    /// The operation that does what was asked, where that takes time.
    pub(crate) operation: Option<String>,
}

impl Client {
    /// A client of this daemon. Connects with the first request.
    pub(crate) fn new(target: Target) -> Result<Self, Error> {
        let Target { endpoint, credentials, ca } = target;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("metapaas/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&endpoint) {
            builder = builder.no_proxy();
        }
        let builder = match ca {
            Some(file) => builder.tls_certs_merge(certificates(&file)?),
            // Reading what the system trusts takes longer than the request.
            None if !endpoint.as_str().starts_with("https:") => builder.tls_certs_only([]),
            None => builder,
        };
        let http = builder.build().map_err(Error::Setup)?;
        Ok(Self { http, endpoint, credentials })
    }

    /// `GET` of the path with these segments.
    pub(crate) fn get<'s>(&self, path: impl IntoIterator<Item = &'s str>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// `PUT` of a document.
    pub(crate) fn put<'s>(&self, path: impl IntoIterator<Item = &'s str>, body: Value) -> Call<'_> {
        Call { body: Some(body), ..self.call(Method::PUT, path) }
    }

    /// `POST` of a document.
    pub(crate) fn post<'s>(
        &self,
        path: impl IntoIterator<Item = &'s str>,
        body: Value,
    ) -> Call<'_> {
        Call { body: Some(body), ..self.call(Method::POST, path) }
    }

    /// `DELETE` of the path with these segments.
    pub(crate) fn delete<'s>(&self, path: impl IntoIterator<Item = &'s str>) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    fn call<'s>(&self, method: Method, path: impl IntoIterator<Item = &'s str>) -> Call<'_> {
        let mut url = Url::parse(self.endpoint.as_str()).expect("an endpoint is a URL");
        let mut segments = url.path_segments_mut().expect("an endpoint has a host");
        segments.pop_if_empty().extend(path);
        drop(segments);
        Call { client: self, method, url, body: None, wait: Duration::ZERO }
    }
}

impl Call<'_> {
    /// With this parameter, if it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.url.query_pairs_mut().append_pair(name, value);
        }
        self
    }

    /// Answered when there is something to tell, at the latest after `wait`.
    pub(crate) fn waiting(self, wait: Duration) -> Self {
        let asked = format!("{}s", wait.as_secs());
        Self { wait, ..self.query("wait", Some(&asked)) }
    }

    /// Asks, and takes the whole answer.
    pub(crate) async fn send(self) -> Result<Answer, Error> {
        let (endpoint, limit) = (&self.client.endpoint, ANSWER_LIMIT + self.wait);
        let failed = |source| Error::of_transport(endpoint, limit, &source);
        let response = self.request().timeout(limit).send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(failed)?;
        judge(endpoint, status, &headers, body)
    }

    /// Asks, and hands over the answer line by line until the daemon ends it.
    ///
    /// This has no limit of its own: whoever follows decides when it is enough.
    pub(crate) async fn lines(
        self,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let endpoint = &self.client.endpoint;
        let failed = |source| Error::of_transport(endpoint, ANSWER_LIMIT, &source);
        let mut response = self.request().send().await.map_err(failed)?;
        if !response.status().is_success() {
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await.map_err(failed)?;
            return judge(endpoint, status, &headers, body).map(drop);
        }
        let mut rest = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            rest.extend_from_slice(&piece);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                take(&rest[..end])?;
                rest.drain(..=end);
            }
        }
        Ok(())
    }

    fn request(&self) -> RequestBuilder {
        let Self { client, method, url, body, wait: _ } = self;
        let request = client.http.request(method.clone(), url.clone());
        let request = match &client.credentials {
            None => request,
            Some(Credentials::Token(token)) => request.bearer_auth(token.reveal()),
            Some(Credentials::Password { user, password }) => {
                request.basic_auth(user, Some(password.reveal()))
            }
        };
        match body {
            None => request,
            Some(document) => request.json(document),
        }
    }
}

impl Answer {
    /// Its document.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(Error::Document)
    }
}

/// A success, or the error that the daemon tells.
fn judge(
    endpoint: &Endpoint,
    status: StatusCode,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if status.is_success() {
        let location = text("operation-location");
        let operation = location.and_then(|location| location.rsplit('/').next());
        return Ok(Answer { body, operation: operation.map(str::to_owned) });
    }
    match Problem::read(&body) {
        Some(problem) => Err(Error::Problem(Box::new(problem))),
        None => Err(Error::Foreign {
            endpoint: endpoint.clone(),
            status: status.as_u16(),
            media_type: text(CONTENT_TYPE.as_str()).unwrap_or("nothing").to_owned(),
        }),
    }
}

/// Whether a proxy could only be in the way.
fn is_loopback(endpoint: &Endpoint) -> bool {
    let url = Url::parse(endpoint.as_str()).expect("an endpoint is a URL");
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Error> {
    let path = || file.to_owned();
    let pem = fs::read(file).map_err(|source| Error::ReadAuthority { path: path(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(Error::BadAuthority { path: path() }),
    }
}

#[cfg(test)]
pub(super) mod stand_in;
#[cfg(test)]
mod tests;
