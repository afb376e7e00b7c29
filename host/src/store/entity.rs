//! The rows of the host's own tables.
//!
//! One file for each table, written by one module and read by those that say so. `migrations` makes the tables.

pub(crate) mod backfill;
pub(crate) mod dismissal;
pub(crate) mod element;
pub(crate) mod ledger;
pub(crate) mod operation;
pub(crate) mod operation_log;
pub(crate) mod plugin_table;
