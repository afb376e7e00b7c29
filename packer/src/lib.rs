//! Everything about the files an element travels in.
//!
//! The daemon reads with this crate and the author's commands write with it, so what one of them
//! calls a bundle the other does too. It guarantees that nothing read from a file can be used
//! before it was verified: the types that carry content have no other way to be made.
//!
//! It deliberately opens no library, runs no plugin code and speaks to no network.

pub mod bundle;
