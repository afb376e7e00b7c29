//! The rows of the host's own tables.
//!
//! One file for each table, written by one module and read by those that say so. `migrations` makes the tables.

pub(crate) mod api_key;
pub(crate) mod backfill;
pub(crate) mod dismissal;
pub(crate) mod element;
pub(crate) mod event;
pub(crate) mod idempotency;
pub(crate) mod identity_revision;
pub(crate) mod ledger;
pub(crate) mod operation;
pub(crate) mod operation_log;
pub(crate) mod organization;
pub(crate) mod plugin_table;
pub(crate) mod project;
pub(crate) mod quota;
pub(crate) mod role;
pub(crate) mod role_binding;
pub(crate) mod served_type;
pub(crate) mod service_account;
pub(crate) mod user;
