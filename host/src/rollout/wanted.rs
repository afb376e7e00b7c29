//! What is wanted of each element, and what to return to: the rows of `metapaas_elements`.
//!
//! Here is their meaning and every query of them. Who decides what is wanted is in `wish`, `directory` and
//! `reconcile`; who brings it about, in `element`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use packer::bundle::ElementName;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, QueryOrder};
use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::plugin::lane::Isolation;
use crate::store::entity::{dismissal, element};
use crate::timestamp::Timestamp;

/// What is wanted of one element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Which version.
    pub(crate) version: Version,
    /// Which lane.
    #[serde(default)]
    pub(crate) isolation: Isolation,
    /// The element's settings, secrets by reference.
    #[serde(default = "no_settings")]
    pub(crate) settings: serde_json::Value,
    /// The mounts that are granted to it.
    #[serde(default)]
    pub(crate) mounts: Vec<String>,
    /// The listeners that are granted to it, with their addresses.
    #[serde(default)]
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
}

/// The settings of an element that has none.
pub(crate) fn no_settings() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// Who says what is wanted of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ManagedBy {
    /// Whoever calls the API.
    Api,
    /// The newest bundle in the directory of elements, until somebody calls the API.
    Bundles,
    /// This file in the directory of elements, and nobody else.
    Manifest(String),
}

/// What becomes of an element's data when it is uninstalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// It waits for the element to come back.
    Keep,
    /// Its tables are dropped.
    Purge,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// Which element.
    pub(crate) name: ElementName,
    /// What is wanted of it.
    pub(crate) wanted: Wanted,
    /// What served last without a fault.
    pub(crate) stable: Option<Wanted>,
    /// What served before that.
    pub(crate) previous: Option<Wanted>,
    /// Who says what is wanted.
    pub(crate) managed_by: ManagedBy,
    /// Set while it is being uninstalled.
    pub(crate) removal: Option<Data>,
    /// Grows with every change.
    pub(crate) revision: u64,
    /// When it was first wanted.
    pub(crate) created_at: Timestamp,
    /// When what is wanted changed last.
    pub(crate) updated_at: Timestamp,
}

/// A row cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store refused.
    #[error("the wanted elements cannot be read or written; nothing was changed")]
    Store(#[from] DbErr),
    /// A row says what this daemon cannot read.
    #[error("the row of element `{element}` has a `{column}` that cannot be read: {reason}")]
    Row {
        /// Which row.
        element: String,
        /// Which column.
        column: &'static str,
        /// Why.
        reason: String,
    },
}

/// Every element, by name.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Record>, Error> {
    let rows = element::Entity::find().order_by_asc(element::Column::Name).all(db).await?;
    rows.into_iter().map(Record::read).collect()
}

/// One element.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    name: &ElementName,
) -> Result<Option<Record>, Error> {
    let row = element::Entity::find_by_id(name.as_str()).one(db).await?;
    row.map(Record::read).transpose()
}

