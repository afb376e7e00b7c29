//! Changing resources: what a client says, checked, and written with all that belongs to it.
//!
//! | room | what it holds |
//! |---|---|
//! | [`input`] | a document as it was sent, read as JSON that can be kept |
//! | [`patch`], [`mask`] | what a change says, in whichever way it is said |
//! | [`wanted`], [`objection`] | what is wanted of a resource, or all that is wrong with that |
//! | [`precondition`] | which state of a resource a change is for |

pub(crate) mod input;
pub(crate) mod mask;
pub(crate) mod objection;
pub(crate) mod patch;
pub(crate) mod precondition;
pub(crate) mod wanted;
