//! What breaks a promise costs nobody else anything: one fixture for each promise.
//!
//! A daemon serves `broken` 0.1.0, which keeps every promise, and a neighbor. Then 0.2.0 comes, which breaks one:
//! before the switch ([`refused`]), while it serves ([`serving`]), when it goes ([`ending`]), or so that it takes the
//! daemon with it ([`loading`]). Each story looks at the text that the operator reads, at the neighbor and at what
//! serves as `broken` meanwhile and afterwards.

mod bundles;
mod ending;
mod loading;
mod refused;
mod scene;
mod serving;
