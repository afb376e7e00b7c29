//! Roles: sets of permissions with a name.
//!
//! The built-in ones are code, so that they hold for every type there will ever be; others are patterns of
//! permissions, granted and taken away. A denial of any role beats every grant. Not here: who has which role.

use super::permission::{Pattern, Permission};

/// A role that every daemon has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum BuiltIn {
    /// Sees what there is, but for secrets, logs and what runs inside.
    Viewer,
    /// Keeps things running: changes, scales, deploys, acts. Makes and deletes nothing.
    Operator,
    /// Everything where it is bound, members included.
    Owner,
    /// Sees everything on the platform, but for secrets, logs and what runs inside.
    Auditor,
    /// Runs the platform: elements, nodes, and what operators do in every project.
    PlatformOperator,
    /// Everything, everywhere.
    PlatformAdmin,
}

/// What a role says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// What the code of a built-in role says.
    BuiltIn(BuiltIn),
    /// What somebody wrote.
    Custom {
        /// What it grants.
        allow: Vec<Pattern>,
        /// What it takes away.
        deny: Vec<Pattern>,
    },
}

/// What a role says of one permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Granted, unless another role denies it.
    Allow,
    /// Denied, whatever other roles grant.
    Deny,
    /// It says nothing.
    Silent,
}

/// The resources that a wildcard of a verb never reaches in roles that are not an owner's.
const SEPARATE: [&str; 3] = ["secret", "exec", "logs"];
const SEEING: [&str; 3] = ["read", "list", "watch"];
/// What is about the platform and no project of it.
const CORE: &str = "core";
const IAM: &str = "iam";

impl BuiltIn {
    /// All of them, the smallest first, those of projects before those of the platform.
    pub(crate) const ALL: [Self; 6] = [
        Self::Viewer,
        Self::Operator,
        Self::Owner,
        Self::Auditor,
        Self::PlatformOperator,
        Self::PlatformAdmin,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
            Self::Auditor => "auditor",
            Self::PlatformOperator => "platform-operator",
            Self::PlatformAdmin => "platform-admin",
        }
    }

    /// What it is for.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Viewer => "sees what there is, but no secrets and no logs",
            Self::Operator => {
                "what a viewer does, logs, and changes: actions, scaling, deployments; makes and deletes nothing else"
            }
            Self::Owner => "everything where it is bound, members included",
            Self::Auditor => "sees everything on the platform, but no secrets and no logs",
            Self::PlatformOperator => {
                "elements and nodes, and what an operator does in every project"
            }
            Self::PlatformAdmin => "everything, everywhere",
        }
    }

    /// The role of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it is bound on the platform and nowhere else.
    pub(crate) fn is_of_the_platform(self) -> bool {
        match self {
            Self::Viewer | Self::Operator | Self::Owner => false,
            Self::Auditor | Self::PlatformOperator | Self::PlatformAdmin => true,
        }
    }

    /// Whether it grants `permission`.
    pub(crate) fn grants(self, permission: Permission<'_>) -> bool {
        match self {
            Self::Viewer | Self::Auditor => sees(permission),
            Self::Operator => sees(permission) || operates(permission),
            Self::PlatformOperator => {
                sees(permission) || operates(permission) || permission.slug == CORE
            }
            Self::Owner | Self::PlatformAdmin => true,
        }
    }

    /// The smallest role that grants `permission` in a project, or on the platform.
    pub(crate) fn smallest(permission: &str, on_platform: bool) -> Self {
        let Some(permission) = Permission::parse(permission) else { return Self::PlatformAdmin };
        let mut fitting =
            Self::ALL.into_iter().filter(|role| role.is_of_the_platform() == on_platform);
        fitting.find(|role| role.grants(permission)).unwrap_or(Self::PlatformAdmin)
    }
}

fn sees(permission: Permission<'_>) -> bool {
    SEEING.contains(&permission.verb) && !SEPARATE.contains(&permission.resource)
}

fn operates(permission: Permission<'_>) -> bool {
    let Permission { slug, resource, verb } = permission;
    if slug == CORE || slug == IAM {
        return false;
    }
    match (resource, verb) {
        ("logs", "read") | ("deployment", "create") => true,
        ("secret" | "exec" | "logs", _) | (_, "create" | "delete" | "undelete" | "purge") => false,
        (_, _update_or_action) => true,
    }
}

