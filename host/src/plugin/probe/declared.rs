//! What a plugin declares, checked before anything is done with it.
//!
//! Everything here is pure: a document in, the first thing that is wrong with it out.

use packer::bundle::ElementName;
use plugin_abi::descriptor::{Build, Descriptor, PanicStrategy, SCHEMA_VERSION};
use plugin_abi::root::ABI_REVISION;
use semver::Version;

use crate::model::{ModelError, TypeModel};
use crate::plugin::table::{Clash, check_routes};

/// Type slugs that are not to be had.
const RESERVED_SLUGS: [&str; 4] = ["metapaas", "plugin", "pg", "sqlite"];

/// What is wrong with a descriptor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeclaredError {
    #[error("its descriptor is not what this daemon reads: {reason}")]
    Parse { reason: String },
    #[error("it declares what cannot be: {reason}")]
    Said { reason: String },
    #[error("its descriptor has schema version {theirs}, this daemon reads {SCHEMA_VERSION}")]
    SchemaVersion { theirs: u32 },
    #[error("it was built for ABI revision {theirs}, this daemon speaks {ABI_REVISION}")]
    AbiRevision { theirs: u32 },
    #[error(
        "it was built with `panic = \"abort\"`, so that any panic would end the daemon; build it with `panic = \"unwind\"`"
    )]
    PanicAbort,
    #[error("it was built for `{theirs}`, this daemon for `{ours}`")]
    Target { theirs: String, ours: String },
    #[error(
        "its bundle says `{bundle}` and its code says `{code}`; pack the bundle anew from this library"
    )]
    Identity { bundle: String, code: String },
    #[error("type slug `{slug}` is not `[a-z][a-z0-9]{{0,30}}`")]
    Slug { slug: String },
    #[error("type slug `{slug}` is reserved")]
    ReservedSlug { slug: String },
    #[error("type `{slug}` is declared twice")]
    SlugTwice { slug: String },
    #[error("mount `{prefix}` must begin with a slash and not end with one")]
    Mount { prefix: String },
    #[error(transparent)]
    Routes(#[from] Clash),
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Reads and checks a descriptor.
pub(crate) fn parse(bytes: &[u8]) -> Result<Descriptor, DeclaredError> {
    if let Some(reason) = said_instead(bytes) {
        return Err(DeclaredError::Said { reason: reason.to_owned() });
    }
    let descriptor: Descriptor = serde_json::from_slice(bytes)
        .map_err(|error| DeclaredError::Parse { reason: error.to_string() })?;
    if descriptor.schema_version != SCHEMA_VERSION {
        return Err(DeclaredError::SchemaVersion { theirs: descriptor.schema_version });
    }
    check_build(&descriptor.build)?;
    check_slugs(&descriptor)?;
    for mount in &descriptor.mounts {
        if !mount.prefix.starts_with('/') || mount.prefix.ends_with('/') {
            return Err(DeclaredError::Mount { prefix: mount.prefix.clone() });
        }
    }
    check_routes(&descriptor)?;
    TypeModel::all_of(&descriptor)?;
    Ok(descriptor)
}

/// The sentence that a plugin writes in place of a descriptor: why it has none.
pub(super) fn said_instead(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?.trim();
    (!text.is_empty() && !text.starts_with('{')).then_some(text)
}

fn check_build(build: &Build) -> Result<(), DeclaredError> {
    let Build { abi_revision, target, panic } = build;
    if *abi_revision != ABI_REVISION {
        return Err(DeclaredError::AbiRevision { theirs: *abi_revision });
    }
    if *panic == PanicStrategy::Abort {
        return Err(DeclaredError::PanicAbort);
    }
    let ours = Build::own().target;
    if *target != ours {
        return Err(DeclaredError::Target { theirs: target.clone(), ours });
    }
    Ok(())
}

fn check_slugs(descriptor: &Descriptor) -> Result<(), DeclaredError> {
    let slugs: Vec<_> = descriptor.types.iter().map(|declared| &*declared.slug).collect();
    for (position, slug) in slugs.iter().enumerate() {
        let owned = || (*slug).to_owned();
        let is_letter = |c: char| c.is_ascii_lowercase();
        let is_whole = slug.starts_with(is_letter)
            && slug.len() <= 31
            && slug.chars().all(|c| is_letter(c) || c.is_ascii_digit());
        if !is_whole {
            return Err(DeclaredError::Slug { slug: owned() });
        }
        if RESERVED_SLUGS.contains(slug) {
            return Err(DeclaredError::ReservedSlug { slug: owned() });
        }
        if slugs[..position].contains(slug) {
            return Err(DeclaredError::SlugTwice { slug: owned() });
        }
    }
    Ok(())
}

/// Checks that code and bundle are of the same element and version.
pub(crate) fn check_identity(
    descriptor: &Descriptor,
    element: &ElementName,
    version: &Version,
) -> Result<(), DeclaredError> {
    let code = format!("{} {}", descriptor.element, descriptor.version);
    let bundle = format!("{element} {version}");
    if code == bundle { Ok(()) } else { Err(DeclaredError::Identity { bundle, code }) }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "schema_version": 1, "element": "demo", "version": "0.1.0", "build": Build::own(),
            "types": [{"slug": "demo"}],
            "routes": [{"base": {"type": "demo"}, "method": "GET", "path": "/x/{id}"}],
            "settings_schema": {},
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
    fn check(pointer: &str, value: Value, expected: Expect) {
        let mut document = document();
        *document.pointer_mut(pointer).unwrap() = value;
        let outcome = parse(document.to_string().as_bytes());
        expected
            .assert_eq(&outcome.map_or_else(|error| error.to_string(), |_ok| "fine".to_owned()));
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_the_reason() {
        check("/element", json!("demo"), expect!["fine"]);
        check(
            "/schema_version",
            json!(2),
            expect!["its descriptor has schema version 2, this daemon reads 1"],
        );
        check(
            "/build/abi_revision",
            json!(7),
            expect!["it was built for ABI revision 7, this daemon speaks 0"],
        );
        check(
            "/build/panic",
            json!("abort"),
            expect![[
                r#"it was built with `panic = "abort"`, so that any panic would end the daemon; build it with `panic = "unwind"`"#
            ]],
        );
        check(
            "/types/0/slug",
            json!("Demo"),
            expect!["type slug `Demo` is not `[a-z][a-z0-9]{0,30}`"],
        );
        check("/types/0/slug", json!("pg"), expect!["type slug `pg` is reserved"]);
        check(
            "/types",
            json!([{"slug": "a"}, {"slug": "a"}]),
            expect!["type `a` is declared twice"],
        );
        check(
            "/types/0",
            json!({"slug": "demo", "resources": [{
                "collection": "instances", "name": "instance", "table": "demo_instances",
                "fields": [{"name": "status", "kind": "text", "schema": {"type": "string"}}],
            }]}),
            expect![
                "type `demo`, collection `instances`, field `status`: the name `status` is reserved; give it another name"
            ],
        );
        check(
            "/routes/0/path",
            json!("/x/{id"),
            expect!["route `/x/{id`: Parameters must be registered with a valid name"],
        );
        check(
            "/build/target",
            json!("sparc"),
            expect!["it was built for `sparc`, this daemon for `x86_64-unknown-linux-gnu`"],
        );
    }

    #[test]
    fn a_plugin_that_says_why_it_has_no_descriptor_is_heard() {
        let error = parse(b"plugin `demo`: migration `sizes`: an expand step needs a `down`");
        expect!["it declares what cannot be: plugin `demo`: migration `sizes`: an expand step needs a `down`"]
            .assert_eq(&error.unwrap_err().to_string());
        let error = parse(b"");
        expect!["its descriptor is not what this daemon reads: EOF while parsing a value at line 1 column 0"]
            .assert_eq(&error.unwrap_err().to_string());
    }

    #[test]
    fn code_of_another_element_is_told_by_both_names() {
        let descriptor = parse(document().to_string().as_bytes()).unwrap();
        let error = check_identity(&descriptor, &"other".parse().unwrap(), &Version::new(0, 1, 0));
        expect!["its bundle says `other 0.1.0` and its code says `demo 0.1.0`; pack the bundle anew from this library"]
            .assert_eq(&error.unwrap_err().to_string());
    }
}
