//! The server: listeners, connections, and the ways in (`docs/request-path.md`).

pub mod accounts;
pub mod admin;
pub mod at_once;
pub mod bodies;
pub mod body_watch;
mod breaking;
mod ceiling;
pub mod closing;
pub mod collapse;
pub mod connection;
pub mod connections;
pub mod core;
pub mod downstream;
pub mod drive;
pub mod farewell;
mod filling;
mod following;
pub mod frame_budget;
pub mod gateway;
mod growing;
pub mod http2;
mod invalidation;
mod keeping;
pub mod lane;
pub mod lane_downstream;
pub mod levels;
pub mod life;
pub mod listeners;
pub(crate) mod notify;
mod objects;
pub mod pingora_head;
pub mod proxy_protocol;
pub mod reload;
mod renewal;
pub mod rewound;
pub mod service;
pub mod session;
pub mod socket;
pub mod storing;
pub mod stream;
pub mod tls;
pub mod trailers;
pub mod upgrade;
mod watch;

/// Connections that may wait to be accepted, per socket; the system may allow fewer.
pub const BACKLOG: i32 = 8192;
