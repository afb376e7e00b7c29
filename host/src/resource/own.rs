//! What a plugin does with its own resources beside its hooks.
//!
//! It reaches those of the types that its element declares, in every project. Guarantees: it changes no field that
//! clients say, makes nothing but under a resource of its own, and opens no secret of another's; what it writes is
//! written like a client's change. Not here: how it asks (`services`).

use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::resource::access::{
    Answer, Ask as Question, Fault, FaultKind, NewResource, PAGE_MAX, Request,
};
use plugin_abi::resource::{Condition, FieldFault, ResourceDocument};
use sea_orm::DbErr;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::family::Family;
use super::reads::PageKey;
use super::row::Row;
use super::rows::{self, Key};
use super::view;
use super::write::delete::{Children, Delete};
use super::write::objection::{Objection, Why};
use super::write::precondition::Precondition;
use super::write::{Ask, Collection, Mode, New, Refused, Writes};
use crate::identity::ProjectId;
use crate::log;
use crate::operation::Requester;

mod open;

/// One element's hand on its resources.
#[derive(Debug)]
pub(crate) struct Own {
    writes: Writes,
    element: ElementName,
}

impl Own {
    /// That of `element`.
    pub(crate) fn new(writes: Writes, element: ElementName) -> Self {
        Self { writes, element }
    }

    /// Does what is asked.
    pub(crate) async fn answer(&self, request: Request) -> Answer {
        let Request { slug, collection, ask } = request;
        let Some(collection) = self.collection(&slug, &collection) else {
            let message = format!("the element has no {collection} of a type `{slug}`");
            return Answer::fault(FaultKind::Denied, message);
        };
        self.try_answer(&collection, ask).await.unwrap_or_else(Answer::Fault)
    }

    async fn try_answer(&self, of: &Collection, question: Question) -> Result<Answer, Fault> {
        match question {
            Question::Get { id } => self.one(of, &self.row(of, &id).await?).await,
            Question::Find { project_id, parent, name } => {
                let project = ProjectId::of(id_of(&project_id)?);
                let parent = parent.as_deref().map(id_of).transpose()?;
                let db = self.writes.connection();
                let found = rows::find(db, &of.model, parent, Key::Name(&name, project)).await;
                let found = found.map_err(unavailable)?;
                self.one(of, &found.ok_or_else(|| not_found(&name))?).await
            }
            Question::List { parent, project_id, labels, after, limit } => {
                let slice = rows::Slice {
                    parent: parent.as_deref().map(id_of).transpose()?,
                    project: project_id.as_deref().map(id_of).transpose()?.map(ProjectId::of),
                    after: after.as_deref().map(page_key_of).transpose()?,
                };
                self.page(of, slice, &labels, limit).await
            }
            Question::Say { id, fields, conditions } => self.say(of, &id, fields, conditions).await,
            Question::Create { parent, resource } => self.create(of, &parent, resource).await,
            Question::Delete { id } => {
                let row = self.row(of, &id).await?;
                let instance = self.instance(of, &row).await?;
                let (children, precondition) = (Children::Cascade, Precondition::default());
                let delete = Delete { children, precondition };
                let deleted = self.writes.delete(self.ask(of), row.id, instance, delete).await;
                deleted.map(|_written| Answer::Done).map_err(|refused| fault_of(&refused))
            }
            Question::Wake { id } => {
                let row = self.row(of, &id).await?;
                self.writes.wake(&of.model, row.id);
                Ok(Answer::Done)
            }
        }
    }

    /// A collection of the element's own, as the table has it now.
    fn collection(&self, slug: &str, collection: &str) -> Option<Collection> {
        let table = self.writes.tables().load();
        let served = table.type_of(slug)?;
        if served.model.element != self.element {
            return None;
        }
        Some(Collection::of(served, served.model.resource(collection)?))
    }

    /// A write that the plugin itself asks for.
    fn ask(&self, of: &Collection) -> Ask {
        let principal = format!("plugin:{}", self.element);
        let requester = Requester { principal, request_id: None, traceparent: None };
        Ask { collection: of.clone(), requester, mode: Mode::Do, kept: None }
    }

    async fn row(&self, of: &Collection, id: &str) -> Result<Row, Fault> {
        let found = rows::whole(self.writes.connection(), &of.model, id_of(id)?).await;
        found.map_err(unavailable)?.ok_or_else(|| not_found(id))
    }

    async fn instance(&self, of: &Collection, row: &Row) -> Result<Uuid, Fault> {
        Ok(self.family(of, row).await?.instance())
    }

