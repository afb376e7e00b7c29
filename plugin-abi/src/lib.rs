//! The contract between the MetaPaaS daemon and a plugin.
//!
//! A plugin is a cdylib that exports one root module ([`root::PluginRoot`]) through [`export_plugin!`].
//! The daemon calls [`root::PluginRoot::run`] on a thread that belongs to that one generation, and from
//! then on the two sides only exchange **messages**: the host puts [`message::Inbound`] into a mailbox
//! which the plugin empties, the plugin says [`message::Outbound`] through one host function. Bytes are
//! copied or lent, never handed over: what one side allocated, that side frees.
//!
//! The rooms, in reading order:
//!
//! | module | what it holds | who uses it |
//! |---|---|---|
//! | [`root`] | the root module, its export and the ABI revision | both |
//! | [`api`] | the by-value types and host functions that cross the boundary | both |
//! | [`message`] | what is said in either direction, as closed enums | both |
//! | [`request`], [`response`], [`wire`] | how heads and parcels are laid out in bytes | both |
//! | [`record`] | what a plugin tells about itself: log lines, measurements | both |
//! | [`value`], [`database`] | tagged values and rows, and the service that they are asked of | both |
//! | [`descriptor`] | the JSON document that lists all a plugin declares | both |
//! | [`resource`] | what is said about declared resources: hooks, service 2, the columns that all have | both |
//! | [`secret`] | service 3, which opens what is stored encrypted | both |
//! | [`guest`] | the plugin's safe face of the seam | `plugin-sdk` |
//! | [`host`], [`mailbox`] | the host's safe face of the seam (feature `host`) | the daemon, `plugin_sdk::testing` |
//!
//! Not here: HTTP types, async, or any policy. `ABI.md` beside this crate is the prose of the contract.

pub mod api;
pub mod database;
pub mod descriptor;
pub mod error;
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod mailbox;
pub mod message;
pub mod record;
pub mod request;
pub mod resource;
pub mod response;
pub mod root;
pub mod secret;
pub mod value;
pub mod wire;

#[doc(hidden)]
pub use abi_stable;
pub use error::{AbiError, ErrorCode};
