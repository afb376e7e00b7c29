//! The harness of the end-to-end suites and benches: a daemon of one's own, plugins to put in, load to bear.
//!
//! Guarantees: every daemon has a directory and a port of its own and is gone when its test is; a failing test
//! shows the log of its daemon. It speaks to the daemon as an operator and a client do, by command line, HTTP
//! and `/proc`, and deliberately knows nothing of the inside.

#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness fails as the test does, by a panic that shows what was seen"
)]

pub mod bench;
pub mod client;
pub mod daemon;
pub mod database;
pub mod load;
pub mod places;
pub mod plugins;
pub mod proc;
pub mod process;
pub mod schema;
pub mod shell;
pub mod swaps;
pub mod writes;
