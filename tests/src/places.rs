//! Where the built things are.

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate is a folder of the checkout").to_owned()
}

/// The folder that this test or bench was built into, such as `target/debug`.
///
/// # Panics
/// When this process was not built by cargo.
#[must_use]
pub fn profile() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its own file");
    let deps = own.parent().expect("a file is in a folder");
    let profile = if deps.ends_with("deps") { deps.parent() } else { Some(deps) };
    profile.expect("cargo builds into a folder of the profile").to_owned()
}

/// The folder for what tests and benches leave behind, below cargo's target folder. It is made.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn leftovers(name: &str) -> PathBuf {
    let target = profile().parent().expect("a profile is a folder of the target folder").to_owned();
    let folder = target.join(name);
    std::fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot make `{}`: {error}", folder.display()));
    folder
}

/// A binary that was built beside this test or bench.
///
/// # Panics
/// When it is not there, saying how to build it.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = profile().join(name);
    let package = if name == "baseline" { "metapaas-tests --bins" } else { name };
    let release = if profile().ends_with("release") { " --release" } else { "" };
    assert!(
        path.exists(),
        "no `{}`: build it with `cargo build{release} -p {package}`",
        path.display()
    );
    path
}
