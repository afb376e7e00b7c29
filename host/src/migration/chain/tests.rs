//! What is no chain, in which words, and the order of what is one.

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{Build, Statements, TypeDescriptor};

use super::*;

fn migration(number: u32, depends_on: &[u32]) -> descriptor::Migration {
    let id = |number: &u32| format!("00000000-0000-4000-8000-{number:012}");
    let both =
        |sql: &str| Statements { sqlite: vec![sql.to_owned()], postgres: vec![sql.to_owned()] };
    descriptor::Migration {
        id: id(&number),
        name: format!("step {number}"),
        depends_on: depends_on.iter().map(id).collect(),
        phase: Phase::Expand,
        up: both("SELECT 1"),
        down: Some(both("SELECT 2")),
        backfill: None,
    }
}

fn chain(migrations: Vec<descriptor::Migration>) -> Result<Chain, ChainError> {
    let descriptor = Descriptor {
        schema_version: 1,
        element: "demo-app".to_owned(),
        version: "0.1.0".to_owned(),
        build: Build::own(),
        types: vec![TypeDescriptor::new("demo")],
        routes: Vec::new(),
        mounts: Vec::new(),
        listeners: Vec::new(),
        migrations,
        settings_schema: serde_json::json!({}),
    };
    Chain::of(&descriptor, Backend::Sqlite)
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(change: impl Fn(&mut Vec<descriptor::Migration>), wanted: Expect) {
    let mut migrations = vec![migration(1, &[]), migration(2, &[1]), migration(3, &[2])];
    change(&mut migrations);
    wanted.assert_eq(&chain(migrations).unwrap_err().to_string());
}

#[test]
fn what_is_no_chain_is_refused_by_name_and_id() {
    check(
        |all| all[1].id = "2".to_owned(),
        expect!["migration `step 2` has the id `2`, which is not a UUID; give it a fresh one"],
    );
    check(
        |all| all[1].id = all[0].id.to_uppercase(),
        expect![
            "migrations `step 1` and `step 2` have the same id 00000000-0000-4000-8000-000000000001; give the newer a fresh one"
        ],
    );
    check(
        |all| drop(all.remove(1)),
        expect![
            "migration `step 3` (00000000-0000-4000-8000-000000000003) depends on 00000000-0000-4000-8000-000000000002, which is not among the migrations of this version; keep every migration that was ever released"
        ],
    );
    check(
        |all| all[0].depends_on = vec![all[2].id.clone()],
        expect![
            "migrations depend on one another in a circle: `step 1` needs `step 3` needs `step 2` needs `step 1`"
        ],
    );
    check(
        |all| all[1].depends_on = vec![all[1].id.clone()],
        expect!["migrations depend on one another in a circle: `step 2` needs `step 2`"],
    );
}

#[test]
fn a_migration_that_is_not_whole_is_refused_by_name_and_id() {
    check(
        |all| all[2].down = None,
        expect![
            "expand migration `step 3` (00000000-0000-4000-8000-000000000003) has no `down`; a rollout that fails must be able to undo it, so say how"
        ],
    );
    check(
        |all| all[2].up.sqlite.clear(),
        expect![
            "migration `step 3` (00000000-0000-4000-8000-000000000003) has no `up` statements for SQLite and has some for the other database; write both"
        ],
    );
    check(
        |all| all[2].up = Statements::default(),
        expect![
            "migration `step 3` (00000000-0000-4000-8000-000000000003) has neither statements nor a backfill; leave it out"
        ],
    );
    check(
        |all| {
            all[2].phase = Phase::Contract;
            all[2].backfill = Some("x".to_owned());
        },
        expect![
            "contract migration `step 3` (00000000-0000-4000-8000-000000000003) has a backfill; fill in by an expand step, which runs while both versions work"
        ],
    );
    check(
        |all| all[0].name = "a\nb".to_owned(),
        expect![[
            r#"migration 00000000-0000-4000-8000-000000000001 has the name "a\nb"; wanted 1 to 200 printable characters"#
        ]],
    );
    check(
        |all| all[0].up.sqlite = vec!["SELECT 1".to_owned(), "x".repeat(300_000)],
        expect![
            "statement 2 of migration `step 1` (00000000-0000-4000-8000-000000000001) has 300000 bytes, at most 262144 are taken; split it"
        ],
    );
    check(
        |all| all.extend((4..3_000).map(|number| migration(number, &[]))),
        expect![
            "there are 2999 migrations, at most 2000 are taken; begin a new chain with the schema as it is"
        ],
    );
}

#[test]
fn the_order_is_the_declared_one_wherever_there_is_a_choice() {
    let declared =
        vec![migration(5, &[2]), migration(4, &[]), migration(2, &[]), migration(3, &[5, 4])];
    let chain = chain(declared).unwrap();
    let names: Vec<_> = chain.migrations().iter().map(|migration| &*migration.name).collect();
    assert_eq!(names, ["step 4", "step 2", "step 5", "step 3"]);
}

#[test]
fn only_the_statements_of_this_database_count() {
    let mut other = migration(1, &[]);
    other.up.postgres = vec!["SELECT 3".to_owned()];
    let (one, two) = (chain(vec![migration(1, &[])]).unwrap(), chain(vec![other]).unwrap());
    assert_eq!(one.migrations()[0].checksum, two.migrations()[0].checksum);
}
