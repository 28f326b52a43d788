//! The upgrade over the whole binary: another process takes over, nobody notices, and both together keep every limit.

#![allow(unreachable_pub, reason = "each test file is a program")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "upgrade/disk.rs"]
mod disk;
#[path = "upgrade/failing.rs"]
mod failing;
#[path = "upgrade/impostors.rs"]
mod impostors;
#[path = "upgrade/manager.rs"]
mod manager;
#[path = "upgrade/node.rs"]
mod node;
#[path = "upgrade/seamless.rs"]
mod seamless;
#[path = "upgrade/sessions.rs"]
mod sessions;
#[path = "upgrade/signals.rs"]
mod signals;
mod support;
#[path = "upgrade/tokens.rs"]
mod tokens;
