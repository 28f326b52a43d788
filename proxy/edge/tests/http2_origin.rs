//! HTTP/2 towards origins: by prior knowledge and by ALPN, many calls on few connections, and what fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "a test is a program")]

#[path = "http2_origin/certificates.rs"]
mod certificates;
#[path = "http2_origin/server.rs"]
mod server;
mod support;

use std::sync::Arc;

use certificates::Authority;
use server::{LARGE, Server, TOGETHER};
use support::http2::Http2;
use support::{Gateway, Port, Response, eventually};
use tokio::io::AsyncWriteExt;

const NETWORK: &str = r#"{"message": "Network error communicating with endpoint"}"#;
const INTERNAL: &str = r#"{"message": "Internal server error"}"#;
const TIMED_OUT: &str = r#"{"message": "Endpoint request timed out"}"#;

const CONFIGURATION: &str = r#"
log = { level = "debug" }
[limits]
body_size = "64 MB"
[[listener]]
address = "@LISTEN@"
default_api = "two"
default_stage = "prod"
[[api]]
id = "two"
[[api.resource]]
path = "/{proxy+}"
[api.resource.method.ANY.integration]
type = "HTTP_PROXY"
http_version = "2"
uri = "@ORIGIN@/{proxy}"
@MORE@
[api.stage.prod]
"#;

fn gateway_to(origin: &str, more: &str) -> Gateway {
    Gateway::start(&CONFIGURATION.replace("@ORIGIN@", origin).replace("@MORE@", more))
}

fn scene() -> (Server, Gateway) {
    let server = Server::start();
    let gateway = gateway_to(&format!("http://{}", server.address), "");
    (server, gateway)
}

fn is(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.text()), (status, body));
}

#[test]
fn requests_and_answers_keep_what_they_say() {
    let (server, gateway) = scene();
    let mut client = gateway.connect();
    let answer = client.get_with("/a%2Fb?c=d&%3Ce", "X-Mine: 1\r\nX-Mine: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\n");
    is(&answer, 200, "hello");
    assert_eq!((answer.field("x-by"), answer.field("content-length")), (Some("2"), Some("5")));
    let head = server.seen.last();
    assert_eq!(head.uri().path(), "/a%2Fb");
    assert_eq!(head.uri().query(), Some("c=d&%3Ce"));
    assert_eq!(head.uri().authority().unwrap().as_str(), server.address.to_string());
    assert_eq!(head.headers().get_all("x-mine").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(head.headers()["x-forwarded-for"], "127.0.0.1");
    for gone in ["x-gone", "connection", "host", "transfer-encoding"] {
        assert!(!head.headers().contains_key(gone), "{gone}");
    }
    let head = client.request("HEAD", "/x", "").read_bodiless();
    assert_eq!((head.status, head.field("content-length")), (200, Some("5")));
    is(&client.get("/pieces"), 200, "one, two, three");
    is(&client.get("/empty"), 200, "");
    assert_eq!(client.request("GET", "/none", "").read_bodiless().status, 204);
    is(&client.get("/x"), 200, "hello");
    assert_eq!(server.seen.connections(), 1);
}

#[test]
fn large_bodies_pass_both_ways() {
    let (server, gateway) = scene();
    let body: Vec<u8> = (0..32u32 << 20).map(|i| (i % 251) as u8).collect();
    let mut client = gateway.connect();
    client.request("POST", "/echo", &format!("Content-Length: {}\r\n", body.len())).send(&body);
    assert!(client.read().body == body, "another body came back");
    assert_eq!(server.seen.last().headers()["content-length"], body.len().to_string());
    client.request("POST", "/echo", "Transfer-Encoding: chunked\r\n").send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    is(&client.read(), 200, "hello world");
    assert!(!server.seen.last().headers().contains_key("content-length"));
    assert_eq!(server.seen.connections(), 1);
}

#[test]
fn many_calls_share_few_connections() {
    let (server, gateway) = scene();
    let mut clients: Vec<_> = (0..TOGETHER).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.request("GET", "/together", "");
    }
    for client in &mut clients {
        is(&client.read(), 200, "together");
    }
    // The server allows 50 streams on each.
    assert_eq!(server.seen.connections(), TOGETHER / 50);
}

