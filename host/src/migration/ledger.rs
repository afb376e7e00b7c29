//! The ledger: which migrations of an element are applied, and which tables are whose.
//!
//! Its rows are written in the transaction of the statements they are about, so it is never ahead of the
//! schema nor behind it. Rows are added by `run`, settled when the rollout that brought them came to serve,
//! and removed by `undo` and `purge`; nothing else writes here. Not here: what ought to be applied (`plan`).

use packer::bundle::ElementName;
use plugin_abi::descriptor::Phase;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
};
use semver::Version;
use time::OffsetDateTime;

use super::chain::{Author, MigrationId};
use super::checksum::Checksum;
use super::phase_word;
use crate::store::entity::{ledger, plugin_table};

/// A migration that is applied.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Applied {
    /// Its id.
    pub(crate) id: MigrationId,
    /// What it was called.
    pub(crate) name: String,
    /// Of what was applied.
    pub(crate) checksum: Checksum,
    /// When it was to be run.
    pub(crate) phase: Phase,
    /// The version that brought it.
    pub(crate) version: Version,
    /// When it was run.
    pub(crate) applied_at: OffsetDateTime,
    /// How long that took.
    pub(crate) duration_ms: i64,
    /// The how-manieth of its element.
    pub(crate) position: i64,
    /// Whether the rollout that brought it came to serve.
    pub(crate) standing: Standing,
    /// What undoes it, as it was when it was applied.
    pub(crate) down: Option<Vec<String>>,
}

/// Whether a migration stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The rollout that brought it came to serve.
    Settled,
    /// It did not, or not yet: it is undone if it does not.
    Unsettled,
}

/// What is applied of one element, in the order in which it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ledger {
    applied: Vec<Applied>,
}

/// Whether there is a way back to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollback {
    /// There is.
    Available,
    /// A contract step of a newer version is applied: the schema suits the old code no more.
    ContractApplied {
        /// Which step.
        name: String,
        /// Its id.
        id: MigrationId,
        /// The version that brought it.
        version: Version,
    },
}

impl Rollback {
    /// Why there is none, in a sentence.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Available => None,
            Self::ContractApplied { name, id, version } => Some(format!(
                "ContractApplied: contract migration `{name}` ({id}) of {version} is applied"
            )),
        }
    }
}

/// The ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The database says no.
    #[error("the ledger of migrations cannot be read or written")]
    Database(#[from] DbErr),
    /// A row is not one that a daemon wrote.
    #[error(
        "the ledger's row of migration `{id}` has no readable {what}; restore the row, or the whole store, from a backup"
    )]
    Row {
        /// Which row.
        id: String,
        /// Which of its columns.
        what: &'static str,
    },
}

impl Ledger {
    /// A ledger of these rows, oldest first.
    pub(super) fn new(mut applied: Vec<Applied>) -> Self {
        applied.sort_by_key(|applied| applied.position);
        Self { applied }
    }

    /// What is applied, oldest first.
    pub(crate) fn applied(&self) -> &[Applied] {
        &self.applied
    }

    /// The row of a migration.
    pub(crate) fn find(&self, id: MigrationId) -> Option<&Applied> {
        self.applied.iter().find(|applied| applied.id == id)
    }

    /// Where the next row goes.
    pub(super) fn next_position(&self) -> i64 {
        self.applied.last().map_or(1, |last| last.position + 1)
    }

    /// Whether any rollout of the element ever came to serve with a migration.
    pub(super) fn has_settled(&self) -> bool {
        self.applied.iter().any(|applied| applied.standing == Standing::Settled)
    }

    /// The rows that are not settled, newest first: the order in which they are undone.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Applied> {
        self.applied.iter().rev().filter(|applied| applied.standing == Standing::Unsettled)
    }

    /// Whether there is a way back to `version`.
    pub(crate) fn rollback(&self, version: &Version) -> Rollback {
        let newer = self
            .applied
            .iter()
            .find(|applied| applied.phase == Phase::Contract && applied.version > *version);
        newer.map_or(Rollback::Available, |applied| Rollback::ContractApplied {
            name: applied.name.clone(),
            id: applied.id,
            version: applied.version.clone(),
        })
    }

    /// Reads the ledger of an element.
    pub(super) async fn read(
        db: &impl ConnectionTrait,
        element: &ElementName,
    ) -> Result<Self, LedgerError> {
        let rows = ledger::Entity::find()
            .filter(ledger::Column::Element.eq(element.as_str()))
            .order_by_asc(ledger::Column::Position)
            .all(db)
            .await?;
        let mut applied = Vec::with_capacity(rows.len());
        for row in rows {
            applied.push(Applied::try_from(row)?);
        }
        Ok(Self::new(applied))
    }
}

