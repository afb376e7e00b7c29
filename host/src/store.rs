//! The daemon's store: one database, SQLite or PostgreSQL, that holds what must survive.
//!
//! The host's own tables are the [`entity`] module, made by the `migrations` crate. Queries live with the
//! module whose concept they are about; here are the connection and the shape of the rows.

#[allow(dead_code, reason = "the rows are there before the code that writes them")]
pub(crate) mod entity;
