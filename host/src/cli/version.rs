//! `metapaas version`: what this binary is, in one JSON document.

use std::io::{self, Write};

use super::exit::{Exit, Failure};
use crate::http::system::Version;

/// Prints what `GET /version` answers.
pub(crate) fn print() -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(&Version::of_this_build())
        .expect("a struct of strings and numbers is JSON");
    writeln!(io::stdout(), "{text}").map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}
