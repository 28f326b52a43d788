//! The demo origin over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{BODY_SIZE, Demo, serve};

fn demo() -> Demo {
    serve("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// Everything that comes back for `request` until the origin closes.
fn exchange(demo: &Demo, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(demo.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn last(demo: &Demo, method: &str, target: &str) -> (String, Vec<u8>) {
    split(&exchange(demo, &format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")))
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end..].to_vec())
}

#[test]
fn the_usual_answer_is_json_of_its_size() {
    let (head, body) = last(&demo(), "GET", "/");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{head}");
    assert_eq!(body.len(), BODY_SIZE);
    serde_json::from_slice::<serde_json::Value>(&body).unwrap();
}

#[test]
fn head_has_the_length_and_no_body() {
    let (head, body) = last(&demo(), "HEAD", "/s350");
    assert!(head.contains("content-length: 350\r\n"), "{head}");
    assert!(body.is_empty());
}

#[test]
fn sizes_are_exact_and_bytes_always_the_same() {
    let demo = demo();
    for size in [0, 1, 350, 65_536, 65_537, 1_000_000] {
        let (head, body) = last(&demo, "GET", &format!("/x?size={size}"));
        assert!(head.contains(&format!("content-length: {size}\r\n")));
        assert_eq!(body.len(), size);
        assert!(body.chunks(64).all(|line| line == &body[..line.len()]));
    }
}

#[test]
fn short_paths_may_be_cached() {
    let (head, body) = last(&demo(), "GET", "/s1024");
    assert!(head.contains("cache-control: public, max-age=3600\r\n"), "{head}");
    assert_eq!(body.len(), 1024);
}

#[test]
fn chunks_carry_the_same_bytes() {
    let (head, body) = last(&demo(), "GET", "/x?size=100&chunked=1");
    assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
    assert!(body.starts_with(b"64\r\nabcdef") && body.ends_with(b"\r\n0\r\n\r\n"));
    assert_eq!(body.len(), 4 + 100 + 2 + 5);
}

#[test]
fn statuses_headers_and_close_are_obeyed() {
    let request = "GET /x?status=503&header=X-A:b%20c&header=Age:3&close=1 HTTP/1.1\r\n\r\n";
    let (head, _) = split(&exchange(&demo(), request));
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains("X-A: b c\r\nAge: 3\r\n") && head.contains("connection: close\r\n"), "{head}");
}

#[test]
fn no_content_has_neither_length_nor_body() {
    let (head, body) = last(&demo(), "GET", "/x?status=204");
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\n") && !head.contains("content-length"), "{head}");
    assert!(body.is_empty());
}

#[test]
fn a_wrong_parameter_is_400() {
    let demo = demo();
    for query in
        ["size=x", "status=99", "delay=5", "delay=2h", "delay=4000s", "fail=no", "header=a%0Ab:c", "header=%zz"]
    {
        let (head, _) = last(&demo, "GET", &format!("/?{query}"));
        assert!(head.starts_with("HTTP/1.1 400 "), "{query}: {head}");
    }
}

#[test]
fn failures_fail() {
    let demo = demo();
    assert_eq!(exchange(&demo, "GET /?fail=reset HTTP/1.1\r\n\r\n"), b"");
    assert!(!exchange(&demo, "GET /?fail=garbage HTTP/1.1\r\n\r\n").starts_with(b"HTTP/"));
    let (head, body) = split(&exchange(&demo, "GET /?fail=truncate&size=1000 HTTP/1.1\r\n\r\n"));
    assert!(head.contains("content-length: 1000\r\n"));
    assert_eq!(body.len(), 500);
    let (_, body) = split(&exchange(&demo, "GET /?fail=truncate&chunked=1 HTTP/1.1\r\n\r\n"));
    assert!(!body.ends_with(b"0\r\n\r\n"));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let two = "GET /?size=1 HTTP/1.1\r\n\r\nGET /?size=2&delay=1us HTTP/1.1\r\n\r\n";
    let three = exchange(&demo(), &format!("{two}GET /?size=3&close=1 HTTP/1.1\r\n\r\n"));
    let text = String::from_utf8(three).unwrap();
    let places = ["\r\n\r\naHTTP", "\r\n\r\nabHTTP", "\r\n\r\nabc"].map(|end| text.find(end).unwrap());
    assert!(places.is_sorted());
}

#[test]
fn echo_returns_what_it_was_sent_in_either_framing() {
    let demo = demo();
    for (framing, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: z\r\n\r\n"),
    ] {
        let close = "GET /?close=1 HTTP/1.1\r\n\r\n";
        let answer = exchange(&demo, &format!("POST /echo?a=b HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}{close}"));
        let text = String::from_utf8(answer).unwrap();
        assert!(text.contains(r#""request_line":"POST /echo?a=b HTTP/1.1""#), "{text}");
        assert!(text.contains(r#""body":"hello""#) && text.contains(r#"["Host","a"]"#), "{text}");
        assert!(text.contains("connection: close"), "the next request was not understood: {text}");
    }
}

#[test]
fn bodies_that_nobody_asked_for_are_passed_over() {
    let body = "x".repeat(300_000);
    let request = format!("PUT / HTTP/1.1\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n{body}");
    assert!(exchange(&demo(), &request).starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn who_waits_to_continue_is_told_to() {
    let request = "POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nx";
    assert!(exchange(&demo(), request).starts_with(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

#[test]
fn the_count_leaves_itself_out() {
    let demo = demo();
    last(&demo, "GET", "/");
    last(&demo, "GET", "/?status=404");
    assert_eq!(last(&demo, "GET", "/_count").1, b"2");
    assert_eq!(last(&demo, "GET", "/_count").1, b"2");
    last(&demo, "GET", "/_reset");
    assert_eq!(demo.count(), 0);
}

#[test]
fn what_is_not_a_request_is_refused() {
    assert!(exchange(&demo(), "hello?\r\n\r\n").starts_with(b"HTTP/1.1 400 "));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(70_000));
    assert!(exchange(&demo(), &endless).starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn it_stops_when_dropped() {
    let demo = demo();
    let address = demo.address();
    drop(demo);
    assert!(TcpStream::connect(address).is_err());
}
