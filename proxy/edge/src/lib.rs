//! Everything of Sluice that touches a socket.

pub mod command;
pub mod config;
pub mod demo;
pub mod integration;
pub mod message;
pub mod names;
pub mod observe;
pub mod patience;
pub mod plan;
pub mod registry;
pub mod replay;
pub mod server;
pub mod stage;
pub mod storage;
mod tcp_socket;
mod unix_socket;
