//! Everything about the files an element travels in.
//!
//! The daemon reads with this crate and the author's commands write with it, so what one of them
//! calls a bundle the other does too. It guarantees that nothing read from a file can be used
//! before it was verified: the types that carry content have no other way to be made.
//!
//! It deliberately opens no library and runs no plugin code. Only whoever reads a [`repository`] speaks to the
//! network.

pub mod bundle;
pub mod repository;
