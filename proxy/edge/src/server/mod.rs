//! The server: listeners, connections, and the ways in (`docs/request-path.md`).

pub mod accounts;
pub mod collapse;
pub mod core;
pub mod downstream;
pub mod drive;
pub mod gateway;
pub mod lane;
pub mod lane_downstream;
pub mod service;
