//! TLS sessions begin with one process and are resumed by the next.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::node::{MOCK, Node};
use crate::support::tls::{NAME, certificate};

fn client(certificate: &rcgen::Certificate, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// One request over a connection of its own: whether its session was resumed.
fn resumes(node: &Node, client: &Arc<ClientConfig>) -> bool {
    let tls = ClientConnection::new(client.clone(), NAME.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(tls, TcpStream::connect(node.address()).unwrap());
    stream.write_all(format!("GET /a HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[test]
fn sessions_outlive_two_upgrades_and_no_restart() {
    let files = tempfile::tempdir().unwrap();
    let certificate = certificate(files.path());
    let at = |name: &str| files.path().join(name).display().to_string();
    let tls = format!("tls = {{ certificate = \"{}\", private_key = \"{}\" }}\n", at("chain.pem"), at("key.pem"));
    let mut node = Node::start(&MOCK.replace("[[api]]", &format!("{tls}[[api]]")));
    let clients = [&TLS12, &TLS13].map(|version| client(&certificate, version));
    clients.iter().for_each(|client| assert!(!resumes(&node, client)));
    for _ in 0..2 {
        node.upgraded();
        clients.iter().for_each(|client| assert!(resumes(&node, client)));
    }
    node.upgraded();
    assert!(node.first_ends().success());
    let other = Node::start(&MOCK.replace("[[api]]", &format!("{tls}[[api]]")));
    clients.iter().for_each(|client| assert!(!resumes(&other, client), "another node's keys open nothing"));
}
