//! Answering for the documents, and for the page that shows them.
//!
//! A document is made on a blocking thread, once for each table; who asks meanwhile waits for the same one.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Incoming;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Type, of_type, whole};
use crate::http::problem::Problem;
use crate::http::{Body, State, etag, respond};
use crate::plugin::table::{TYPES_PREFIX, Table};

/// What of this a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// `/openapi.json`
    Whole,
    /// `/v1/types/{slug}/openapi.json`
    OfType(&'p str),
    /// `/docs`
    Page,
}

/// The document of the table that was asked about last.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    kept: Mutex<Option<Kept>>,
    /// Held by whoever makes one.
    making: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Kept {
    /// Whose it is; held, so that no other table comes to the same place.
    table: Arc<Table>,
    document: Rendered,
}

/// A document as it is sent.
#[derive(Debug, Clone)]
struct Rendered {
    text: Bytes,
    etag: HeaderValue,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// The page: one file, which asks nobody else for anything.
const PAGE: &str = include_str!("docs.html");

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        match path {
            "/openapi.json" => Some(Self::Whole),
            "/docs" => Some(Self::Page),
            _ => {
                let slug = path.strip_prefix(TYPES_PREFIX)?.strip_suffix("/openapi.json")?;
                (!slug.contains('/')).then_some(Self::OfType(slug))
            }
        }
    }
}

/// Answers a request for one of these places. Anybody may read them.
///
/// # Errors
/// There is no such type.
pub(crate) async fn answer(
    state: &State,
    place: Place<'_>,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    match place {
        Place::Page => Ok(page()),
        Place::Whole => {
            let document = state.documents.of(Arc::clone(&state.plugins.tables.load())).await?;
            Ok(document.answer(request.headers()))
        }
        Place::OfType(slug) => {
            let table = Arc::clone(&state.plugins.tables.load());
            let found = Type::all_of(&table).into_iter().find(|found| found.model.slug == slug);
            let found = found.ok_or_else(|| respond::no_type(slug))?;
            let document = blocking(move || Rendered::of(&of_type(&found))).await?;
            Ok(document.answer(request.headers()))
        }
    }
}

impl Documents {
    async fn of(&self, table: Arc<Table>) -> Result<Rendered, Problem> {
        if let Some(found) = self.kept_of(&table) {
            return Ok(found);
        }
        let _making = self.making.lock().await;
        // Somebody else may have made it meanwhile.
        if let Some(found) = self.kept_of(&table) {
            return Ok(found);
        }
        let of = Arc::clone(&table);
        let document = blocking(move || Rendered::of(&whole(&Type::all_of(&of)))).await?;
        let kept = Kept { table, document: document.clone() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(document)
    }

    fn kept_of(&self, table: &Arc<Table>) -> Option<Rendered> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| Arc::ptr_eq(&kept.table, table))?;
        Some(kept.document.clone())
    }
}

async fn blocking<T: Send + 'static>(
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|error| respond::internal(&error))
}

impl Rendered {
    fn of(document: &Value) -> Self {
        let text = serde_json::to_vec(document).expect("a document is JSON");
        let digest = hex::encode(&Sha256::digest(&text)[..16]);
        let etag = HeaderValue::from_str(&format!("\"{digest}\""));
        Self { text: text.into(), etag: etag.expect("hexadecimal digits are visible ASCII") }
    }

    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let whole = || respond::with_type(JSON, self.text.clone());
        let mut response = etag::unless_known(headers, &self.etag, whole);
        response.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
        response
    }
}

fn page() -> Response<Body> {
    let mut response = respond::with_type(HTML, PAGE);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// Nothing but the page's own script and style, by their digests, and the document from here.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = |element: &str| {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let inner = PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
        let (inner, _) = inner.expect("the page has one script and one style");
        STANDARD.encode(Sha256::digest(inner))
    };
    let (script, style) = (digest("script"), digest("style"));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a policy is visible ASCII")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        assert_eq!(Place::at("/openapi.json"), Some(Place::Whole));
        assert_eq!(Place::at("/docs"), Some(Place::Page));
        assert_eq!(Place::at("/v1/types/s3/openapi.json"), Some(Place::OfType("s3")));
        for other in ["/v1/types/s3/x/openapi.json", "/v1/openapi.json", "/v1/types/openapi.json"] {
            assert_eq!(Place::at(other), None, "{other}");
        }
    }

    #[test]
    fn the_page_asks_nobody_else_for_anything() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        for outside in ["http://", "https://", "src=", "@import", "url(", " style=", "onclick"] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
    }
}
