//! Declared resources: stored, served and brought about by the host, the same way for every type.
//!
//! | room | what it holds |
//! |---|---|
//! | [`condition`], [`status`] | what is known of a resource, and the one word and conditions that follow from it |
//! | [`query`] | what a list is asked for: filter, order, page, members |
//! | [`kept`] | how values are kept, on each database |
//!
//! Not here: HTTP, and what a type declares.

pub(crate) mod condition;
pub(crate) mod kept;
pub(crate) mod query;
pub(crate) mod status;