/// All of them share one connection, so its window must not be used up by answers that nobody takes.
#[test]
fn readers_that_stop_do_not_stop_the_others() {
    let (server, gateway) = scene();
    let stopped: Vec<_> = (0..40)
        .map(|_| {
            let mut client = gateway.connect();
            client.request("GET", "/large", "");
            client
        })
        .collect();
    eventually("all of them are answered", || server.seen.count_of("/large") == stopped.len());
    let mut client = gateway.connect();
    for _ in 0..20 {
        is(&client.get("/x"), 200, "hello");
    }
    assert!(client.get("/large").body.len() == LARGE);
    assert_eq!(server.seen.connections(), 1);
}

#[test]
fn an_endpoint_that_goes_away_is_called_anew() {
    let (server, gateway) = scene();
    let mut client = gateway.connect();
    is(&client.get("/last"), 200, "hello");
    for _ in 0..3 {
        is(&client.get("/x"), 200, "hello");
    }
    assert_eq!((server.seen.connections(), server.seen.count_of("/last")), (2, 1));
}

#[test]
fn a_stream_that_goaway_excludes_is_sent_again() {
    let server = Server::with(Arc::new(|seen, tcp, number| match number {
        1 => Box::pin(server::going_away(tcp)),
        _ => Box::pin(server::http2(seen, tcp)),
    }));
    let gateway = gateway_to(&format!("http://{}", server.address), "retries = 0");
    is(&gateway.get("/x"), 200, "hello");
    assert_eq!((server.seen.connections(), server.seen.count_of("/x")), (2, 1));
}

#[test]
fn a_refused_stream_is_sent_again_on_a_new_connection() {
    let server = Server::start();
    let gateway = gateway_to(&format!("http://{}", server.address), "retries = 0");
    let mut client = gateway.connect();
    is(&client.get("/refused"), 200, "hello");
    assert_eq!((server.seen.connections(), server.seen.count_of("/refused")), (2, 2));
    is(&client.get("/always-refused"), 504, NETWORK);
    assert_eq!(server.seen.count_of("/always-refused"), 2);
    client.request("POST", "/always-refused", "Content-Length: 1\r\n").send("x");
    is(&client.read(), 504, NETWORK);
    assert_eq!(server.seen.count_of("/always-refused"), 3);
}

#[test]
fn a_reset_before_the_answer_is_a_network_error() {
    let (server, gateway) = scene();
    let mut client = gateway.connect();
    is(&client.request("POST", "/reset-before", "Content-Length: 0\r\n").read(), 504, NETWORK);
    is(&gateway.get("/x"), 200, "hello");
    assert_eq!((server.seen.connections(), server.seen.count_of("/reset-before")), (1, 1));
}

#[test]
fn a_reset_within_the_body_breaks_the_answer_off() {
    let (server, gateway) = scene();
    for path in ["/reset", "/reset-open", "/reset-no-error"] {
        let mut client = gateway.connect();
        client.request("GET", path, "");
        let mut seen = [0; 4096];
        eventually("the answer has begun", || {
            let count = client.stream().peek(&mut seen).unwrap();
            seen[..count].windows(10).any(|w| w == b"0123456789")
        });
        server.seen.go.add_permits(1);
        let broken = client.try_read(false).unwrap_err();
        let begun = broken.response.unwrap_or_else(|| panic!("{path}: {}", broken.error));
        assert_eq!((begun.status, begun.text()), (200, "0123456789"), "{path}");
    }
}

