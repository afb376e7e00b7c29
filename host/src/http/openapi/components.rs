//! What many operations share: parameters, headers, how a caller says who it is.

use serde_json::{Map, Value, json};

use crate::http::paging;
use crate::http::wait;
use crate::resource::query;

/// The parameters of a page.
pub(super) const PAGE: [&str; 4] = paging::PARAMETERS;

/// The parameters that select and order resources.
pub(super) const SELECTION: [&str; 7] = query::PARAMETERS;

/// The two ways to wait.
pub(super) const WAIT: [&str; 2] = [wait::PARAMETER, "Prefer"];

/// Everything that can be referred to beside schemas and problems.
pub(super) fn parameters() -> Map<String, Value> {
    let text = || json!({"type": "string"});
    let flag = || json!({"type": "boolean", "default": false});
    let long = || json!({"type": "string", "maxLength": 2_000});
    let count = || json!({"type": "integer", "minimum": 0});
    let of_query = [
        ("page_size", "How many items, 50 by default and 1000 at most.", count()),
        ("page_token", "What `next_page_token` of the page before says.", text()),
        ("page_limit", "The older name of page_size.", count()),
        ("page_marker", "The older way to go on: the id of the last item.", text()),
        ("total_size", "Whether to count all items.", flag()),
        (
            "filter",
            "`replicas > 2 AND (labels.env = dev OR NOT name:test*)`: `= != < <= > >= :`, AND, OR, NOT, parentheses, \
             `.`, `*` at either end of a text. What is absent fails every comparison.",
            long(),
        ),
        ("label_selector", "As in Kubernetes: `env in (dev,qa),!tmp`.", long()),
        ("name", "Only those with this name.", text()),
        ("status", "Only those in one of these states: `ACTIVE,ERROR`.", text()),
        ("order_by", "`name desc,created_at`; the oldest first by default.", long()),
        ("fields", "Only these members: `id,name,labels.env`.", long()),
        ("show_deleted", "Those too that are deleted and can be had back.", flag()),
        ("project", "The project that is meant, by id or name.", text()),
        (wait::PARAMETER, "How long to wait for the end: `30s`, 120 s at most.", text()),
        ("validate_only", "Check and plan, and change nothing.", flag()),
        ("watch", "Send what changes, as `Accept: text/event-stream` does.", flag()),
        ("since", "Go on behind this event.", text()),
        ("update_mask", "Change only these members: `a,b.c`.", text()),
        ("cascade", "With what hangs under it.", flag()),
        ("force", "Even if data is still there.", flag()),
        ("purge", "At once and for ever.", flag()),
        ("allow_missing", "Succeed if it is not there.", flag()),
    ];
    let of_headers = [
        ("Prefer", "`wait=30`: as the parameter wait.", text()),
        ("X-Project-Id", "As the parameter project.", text()),
        (
            "Idempotency-Key",
            "The same request with the same key is done once, and answered again.",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}),
        ),
        ("If-Match", "The state that the change was made for.", text()),
        (
            "If-None-Match",
            "Of a GET: the state that is known. Of a PUT: `*`, to create only.",
            text(),
        ),
        ("Last-Event-ID", "As the parameter since.", text()),
    ];
    let of_query = of_query.map(|(name, says, schema)| (name, "query", says, schema));
    let of_headers = of_headers.map(|(name, says, schema)| (name, "header", says, schema));
    let all = of_query.into_iter().chain(of_headers);
    all.map(|(name, place, says, schema)| {
        let parameter = json!({"name": name, "in": place, "description": says, "schema": schema});
        (name.to_owned(), parameter)
    })
    .collect()
}

pub(super) fn headers() -> Map<String, Value> {
    let all = [
        ("Location", "Where it is."),
        ("Operation-Location", "Where its operation is."),
        ("ETag", "The state that was answered."),
        ("Link", "`rel=\"next\"`: the next page."),
        ("X-Pagination-Limit", "The size of the page, to those who page the older way."),
        ("X-Pagination-Marker", "What to go on with, to those who page the older way."),
        ("Idempotency-Replayed", "`true`: this is the first answer again."),
        ("Retry-After", "When to try again, in seconds."),
        ("WWW-Authenticate", "How to say who calls."),
        ("Allow", "The methods that there are."),
    ];
    let all = all.into_iter();
    all.map(|(name, says)| {
        (name.to_owned(), json!({"description": says, "schema": {"type": "string"}}))
    })
    .collect()
}

pub(super) fn security_schemes() -> Value {
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "A token or an API key."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
        "basic": {"type": "http", "scheme": "basic", "description": "A token or a key as the password."},
    })
}

/// One of the schemes is enough.
pub(super) fn security() -> Value {
    json!([{"bearer": []}, {"key": []}, {"basic": []}])
}

/// A page of items.
pub(super) fn page(item: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_page_token"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next_page_token": {"type": ["string", "null"], "description": "Null: this is the last page."},
            "total_size": {"type": "integer", "minimum": 0},
        },
    })
}

/// A list that is whole.
pub(super) fn list(item: &Value) -> Value {
    json!({"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": item}}})
}
