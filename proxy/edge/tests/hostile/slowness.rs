//! Clients that take their time.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::*;

/// A deadline of at most a second, on a machine with other work.
const SOON: Duration = Duration::from_secs(5);
const BRIEF: Duration = Duration::from_millis(300);

/// Sends a byte every now and then until the gateway has had enough; how long that took.
fn dribble(client: &mut Client, bytes: &[u8]) -> Duration {
    let begun = Instant::now();
    client.stream().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    for byte in bytes.iter().cycle() {
        assert!(begun.elapsed() < SOON, "the gateway is still patient");
        client.send([*byte]);
        match client.try_read(false) {
            Ok(response) => {
                assert_eq!(response.status, 408);
                break;
            }
            Err(broken) if matches!(broken.error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    begun.elapsed()
}

#[test]
fn a_head_has_a_deadline_as_a_whole() {
    let mut scene = Scene::new("timeouts = { head = \"1s\" }");
    let mut first = scene.connect();
    first.send("GET /x HTTP/1.1\r\nHost: a\r\nX: ");
    assert!(dribble(&mut first, b"x") >= Duration::from_millis(500));
    let mut later = scene.connect();
    assert_eq!(later.get("/mock").status, 200);
    later.send("GET /x HTTP/1.1\r\nHo");
    dribble(&mut later, b"s");
    let mut silent = scene.connect();
    let begun = Instant::now();
    silent.send("GET /x HTT");
    assert!(silent.try_read(false).map_or(true, |r| r.status == 408));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(scene.origin.bytes().is_empty());
    scene.is_clean("slow heads");
}

#[test]
fn a_head_that_began_is_answered_when_its_time_is_up() {
    for way in WAYS {
        let mut scene = Scene::by(way, "timeouts = { head = \"300ms\", idle = \"30s\" }");
        for (before, begun) in
            [("", "G"), ("", "GET /x HTTP/1.1\r\nHost: a\r\n"), ("\r\n", "GET /x"), (WHOLE, "GET /x")]
        {
            let mut client = scene.connect();
            let at = Instant::now();
            client.send(before).send(begun);
            if before == WHOLE {
                assert_eq!(client.read().text(), "mock");
            }
            let response = client.read();
            assert!((BRIEF..SOON).contains(&at.elapsed()), "{begun:?}: {:?}", at.elapsed());
            assert_eq!((response.status, response.text()), (408, r#"{"message":"Request timed out"}"#), "{begun:?}");
            is_a_plain_refusal(&response);
            assert!(response.closes() && client.is_closed());
        }
        assert!(scene.origin.bytes().is_empty());
        scene.is_clean("heads that began");
    }
}

const WHOLE: &str = "GET /mock HTTP/1.1\r\nHost: a\r\n\r\n";

/// The head behind a request that takes its time has its own once it is looked at.
#[test]
fn a_head_s_time_begins_when_it_can_be_read() {
    let origin = Recorder::start(|_| {
        std::thread::park_timeout(BRIEF * 2);
        support::Answer::ok("late")
    });
    let text = HOSTILE.replace("@TOP@", "timeouts = { head = \"300ms\" }").replace("@LISTENER@", "");
    let gateway = Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()));
    let mut client = gateway.connect();
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /mock HT");
    assert_eq!(client.read().text(), "late");
    assert_eq!(client.send("TP/1.1\r\nHost: a\r\n\r\n").read().text(), "mock");
}

#[test]
fn a_body_has_a_deadline_between_reads() {
    let mut scene = Scene::new("timeouts = { body = \"300ms\" }");
    for head in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhal"] {
        let begun = Instant::now();
        let mut client = scene.connect();
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\n{head}"));
        let answers = client.read_all();
        assert!(answers.iter().all(|r| r.status == 408 && r.closes()) && answers.len() == 1, "{answers:?}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
    assert!(scene.origin.requests().is_empty());
    scene.is_clean("slow bodies");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    for way in WAYS {
        let scene = Scene::by(way, "timeouts = { idle = \"300ms\" }");
        let (mut silent, mut kept, mut blank) = (scene.connect(), scene.connect(), scene.connect());
        let mut passed = scene.connect();
        let begun = Instant::now();
        assert_eq!(kept.get("/mock").status, 200);
        for _ in 0..2 {
            assert_eq!(passed.get("/x").status, 200, "what took time leaves the deadline in force");
        }
        blank.send("\r\n");
        assert!(silent.is_closed() && kept.is_closed() && passed.is_closed());
        assert!((BRIEF..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(blank.read_all().len(), 0);
    }
}

#[test]
fn a_handshake_has_a_deadline() {
    let mut scene = Scene::by(Way::Tls, "timeouts = { handshake = \"300ms\" }");
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh"] {
        let begun = Instant::now();
        assert!(scene.gateway.connect().send(bytes).is_closed());
        assert!((BRIEF..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
    scene.is_clean("slow handshakes");
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    let mut scene = Scene::new("timeouts = { body = \"1s\" }");
    let origin = Recorder::start(|_| {
        support::Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").then_pattern(100_000_000)
    });
    scene.gateway = Gateway::start(
        &HOSTILE
            .replace("@TOP@", "timeouts = { body = \"1s\" }\nthrottle = { in_flight_limit = 1 }")
            .replace("@LISTENER@", "")
            .replace("@ORIGIN@", &origin.address().to_string()),
    );
    scene.door = scene.gateway.address();
    let mut client = scene.connect();
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1);
    let begun = Instant::now();
    support::eventually("its place in flight is free again", || scene.gateway.get("/mock").status == 200);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(client.try_read(false).is_err(), "the answer was broken off");
}

#[test]
fn a_proxy_header_must_come_soon_and_whole() {
    let begun = Instant::now();
    let mut scene = Scene::by(Way::ProxyHeader, "timeouts = { handshake = \"1s\" }");
    for bytes in ["", "PROXY TCP4 192.0.2.7"] {
        assert!(scene.gateway.connect().send(bytes).is_closed());
    }
    assert!(begun.elapsed() < SOON * 2);
    for bytes in [
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 99999 80\r\n",
        "PROXY TCP4 192.0.2.7\r\n",
        "PROXY TCP4 999.0.2.7 192.0.2.1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n",
        "PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x",
    ] {
        let mut client = scene.gateway.connect();
        client.send(bytes).send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").end();
        let answers = client.read_all();
        assert!(answers.iter().all(|r| r.status == 400), "{bytes:?}: {answers:?}");
    }
    assert_eq!(scene.origin.count(), 0);
    let mut client = scene.connect();
    assert_eq!(client.get("/x").status, 200);
    assert_eq!(scene.origin.last().field("x-forwarded-for"), Some("192.0.2.7"));
    scene.is_clean("PROXY headers");
}
