//! What is wrong with a declaration, with its place: type, collection, field.

use std::fmt;

/// Why a type cannot be served. Says where first, then what, then what to do. Boxed, because a success should not
/// pay for its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelError(Box<Placed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    slug: String,
    collection: Option<String>,
    member: Option<Member>,
    wrong: Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    Field(String),
    Action(String),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    /// The descriptor is of no element.
    #[error("its element has a name that none can have")]
    Element,
    /// The element's version is none.
    #[error("version `{text}` of its element is not a semantic version")]
    Version { text: String },
    /// A version of the type is nothing that can be shown.
    #[error("version `{text}` is not 1 to 64 visible characters")]
    TypeVersion { text: String },
    /// A version of the type is there twice.
    #[error("version `{text}` is declared twice")]
    TypeVersionTwice { text: String },
    /// More than fit.
    #[error("it has {n} {what}, at most {n_max} are served")]
    TooMany { what: &'static str, n: usize, n_max: usize },
    /// A name is not spelled as it must be.
    #[error("{what} `{name}` is not `{pattern}`")]
    Pattern { what: &'static str, name: String, pattern: &'static str },
    /// A name is the host's.
    #[error("{what} `{name}` is reserved; give it another name")]
    Reserved { what: &'static str, name: String },
    /// A name that PostgreSQL has in every table.
    #[error("`{name}` is a column that PostgreSQL has in every table; give it another name")]
    SystemColumn { name: String },
    /// A name is there twice.
    #[error("{what} `{name}` is declared twice")]
    Twice { what: &'static str, name: String },
    /// `instances` under something.
    #[error("`instances` are what a type has: they cannot hang under `{parent}`")]
    InstancesBelow { parent: String },
    /// A parent that is not declared.
    #[error("its parent `{parent}` is not a collection of this type")]
    UnknownParent { parent: String },
    /// A parent that hangs under its own child.
    #[error("its parents form a circle: {circle}")]
    Circle { circle: String },
    /// A table with another name.
    #[error("its table is `{table}` and must be `{wanted}`")]
    Table { table: String, wanted: String },
    /// A table whose indexes would have names that are too long.
    #[error(
        "its table `{table}` has {n_bytes} letters, at most {n_max} fit; give it a shorter name"
    )]
    TableTooLong { table: String, n_bytes: usize, n_max: usize },
    /// A schema that is none.
    #[error("its {what} is no JSON Schema: {reason}")]
    Schema { what: &'static str, reason: String },
    /// A schema that leads elsewhere.
    #[error("its {what} has `{keyword}`: a schema stands alone, write out what it refers to")]
    NotAlone { what: &'static str, keyword: String },
    /// A schema that takes what the column cannot hold.
    #[error("it is stored as {kind}, so its schema must have the type {wanted}")]
    Type { kind: &'static str, wanted: &'static str },
    /// A default that the schema refuses.
    #[error("its default does not fit its schema: {reason}")]
    Default { reason: String },
    /// Two properties that contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A reference into nowhere.
    #[error("it refers to `{collection}`, which is not a collection of this type")]
    UnknownReference { collection: String },
    /// A hook that is there twice.
    #[error("hook `{hook}` is declared twice")]
    HookTwice { hook: &'static str },
    /// A route of the plugin's own in the way.
    #[error(
        "route `{route}` of the plugin answers where `{declared}` is declared; give the route another path"
    )]
    Route { route: String, declared: String },
}

impl ModelError {
    pub(super) fn of_type(slug: &str, wrong: Wrong) -> Self {
        let slug = slug.to_owned();
        Self(Box::new(Placed { slug, collection: None, member: None, wrong }))
    }

    pub(super) fn of_collection(slug: &str, collection: &str, wrong: Wrong) -> Self {
        let (slug, collection) = (slug.to_owned(), Some(collection.to_owned()));
        Self(Box::new(Placed { slug, collection, member: None, wrong }))
    }

    pub(super) fn field(mut self, name: &str) -> Self {
        self.0.member = Some(Member::Field(name.to_owned()));
        self
    }

    pub(super) fn action(mut self, verb: &str) -> Self {
        self.0.member = Some(Member::Action(verb.to_owned()));
        self
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Placed { slug, collection, member, wrong } = &*self.0;
        write!(f, "type `{slug}`")?;
        if let Some(collection) = collection {
            write!(f, ", collection `{collection}`")?;
        }
        match member {
            Some(Member::Field(name)) => write!(f, ", field `{name}`")?,
            Some(Member::Action(verb)) => write!(f, ", action `{verb}`")?,
            None => {}
        }
        write!(f, ": {wrong}")
    }
}

impl std::error::Error for ModelError {}
