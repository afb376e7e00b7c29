//! Exports the two functions that `plugin::tls_keys` puts in front of the C library's.
fn main() {
    for symbol in ["pthread_key_create", "pthread_key_delete"] {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol={symbol}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