    async fn family(&self, of: &Collection, row: &Row) -> Result<Family, Fault> {
        let family = Family::of(self.writes.connection(), &of.r#type, &of.model, row).await;
        family.map_err(unavailable)
    }

    async fn document(&self, of: &Collection, row: &Row) -> Result<ResourceDocument, Fault> {
        Ok(view::of(&of.model, row, self.family(of, row).await?.parent_view()))
    }

    async fn one(&self, of: &Collection, row: &Row) -> Result<Answer, Fault> {
        Ok(Answer::Resource(Box::new(self.document(of, row).await?)))
    }

    async fn page(
        &self,
        of: &Collection,
        slice: rows::Slice,
        labels: &Map<String, Value>,
        limit: u32,
    ) -> Result<Answer, Fault> {
        let n_max = if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) };
        let rows = rows::slice(self.writes.connection(), &of.model, slice, n_max).await;
        let rows = rows.map_err(unavailable)?;
        let is_full = u32::try_from(rows.len()).is_ok_and(|n| n == n_max);
        let next = rows
            .last()
            .filter(|_| is_full)
            .map(|last| PageKey { created_at: last.created_at, id: last.id }.to_string());
        let mut items = Vec::new();
        for row in rows.iter().filter(|row| has_labels(row, labels)) {
            items.push(self.document(of, row).await?);
        }
        Ok(Answer::Page { items, next })
    }

    async fn say(
        &self,
        of: &Collection,
        id: &str,
        fields: Map<String, Value>,
        conditions: Vec<Condition>,
    ) -> Result<Answer, Fault> {
        let row = self.row(of, id).await?;
        let instance = self.instance(of, &row).await?;
        let ask = Arc::new(self.ask(of));
        let said = self.writes.say(&ask, row.id, instance, fields, conditions).await;
        let row = said.map_err(|refused| fault_of(&refused))?;
        self.one(of, &row).await
    }

    async fn create(
        &self,
        of: &Collection,
        parent: &str,
        resource: NewResource,
    ) -> Result<Answer, Fault> {
        let Some(above) = &of.model.declared.parent else {
            let message =
                format!("{} hang under nothing; clients make them", of.model.collection());
            return Err(fault(FaultKind::Denied, message));
        };
        let above = Collection {
            model: of.r#type.resource(above).cloned().ok_or_else(|| not_found(parent))?,
            ..of.clone()
        };
        let parent = self.row(&above, parent).await?;
        let instance = self.instance(&above, &parent).await?;
        let NewResource { name, description, labels, annotations, fields } = resource;
        let is_clients =
            |name: &String| of.model.field(name).is_none_or(|field| field.is_said_on_create());
        let (mut members, said): (Map<_, _>, Map<_, _>) =
            fields.into_iter().partition(|(name, _value)| is_clients(name));
        members.insert("name".to_owned(), name.into());
        members.insert("description".to_owned(), description.into());
        members.insert("labels".to_owned(), labels.into());
        members.insert("annotations".to_owned(), annotations.into());
        let new = New { project: parent.project, parent: Some((parent.id, instance)), members };
        let made = self.writes.create_for_plugin(self.ask(of), new, said).await;
        let made = made.map_err(|refused| fault_of(&refused))?;
        let row = rows::whole(self.writes.connection(), &of.model, made.shown.id).await;
        let row = row.map_err(unavailable)?.ok_or_else(|| not_found("it"))?;
        self.one(of, &row).await
    }
}

fn has_labels(row: &Row, wanted: &Map<String, Value>) -> bool {
    let has =
        |(key, value): (&String, &Value)| row.labels.get(key).map(String::as_str) == value.as_str();
    wanted.iter().all(has)
}

fn id_of(text: &str) -> Result<Uuid, Fault> {
    text.parse().map_err(|_no_id| fault(FaultKind::Invalid, format!("`{text}` is no id")))
}

fn page_key_of(text: &str) -> Result<PageKey, Fault> {
    text.parse().map_err(|_no_key| fault(FaultKind::Invalid, "`after` is of no page of these"))
}

fn not_found(named: &str) -> Fault {
    fault(FaultKind::NotFound, format!("there is no `{named}`"))
}

fn fault(kind: FaultKind, message: impl Into<String>) -> Fault {
    Fault { kind, message: message.into(), errors: Vec::new() }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn unavailable(error: DbErr) -> Fault {
    let cause = log::chain(&error).to_string();
    tracing::error!("resources of a plugin cannot be reached: {cause}");
    fault(FaultKind::Unavailable, "the store did not answer")
}

/// Why a write was not made, as a plugin hears it.
fn fault_of(refused: &Refused) -> Fault {
    let kind = match refused {
        Refused::Objections(_) | Refused::Patch(_) | Refused::Faults(_) | Refused::Nonsense(_) => {
            FaultKind::Invalid
        }
        Refused::NameTaken(_) => FaultKind::NameTaken,
        Refused::ValueTaken(_) => FaultKind::NotUnique,
        Refused::Gone | Refused::NoProject => FaultKind::NotFound,
        Refused::Protected(_) => FaultKind::Denied,
        Refused::Quota(_) => FaultKind::QuotaExceeded,
        Refused::Unmet { .. }
        | Refused::Raced
        | Refused::Deleting { .. }
        | Refused::NotEmpty { .. }
        | Refused::Busy(_) => FaultKind::Conflict,
        Refused::Store(_) | Refused::Tell(_) | Refused::Operation(_) => {
            let cause = log::chain(refused).to_string();
            tracing::error!("a plugin's write failed: {cause}");
            FaultKind::Unavailable
        }
        Refused::Hook(_) | Refused::Rehearsed(_) => FaultKind::Other,
    };
    let objections = if let Refused::Objections(all) = refused { &all[..] } else { &[] };
    let errors = objections.iter().map(field_fault).collect();
    Fault { kind, message: refused.to_string(), errors }
}

fn field_fault(objection: &Objection) -> FieldFault {
    let Objection { pointer, why, message } = objection.clone();
    let code = match why {
        Why::Unknown => "UNKNOWN_FIELD",
        Why::ReadOnly => "FIELD_READ_ONLY",
        Why::Immutable => "FIELD_IMMUTABLE",
        Why::Name => "NAME_INVALID",
        Why::Required => "FIELD_REQUIRED",
        Why::Invalid => "VALIDATION_FAILED",
    };
    FieldFault { pointer, code: code.to_owned(), message }
}
