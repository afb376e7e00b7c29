//! The stories of the whole daemon, one module each, in one binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod authoring;
mod backup;
mod broken;
mod client;
mod config;
mod eventually;
mod fence;
mod identity;
mod kill;
mod life;
mod load;
mod migrating;
mod operations;
mod repository;
mod resources;
mod rollout;
mod serving;
mod swap;
mod up;
