//! The `metapaas` binary.
fn main() {}
