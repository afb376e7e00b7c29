//! Declared resources: stored, served and brought about by the host, the same way for every type.
//!
//! | room | what it holds |
//! |---|---|
//! | [`row`], [`rows`] | a resource as the store keeps it, and the statements on its table |
//! | [`condition`], [`status`] | what is known of a resource, and the one word and conditions that follow from it |
//! | [`cells`], [`document`] | a row as it lies in the database, and how a client sees it |
//! | [`query`] | what a list is asked for: filter, order, page, members |
//! | [`family`], [`view`] | what it hangs under; how its plugin sees it |
//! | [`sealed`], [`said`] | its secrets; what its plugin may say of it |
//! | [`news`] | what is told of a change |
//! | [`mod@write`] | what clients change: read, checked, written |
//! | [`reconcile`] | having its plugin bring it about |
//! | [`own`] | what plugins do with theirs beside their hooks |
//! | [`reads`] | reading for clients: one, or a page |
//! | [`usage`] | how many of them projects have |
//! | [`kept`] | how values are kept, on each database |
//!
//! Guarantees: reads never ask a plugin; every statement names its columns. Not here: HTTP, who may do what
//! (`identity`), and what a type declares (`model`).

pub(crate) mod cells;
pub(crate) mod condition;
pub(crate) mod config;
pub(crate) mod document;
pub(crate) mod family;
pub(crate) mod kept;
pub(crate) mod news;
pub(crate) mod own;
pub(crate) mod query;
pub(crate) mod reads;
pub(crate) mod reconcile;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod said;
pub(crate) mod sealed;
pub(crate) mod status;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod usage;
pub(crate) mod view;
pub(crate) mod write;

pub(crate) use config::Config;
