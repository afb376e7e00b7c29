//! What an author does on the command line to bring migrations and declared resources together.

use std::fs;

use expect_test::expect;
use metapaas_tests::plugins::{self, Workspace};
use metapaas_tests::shell::{Ran, Shell};
use tempfile::TempDir;

/// Somebody in an empty folder of sources.
fn author() -> (TempDir, Shell) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    let context = folder.path().join("context.json");
    let shell = Shell { folder: folder.path().to_owned(), context, environment: Vec::new() };
    (folder, shell)
}

/// Runs `metapaas plugin …` on the library of a fixture.
fn run(shell: &Shell, command: &str, package: &str) -> Ran {
    let library = plugins::library(Workspace::Fixtures, package);
    shell.run(&format!("plugin {command} --library {}", library.display()))
}

#[test]
fn migrations_that_give_every_field_its_column_pass() {
    let (folder, shell) = author();
    for command in ["migration check", "migration new more"] {
        let said = run(&shell, command, "volumes").expect(0).stdout;
        expect![[r#"
            `volumes` 0.1.0: its migration gives every declared field what it needs, on SQLite and on PostgreSQL
        "#]]
        .assert_eq(&said);
    }
    assert!(!folder.path().join("src/migrations").exists());
    let packed = run(&shell, "pack", "volumes").expect(0).stdout;
    assert!(packed.contains("volumes-0.1.0.bundle sha256:"), "{packed}");
}

#[test]
fn a_field_without_a_column_is_told_and_not_packed() {
    let (_folder, shell) = author();
    for command in ["migration check", "pack"] {
        let said = run(&shell, command, "unmigrated").expect(2).stderr;
        expect![[r#"
            metapaas: the migrations of `unmigrated` 0.1.0 do not give its declared fields all they need:
              table `unmigrated_instances` has no column `size` for the declared field, a `bigint`
              table `unmigrated_instances` has no column `serial` for the declared field, a `text`
              table `unmigrated_instances` has no unique index on `project_id`, `serial`, by which the declared field is unique
            write the missing steps with `metapaas plugin migration new NAME`
        "#]]
        .assert_eq(&said);
    }
    let unbuilt = shell.run("plugin migration check").expect(1);
    assert!(unbuilt.stderr.contains("there is no `cargo` to build it with"), "{unbuilt:?}");
}

#[test]
fn the_missing_step_is_written_into_the_sources() {
    let (folder, shell) = author();
    let wrote = run(&shell, "migration new fields", "unmigrated").expect(0).stdout;
    expect![[r#"
        wrote `src/migrations/m0001_fields.rs`: an expand step of 3 statements
        left to do, beside the plugin: `mod migrations;`, and `fn migrations() -> Vec<Migration<Self>> { migrations::all() }` in its `impl Plugin`
    "#]].assert_eq(&wrote);
    let step = fs::read_to_string(folder.path().join("src/migrations/m0001_fields.rs")).unwrap();
    assert!(step.contains("Migration::expand(\"01"), "{step}");
    let column = ".up(\"ALTER TABLE unmigrated_instances ADD COLUMN size bigint\")";
    assert!(step.contains(column), "{step}");
    let list = fs::read_to_string(folder.path().join("src/migrations.rs")).unwrap();
    assert!(list.contains("vec![m0001_fields::step()]"), "{list}");
    let nameless = run(&shell, "migration new 7", "unmigrated").expect(2);
    assert!(nameless.stderr.contains("wanted a letter"), "{nameless:?}");
}