impl TryFrom<ledger::Model> for Applied {
    type Error = LedgerError;

    fn try_from(row: ledger::Model) -> Result<Self, LedgerError> {
        let ledger::Model {
            id,
            element: _,
            name,
            checksum,
            phase,
            version,
            applied_at,
            duration_ms,
            position,
            settled,
            down,
        } = row;
        let unreadable = |what| LedgerError::Row { id: id.clone(), what };
        let down = down.map(serde_json::from_value).transpose();
        Ok(Self {
            id: id.parse().map_err(|_not_uuid| unreadable("id"))?,
            name,
            checksum: Checksum::from_ledger(checksum),
            phase: match &*phase {
                "expand" => Phase::Expand,
                "contract" => Phase::Contract,
                _unknown => return Err(unreadable("phase")),
            },
            version: version.parse().map_err(|_not_semver| unreadable("version"))?,
            applied_at,
            duration_ms,
            position,
            standing: if settled { Standing::Settled } else { Standing::Unsettled },
            down: down.map_err(|_not_a_list| unreadable("down"))?,
        })
    }
}

/// Adds a row.
pub(super) async fn add(
    db: &impl ConnectionTrait,
    element: &ElementName,
    applied: &Applied,
) -> Result<(), LedgerError> {
    let row = ledger::ActiveModel {
        id: Set(applied.id.to_string()),
        element: Set(element.to_string()),
        name: Set(applied.name.clone()),
        checksum: Set(applied.checksum.to_string()),
        phase: Set(phase_word(applied.phase).to_owned()),
        version: Set(applied.version.to_string()),
        applied_at: Set(applied.applied_at),
        duration_ms: Set(applied.duration_ms),
        position: Set(applied.position),
        settled: Set(applied.standing == Standing::Settled),
        down: Set(applied.down.as_ref().map(|down| serde_json::json!(down))),
    };
    ledger::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Removes a row.
pub(super) async fn remove(db: &impl ConnectionTrait, id: MigrationId) -> Result<(), LedgerError> {
    ledger::Entity::delete_by_id(id.to_string()).exec(db).await?;
    Ok(())
}

/// Notes that everything that is applied stays.
pub(super) async fn settle(
    db: &impl ConnectionTrait,
    element: &ElementName,
) -> Result<u64, LedgerError> {
    let done = ledger::Entity::update_many()
        .col_expr(ledger::Column::Settled, Expr::value(true))
        .filter(ledger::Column::Element.eq(element.as_str()))
        .filter(ledger::Column::Settled.eq(false))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Forgets an element.
pub(super) async fn forget(
    db: &impl ConnectionTrait,
    element: &ElementName,
) -> Result<(), LedgerError> {
    ledger::Entity::delete_many()
        .filter(ledger::Column::Element.eq(element.as_str()))
        .exec(db)
        .await?;
    plugin_table::Entity::delete_many()
        .filter(plugin_table::Column::Element.eq(element.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// The element that a migration of this id is applied for, if it is.
pub(super) async fn owner_of(
    db: &impl ConnectionTrait,
    id: MigrationId,
) -> Result<Option<String>, LedgerError> {
    let row = ledger::Entity::find_by_id(id.to_string()).one(db).await?;
    Ok(row.map(|row| row.element))
}

/// Every table of every plugin, with the element it belongs to.
pub(super) async fn tables(
    db: &impl ConnectionTrait,
) -> Result<Vec<plugin_table::Model>, LedgerError> {
    Ok(plugin_table::Entity::find().order_by_asc(plugin_table::Column::Name).all(db).await?)
}

/// The tables of one element, by name.
pub(super) async fn tables_of(
    db: &impl ConnectionTrait,
    element: &ElementName,
) -> Result<Vec<String>, LedgerError> {
    let rows = plugin_table::Entity::find()
        .filter(plugin_table::Column::Element.eq(element.as_str()))
        .order_by_asc(plugin_table::Column::Name)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Notes that a table belongs to an element; one that the host made holds declared resources.
pub(super) async fn own(
    db: &impl ConnectionTrait,
    element: &ElementName,
    table: &str,
    author: Author,
) -> Result<(), LedgerError> {
    let row = plugin_table::ActiveModel {
        name: Set(table.to_owned()),
        element: Set(element.to_string()),
        resource: Set(author == Author::Host),
    };
    plugin_table::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Notes that a table is gone.
pub(super) async fn disown(db: &impl ConnectionTrait, table: &str) -> Result<(), LedgerError> {
    plugin_table::Entity::delete_by_id(table.to_owned()).exec(db).await?;
    Ok(())
}
