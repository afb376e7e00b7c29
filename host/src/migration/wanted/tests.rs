//! What is missing, in which words, and what is drafted for it.

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{Migration as Step, Phase, Statements, TypeDescriptor};

use super::draft::draft;
use super::*;
use crate::model::testing::{collection, descriptor, field};

/// Instances with a field for each thing that one can need.
fn declared(steps: Vec<Step>) -> Descriptor {
    let mut instances = collection("instances", "instance", None);
    instances.fields = vec![
        Field { required: true, indexed: true, ..field("size", Kind::Integer) },
        Field { unique: Some(Unique::Project), ..field("serial", Kind::Text) },
        field("order", Kind::Json),
    ];
    let mut snapshots = collection("snapshots", "snapshot", Some("instances"));
    snapshots.fields = vec![
        Field { unique: Some(Unique::Parent), ..field("number", Kind::Integer) },
        Field { indexed: true, ..field("note", Kind::Text) },
    ];
    let mut demo = TypeDescriptor::new("demo");
    demo.resources = vec![instances, snapshots];
    let mut descriptor = descriptor(vec![demo]);
    descriptor.migrations = steps;
    descriptor
}

fn step(number: u32, phase: Phase, up: &[&str]) -> Step {
    let both = |all: &[&str]| {
        let all: Vec<_> = all.iter().map(|sql| (*sql).to_owned()).collect();
        Statements { sqlite: all.clone(), postgres: all }
    };
    Step {
        id: id(number),
        name: format!("step {number}"),
        depends_on: Vec::new(),
        phase,
        up: both(up),
        down: Some(Statements::default()),
        backfill: None,
    }
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// All columns of the declared fields, and no index.
fn columns() -> Step {
    step(
        1,
        Phase::Expand,
        &[
            "ALTER TABLE demo_instances ADD COLUMN size bigint",
            "ALTER TABLE demo_instances ADD COLUMN serial text",
            "ALTER TABLE demo_instances ADD COLUMN \"order\" text",
            "ALTER TABLE demo_snapshots ADD COLUMN number bigint",
            "ALTER TABLE demo_snapshots ADD COLUMN note text",
        ],
    )
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn missing(steps: Vec<Step>, wanted: Expect) {
    let survey = survey(&declared(steps));
    let told = match survey {
        Ok(survey) => survey.gaps.iter().map(|gap| format!("{gap}\n")).collect(),
        Err(error) => crate::log::chain(&error).to_string(),
    };
    wanted.assert_eq(&told);
}

#[test]
fn what_is_missing_is_told_field_by_field() {
    missing(
        Vec::new(),
        expect![[r#"
        table `demo_instances` has no column `size` for the declared field, a `bigint`
        table `demo_instances` has no index that begins with `size`, by which lists are filtered
        table `demo_instances` has no column `serial` for the declared field, a `text`
        table `demo_instances` has no unique index on `project_id`, `serial`, by which the declared field is unique
        table `demo_instances` has no column `order` for the declared field, a `text`
        table `demo_snapshots` has no column `number` for the declared field, a `bigint`
        table `demo_snapshots` has no unique index on `parent_id`, `number`, by which the declared field is unique
        table `demo_snapshots` has no column `note` for the declared field, a `text`
        table `demo_snapshots` has no index that begins with `note`, by which lists are filtered
    "#]],
    );
    missing(
        vec![columns()],
        expect![[r#"
        table `demo_instances` has no index that begins with `size`, by which lists are filtered
        table `demo_instances` has no unique index on `project_id`, `serial`, by which the declared field is unique
        table `demo_snapshots` has no unique index on `parent_id`, `number`, by which the declared field is unique
        table `demo_snapshots` has no index that begins with `note`, by which lists are filtered
    "#]],
    );
}

#[test]
fn a_column_that_does_not_do_is_told() {
    let mut wrong = columns();
    let numeric = "ALTER TABLE demo_instances ADD COLUMN serial integer";
    wrong.up.postgres[1] = numeric.to_owned();
    wrong.up.sqlite.remove(2);
    let indexes = step(
        2,
        Phase::Expand,
        &[
            "CREATE INDEX demo_sizes ON demo_instances (size)",
            "CREATE INDEX demo_notes ON demo_snapshots (note, id)",
        ],
    );
    let drops = step(3, Phase::Contract, &["ALTER TABLE demo_snapshots DROP COLUMN note"]);
    missing(
        vec![wrong, indexes, drops],
        expect![[r#"
        table `demo_instances` has no unique index on `project_id`, `serial`, by which the declared field is unique
        column `serial` of table `demo_instances` is `integer` and cannot hold the declared field, which needs `text` (on PostgreSQL alone)
        table `demo_instances` has no column `order` for the declared field, a `text` (on SQLite alone)
        table `demo_snapshots` has no unique index on `parent_id`, `number`, by which the declared field is unique
        contract migration `step 3` (00000000-0000-4000-8000-000000000003) drops column `note` of table `demo_snapshots`, which a declared field still has
        table `demo_snapshots` has no index that begins with `note`, by which lists are filtered
    "#]],
    );
}

#[test]
fn a_chain_that_cannot_be_run_is_told_for_its_database() {
    let mut broken = columns();
    broken.up.postgres[0] = "ALTER TABLE demo_instances DROP COLUMN name".to_owned();
    missing(
        vec![broken],
        expect![
            "the migrations cannot be run on PostgreSQL; caused by: migration `step 1` (00000000-0000-4000-8000-000000000001) is refused: statement 1 of its `up`: it would touch column `name`, which is the host's: `demo_instances` holds declared resources, whose rows are the host's; a migration may add, fill and drop columns of its own there, with indexes on them"
        ],
    );
    let half = step(1, Phase::Expand, &[]);
    missing(
        vec![half],
        expect![
            "the migrations cannot be run on SQLite; caused by: migration `step 1` (00000000-0000-4000-8000-000000000001) has neither statements nor a backfill; leave it out"
        ],
    );
}

/// The drafted steps, as SQL, and that nothing is missing with them.
#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn drafted(steps: Vec<Step>, wanted: Expect) {
    let mut descriptor = declared(steps);
    let mut number = 10;
    let fresh_id = || {
        number += 1;
        id(number)
    };
    let drafted = draft(&descriptor, &survey(&descriptor).unwrap(), "fields", fresh_id).unwrap();
    let mut told = String::new();
    for Step { name, depends_on, phase, up, down, .. } in &drafted {
        told += &format!("{name} ({phase:?}) after {depends_on:?}\n");
        for (sqlite, postgres) in up.sqlite.iter().zip(&up.postgres) {
            told += &if sqlite == postgres {
                format!("  {sqlite}\n")
            } else {
                format!("  {sqlite}\n  | {postgres}\n")
            };
        }
        for sql in &down.as_ref().unwrap().sqlite {
            told += &format!("  undo: {sql}\n");
        }
    }
    wanted.assert_eq(&told);
    descriptor.migrations.extend(drafted);
    assert_eq!(survey(&descriptor).unwrap().gaps, []);
}

#[test]
fn what_is_drafted_gives_all_that_was_missing() {
    drafted(
        Vec::new(),
        expect![[r#"
        fields (Expand) after []
          ALTER TABLE demo_instances ADD COLUMN size bigint
          CREATE INDEX demo_instances_size_idx ON demo_instances (size, id)
          ALTER TABLE demo_instances ADD COLUMN serial text
          | ALTER TABLE demo_instances ADD COLUMN serial text COLLATE "C"
          CREATE UNIQUE INDEX demo_instances_serial_key ON demo_instances (project_id, serial)
          ALTER TABLE demo_instances ADD COLUMN "order" text
          ALTER TABLE demo_snapshots ADD COLUMN number bigint
          CREATE UNIQUE INDEX demo_snapshots_number_key ON demo_snapshots (parent_id, number)
          ALTER TABLE demo_snapshots ADD COLUMN note text
          | ALTER TABLE demo_snapshots ADD COLUMN note text COLLATE "C"
          CREATE INDEX demo_snapshots_note_idx ON demo_snapshots (note, id)
          undo: DROP INDEX demo_snapshots_note_idx
          undo: ALTER TABLE demo_snapshots DROP COLUMN note
          undo: DROP INDEX demo_snapshots_number_key
          undo: ALTER TABLE demo_snapshots DROP COLUMN number
          undo: ALTER TABLE demo_instances DROP COLUMN "order"
          undo: DROP INDEX demo_instances_serial_key
          undo: ALTER TABLE demo_instances DROP COLUMN serial
          undo: DROP INDEX demo_instances_size_idx
          undo: ALTER TABLE demo_instances DROP COLUMN size
    "#]],
    );
    drafted(
        vec![columns()],
        expect![[r#"
        fields (Expand) after ["00000000-0000-4000-8000-000000000001"]
          CREATE INDEX demo_instances_size_idx ON demo_instances (size, id)
          CREATE INDEX demo_snapshots_note_idx ON demo_snapshots (note, id)
          | CREATE INDEX demo_snapshots_note_idx ON demo_snapshots (note COLLATE "C", id)
          undo: DROP INDEX demo_snapshots_note_idx
          undo: DROP INDEX demo_instances_size_idx
        fields: what is unique (Contract) after ["00000000-0000-4000-8000-000000000011"]
          CREATE UNIQUE INDEX demo_instances_serial_key ON demo_instances (project_id, serial)
          CREATE UNIQUE INDEX demo_snapshots_number_key ON demo_snapshots (parent_id, number)
          undo: DROP INDEX demo_snapshots_number_key
          undo: DROP INDEX demo_instances_serial_key
    "#]],
    );
}

#[test]
fn what_takes_a_decision_is_not_drafted() {
    let mut one_sided = columns();
    one_sided.up.sqlite.remove(2);
    let drops = step(2, Phase::Contract, &["ALTER TABLE demo_instances DROP COLUMN size"]);
    let mut other_type = columns();
    other_type.up = step(1, Phase::Expand, &["ALTER TABLE demo_instances ADD COLUMN size text"]).up;
    for (steps, wanted) in [
        (vec![one_sided], "for the declared field, a `text` (on SQLite alone); which steps"),
        (vec![columns(), drops], "contract migration `step 2`"),
        (vec![other_type], "column `size` of table `demo_instances` is `text`"),
    ] {
        let descriptor = declared(steps);
        let drafted = draft(&descriptor, &survey(&descriptor).unwrap(), "fields", String::new);
        let error = drafted.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn rows_that_may_be_there_are_thought_of() {
    let demanding = |steps| {
        let survey = survey(&declared(steps)).unwrap();
        survey.demanding().map(|gap| gap.field.clone()).collect::<Vec<_>>()
    };
    assert_eq!(demanding(Vec::new()), [""; 0]);
    let mut without_size = columns();
    without_size.up.sqlite.remove(0);
    without_size.up.postgres.remove(0);
    assert_eq!(demanding(vec![without_size]), ["size"]);
}

#[test]
fn names_of_indexes_are_free_and_short_enough() {
    let field_name = "x".repeat(60);
    let mut descriptor = declared(Vec::new());
    let fields = &mut descriptor.types[0].resources[0].fields;
    *fields = ["a", "b"]
        .map(|end| Field { indexed: true, ..field(&format!("{field_name}{end}"), Kind::Integer) })
        .into();
    let survey = survey(&descriptor).unwrap();
    let drafted = draft(&descriptor, &survey, "fields", || id(1)).unwrap();
    let up = drafted[0].up.sqlite.iter();
    let names: Vec<_> = up.filter_map(|sql| sql.strip_prefix("CREATE INDEX ")).collect();
    let names: Vec<_> = names.iter().map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(names[0], format!("demo_instances_{}_idx", "x".repeat(44)));
    assert_eq!(names[1], format!("demo_instances_{}_idx2", "x".repeat(43)));
}
