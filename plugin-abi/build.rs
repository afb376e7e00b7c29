//! Tells the crate its own target triple, which only a build script can see.
fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET for build scripts");
    println!("cargo::rustc-env=METAPAAS_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
