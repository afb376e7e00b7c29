//! All steps of a plugin, checked as far as that needs no database.
//!
//! What passes here has good and unique ids, dependencies that exist and end, SQL for both databases, and a
//! way back where one is needed. Not here: what the SQL means, and whether an earlier version of the plugin
//! had other steps; the host knows both.

use std::collections::HashSet;

use plugin_abi::descriptor::{Migration as Step, Phase, Statements};

use super::{Backfill, Migration};
use crate::hooks::Hooks;

/// What the host calls a backfill by: this, then its name.
const BACKFILL_PREFIX: &str = "backfill:";

/// A step that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("migration `{name}` ({id}): {fault}")]
pub(crate) struct ChainError {
    name: String,
    id: String,
    fault: String,
}

impl ChainError {
    fn of(step: &Step, fault: impl Into<String>) -> Self {
        Self { name: step.name.clone(), id: step.id.clone(), fault: fault.into() }
    }
}

/// Checks the steps and takes them apart into what the descriptor has and what the run loop calls.
pub(crate) fn check<P>(migrations: Vec<Migration<P>>) -> Result<(Vec<Step>, Hooks<P>), ChainError> {
    let (mut steps, mut hooks) = (Vec::new(), Hooks::new());
    let mut ids = HashSet::new();
    for migration in migrations {
        let (step, backfill, faults) = migration.into_parts();
        let faults = faults.into_iter().next().or_else(|| own_fault(&step).map(str::to_owned));
        if let Some(fault) = faults {
            return Err(ChainError::of(&step, fault));
        }
        if !ids.insert(step.id.clone()) {
            return Err(ChainError::of(&step, "another step has this id; make a new one"));
        }
        if let Some(Backfill { name, endpoint }) = backfill
            && !hooks.add(format!("{BACKFILL_PREFIX}{name}"), endpoint)
        {
            let fault = format!("another step has a backfill `{name}`; choose another name");
            return Err(ChainError::of(&step, fault));
        }
        steps.push(step);
    }
    check_dependencies(&steps)?;
    Ok((steps, hooks))
}

/// What is wrong with a step by itself.
fn own_fault(step: &Step) -> Option<&'static str> {
    let Step { id, name, depends_on: _, phase, up, down, backfill } = step;
    if !is_uuid(id) {
        return Some("the id is not a UUID, in lower case and with hyphens");
    }
    if name.trim().is_empty() {
        return Some("it has no name; say in a few words what it does");
    }
    if let Some(fault) = statements_fault(up) {
        return Some(fault);
    }
    match (phase, down) {
        (Phase::Expand, None) => {
            return Some("an expand step needs a `down`: a rollout that fails is undone by it");
        }
        (Phase::Expand | Phase::Contract, Some(down)) => {
            if let Some(fault) = statements_fault(down) {
                return Some(fault);
            }
        }
        (Phase::Contract, None) => {}
    }
    match backfill {
        Some(_) if *phase == Phase::Contract => {
            Some("a contract step has no backfill; put it into the expand step that needs it")
        }
        Some(name) if !is_hook_name(name) => {
            Some("the name of a backfill must match [a-z][a-z0-9_-]{0,62}")
        }
        Some(_) | None => None,
    }
}

fn statements_fault(statements: &Statements) -> Option<&'static str> {
    let Statements { sqlite, postgres } = statements;
    if sqlite.is_empty() && postgres.is_empty() {
        return Some("it has no statements; give them by `up`");
    }
    if sqlite.is_empty() {
        return Some("it has no statements for SQLite; give them by `Sql::sqlite`");
    }
    if postgres.is_empty() {
        return Some("it has no statements for PostgreSQL; give them by `Sql::postgres`");
    }
    let is_empty = |statement: &String| statement.trim().trim_end_matches(';').is_empty();
    sqlite.iter().chain(postgres).any(is_empty).then_some("one of its statements is empty")
}

fn is_uuid(id: &str) -> bool {
    let is_hex = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    id.len() == 36
        && id.bytes().enumerate().all(|(idx, letter)| match idx {
            8 | 13 | 18 | 23 => letter == b'-',
            _digit => is_hex(letter),
        })
}

fn is_hook_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-')
        })
}

