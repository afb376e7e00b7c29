//! Connections that change hands: upgraded requests, and what the operator's listeners accept.
//!
//! Either way the socket stays here and the plugin gets a stream; its generation is held until the stream
//! ends.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use plugin_abi::message::CallId;
use plugin_abi::{AbiError, ErrorCode};

use super::problem::Problem;
use super::respond;
use crate::plugin::conversation::{Conversation, Streams};
use crate::plugin::lease::Lease;
use crate::shutdown::Tasks;

/// Lets the plugin have the connection once the answer is sent. `call` is completed with its number.
///
/// # Errors
/// The client did not ask for an upgrade.
pub(crate) fn hand_over(
    tasks: &Tasks,
    on_upgrade: Option<OnUpgrade>,
    conversation: Arc<Conversation>,
    call: CallId,
    lease: Lease,
) -> Result<(), Problem> {
    let Some(on_upgrade) = on_upgrade else {
        let message = "the client did not ask for an upgrade";
        conversation.complete(call, Err(AbiError::new(ErrorCode::Invalid, message)));
        return Err(respond::nonsense("an upgrade that the client did not ask for"));
    };
    tasks.spawn("upgraded connection", async move {
        match on_upgrade.await {
            Err(error) => {
                let message = format!("the client left before the upgrade: {error}");
                conversation.complete(call, Err(AbiError::new(ErrorCode::Closed, message)));
            }
            Ok(upgraded) => {
                let opened = conversation.streams().open();
                conversation.complete(call, Ok(opened.stream.to_le_bytes().to_vec()));
                Streams::run(conversation, opened, TokioIo::new(upgraded)).await;
            }
        }
        drop(lease);
    });
    Ok(())
}
