//! What lists can be filtered and ordered by: the members of a resource that its callers see.
//!
//! Guarantees: what the descriptor says is secret, hidden, or not shown again is not there at all, so that no
//! question about it can be asked, not even whether it exists. Not here: the values of any resource.

use std::sync::Arc;

use plugin_abi::descriptor::{self, Field, Policy, Resource};
use plugin_abi::resource::columns;

/// How a member compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A UUID.
    Uuid,
    /// Text, by its bytes.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A moment, to the millisecond.
    Timestamp,
    /// Text by keys.
    Map,
    /// Any JSON value.
    Json,
}

/// A member that is kept in a column of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name, in documents and in the table.
    pub(crate) name: String,
    /// How it compares.
    pub(crate) kind: Kind,
    /// Whether the plugin declared it; then it may be absent.
    pub(crate) is_declared: bool,
}

/// A member, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where it is kept.
    pub(crate) column: Arc<Column>,
    /// The keys that lead to the part; none: all of it. A part of a map has one.
    pub(crate) path: Vec<String>,
}

/// The members of the resources of one collection.
#[derive(Debug)]
pub(crate) struct Members {
    columns: Vec<Arc<Column>>,
    /// What the resource hangs under; callers say it by the path.
    parent: Arc<Column>,
    /// What documents have beside them.
    others: Vec<&'static str>,
}

/// What every resource has.
const OF_ALL: [(&str, Kind); 14] = [
    ("id", Kind::Uuid),
    ("project_id", Kind::Uuid),
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("labels", Kind::Map),
    ("annotations", Kind::Map),
    ("generation", Kind::Integer),
    ("observed_generation", Kind::Integer),
    ("status", Kind::Text),
    ("status_message", Kind::Text),
    ("deletion_protection", Kind::Boolean),
    ("created_at", Kind::Timestamp),
    ("updated_at", Kind::Timestamp),
    ("created_by", Kind::Text),
];

impl Members {
    /// Those of the resources that are declared so.
    pub(crate) fn of(resource: &Resource) -> Self {
        let of_all = OF_ALL.iter().map(|(name, kind)| Column {
            name: (*name).to_owned(),
            kind: *kind,
            is_declared: false,
        });
        let declared = resource.fields.iter().filter_map(Column::declared);
        let columns = of_all.chain(declared).map(Arc::new).collect();
        let others =
            ["parent_id", "conditions", "last_operation"].into_iter().chain(columns::RESERVED);
        let parent = Column { name: "parent_id".to_owned(), kind: Kind::Uuid, is_declared: false };
        Self { columns, parent: Arc::new(parent), others: others.collect() }
    }

    /// The column of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Column>> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names that a filter may use.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The names that a document may have.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &str> {
        self.names().chain(self.others.iter().copied())
    }

    /// The names that a list may be ordered by.
    pub(crate) fn sortable(&self) -> impl Iterator<Item = &str> {
        let sortable = self.columns.iter().filter(|column| column.kind.is_sortable());
        sortable.map(|column| column.name.as_str())
    }

    /// What the resource hangs under, which no filter names.
    pub(crate) fn parent(&self) -> Member {
        Member { column: Arc::clone(&self.parent), path: Vec::new() }
    }

    /// One that every resource has.
    ///
    /// # Panics
    /// When it is none of those.
    pub(crate) fn of_all(&self, name: &'static str) -> Member {
        let column = self.find(name).expect("every resource has this member");
        Member { column: Arc::clone(column), path: Vec::new() }
    }
}

impl Column {
    /// A declared field, if its callers see it.
    fn declared(field: &Field) -> Option<Self> {
        match field.policy {
            Policy::Rw | Policy::Ro | Policy::WriteOnce => {}
            Policy::WriteOnly | Policy::ShownOnce | Policy::Hidden => return None,
        }
        let kind = match field.kind {
            descriptor::Kind::Text => Kind::Text,
            descriptor::Kind::Integer => Kind::Integer,
            descriptor::Kind::Number => Kind::Number,
            descriptor::Kind::Boolean => Kind::Boolean,
            descriptor::Kind::Timestamp => Kind::Timestamp,
            descriptor::Kind::Json => Kind::Json,
            descriptor::Kind::Secret => return None,
        };
        Some(Self { name: field.name.clone(), kind, is_declared: true })
    }
}

impl Kind {
    /// Whether its values have an order.
    pub(crate) fn is_sortable(self) -> bool {
        match self {
            Self::Uuid
            | Self::Text
            | Self::Integer
            | Self::Number
            | Self::Boolean
            | Self::Timestamp => true,
            Self::Map | Self::Json => false,
        }
    }
}
