//! What a migration may say: every statement is read, every name in it is resolved, and what is not on the
//! list is refused with the reason.
//!
//! The list: create, alter and drop own tables and indexes; insert, update, delete and select rows of own
//! tables with known functions. Own is what the ledger says, and what the migration itself makes under a
//! name that is the element's to give; of the tables of declared resources only its own columns (`resource`). Before the switch the old code still runs, so an expand step may add
//! and fill and nothing else. Statements are matched part by part: what a newer parser adds is refused until
//! somebody has thought about it, and so is what does not parse.
//!
//! This explains; it cannot be the fence, because a parser is not the database. Not here: what a statement
//! comes to when it is run.

mod alter;
mod expression;
mod functions;
mod index;
mod name;
mod parse;
mod query;
mod refusal;
mod resource;
mod rows;
mod shape;
mod table;
mod types;
mod world;

use std::collections::BTreeSet;

use plugin_abi::descriptor::Phase;
use sqlparser::ast::Statement;

use super::chain::{Author, Migration};
pub(crate) use refusal::{Direction, Reason, Refusal};
pub(crate) use shape::Shape;
pub(crate) use world::{Owner, World};

/// What a statement does to the list of tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It makes one.
    Created(String),
    /// It drops one.
    Dropped(String),
    /// It gives one another name.
    Renamed {
        /// The name it had.
        from: String,
        /// The name it gets.
        to: String,
    },
}

impl Effect {
    /// The names in it.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &String> {
        let (first, second) = match self {
            Self::Created(table) | Self::Dropped(table) => (table, None),
            Self::Renamed { from, to } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }
}

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The old code still runs: add and fill.
    Expand,
    /// It does not, or what it does not know of is undone: everything on the list.
    Free,
}

/// Checks one direction of a migration, and says which tables its statements make, drop and rename.
/// `world` is afterwards what it is when they have been run.
///
/// # Errors
/// The first thing in it that is not allowed. `world` is then of no use any more.
pub(crate) fn check(
    world: &mut World,
    migration: &Migration,
    direction: Direction,
) -> Result<Vec<Effect>, Box<Refusal>> {
    let (statements, mode) = match (direction, migration.phase) {
        (Direction::Up, Phase::Expand) => (Some(&migration.up), Mode::Expand),
        (Direction::Up, Phase::Contract) => (Some(&migration.up), Mode::Free),
        (Direction::Down, _any) => (migration.down.as_ref(), Mode::Free),
    };
    let statements = statements.map_or(&[][..], Vec::as_slice);
    check_all(world, statements, mode, migration.author).map_err(|(number, reason)| {
        let (name, id) = (migration.name.clone(), migration.id);
        Box::new(Refusal { name, id, direction, number, reason })
    })
}

/// Checks the statements that undo an applied migration, as [`check`] does.
///
/// # Errors
/// The number, from 1, of the first that is not allowed, and why.
pub(crate) fn check_down(
    world: &mut World,
    statements: &[String],
    author: Author,
) -> Result<Vec<Effect>, (usize, Reason)> {
    check_all(world, statements, Mode::Free, author)
}

fn check_all(
    world: &mut World,
    statements: &[String],
    mode: Mode,
    author: Author,
) -> Result<Vec<Effect>, (usize, Reason)> {
    let mut checker = Checker::new(world, mode, author);
    for (position, sql) in statements.iter().enumerate() {
        let parsed = parse::statement(checker.world.backend(), sql);
        parsed
            .and_then(|statement| checker.statement(&statement))
            .map_err(|reason| (position + 1, reason))?;
    }
    Ok(checker.effects)
}

/// Walks the statements of one migration. Each method refuses, or goes on.
#[derive(Debug)]
struct Checker<'w> {
    world: &'w mut World,
    mode: Mode,
    author: Author,
    /// Tables that this migration makes: the old code does not know them.
    fresh: BTreeSet<String>,
    /// Columns that it adds, of table and column, which rows of the old code leave without a value.
    empty: BTreeSet<(String, String)>,
    /// Names that stand for a subquery where the walk is.
    subqueries: Vec<String>,
    effects: Vec<Effect>,
}

type Checked = Result<(), Reason>;

impl<'w> Checker<'w> {
    fn new(world: &'w mut World, mode: Mode, author: Author) -> Self {
        let (fresh, empty) = (BTreeSet::new(), BTreeSet::new());
        Self { world, mode, author, fresh, empty, subqueries: Vec::new(), effects: Vec::new() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn statement(&mut self, statement: &Statement) -> Checked {
        match statement {
            Statement::CreateTable(create) => self.create_table(create),
            Statement::CreateIndex(create) => self.create_index(create),
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::AlterIndex { name, operation } => self.alter_index(name, operation),
            Statement::Drop { .. } => self.drop(statement),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Query(query) => self.query(query),
            other => Err(Reason::Kind { what: parse::first_words(&other.to_string()) }),
        }
    }

    /// Refuses what the old code, which still runs, could not live with, unless it cannot know `table`.
    fn suits_old_code(&self, table: &str, what: impl FnOnce() -> String) -> Checked {
        match self.mode {
            Mode::Free => Ok(()),
            Mode::Expand if self.fresh.contains(table) => Ok(()),
            Mode::Expand => Err(Reason::NotExpand { what: what() }),
        }
    }
}

/// Refuses a statement that has any of these parts.
fn without(statement: &'static str, parts: &[(&'static str, bool)]) -> Checked {
    match parts.iter().find(|(_part, is_there)| *is_there) {
        None => Ok(()),
        Some((part, _is_there)) => Err(Reason::Part { statement, part: (*part).to_owned() }),
    }
}

#[cfg(test)]
mod tests;
