//! What a resource hangs under, and what hangs under it.

use std::sync::Arc;

use plugin_abi::resource::ResourceDocument;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::row::Row;
use super::{rows, view};
use crate::model::{ResourceModel, TypeModel};

/// The relatives of one resource.
#[derive(Debug)]
pub(crate) struct Family {
    /// What it hangs under, and what that hangs under, nearest first.
    above: Vec<(Arc<ResourceModel>, Row)>,
    /// What hangs under it, one level down.
    children: Vec<(Arc<ResourceModel>, Row)>,
    /// The id at the top: rights on that one are rights on all below.
    instance: Uuid,
}

impl Family {
    /// Reads the relatives of `row`.
    pub(crate) async fn of(
        db: &impl ConnectionTrait,
        r#type: &TypeModel,
        model: &ResourceModel,
        row: &Row,
    ) -> Result<Self, DbErr> {
        let mut above = Vec::new();
        let (mut collection, mut id) = (model.declared.parent.as_deref(), row.parent);
        while let (Some(name), Some(parent)) = (collection, id) {
            let Some(parent_model) = r#type.resource(name) else { break };
            let Some(parent_row) = rows::whole(db, parent_model, parent).await? else { break };
            (collection, id) = (parent_model.declared.parent.as_deref(), parent_row.parent);
            above.push((Arc::clone(parent_model), parent_row));
        }
        let mut children = Vec::new();
        for child in r#type.below(Some(model.collection())) {
            let under = rows::under(db, child, row.id).await?;
            children.extend(under.into_iter().map(|row| (Arc::clone(child), row)));
        }
        let instance = above.last().map_or(row.id, |(_model, top)| top.id);
        Ok(Self { above, children, instance })
    }

    /// What hangs under it.
    pub(crate) fn children(&self) -> &[(Arc<ResourceModel>, Row)] {
        &self.children
    }

    /// What it hangs under.
    pub(crate) fn parent(&self) -> Option<(&ResourceModel, Uuid)> {
        self.above.first().map(|(model, row)| (&**model, row.id))
    }

    /// The id at the top.
    pub(crate) fn instance(&self) -> Uuid {
        self.instance
    }

    /// What hangs under it, as a plugin sees it, by collection; collections of `r#type` that are empty too.
    pub(crate) fn children_view(
        &self,
        r#type: &TypeModel,
        model: &ResourceModel,
    ) -> Map<String, Value> {
        let collections = r#type.below(Some(model.collection())).map(|child| {
            let own =
                self.children.iter().filter(|(of, _row)| of.collection() == child.collection());
            let documents: Vec<_> = own.map(|(_of, row)| view::of(child, row, None)).collect();
            let documents = serde_json::to_value(documents).expect("a document is JSON");
            (child.collection().to_owned(), documents)
        });
        collections.collect()
    }

    /// What it hangs under, as a plugin sees it.
    pub(crate) fn parent_view(&self) -> Option<ResourceDocument> {
        let above = self.above.iter().rev();
        above.fold(None, |parent, (model, row)| Some(view::of(model, row, parent)))
    }
}
