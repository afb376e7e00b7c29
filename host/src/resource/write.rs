//! Changing resources: what a client says, checked, and written with all that belongs to it.
//!
//! | room | what it holds |
//! |---|---|
//! | [`input`] | a document as it was sent, read as JSON that can be kept |
//! | [`patch`], [`mask`] | what a change says, in whichever way it is said |
//! | [`wanted`], [`objection`] | what is wanted of a resource, or all that is wrong with that |
//! | [`precondition`] | which state of a resource a change is for |
//! | [`writes`] | who writes, for whom, and what came of it |
//! | [`refused`] | why something is not written |
//! | [`advice`] | what the plugin says to it before |
//! | [`create`], [`change`], [`delete`], [`act`] | what is done to a resource |
//! | [`say`] | what its plugin notes of it |
//! | [`interrupted`] | what a crash left of that |
//! | [`ledger`] | what is written beside the row: operation, event, kept answer |
//!
//! Invariants:
//! - A write is one transaction: the row, its operation, the event that tells of it, and the answer that a retry
//!   gets. Nothing is told or begun before it is committed.
//! - A plugin is asked before the transaction and never in it; what changed meanwhile is looked at again there.
//! - What a plugin says and what clients say are apart: a write of the one never undoes the other.

pub(crate) mod act;
mod advice;
pub(crate) mod change;
mod create;
pub(crate) mod delete;
pub(crate) mod input;
mod interrupted;
mod ledger;
pub(crate) mod mask;
pub(crate) mod objection;
pub(crate) mod patch;
pub(crate) mod precondition;
pub(crate) mod refused;
mod say;
#[cfg(test)]
mod tests;
pub(crate) mod wanted;
pub(crate) mod writes;

pub(crate) use create::New;
pub(crate) use refused::Refused;
pub(crate) use writes::{Ask, Collection, Effect, Kept, Mode, WeakWrites, Writes, Written};
