//! Service 2, resources: what a plugin asks of the resources that it declares, beside its hooks.
//!
//! A payload is one [`Request`] and the call completes with one [`Answer`], both JSON. A plugin reaches the
//! resources of its own types alone, in every project, those that are being taken down included. What cannot
//! be done is an answer too ([`Fault`]), with a kind that programs match. Everything that is written here is
//! written like a client's change: one transaction with its event, and watchers see it.
//!
//! Not here: what a plugin may never do. It changes no field that clients say, makes nothing that hangs under
//! no resource of its own, and sets none of the host's conditions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Condition, FieldFault, ResourceDocument};

/// The number of this service.
pub const RESOURCES_SERVICE: u64 = 2;

/// The most bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The most resources of a page; a list that asks for more gets as many.
pub const PAGE_MAX: u32 = 500;

/// What a plugin asks, and about which collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The slug of its type.
    pub slug: String,
    /// The collection.
    pub collection: String,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked. New kinds are appended; a host completes one that it does not know with `Invalid`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// One of them; answered with it.
    Get {
        /// Its id.
        id: String,
    },
    /// One of them, by name; answered with it.
    Find {
        /// The project it belongs to.
        project_id: String,
        /// The id of what it hangs under; none: under the type itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        /// Its name.
        name: String,
    },
    /// A page of them, in the order in which they were made; answered with a page.
    List {
        /// Those under this one alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        /// Those of this project alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project_id: Option<String>,
        /// Those with these labels alone.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        labels: Map<String, Value>,
        /// Where to go on: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// How many at most; 0: [`PAGE_MAX`].
        #[serde(default)]
        limit: u32,
    },
    /// Notes what the plugin has to say of one; answered with it. It is no new generation, and no reason to
    /// reconcile it.
    Say {
        /// Its id.
        id: String,
        /// Fields of the policies `ro`, `shown_once` and `hidden`; the others stay as they are.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        fields: Map<String, Value>,
        /// The plugin's own conditions; the others stay as they are.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// Makes one; answered with it. It is checked like a client's, but that the plugin is not asked to
    /// validate it, and that it may say every field.
    Create {
        /// The id of what it hangs under, of the same type.
        parent: String,
        /// What it is to be.
        resource: NewResource,
    },
    /// Has one taken down, and what hangs under it; answered with [`Answer::Done`] as soon as that is noted.
    Delete {
        /// Its id.
        id: String,
    },
    /// Asks to be called to reconcile one, sooner than the host would by itself; answered with
    /// [`Answer::Done`].
    Wake {
        /// Its id.
        id: String,
    },
}

/// A resource that is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NewResource {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is selected by.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub labels: Map<String, Value>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Value>,
    /// The declared fields; those that are absent have their defaults.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The resource as it is now.
    Resource(Box<ResourceDocument>),
    /// A part of a list.
    Page {
        /// The resources.
        items: Vec<ResourceDocument>,
        /// Where to go on; none: it was the last page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// It is noted.
    Done,
    /// It is not done.
    Fault(Fault),
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What programs match.
    pub kind: FaultKind,
    /// What happened, for logs.
    pub message: String,
    /// What is wrong with which field, for [`FaultKind::Invalid`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
}

/// Why something is not done, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// There is no such resource, or no longer.
    NotFound,
    /// Another one has that name.
    NameTaken,
    /// Another one has the value of a field that is unique.
    NotUnique,
    /// What was sent does not fit the declaration.
    Invalid,
    /// A plugin may not do that.
    Denied,
    /// The project may not have more.
    QuotaExceeded,
    /// It was changed meanwhile, or is being taken down.
    Conflict,
    /// The store cannot be reached, or is too busy; later it may go.
    Unavailable,
    /// Something else.
    #[serde(other)]
    Other,
}

impl Request {
    /// The payload of the call.
    ///
    /// # Panics
    /// Never: it consists of text and JSON values.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a request consists of text and JSON values")
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// When it is no such request, or of a kind that is not known here.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

impl Answer {
    /// What the call completes with.
    ///
    /// # Panics
    /// Never: it consists of text and JSON values.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an answer consists of text and JSON values")
    }