impl Rules {
    /// Whether it grants everything where it is bound.
    pub(super) fn grants_everything(&self) -> bool {
        match self {
            Self::BuiltIn(role) => matches!(role, BuiltIn::Owner | BuiltIn::PlatformAdmin),
            Self::Custom { allow, .. } => allow.iter().any(Pattern::means_everything),
        }
    }

    /// Whether it takes anything away.
    pub(super) fn denies(&self) -> bool {
        match self {
            Self::BuiltIn(_) => false,
            Self::Custom { deny, .. } => !deny.is_empty(),
        }
    }

    /// What it says of `permission`.
    pub(super) fn say(&self, permission: Permission<'_>) -> Verdict {
        match self {
            Self::BuiltIn(role) if role.grants(permission) => Verdict::Allow,
            Self::BuiltIn(_) => Verdict::Silent,
            Self::Custom { allow, deny } => {
                let among =
                    |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.means(permission));
                if among(deny) {
                    Verdict::Deny
                } else if among(allow) {
                    Verdict::Allow
                } else {
                    Verdict::Silent
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    #[test]
    fn what_the_built_in_roles_grant() {
        let asked = [
            "s3.instance.read",
            "s3.instance.list",
            "s3.instance.watch",
            "s3.instance.create",
            "s3.instance.update",
            "s3.instance.delete",
            "s3.instance.restart",
            "s3.instance.undelete",
            "s3.secret.read",
            "s3.logs.read",
            "corpus.exec.create",
            "corpus.deployment.create",
            "helm.release.rollback",
            "core.element.read",
            "core.element.update",
            "iam.project.read",
            "iam.role_binding.create",
        ];
        let mut matrix = String::new();
        for text in asked {
            let permission = Permission::parse(text).unwrap();
            let who = BuiltIn::ALL.into_iter().filter(|role| role.grants(permission));
            let who: Vec<_> = who.map(BuiltIn::name).collect();
            writeln!(matrix, "{text}: {}", who.join(" ")).unwrap();
        }
        expect![[r#"
            s3.instance.read: viewer operator owner auditor platform-operator platform-admin
            s3.instance.list: viewer operator owner auditor platform-operator platform-admin
            s3.instance.watch: viewer operator owner auditor platform-operator platform-admin
            s3.instance.create: owner platform-admin
            s3.instance.update: operator owner platform-operator platform-admin
            s3.instance.delete: owner platform-admin
            s3.instance.restart: operator owner platform-operator platform-admin
            s3.instance.undelete: owner platform-admin
            s3.secret.read: owner platform-admin
            s3.logs.read: operator owner platform-operator platform-admin
            corpus.exec.create: owner platform-admin
            corpus.deployment.create: operator owner platform-operator platform-admin
            helm.release.rollback: operator owner platform-operator platform-admin
            core.element.read: viewer operator owner auditor platform-operator platform-admin
            core.element.update: owner platform-operator platform-admin
            iam.project.read: viewer operator owner auditor platform-operator platform-admin
            iam.role_binding.create: owner platform-admin
        "#]]
        .assert_eq(&matrix);
    }

    #[test]
    fn the_smallest_role_that_would_do_is_named() {
        let cases = [
            ("s3.instance.read", false, BuiltIn::Viewer),
            ("s3.instance.update", false, BuiltIn::Operator),
            ("s3.instance.create", false, BuiltIn::Owner),
            ("core.element.read", true, BuiltIn::Auditor),
            ("core.element.update", true, BuiltIn::PlatformOperator),
            ("iam.organization.create", true, BuiltIn::PlatformAdmin),
        ];
        for (permission, on_platform, wanted) in cases {
            assert_eq!(BuiltIn::smallest(permission, on_platform), wanted, "{permission}");
        }
    }

    #[test]
    fn a_denial_beats_a_grant_of_the_same_role() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let rules =
            Rules::Custom { allow: patterns(&["s3.*.*"]), deny: patterns(&["s3.*.delete"]) };
        let say = |text| rules.say(Permission::parse(text).unwrap());
        assert_eq!(say("s3.bucket.create"), Verdict::Allow);
        assert_eq!(say("s3.bucket.delete"), Verdict::Deny);
        assert_eq!(say("mail.box.create"), Verdict::Silent);
    }
}
