//! `metapaas worker`: the inside of a worker process. The daemon starts it; nobody else should.

use super::exit::{Exit, Failure};
use crate::plugin::worker::child;

/// Runs a plugin for the daemon at the other end of standard input.
pub(crate) fn run() -> Result<Exit, Failure> {
    match child::main() {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}
