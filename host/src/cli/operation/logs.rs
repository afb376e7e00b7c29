//! `metapaas operation logs`: what an operation said, and what it says while it runs.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cli::client::Error;
use crate::cli::output::{Format, View, clean};
use crate::cli::progress::{ABSENCE_MAX, PAUSE};
use crate::cli::session::Session;

/// More than an operation keeps is in two of these.
const PAGE_SIZE: &str = "1000";

/// The flags of `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The id of the operation.
    id: String,
    /// Go on until the operation is over.
    #[arg(long, short)]
    follow: bool,
}

/// Prints the log.
pub(super) async fn print(session: &Session, flags: &Logs) -> Result<(), Error> {
    let Logs { id, follow } = flags;
    if *follow { follow_to_the_end(session, id).await } else { print_pages(session, id).await }
}

/// `GET /v1/operations/{id}/logs`, page by page. JSON is a document for each page.
async fn print_pages(session: &Session, id: &str) -> Result<(), Error> {
    let mut token = None;
    loop {
        let call = session.client.get(["v1", "operations", id, "logs"]);
        let call = call.query("page_size", Some(PAGE_SIZE)).query("page_token", token.as_deref());
        let page = call.send().await?;
        session
            .output
            .answer(&page, |document, _paint| document.items("/items").map(line).collect())?;
        token = View::of(&page.document()?).text("/next_page_token");
        if token.is_none() {
            return Ok(());
        }
    }
}

/// `GET /v1/operations/{id}/logs?follow=true`, across restarts of the daemon. JSON is a document for each line.
async fn follow_to_the_end(session: &Session, id: &str) -> Result<(), Error> {
    let (mut seen, mut heard_at) = (0, Instant::now());
    loop {
        let call = session.client.get(["v1", "operations", id, "logs"]);
        let since = seen.to_string();
        let call = call.query("follow", Some("true")).query("since", Some(&since));
        let followed = call.lines(|bytes| {
            (seen, heard_at) = (print_line(session, bytes)?, Instant::now());
            Ok(())
        });
        match followed.await {
            Err(error) if error.is_passing() && heard_at.elapsed() < ABSENCE_MAX => {
                sleep(PAUSE).await;
            }
            ended => return ended,
        }
    }
}

/// Prints a line of the stream: its number.
fn print_line(session: &Session, bytes: &[u8]) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let Numbered { seq } = serde_json::from_slice(bytes).map_err(Error::Document)?;
    if session.output.format == Format::Json {
        session.output.text(&String::from_utf8_lossy(bytes))?;
        return Ok(seq);
    }
    let document: Value = serde_json::from_slice(bytes).map_err(Error::Document)?;
    session.output.value(&document, |document, _paint| line(document))?;
    Ok(seq)
}

/// A line of a log, as people read it.
fn line(line: View<'_>) -> String {
    let text = |path| line.text(path).unwrap_or_default();
    format!("{} {:5} {}\n", text("/at"), text("/level"), clean(&text("/message")))
}