/// Every dependency exists, and following them ends.
fn check_dependencies(steps: &[Step]) -> Result<(), ChainError> {
    let ids: HashSet<_> = steps.iter().map(|step| step.id.as_str()).collect();
    for step in steps {
        if let Some(unknown) = step.depends_on.iter().find(|id| !ids.contains(id.as_str())) {
            let fault = format!("it depends on {unknown}, which is no step of this plugin");
            return Err(ChainError::of(step, fault));
        }
    }
    let mut before: HashSet<&str> = HashSet::new();
    loop {
        let is_ready = |step: &&Step| {
            !before.contains(step.id.as_str())
                && step.depends_on.iter().all(|id| before.contains(id.as_str()))
        };
        let ready: Vec<_> = steps.iter().filter(is_ready).map(|step| step.id.as_str()).collect();
        if ready.is_empty() {
            break;
        }
        before.extend(ready);
    }
    match steps.iter().find(|step| !before.contains(step.id.as_str())) {
        Some(step) => Err(ChainError::of(step, "its dependencies lead back to it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::{Cursor, Progress, Sql};

    const ONE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const TWO: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

    struct Plugin;

    fn expand(id: &str) -> Migration<Plugin> {
        Migration::expand(id, "a table")
            .up("CREATE TABLE demo_a (id integer)")
            .down("DROP TABLE demo_a")
    }

    async fn fill(_: Cursor) -> Progress {
        Progress::done()
    }

    #[test]
    fn a_good_chain_is_the_descriptors() {
        let migrations = vec![
            expand(ONE).backfill("rows", fill),
            Migration::contract(TWO, "an old column")
                .depends_on(ONE)
                .up(["ALTER TABLE demo_a DROP COLUMN b", "DROP INDEX demo_b"]),
        ];
        let (steps, hooks) = check(migrations).unwrap();
        assert_eq!(hooks.names(), ["backfill:rows"]);
        assert_eq!(steps[0].backfill.as_deref(), Some("rows"));
        assert_eq!(steps[1].depends_on, [ONE]);
        assert_eq!(steps[1].up.sqlite, steps[1].up.postgres);
        assert_eq!((steps[1].up.sqlite.len(), &steps[1].down), (2, &None));
    }

    #[test]
    fn what_cannot_be_is_told_by_name() {
        let no_down = || Migration::expand(ONE, "a table").up("CREATE TABLE demo_a (id integer)");
        let cases: Vec<(Vec<Migration<Plugin>>, &str)> = vec![
            (vec![expand("not-a-uuid")], "the id is not a UUID"),
            (vec![expand(&ONE.to_uppercase())], "the id is not a UUID, in lower case"),
            (vec![expand(ONE), expand(ONE)], "another step has this id"),
            (vec![no_down()], "an expand step needs a `down`"),
            (vec![no_down().down(Sql::new().sqlite("DROP TABLE demo_a"))], "for PostgreSQL"),
            (vec![no_down().down(Sql::new().postgres("DROP TABLE demo_a"))], "for SQLite"),
            (vec![Migration::contract(ONE, "nothing")], "it has no statements"),
            (vec![Migration::contract(ONE, " ").up("DROP TABLE demo_a")], "it has no name"),
            (vec![expand(ONE).up(" ;")], "one of its statements is empty"),
            (vec![expand(ONE).depends_on(TWO)], "which is no step of this plugin"),
            (
                vec![expand(ONE).depends_on(TWO), expand(TWO).depends_on(ONE)],
                "its dependencies lead back to it",
            ),
            (vec![expand(ONE).depends_on(ONE)], "its dependencies lead back to it"),
            (vec![expand(ONE).backfill("Rows", fill)], "the name of a backfill must match"),
            (
                vec![expand(ONE).backfill("rows", fill), expand(TWO).backfill("rows", fill)],
                "another step has a backfill `rows`",
            ),
            (
                vec![Migration::contract(ONE, "b").up("DROP TABLE demo_a").backfill("rows", fill)],
                "a contract step has no backfill",
            ),
        ];
        for (migrations, wanted) in cases {
            let Err(error) = check(migrations) else { panic!("passed: {wanted}") };
            let error = error.to_string();
            assert!(error.starts_with("migration `") && error.contains(wanted), "{error}");
        }
    }
}
