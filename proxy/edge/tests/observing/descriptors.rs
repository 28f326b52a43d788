//! Clients can take every descriptor that is for them, and no other.

use std::net::TcpStream;

use crate::OBSERVED;
use crate::support::admin::ADMIN;
use crate::support::{Gateway, eventually};

/// Unanswered, the gateway would be ended by whoever looks after it.
#[test]
fn the_admin_listener_answers_when_clients_have_taken_all_descriptors() {
    let gateway = Gateway::start_limited(&OBSERVED.replace("@TOP@", ADMIN).replace("@ORIGIN@", "127.0.0.1:9"), 100);
    let clients: Vec<_> = (0..150).map(|_| TcpStream::connect(gateway.address()).unwrap()).collect();
    let told = ["descriptors are left", "open files"];
    eventually("descriptors run out", || told.iter().any(|words| gateway.log().contains(words)));
    for _ in 0..5 {
        assert_eq!(gateway.admin("GET", "/healthz").status, 200);
    }
    assert_eq!(gateway.metrics().sum("sluice_connections_refused_total"), 0.0);
    drop(clients);
    assert_eq!(gateway.get("/mock").status, 200);
}