/// Writes a row, new or not.
pub(crate) async fn put(db: &impl ConnectionTrait, record: &Record) -> Result<(), Error> {
    use element::Column::{
        ManagedBy, Previous, Removal, Revision, Stable, UpdatedAt, Version, Wanted,
    };
    let everything_but_its_birth = OnConflict::column(element::Column::Name)
        .update_columns([
            Version, Wanted, Stable, Previous, ManagedBy, Removal, Revision, UpdatedAt,
        ])
        .to_owned();
    element::Entity::insert(record.write())
        .on_conflict(everything_but_its_birth)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Notes what serves now, and what served before it.
pub(crate) async fn remember(
    db: &impl ConnectionTrait,
    name: &ElementName,
    stable: &Wanted,
    previous: Option<&Wanted>,
) -> Result<(), Error> {
    let row = element::ActiveModel {
        name: Set(name.to_string()),
        stable: Set(Some(document(stable))),
        previous: Set(previous.map(document)),
        ..Default::default()
    };
    element::Entity::update(row).exec_without_returning(db).await?;
    Ok(())
}

/// Notes that an element was uninstalled at `at`, whatever lies in the directory of elements.
pub(crate) async fn dismiss(
    db: &impl ConnectionTrait,
    name: &ElementName,
    at: Timestamp,
) -> Result<(), Error> {
    let row = dismissal::ActiveModel {
        element: Set(name.to_string()),
        dismissed_at: Set(at.into_inner()),
    };
    let later = OnConflict::column(dismissal::Column::Element)
        .update_column(dismissal::Column::DismissedAt)
        .to_owned();
    dismissal::Entity::insert(row).on_conflict(later).exec_without_returning(db).await?;
    Ok(())
}

/// When each element was dismissed that was.
pub(crate) async fn dismissals(
    db: &impl ConnectionTrait,
) -> Result<BTreeMap<String, Timestamp>, Error> {
    let rows = dismissal::Entity::find().all(db).await?;
    Ok(rows.into_iter().map(|row| (row.element, row.dismissed_at.into())).collect())
}

/// Forgets an element.
pub(crate) async fn remove(db: &impl ConnectionTrait, name: &ElementName) -> Result<(), Error> {
    element::Entity::delete_by_id(name.as_str()).exec(db).await?;
    Ok(())
}

impl Record {
    fn read(row: element::Model) -> Result<Self, Error> {
        let element::Model {
            name,
            version: _,
            wanted,
            stable,
            previous,
            managed_by,
            removal,
            revision,
            created_at,
            updated_at,
        } = row;
        let unreadable =
            |column, reason: String| Error::Row { element: name.clone(), column, reason };
        Ok(Self {
            wanted: parse(wanted).map_err(|reason| unreadable("wanted", reason))?,
            stable: optional(stable).map_err(|reason| unreadable("stable", reason))?,
            previous: optional(previous).map_err(|reason| unreadable("previous", reason))?,
            managed_by: managed_by.parse().map_err(|reason| unreadable("managed_by", reason))?,
            removal: removal
                .map(|removal| removal.parse())
                .transpose()
                .map_err(|reason| unreadable("removal", reason))?,
            revision: u64::try_from(revision)
                .map_err(|negative| unreadable("revision", negative.to_string()))?,
            name: name.parse().map_err(|error| unreadable("name", format!("{error}")))?,
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        })
    }

    fn write(&self) -> element::ActiveModel {
        let Self {
            name,
            wanted,
            stable,
            previous,
            managed_by,
            removal,
            revision,
            created_at,
            updated_at,
        } = self;
        element::ActiveModel {
            name: Set(name.to_string()),
            version: Set(wanted.version.to_string()),
            wanted: Set(document(wanted)),
            stable: Set(stable.as_ref().map(document)),
            previous: Set(previous.as_ref().map(document)),
            managed_by: Set(managed_by.to_string()),
            removal: Set(removal.map(|data| data.to_string())),
            revision: Set(i64::try_from(*revision).unwrap_or(i64::MAX)),
            created_at: Set(created_at.into_inner()),
            updated_at: Set(updated_at.into_inner()),
        }
    }
}

fn document(wanted: &Wanted) -> serde_json::Value {
    serde_json::to_value(wanted).expect("wanted elements are plain data")
}

fn parse<T: DeserializeOwned>(document: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(document).map_err(|error| error.to_string())
}

fn optional<T: DeserializeOwned>(document: Option<serde_json::Value>) -> Result<Option<T>, String> {
    document.map(parse).transpose()
}

impl fmt::Display for ManagedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("api"),
            Self::Bundles => f.write_str("bundles"),
            Self::Manifest(file) => write!(f, "manifest:{file}"),
        }
    }
}

impl FromStr for ManagedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("manifest:")) {
            ("api", _) => Ok(Self::Api),
            ("bundles", _) => Ok(Self::Bundles),
            (_, Some(file)) => Ok(Self::Manifest(file.to_owned())),
            (other, None) => Err(format!("nobody is called `{other}`")),
        }
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Purge => "purge",
        })
    }
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "purge" => Ok(Self::Purge),
            other => Err(format!("there is no `{other}`")),
        }
    }
}
