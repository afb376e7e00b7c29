//! What was served last of each type that declares resources, kept for a daemon whose plugin does not start: its
//! resources can be read all the same.
//!
//! Written when a rollout has come to serve, read when the daemon starts, removed with the element.

use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::TypeDescriptor;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::log;
use crate::model::TypeModel;
use crate::store::Store;
use crate::store::entity::served_type as row;
use crate::timestamp::Timestamp;

/// Notes that these are the types of `element` now. What serves goes on serving if that fails: it is told, and the
/// next rollout writes it.
pub(super) async fn keep(store: &Store, element: &ElementName, models: &[Arc<TypeModel>]) {
    if let Err(error) = try_to_keep(store, element, models).await {
        let cause = log::chain(&error).to_string();
        tracing::error!(%element, "what its types declare cannot be noted: {cause}");
    }
}

async fn try_to_keep(
    store: &Store,
    element: &ElementName,
    models: &[Arc<TypeModel>],
) -> Result<(), DbErr> {
    let rows: Vec<_> = models.iter().filter(|model| !model.is_bare()).map(written).collect();
    let slugs = rows.iter().map(|row| row.slug.clone().unwrap());
    let others = row::Entity::delete_many()
        .filter(row::Column::Element.eq(element.as_str()))
        .filter(row::Column::Slug.is_not_in(slugs));
    let transaction = store.begin().await?;
    others.exec(&transaction).await?;
    let changed =
        [row::Column::Element, row::Column::Version, row::Column::Declared, row::Column::ServedAt];
    for written in rows {
        row::Entity::insert(written)
            .on_conflict(OnConflict::column(row::Column::Slug).update_columns(changed).to_owned())
            .exec_without_returning(&transaction)
            .await?;
    }
    transaction.commit().await
}

fn written(model: &Arc<TypeModel>) -> row::ActiveModel {
    let TypeModel { slug, element, version, declared, .. } = &**model;
    row::ActiveModel {
        slug: Set(slug.clone()),
        element: Set(element.to_string()),
        version: Set(version.to_string()),
        declared: Set(serde_json::to_value(declared).expect("a declaration is plain data")),
        served_at: Set(Timestamp::now().into_inner()),
    }
}

/// Every type that was served last. One that this daemon cannot read any more is told and left out.
pub(super) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Arc<TypeModel>>, DbErr> {
    let rows = row::Entity::find().all(db).await?;
    let read = rows.into_iter().filter_map(|row| {
        let slug = row.slug.clone();
        let model = read(row).inspect_err(|reason| {
            tracing::warn!(slug, "what was served last of the type cannot be read: {reason}");
        });
        model.ok()
    });
    Ok(read.collect())
}

fn read(row: row::Model) -> Result<Arc<TypeModel>, String> {
    let row::Model { slug: _, element, version, declared, served_at: _ } = row;
    let declared: TypeDescriptor =
        serde_json::from_value(declared).map_err(|error| error.to_string())?;
    let element = element.parse().map_err(|error| format!("{error}"))?;
    let version = version.parse().map_err(|error| format!("{error}"))?;
    TypeModel::of(&declared, &element, &version).map(Arc::new).map_err(|error| error.to_string())
}

/// Forgets the types of an element.
pub(super) async fn forget(db: &impl ConnectionTrait, element: &ElementName) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::Element.eq(element.as_str())).exec(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{declared, descriptor, model};
    use crate::store::testing::Database;

    #[tokio::test]
    async fn what_was_served_last_is_known_until_its_element_is_gone() {
        for database in Database::each().await {
            let store = database.open().await.unwrap();
            let db = store.connection();
            let element = "demo".parse().unwrap();
            keep(&store, &element, &[model()]).await;
            let [known] = &*all(db).await.unwrap() else { panic!("one type") };
            assert_eq!((&*known.slug, &known.declared), ("demo", &declared()));
            let other = TypeDescriptor { slug: "other".to_owned(), ..TypeDescriptor::new("other") };
            let bare = TypeModel::all_of(&descriptor(vec![other])).unwrap();
            keep(&store, &element, &bare).await;
            assert!(all(db).await.unwrap().is_empty(), "it declares no resources any more");
            keep(&store, &element, &[model()]).await;
            forget(db, &element).await.unwrap();
            assert!(all(db).await.unwrap().is_empty());
            store.close().await;
            database.end().await;
        }
    }
}
