//! Requests that are too large.

use super::*;

#[test]
fn heads_are_bounded_as_a_whole() {
    let mut scene = Scene::new("limits = { head_size = \"4 KiB\", header_count = 20 }");
    let line = |n: usize| format!("X: {}\r\n", "x".repeat(n));
    is_refused(&mut scene, 431, format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", line(4_200)));
    is_refused(&mut scene, 431, format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", line(400).repeat(11)));
    is_refused(&mut scene, 431, format!("GET /x/{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(4_200)));
    is_refused(&mut scene, 431, format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n{}\r\nx", line(4_200)));
    is_refused(&mut scene, 431, format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(20)));
    let most = format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(19));
    assert_eq!(scene.connect().send(most).read().status, 200);
    let most = format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", line(4_000));
    assert_eq!(scene.connect().send(most).read().status, 200);
}

#[test]
fn a_head_without_end_is_refused_before_it_ends() {
    let mut scene = Scene::new("");
    let begun = "GET /x HTTP/1.1\r\nHost: a\r\nX: ";
    for (start, piece) in [
        (begun, "x".repeat(1_000)),
        (begun, "A: b\r\n".repeat(200)),
        ("", "\r\n".repeat(500)),
        ("GET /", "x".repeat(1_000)),
    ] {
        let mut client = scene.connect();
        client.send(start);
        for _ in 0..100 {
            client.send(&piece);
        }
        let response = client.try_read(false);
        let status = response.as_ref().map_or(0, |r| r.status);
        assert!(matches!(status, 0 | 400 | 431), "{response:?}");
        scene.is_clean("a head without end");
    }
}

#[test]
fn bodies_are_bounded_by_what_they_say_and_by_what_they_are() {
    let mut scene = Scene::new("limits = { body_size = \"10 KiB\" }");
    let large = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10241\r\n\r\n";
    let response = scene.connect().send(large).read();
    assert_eq!((response.status, response.text()), (413, r#"{"message":"Request Too Long"}"#));
    assert_eq!(response.field("x-amzn-errortype"), Some("RequestTooLargeException"));
    assert!(response.closes());
    assert!(scene.origin.bytes().is_empty());
    let mut client = scene.connect();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..11 {
        client.send(format!("400\r\n{}\r\n", "x".repeat(1024)));
    }
    let response = client.send("0\r\n\r\n").read();
    assert_eq!((response.status, response.closes()), (413, true));
    assert!(scene.origin.requests().is_empty(), "it never got the whole of it");
    let mut client = scene.connect();
    let most =
        client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10240\r\n\r\n{}", "x".repeat(10_240)));
    assert_eq!(most.read().status, 200);
    assert_eq!(scene.origin.last().body.len(), 10_240);
    scene.is_clean("large bodies");
}

#[test]
fn a_client_that_waits_for_100_is_told_413_instead() {
    let scene = Scene::new("limits = { body_size = \"1 KiB\" }");
    let mut client = scene.connect();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
    assert_eq!(client.read().status, 413);
    let mut client = scene.connect();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read().status, 100);
    assert_eq!(client.send("hello").read().status, 200);
    assert_eq!((scene.origin.last().body.as_slice(), scene.origin.last().field("expect")), (&b"hello"[..], None));
}

#[test]
fn connections_are_bounded_per_address_and_requests_per_connection() {
    let scene = Scene::new("limits = { requests_per_connection = 3 }");
    let mut client = scene.connect();
    let closes = [client.get("/mock"), client.get("/x"), client.get("/mock")].map(|r| r.closes());
    assert_eq!((closes, client.is_closed()), ([false, false, true], true));
    let scene = Scene::new("limits = { connections_per_address = 2 }");
    support::eventually("the first look has left", || {
        let (mut first, mut second, mut third) = (scene.connect(), scene.connect(), scene.connect());
        let all = [&mut first, &mut second, &mut third]
            .map(|client| client.request("GET", "/mock", "").try_read(false).is_ok());
        all == [true, true, false]
    });
}
