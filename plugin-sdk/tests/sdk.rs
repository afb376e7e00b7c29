//! The SDK from an author's side: every test is a small plugin and what its clients see.

#[path = "sdk/answers.rs"]
mod answers;
#[path = "sdk/arguments.rs"]
mod arguments;
#[path = "sdk/axum_routers.rs"]
mod axum_routers;
#[path = "sdk/cancellation.rs"]
mod cancellation;
#[path = "sdk/database.rs"]
mod database;
#[path = "sdk/declaration.rs"]
mod declaration;
#[path = "sdk/hooks.rs"]
mod hooks;
#[path = "sdk/life.rs"]
mod life;
#[path = "sdk/logs.rs"]
mod logs;
#[path = "sdk/panics.rs"]
mod panics;
#[path = "sdk/resources.rs"]
mod resources;
#[path = "sdk/streaming.rs"]
mod streaming;
#[path = "sdk/web_sockets.rs"]
mod web_sockets;
