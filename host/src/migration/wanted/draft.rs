//! The steps that give declared fields what they lack, as a descriptor has them.
//!
//! All that the version before does not mind is one expand step. A unique index over a column that has values
//! already may refuse rows, so it is a contract step. What takes a decision is not drafted: another type, a column that
//! a step takes away, what is missing on one database alone.

use std::collections::BTreeSet;

use plugin_abi::descriptor::{Descriptor, Kind, Migration, Phase, Statements};

use super::{Gap, Need, Survey, unique_columns};
use crate::migration::fields;

/// The words that one of the databases takes for no name where one could stand.
const RESERVED: &str = "\
    add all alter analyse analyze and any array as asc asymmetric authorization autoincrement between binary both \
    case cast check collate collation column commit concurrently constraint create cross current_catalog \
    current_date current_role current_schema current_time current_timestamp current_user default deferrable delete \
    desc distinct do drop else end escape except exists false fetch for foreign freeze from full grant group having \
    if ilike in index initially inner insert intersect into is isnull join lateral leading left like limit localtime \
    localtimestamp natural not nothing notnull null offset on only or order outer overlaps placing primary \
    references returning right select session_user set similar some symmetric system_user table tablesample then to \
    trailing transaction true union unique update user using values variadic verbose when where window with";

/// What PostgreSQL keeps of a name.
const NAME_BYTES_MAX: usize = 63;

/// What nobody but the author can decide.
#[derive(Debug, thiserror::Error)]
#[error("{gap}; which steps bring it there is for you to say")]
pub(crate) struct Undecided {
    gap: Gap,
}

/// One statement with the one that takes it back, for each database.
struct Written {
    up: Both,
    down: Both,
}

struct Both {
    sqlite: String,
    postgres: String,
}

impl Both {
    fn same(sql: String) -> Self {
        Self { sqlite: sql.clone(), postgres: sql }
    }
}

/// Drafts the steps, at most one of each phase. `name` says in a few words what they do; each gets an id of `fresh_id`.
///
/// # Errors
/// The first that takes a decision.
pub(crate) fn draft(
    descriptor: &Descriptor,
    survey: &Survey,
    name: &str,
    mut fresh_id: impl FnMut() -> String,
) -> Result<Vec<Migration>, Box<Undecided>> {
    let (mut expand, mut contract) = (Vec::new(), Vec::new());
    let mut taken = survey.index_names.clone();
    for gap in &survey.gaps {
        let Gap { table, field, need, only_on } = gap;
        let undecided = || Err(Box::new(Undecided { gap: gap.clone() }));
        if only_on.is_some() {
            return undecided();
        }
        match need {
            Need::Column { kind, is_looked_up, .. } => {
                expand.push(column(table, field, *kind, *is_looked_up));
            }
            Need::Unique { among, has_column } => {
                let columns = unique_columns(*among, field).into_iter().map(quoted);
                let columns = Both::same(columns.collect::<Vec<_>>().join(", "));
                let index = free_name(&mut taken, table, field, "key");
                let steps = if *has_column { &mut contract } else { &mut expand };
                steps.push(self::index("UNIQUE INDEX", &index, table, &columns));
            }
            Need::Index { kind, has_column } => {
                let columns = looked_up(field, *kind, *has_column);
                let index = free_name(&mut taken, table, field, "idx");
                expand.push(self::index("INDEX", &index, table, &columns));
            }
            Need::Type { .. } | Need::ToStay { .. } => return undecided(),
        }
    }
    let before = descriptor.migrations.iter().rfind(|step| step.phase == Phase::Expand);
    let mut before = before.map(|step| step.id.clone());
    let mut steps = Vec::new();
    for (phase, name, written) in [
        (Phase::Expand, name.to_owned(), expand),
        (Phase::Contract, format!("{name}: what is unique"), contract),
    ] {
        if !written.is_empty() {
            let step = migration(fresh_id(), name, before.take(), phase, written);
            before = Some(step.id.clone());
            steps.push(step);
        }
    }
    Ok(steps)
}

fn migration(
    id: String,
    name: String,
    before: Option<String>,
    phase: Phase,
    written: Vec<Written>,
) -> Migration {
    let (mut up, mut down) = (Statements::default(), Statements::default());
    for Written { up: made, down: _ } in &written {
        up.sqlite.push(made.sqlite.clone());
        up.postgres.push(made.postgres.clone());
    }
    for Written { up: _, down: undone } in written.into_iter().rev() {
        down.sqlite.push(undone.sqlite);
        down.postgres.push(undone.postgres);
    }
    let (depends_on, down) = (before.into_iter().collect(), Some(down));
    Migration { id, name, depends_on, phase, up, down, backfill: None }
}

/// Text that rows are looked up by compares by its bytes, so that indexes serve what the host asks.
fn column(table: &str, field: &str, kind: Kind, is_looked_up: bool) -> Written {
    let (name, wanted) = (quoted(field), fields::wanted(kind));
    let sqlite = format!("ALTER TABLE {table} ADD COLUMN {name} {wanted}");
    let is_bytewise = is_looked_up && kind == Kind::Text;
    let postgres = if is_bytewise { format!("{sqlite} COLLATE \"C\"") } else { sqlite.clone() };
    let down = Both::same(format!("ALTER TABLE {table} DROP COLUMN {name}"));
    Written { up: Both { sqlite, postgres }, down }
}

fn index(kind: &str, index: &str, table: &str, columns: &Both) -> Written {
    let create = |columns: &str| format!("CREATE {kind} {index} ON {table} ({columns})");
    let up = Both { sqlite: create(&columns.sqlite), postgres: create(&columns.postgres) };
    Written { up, down: Both::same(format!("DROP INDEX {index}")) }
}

/// What lists by a field are read from: it, then the id.
fn looked_up(field: &str, kind: Kind, has_column: bool) -> Both {
    let name = quoted(field);
    let plain = format!("{name}, id");
    // A column of before may compare otherwise.
    if has_column && kind == Kind::Text {
        return Both { sqlite: plain, postgres: format!("{name} COLLATE \"C\", id") };
    }
    Both::same(plain)
}

/// A name that no index has yet.
fn free_name(taken: &mut BTreeSet<String>, table: &str, field: &str, ending: &str) -> String {
    let mut name = String::new();
    for number in 1.. {
        let ending = if number == 1 { format!("_{ending}") } else { format!("_{ending}{number}") };
        let whole = format!("{table}_{field}");
        let n_bytes = whole.len().min(NAME_BYTES_MAX - ending.len());
        name = format!("{}{ending}", &whole[..n_bytes]);
        if taken.insert(name.clone()) {
            break;
        }
    }
    name
}

/// A name as statements have it.
fn quoted(name: &str) -> String {
    let is_reserved = RESERVED.split(' ').any(|word| word == name);
    if is_reserved { format!("\"{name}\"") } else { name.to_owned() }
}