/// Head, part of the body and reset come at once: what there is of an answer leaves all the same, and where nothing has
/// left its client is told.
#[test]
fn an_answer_that_comes_with_its_reset_is_no_silence() {
    for count in [10, 0] {
        let server = Server::with(Arc::new(move |_, tcp, _| Box::pin(server::breaking_off(tcp, count))));
        let gateway = gateway_to(&format!("http://{}", server.address), "retries = 0");
        for (method, more) in [("GET", ""), ("POST", "Content-Length: 0\r\n")] {
            let mut client = gateway.connect();
            match (count, client.request(method, "/x", more).try_read(false)) {
                (0, Ok(told)) => is(&told, 502, INTERNAL),
                (10, Err(broken)) => is(&broken.response.expect("a head"), 200, "zzzzzzzzzz"),
                (_, read) => panic!("{method}, {count}: {read:?}"),
            }
        }
        let mut client = Http2::connect(gateway.address());
        client.head(1, &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x")], true);
        let expected = match count {
            0 => (Some(false), INTERNAL.into(), true),
            _ => (Some(true), b"zzzzzzzzzz".to_vec(), false),
        };
        assert_eq!(client.until_ended(1), expected);
    }
}

#[test]
fn an_early_answer_ends_the_upload() {
    let (_server, gateway) = scene();
    let mut client = gateway.connect();
    client.request("POST", "/early", "Content-Length: 30000000\r\n").send("some of it");
    let answer = client.read();
    is(&answer, 413, "early");
    assert!(answer.closes() && client.is_closed());
}

#[test]
fn a_slow_endpoint_is_a_timeout_and_its_connection_takes_no_more() {
    let server = Server::start();
    let gateway = gateway_to(&format!("http://{}", server.address), "timeout = \"300ms\"\nretries = 0");
    let mut client = gateway.connect();
    is(&client.get("/x"), 200, "hello");
    is(&client.get("/hang"), 504, TIMED_OUT);
    is(&client.get("/x"), 200, "hello");
    assert_eq!(server.seen.connections(), 2);
}

#[test]
fn what_does_not_speak_http2_is_a_bad_gateway() {
    let server = Server::with(Arc::new(|_, mut tcp, _| {
        Box::pin(async move {
            tcp.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        })
    }));
    let gateway = gateway_to(&format!("http://{}", server.address), "");
    assert_eq!(gateway.get("/x").status, 502);
    let nobody = Port::reserve();
    is(&gateway_to(&format!("http://{}", nobody.address()), "").get("/x"), 504, NETWORK);
}

#[test]
fn tls_decides_between_the_protocols() {
    let authority = Authority::new();
    for (offered, body, connections) in [("h2", "hello", 1), ("http/1.1", "by 1.1", 1)] {
        let server = Server::tls(authority.acceptor("localhost", offered));
        let more = format!("ca_file = \"{}\"\naddresses = [\"{}\"]", authority.file().display(), server.address);
        let gateway = gateway_to("https://localhost", &more);
        let mut client = gateway.connect();
        for _ in 0..3 {
            is(&client.get("/x"), 200, body);
        }
        assert_eq!(server.seen.connections(), connections, "{offered}");
        assert_eq!(server.seen.count_of("/x"), if offered == "h2" { 3 } else { 0 });
    }
}

#[test]
fn a_wrong_certificate_is_a_network_error() {
    let authority = Authority::new();
    let server = Server::tls(authority.acceptor("other.test", "h2"));
    let more = format!("ca_file = \"{}\"\naddresses = [\"{}\"]", authority.file().display(), server.address);
    is(&gateway_to("https://localhost", &more).get("/x"), 504, NETWORK);
    let stranger = Authority::new();
    let more = format!("ca_file = \"{}\"\naddresses = [\"{}\"]", stranger.file().display(), server.address);
    is(&gateway_to("https://other.test", &more).get("/x"), 504, NETWORK);
    assert_eq!(server.seen.count_of("/x"), 0);
}
