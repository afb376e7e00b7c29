//! What is told of a change: one event, in the transaction of the change.

use sea_orm::ConnectionTrait;

use super::document::{self, Available, LastOperation, Seen};
use super::family::Family;
use super::row::Row;
use crate::event::{Change, Error, Events, New};
use crate::model::ResourceModel;
use crate::operation::{Operation, Requester};

/// A change of a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News<'a> {
    /// What happened to it.
    pub(crate) change: Change,
    /// What is declared of it.
    pub(crate) model: &'a ResourceModel,
    /// As it is now; of what is deleted, as it was last.
    pub(crate) row: &'a Row,
    /// Its relatives.
    pub(crate) family: &'a Family,
    /// What was done with it last.
    pub(crate) last: Option<&'a Operation>,
    /// Whether its plugin answers.
    pub(crate) available: Available,
    /// Who changed it.
    pub(crate) requester: &'a Requester,
}

impl News<'_> {
    /// Tells of it, in the transaction of the change.
    ///
    /// # Errors
    /// The store did not take it: the change must not be taken either.
    pub(crate) async fn tell(self, db: &impl ConnectionTrait) -> Result<(), Error> {
        let Self { change, model, row, family, last, available, requester } = self;
        let kind = last.map(|last| last.kind.word());
        let last = last.zip(kind.as_deref()).map(|(last, kind)| LastOperation {
            kind,
            state: last.state.word(),
            percent: last.percent,
            description: &last.description,
        });
        let seen = Seen { available, fields: None };
        let document = document::document(model, row, last.as_ref(), &seen);
        let event = New {
            change,
            slug: &model.slug,
            collection: model.collection(),
            resource: &model.declared.name,
            id: row.id,
            parent: row.parent,
            instance: family.instance(),
            project: row.project,
            name: &row.name,
            revision: row.revision,
            document: &document,
            requester,
        };
        Events::append(db, event).await
    }
}
