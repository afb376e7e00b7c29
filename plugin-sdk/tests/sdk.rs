//! The SDK from an author's side: every test is a small plugin and what its clients see.

#[path = "sdk/answers.rs"]
mod answers;
#[path = "sdk/arguments.rs"]
mod arguments;
#[path = "sdk/cancellation.rs"]
mod cancellation;
#[path = "sdk/declaration.rs"]
mod declaration;
#[path = "sdk/life.rs"]
mod life;
#[path = "sdk/logs.rs"]
mod logs;
#[path = "sdk/panics.rs"]
mod panics;
#[path = "sdk/streaming.rs"]
mod streaming;
