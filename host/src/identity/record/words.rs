//! The words that rows, documents and names of principals have for kinds, roles and places.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::{BindingScope, PrincipalKind, RoleRef, Status};
use crate::identity::caller::ProjectId;
use crate::identity::role::BuiltIn;

impl Status {
    /// As rows and documents have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "DISABLED" => Ok(Self::Disabled),
            other => Err(format!("there is no status `{other}`")),
        }
    }
}

impl PrincipalKind {
    /// As rows, documents and names of principals have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service-account",
        }
    }
}

impl FromStr for PrincipalKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "user" => Ok(Self::User),
            "service-account" => Ok(Self::ServiceAccount),
            other => Err(format!("there is no kind of principal `{other}`")),
        }
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(role) => f.write_str(role.name()),
            Self::Custom(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for RoleRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(role) = BuiltIn::named(text) {
            return Ok(Self::BuiltIn(role));
        }
        text.parse().map(Self::Custom).map_err(|_no_id| format!("there is no role `{text}`"))
    }
}

impl fmt::Display for BindingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Organization(id) => write!(f, "organization/{id}"),
            Self::Project(id) => write!(f, "project/{id}"),
            Self::Type(project, slug) => write!(f, "project/{project}/{slug}"),
            Self::Instance(project, slug, id) => write!(f, "project/{project}/{slug}/{id}"),
        }
    }
}

impl FromStr for BindingScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |text: &str| text.parse::<Uuid>().map_err(|error| error.to_string());
        let project = |text: &str| id(text).map(ProjectId::of);
        match *text.split('/').collect::<Vec<_>>() {
            ["platform"] => Ok(Self::Platform),
            ["organization", of] => Ok(Self::Organization(id(of)?)),
            ["project", of] => Ok(Self::Project(project(of)?)),
            ["project", of, slug] => Ok(Self::Type(project(of)?, slug.to_owned())),
            ["project", of, slug, instance] => {
                Ok(Self::Instance(project(of)?, slug.to_owned(), id(instance)?))
            }
            [..] => Err(format!("there is no scope `{text}`")),
        }
    }
}
