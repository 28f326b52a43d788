//! What the tests of the running gateway share: the gateway itself as a process, a client that sends arbitrary bytes,
//! and an origin that records every byte it gets and answers by script.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file is a program and uses a part of this")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod admin;
pub mod answer;
pub mod client;
pub mod disk;
pub mod disk_keys;
pub mod faults;
pub mod front;
pub mod gateway;
pub mod http2;
pub mod recorder;
pub mod tls;
pub mod wire;

use std::time::{Duration, Instant};

pub use answer::{Answer, Gate};
pub use client::{Client, Response};
pub use gateway::Gateway;
pub use recorder::{Recorder, Request};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `done` says so.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A port that nobody else is given while this lives. Who wants to listen on it by its number can; until somebody does,
/// connections to it are refused.
pub struct Port {
    socket: socket2::Socket,
}

impl Port {
    /// Takes a free port.
    pub fn reserve() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        // Whether it is free is found out by a socket that shares nothing.
        socket.set_reuse_address(true).unwrap();
        let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        Self { socket }
    }

    /// Its address.
    pub fn address(&self) -> std::net::SocketAddr {
        self.socket.local_addr().unwrap().as_socket().unwrap()
    }
}
