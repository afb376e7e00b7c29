//! An event as the API shows it: a CloudEvent.

use serde_json::{Value, json};

use crate::event::{Event, Events};
use crate::http::operations;

/// How `event` is shown.
pub(super) fn of(event: &Event) -> Value {
    let is_own = event.slug == Events::CORE;
    let is_operation = is_own && event.collection == Events::OPERATIONS;
    let object =
        if is_operation { operations::of_event(event.object()) } else { event.object().clone() };
    let source = if is_own { "/v1".to_owned() } else { format!("/v1/types/{}", event.slug) };
    let mut shown = json!({
        "specversion": "1.0",
        "id": event.number.to_string(),
        "source": source,
        "type": event.kind,
        "subject": format!("{}/{}", event.collection, event.id),
        "time": event.at,
        "datacontenttype": "application/json",
        "actor": event.requester.principal,
        "data": {
            "change": event.change.word(),
            "name": event.name,
            "revision": event.revision,
            "object": object,
        },
    });
    // What is not known is left out: a CloudEvent has no null attributes.
    let optional = [
        ("projectid", event.project.map(|project| project.to_string())),
        ("requestid", event.requester.request_id.clone()),
        ("traceparent", event.requester.traceparent.clone()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            shown[name] = value.into();
        }
    }
    shown
}
