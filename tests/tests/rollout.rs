//! Rollouts as an operator sees them: what fails changes nothing and says why, and there is always a way back.

mod directory;
mod failing;
mod leaving;
mod returning;
mod settings;
mod surviving;
mod traffic;
mod trespassing;