    /// Reads what [`Answer::encode`] wrote.
    ///
    /// # Errors
    /// When it is no such answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// An answer that says why something is not done.
    #[must_use]
    pub fn fault(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::Fault(Fault { kind, message: message.into(), errors: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    const ID: &str = "0199c1e4-0000-7000-8000-000000000001";

    fn document() -> ResourceDocument {
        let document = json!({
            "id": ID, "project_id": "p", "name": "photos", "generation": 2, "observed_generation": 1,
            "fields": {"size": 5}, "created_at": "2026-01-31T23:59:59.000Z",
            "updated_at": "2026-01-31T23:59:59.000Z",
        });
        serde_json::from_value(document).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
    fn asked(ask: Ask, wanted: Expect) {
        let (slug, collection) = ("s3".to_owned(), "buckets".to_owned());
        let request = Request { slug, collection, ask };
        let payload = request.encode();
        assert_eq!(Request::decode(&payload).unwrap(), request);
        wanted.assert_eq(str::from_utf8(&payload).unwrap());
    }

    #[test]
    fn what_is_asked_comes_back() {
        let id = ID.to_owned();
        asked(
            Ask::Get { id: id.clone() },
            expect![[
                r#"{"slug":"s3","collection":"buckets","get":{"id":"0199c1e4-0000-7000-8000-000000000001"}}"#
            ]],
        );
        asked(
            Ask::Find { project_id: "p".to_owned(), parent: None, name: "photos".to_owned() },
            expect![[
                r#"{"slug":"s3","collection":"buckets","find":{"project_id":"p","name":"photos"}}"#
            ]],
        );
        asked(
            Ask::List {
                parent: Some("i".to_owned()),
                project_id: None,
                labels: [("env".to_owned(), json!("dev"))].into_iter().collect(),
                after: None,
                limit: 20,
            },
            expect![[
                r#"{"slug":"s3","collection":"buckets","list":{"parent":"i","labels":{"env":"dev"},"limit":20}}"#
            ]],
        );
        asked(
            Ask::Say {
                id: "b".to_owned(),
                fields: [("size".to_owned(), json!(5))].into_iter().collect(),
                conditions: Vec::new(),
            },
            expect![[
                r#"{"slug":"s3","collection":"buckets","say":{"id":"b","fields":{"size":5}}}"#
            ]],
        );
        asked(
            Ask::Create {
                parent: "i".to_owned(),
                resource: NewResource { name: "photos".to_owned(), ..NewResource::default() },
            },
            expect![[
                r#"{"slug":"s3","collection":"buckets","create":{"parent":"i","resource":{"name":"photos"}}}"#
            ]],
        );
        asked(
            Ask::Delete { id: "b".to_owned() },
            expect![[r#"{"slug":"s3","collection":"buckets","delete":{"id":"b"}}"#]],
        );
        asked(
            Ask::Wake { id },
            expect![[
                r#"{"slug":"s3","collection":"buckets","wake":{"id":"0199c1e4-0000-7000-8000-000000000001"}}"#
            ]],
        );
    }

    #[test]
    fn what_is_answered_comes_back() {
        let fault = FieldFault {
            pointer: "/size".to_owned(),
            code: "TOO_SMALL".to_owned(),
            message: "at least 1".to_owned(),
        };
        for answer in [
            Answer::Resource(Box::new(document())),
            Answer::Page { items: vec![document()], next: Some("2".to_owned()) },
            Answer::Page { items: Vec::new(), next: None },
            Answer::Done,
            Answer::fault(FaultKind::NameTaken, "a bucket `photos` exists"),
            Answer::Fault(Fault {
                kind: FaultKind::Invalid,
                message: "no".to_owned(),
                errors: vec![fault],
            }),
        ] {
            assert_eq!(Answer::decode(&answer.encode()).unwrap(), answer);
        }
    }

    #[test]
    fn what_is_not_known_is_no_request_and_another_fault() {
        let asked = br#"{"slug":"s3","collection":"buckets","rename":{"id":"b"}}"#;
        Request::decode(asked).unwrap_err();
        let request = Request {
            slug: "s3".to_owned(),
            collection: "buckets".to_owned(),
            ask: Ask::Delete { id: ID.to_owned() },
        };
        let payload = request.encode();
        for n_bytes in 0..payload.len() {
            Request::decode(&payload[..n_bytes]).unwrap_err();
        }
        let answered = br#"{"fault":{"kind":"on_fire","message":"hot"}}"#;
        let Answer::Fault(fault) = Answer::decode(answered).unwrap() else { panic!("no fault") };
        assert_eq!(fault.kind, FaultKind::Other);
    }
}
