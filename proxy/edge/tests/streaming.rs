//! Bodies of 200 MB pass through in constant memory, whoever is slow.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::{Read, Write};

use support::answer::PATTERN;
use support::{Answer, Client, Gateway, Recorder, eventually};

const SIZE: u64 = 200 * 1000 * 1000;
/// What the process may grow by meanwhile, bytes.
const GROWTH: u64 = 24 << 20;

const STREAMING: &str = r#"
log = { level = "debug" }
[limits]
body_size = "1 GB"
[[listener]]
address = "@LISTEN@"
default_api = "streaming"
default_stage = "prod"
[[api]]
id = "streaming"
[[api.resource]]
path = "/plain"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/plain" }
[[api.resource]]
path = "/chunked"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/chunked" }
[[api.resource]]
path = "/cached"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/cached" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."ANY /plain"]
caching_enabled = false
[api.stage.prod.method."ANY /chunked"]
caching_enabled = false
"#;

fn scene() -> (Recorder, Gateway) {
    let origin = Recorder::counting(|request| match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/chunked") => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .then(format!("{SIZE:x}\r\n"))
            .then_pattern(SIZE)
            .then("\r\n0\r\n\r\n"),
        ("GET", _) => Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).then_pattern(SIZE),
        _ => Answer::ok("taken"),
    });
    let gateway = Gateway::start(&STREAMING.replace("@ORIGIN@", &origin.address().to_string()));
    // What is there once is no growth.
    assert_eq!(gateway.connect().request("POST", "/plain", "Content-Length: 1\r\n").send("x").read().status, 200);
    (origin, gateway)
}

/// Reads an answer whose length is stated; `look` is called now and then.
fn download(client: &mut Client, look: &mut dyn FnMut()) -> u64 {
    let mut stream = client.stream();
    let (mut buffer, mut head) = (vec![0; 256 * 1024], Vec::new());
    let mut end = None;
    while end.is_none() {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "no head: {head:?}");
        head.extend_from_slice(&buffer[..count]);
        end = head.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    }
    let pattern = PATTERN.repeat(2);
    let mut seen = 0;
    let mut check = |piece: &[u8]| {
        for part in piece.chunks(PATTERN.len()) {
            let from = (seen % PATTERN.len() as u64) as usize;
            assert_eq!(part, &pattern[from..from + part.len()], "a wrong byte behind {seen}");
            seen += part.len() as u64;
        }
        seen
    };
    let mut total = check(&head[end.unwrap()..]);
    for turn in 0u64.. {
        if turn % 64 == 0 {
            look();
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => total = check(&buffer[..count]),
            Err(error) => panic!("after {total} bytes: {error}"),
        }
        if total >= SIZE {
            break;
        }
    }
    total
}

#[test]
fn a_download_takes_constant_memory() {
    let (_origin, gateway) = scene();
    for target in ["/plain", "/cached"] {
        let before = gateway.resident();
        let mut most = before;
        let mut client = gateway.connect();
        client.request("GET", target, "");
        assert_eq!(download(&mut client, &mut || most = most.max(gateway.resident())), SIZE, "{target}");
        assert!(most - before < GROWTH, "{target}: grown by {} KiB", (most - before) / 1024);
    }
}

#[test]
fn a_download_in_one_chunk_takes_constant_memory() {
    let (_origin, gateway) = scene();
    let (before, mut most) = (gateway.resident(), 0);
    let mut client = gateway.connect();
    client.request("GET", "/chunked", "");
    let mut stream = client.stream();
    let (mut buffer, mut total, mut tail) = (vec![0; 256 * 1024], 0u64, Vec::new());
    while !tail.ends_with(b"\r\n0\r\n\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "ended after {total} bytes");
        total += count as u64;
        tail.extend_from_slice(&buffer[..count]);
        tail.drain(..tail.len().saturating_sub(7));
        most = most.max(gateway.resident());
    }
    assert!(total > SIZE);
    assert!(most - before < GROWTH, "grown by {} KiB", (most - before) / 1024);
}

#[test]
fn a_client_that_reads_slowly_makes_nobody_else_hold_its_bytes() {
    let (origin, gateway) = scene();
    let before = gateway.resident();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.connect()).collect();
    for (client, target) in clients.iter_mut().zip(["/plain", "/cached", "/chunked", "/cached"]) {
        client.request("GET", target, "");
    }
    // One POST, three or four downloads: two clients may share one fetch, or not.
    origin.wait_for(4);
    for client in &mut clients {
        let mut piece = vec![0; 1 << 20];
        client.stream().read_exact(&mut piece).unwrap();
    }
    assert!(gateway.resident() - before < GROWTH, "grown by {} KiB", (gateway.resident() - before) / 1024);
}

fn upload(client: &Client, head: &str, framed: impl Fn(&mut dyn Write, &[u8])) {
    let mut stream = client.stream();
    stream.write_all(head.as_bytes()).unwrap();
    let mut rest = SIZE;
    while rest > 0 {
        let count = rest.min(PATTERN.len() as u64) as usize;
        framed(&mut stream, &PATTERN[..count]);
        rest -= count as u64;
    }
}

#[test]
fn an_upload_takes_constant_memory() {
    let (origin, gateway) = scene();
    let before = gateway.resident();
    let mut client = gateway.connect();
    let head = format!("POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    upload(&client, &head, |stream, piece| stream.write_all(piece).unwrap());
    let grown = gateway.resident().saturating_sub(before);
    assert_eq!(client.read().text(), "taken");
    assert_eq!(origin.body_bytes(), SIZE + 1);
    assert!(grown < GROWTH, "grown by {} KiB", grown / 1024);
}

#[test]
fn an_upload_in_chunks_takes_constant_memory() {
    let (origin, gateway) = scene();
    let before = gateway.resident();
    let mut client = gateway.connect();
    upload(&client, "POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", |stream, piece| {
        write!(stream, "{:x}\r\n", piece.len()).unwrap();
        stream.write_all(piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    });
    let grown = gateway.resident().saturating_sub(before);
    assert_eq!(client.send("0\r\n\r\n").read().text(), "taken");
    assert_eq!(origin.body_bytes(), SIZE + 1);
    assert!(grown < GROWTH, "grown by {} KiB", grown / 1024);
}

/// The origin answers before the body is through: the client gets the answer, and the connection ends.
#[test]
fn an_origin_may_answer_before_the_body_is_through() {
    let early = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = early.local_addr().unwrap();
    let origin = std::thread::spawn(move || {
        let (mut stream, _) = early.accept().unwrap();
        let mut piece = [0; 1024];
        assert!(stream.read(&mut piece).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno").unwrap();
        stream
    });
    let gateway = Gateway::start(&STREAMING.replace("@ORIGIN@", &address.to_string()));
    let mut client = gateway.connect();
    client.send("POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").send("x".repeat(1000));
    let response = client.read();
    assert_eq!((response.status, response.text(), response.closes()), (403, "no", true));
    eventually("the connection ends", || client.is_closed());
    drop(origin.join().unwrap());
}
