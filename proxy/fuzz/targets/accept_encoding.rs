//! Accept-Encoding: one of three classes, and one that was asked for.

#![no_main]

use std::net::{Ipv4Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use sluice::config::Limits;
use sluice::message::date::Now;
use sluice::message::head::{Head, Version};
use sluice::message::request_id::RequestIds;
use sluice::stage::Exchange;
use sluice::stage::accept::{Connection, Verdict};
use sluice::stage::frame::{Framed, read};
use sluice::stage::recall::encoding_class;

const LIMITS: Limits = Limits {
    head_size: 8192,
    header_count: 64,
    body_size: 0,
    connections_per_address: None,
    requests_per_connection: None,
};

fuzz_target!(|bytes: &[u8]| {
    if bytes.contains(&b'\n') || bytes.contains(&b'\r') {
        return;
    }
    let text = [b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ", bytes, b"\r\n\r\n"].concat();
    let mut head = Head::new(text.as_slice().into(), Version::Http11);
    if !matches!(read(&text, &LIMITS, &mut head), Framed::Lane(_)) {
        return;
    }
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let connection = Connection { peer, listener: 0, verdict: Verdict::Plain, mutual: None };
    let exchange = Exchange::new(head, connection, Now::default(), RequestIds::new().draw());
    let class = encoding_class(&exchange);
    let lower = bytes.to_ascii_lowercase();
    assert!([&b"br"[..], b"gzip", b""].contains(&class));
    assert!(lower.windows(class.len().max(1)).any(|w| class.is_empty() || w == class) || class.is_empty());
});
