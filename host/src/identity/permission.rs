//! What may be done: `<slug>.<resource>.<verb>`, and patterns of that.
//!
//! A permission is a plain text of three segments, as descriptors have it: `s3.bucket.create`,
//! `core.element.update`. A pattern may have `*` in place of whole segments. Not here: who has which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A permission, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permission<'a> {
    /// The type, or `core` and `iam` for what is the daemon's own.
    pub(crate) slug: &'a str,
    /// What it is about.
    pub(crate) resource: &'a str,
    /// What is done to it.
    pub(crate) verb: &'a str,
}

/// Permissions that are alike: `s3.*.read`, `*.*.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Pattern(String);

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no permission: write `<type>.<resource>.<verb>`, with `*` for any segment")]
pub(crate) struct NoPattern(String);

/// The permissions of the daemon's own API.
pub(crate) const OWN: [&str; 40] = [
    "core.element.delete",
    "core.element.finalize",
    "core.element.list",
    "core.element.read",
    "core.element.rollback",
    "core.element.update",
    "core.element.upgrade",
    "core.event.list",
    "core.operation.cancel",
    "core.operation.list",
    "core.operation.read",
    "iam.api_key.create",
    "iam.api_key.delete",
    "iam.api_key.list",
    "iam.api_key.read",
    "iam.organization.create",
    "iam.organization.delete",
    "iam.organization.read",
    "iam.organization.update",
    "iam.project.create",
    "iam.project.delete",
    "iam.project.update",
    "iam.quota.read",
    "iam.quota.update",
    "iam.role.create",
    "iam.role.delete",
    "iam.role.update",
    "iam.role_binding.create",
    "iam.role_binding.delete",
    "iam.role_binding.list",
    "iam.role_binding.read",
    "iam.service_account.create",
    "iam.service_account.delete",
    "iam.service_account.read",
    "iam.service_account.update",
    "iam.user.create",
    "iam.user.delete",
    "iam.user.list",
    "iam.user.read",
    "iam.user.update",
];

/// Stands for any segment.
const ANY: &str = "*";

impl<'a> Permission<'a> {
    /// The permission that `text` names; nothing, which nobody has, if it has not three segments.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut segments = text.split('.');
        let permission =
            Self { slug: segments.next()?, resource: segments.next()?, verb: segments.next()? };
        segments.next().is_none().then_some(permission)
    }
}

impl Pattern {
    /// Whether it means every permission that there can be.
    pub(crate) fn means_everything(&self) -> bool {
        self.0 == "*.*.*"
    }

    /// Whether `permission` is one of those that it means.
    pub(crate) fn means(&self, permission: Permission<'_>) -> bool {
        let Some(own) = Permission::parse(&self.0) else { return false };
        let fits = |own: &str, asked: &str| own == ANY || own == asked;
        fits(own.slug, permission.slug)
            && fits(own.resource, permission.resource)
            && fits(own.verb, permission.verb)
    }
}

fn is_segment(text: &str) -> bool {
    let of_a_name = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    text == ANY || (!text.is_empty() && text.len() <= 63 && text.bytes().all(of_a_name))
}

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        match Permission::parse(text) {
            Some(Permission { slug, resource, verb })
                if [slug, resource, verb].into_iter().all(is_segment) =>
            {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(NoPattern(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = NoPattern;

    fn try_from(text: String) -> Result<Self, NoPattern> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_segment() {
        let cases = [
            ("s3.bucket.read", "s3.bucket.read", true),
            ("s3.bucket.read", "s3.bucket.list", false),
            ("s3.*.read", "s3.policy.read", true),
            ("s3.*.read", "mail.policy.read", false),
            ("*.*.*", "core.element.update", true),
            ("*.instance.*", "s3.instance.delete", true),
            ("*.*.*", "s3.read", false),
            ("*.*.*", "s3.bucket.object.read", false),
        ];
        for (pattern, permission, wanted) in cases {
            let pattern: Pattern = pattern.parse().unwrap();
            let means = Permission::parse(permission).is_some_and(|asked| pattern.means(asked));
            assert_eq!(means, wanted, "{pattern} and {permission}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "*", "s3.*", "s3..read", "s3.b*.read", "S3.bucket.read", "a.b.c.d"] {
            let refused = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(refused.contains("is no permission: write"), "{refused}");
        }
    }
}
