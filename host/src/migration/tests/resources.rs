//! Tables of declared resources: made before the plugin's own steps, and the host's ever after.

use plugin_abi::descriptor::{Field, Kind, Resource, Unique};

use super::*;
use crate::migration::fields;
use crate::migration::wanted::draft::draft;
use crate::migration::wanted::survey;
use crate::model::testing::{collection, field};

/// A version whose type `demo` declares `instances` with a field `size`.
fn sized(version: &str, steps: &[Step]) -> Descriptor {
    let fields = vec![field("size", Kind::Integer)];
    let mut declared = descriptor("demo-app", "demo", version, steps);
    declared.types[0].resources =
        vec![Resource { fields, ..collection("instances", "instance", None) }];
    declared
}

fn chain_of(place: &Place, descriptor: &Descriptor) -> Arc<Chain> {
    Arc::new(Chain::of(descriptor, place.store.backend()).unwrap())
}

fn size() -> Step {
    expand(
        1,
        "size",
        &[
            "ALTER TABLE demo_instances ADD COLUMN size bigint",
            "CREATE INDEX demo_instances_size ON demo_instances (size, id)",
        ],
        &["DROP INDEX demo_instances_size", "ALTER TABLE demo_instances DROP COLUMN size"],
    )
}

const INSERT: &str = "INSERT INTO demo_instances (id, project_id, parent_id, name, description, labels, \
    annotations, generation, observed_generation, revision, status, status_message, conditions, \
    deletion_protection, created_at, updated_at, created_by, size) VALUES \
    ('0197f2a0-0000-7000-8000-000000000001', '0197f2a0-0000-7000-8000-000000000002', \
    '00000000-0000-0000-0000-000000000000', 'a', '', '{}', '{}', 1, 0, 1, 'ACTIVE', '', '[]', false, \
    '2026-02-03T04:05:06.000Z', '2026-02-03T04:05:06.000Z', 'user:admin', 5)";

#[tokio::test]
async fn its_table_is_made_before_the_plugins_own_steps_and_undone_after_them() {
    for place in places().await {
        let target = chain_of(&place, &sized("0.1.0", &[size()]));
        let plan = place.migrate(&target, None).await.unwrap();
        assert_eq!(plan.expand.len(), 2);
        assert_eq!(place.ledger().await, "table of resources demo_instances? size?");
        assert!(place.has(INSERT).await);
        let resource = "SELECT name FROM metapaas_plugin_tables WHERE resource";
        assert_eq!(place.column(resource).await, ["demo_instances"]);
        assert_eq!(place.undo(&demo()).await.unwrap(), 2);
        assert_eq!((place.ledger().await, place.tables().await), (String::new(), String::new()));
        assert!(!place.has("SELECT id FROM demo_instances").await);
        place.end().await;
    }
}

#[tokio::test]
async fn a_resource_that_is_not_declared_any_more_keeps_its_rows_until_the_element_is_purged() {
    for place in places().await {
        let first = chain_of(&place, &sized("0.1.0", &[size()]));
        place.serve(&first, None).await;
        place.run(INSERT).await;
        let second = chain(&place, "0.2.0", &[size()]);
        assert!(place.migrate(&second, Some(&first)).await.unwrap().is_empty());
        assert_eq!(place.column("SELECT name FROM demo_instances").await, ["a"]);
        place.migrations.purge(&demo()).await.unwrap();
        assert!(!place.has("SELECT id FROM demo_instances").await);
        place.end().await;
    }
}

/// What is said of a type whose table gets this column.
async fn told(column: &str) -> Vec<String> {
    let mut told = Vec::new();
    for place in places().await {
        let declared = sized("0.1.0", &[]);
        place.serve(&chain_of(&place, &declared), None).await;
        if !column.is_empty() {
            place.run(&format!("ALTER TABLE demo_instances ADD COLUMN {column}")).await;
        }
        let checked = fields::check(place.store.connection(), &declared).await;
        told.push(checked.map_or_else(|error| error.to_string(), |()| String::new()));
        place.end().await;
    }
    told.dedup();
    told
}

#[tokio::test]
async fn a_field_without_a_column_that_holds_it_is_told() {
    assert_eq!(told("size bigint").await, [""]);
    assert_eq!(
        told("").await,
        [
            "table `demo_instances` has no column `size` for the declared field: `metapaas plugin migration new NAME` \
          writes the expand step that adds it"
        ]
    );
    assert_eq!(
        told("size text").await,
        [
            "column `size` of table `demo_instances` is `text` and cannot hold the declared field, which needs \
          `bigint`: write the steps that bring it there"
        ]
    );
}

/// A second version whose steps were drafted goes where the first is, and back.
#[tokio::test]
async fn what_is_drafted_is_what_a_database_takes() {
    let kinds = [
        Kind::Text,
        Kind::Integer,
        Kind::Number,
        Kind::Boolean,
        Kind::Timestamp,
        Kind::Json,
        Kind::Secret,
    ];
    for place in places().await {
        let mut declared = sized("0.2.0", &[size()]);
        let fields = &mut declared.types[0].resources[0].fields;
        fields.extend(kinds.map(|kind| field(&format!("order{}", kind as u8), kind)));
        fields[0].unique = Some(Unique::Project);
        fields.push(Field { unique: Some(Unique::Type), ..field("user", Kind::Text) });
        fields.push(Field { indexed: true, ..field("select", Kind::Text) });
        let mut number = 10;
        let fresh_id = || {
            number += 1;
            id(number)
        };
        let steps = draft(&declared, &survey(&declared).unwrap(), "more", fresh_id).unwrap();
        assert_eq!(steps.len(), 2);
        declared.migrations.extend(steps);
        let first = chain_of(&place, &sized("0.1.0", &[size()]));
        place.serve(&first, None).await;
        place.run(INSERT).await;
        let second = chain_of(&place, &declared);
        place.migrate(&second, Some(&first)).await.unwrap();
        fields::check(place.store.connection(), &declared).await.unwrap();
        place.undo(&demo()).await.unwrap();
        assert_eq!(place.ledger().await, "table of resources demo_instances size");
        place.serve(&second, Some(&first)).await;
        place.migrations.finalize(&second, &|_line| ()).await.unwrap();
        assert!(place.ledger().await.ends_with("more more: what is unique"));
        place.end().await;
    }
}

#[tokio::test]
async fn a_table_that_somebody_else_has_is_told_by_its_owner() {
    for place in places().await {
        place.serve(&chain_of(&place, &sized("0.1.0", &[size()])), None).await;
        let mut other = sized("0.1.0", &[]);
        other.element = "other".to_owned();
        let error = place.plan(&chain_of(&place, &other), None).await.unwrap_err();
        assert!(error.contains("table `demo_instances` belongs to element `demo-app`"), "{error}");
        place.end().await;
    }
}

#[test]
fn a_step_of_the_plugin_cannot_pose_as_the_hosts() {
    let step = expand(1, "table of resources demo_instances", &["SELECT 1"], &["SELECT 1"]);
    let posing = descriptor("demo-app", "demo", "0.1.0", &[step]);
    let error = Chain::of(&posing, crate::store::Backend::Sqlite).unwrap_err();
    assert!(matches!(error, chain::ChainError::Name { .. }), "{error}");
}
