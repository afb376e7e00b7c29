//! What is told of a change: one event, in the transaction of the change.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::document::{self, Available, Seen, Shown};
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
    /// The resource at the top that it hangs under, or itself.
    pub(crate) instance: Uuid,
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
        let Self { change, model, row, instance, last, available, requester } = self;
        let seen = Seen { available, fields: None };
        let Shown { text, .. } = document::shown(model, row, last, &seen);
        let document = std::str::from_utf8(&text).expect("JSON is UTF-8");
        let event = New {
            change,
            slug: &model.slug,
            collection: model.collection(),
            resource: &model.declared.name,
            id: row.id,
            parent: row.parent,
            instance,
            project: row.project,
            name: &row.name,
            revision: row.revision,
            document,
            requester,
        };
        Events::append(db, event).await
    }
}
