//! What clients see when an origin fails: the right gateway response before the answer has begun, a broken connection
//! afterwards, and never a part of an answer that looks like the whole.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "failures/connecting.rs"]
mod connecting;
mod support;

use support::admin::ADMIN;
use support::{Answer, Gate, Gateway, Port, Recorder, Response};

const NETWORK: &str = r#"{"message": "Network error communicating with endpoint"}"#;
const TIMED_OUT: &str = r#"{"message": "Endpoint request timed out"}"#;
const INTERNAL: &str = r#"{"message": "Internal server error"}"#;

const FAILING: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "failing"
default_stage = "prod"
[[api]]
id = "failing"
[[api.resource]]
path = "/cached/{proxy+}"
[api.resource.method.GET.integration]
type = "HTTP_PROXY"
uri = "http://@ORIGIN@/cached/{proxy}"
@MORE@
[[api.resource]]
path = "/{proxy+}"
[api.resource.method.ANY.integration]
type = "HTTP_PROXY"
uri = "http://@ORIGIN@/{proxy}"
@MORE@
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."ANY /{proxy+}"]
caching_enabled = false
"#;

fn gateway(origin: impl ToString, more: &str) -> Gateway {
    Gateway::start(&FAILING.replace("@ORIGIN@", &origin.to_string()).replace("@MORE@", more))
}

fn is(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.text()), (status, body));
    assert_eq!(response.field("x-amzn-errortype"), Some("InternalServerErrorException"));
    assert_eq!(response.field("content-type"), Some("application/json"));
}

#[test]
fn nobody_listening_is_a_network_error() {
    let nobody = Port::reserve();
    let gateway = gateway(nobody.address(), "");
    let mut client = gateway.connect();
    for target in ["/x", "/cached/x", "/x"] {
        is(&client.get(target), 504, NETWORK);
    }
    assert!(!gateway.log().contains("panic"));
}

#[test]
fn a_name_that_does_not_resolve_is_a_network_error() {
    is(&gateway("nobody.invalid:80", "").get("/x"), 504, NETWORK);
}

#[test]
fn an_end_before_the_answer_is_a_network_error_after_one_more_try() {
    for answer in [Answer::none().close(), Answer::none().reset(), Answer::raw("HTTP/1.1 200 OK\r\nContent-Le").close()]
    {
        let origin = Recorder::start(move |_| answer.clone());
        let gateway = gateway(origin.address(), "");
        is(&gateway.get("/x"), 504, NETWORK);
        assert_eq!(origin.count(), 2, "`retries` is 1");
        let post = gateway.connect().request("POST", "/x", "Content-Length: 1\r\n").send("x").read();
        is(&post, 504, NETWORK);
        assert_eq!(origin.count(), 3, "POST is not repeated");
    }
}

#[test]
fn retries_are_counted() {
    let origin = Recorder::start(|_| Answer::none().close());
    is(&gateway(origin.address(), "retries = 0").get("/x"), 504, NETWORK);
    assert_eq!(origin.count(), 1);
    is(&gateway(origin.address(), "retries = 3").get("/x"), 504, NETWORK);
    assert_eq!(origin.count(), 1 + 4);
}

#[test]
fn what_is_not_http_is_a_bad_gateway() {
    // Others wait for the worker that reads them, and the head's deadline is far away.
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_001);
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "220 mail ESMTP\r\n",
        "\x15\x03\x01\x00\x02\x02\x16",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nlf",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        interim.as_str(),
    ] {
        let answer = answer.to_owned();
        let said = answer.clone();
        let origin = Recorder::start(move |_| Answer::raw(&said));
        let gateway = gateway(origin.address(), "");
        let mut client = gateway.connect();
        is(&client.get("/x"), 502, INTERNAL);
        is(&client.get("/cached/x"), 502, INTERNAL);
        assert_eq!(origin.connections(), 2, "a doubtful connection is not used again: {answer:?}");
    }
}

/// Nothing has left for the client yet, so it can still be told.
#[test]
fn a_first_chunk_that_is_none_is_a_bad_gateway() {
    for chunk in ["zz\r\n", "\r\n", "-1\r\nx\r\n", "5\nhello\r\n0\r\n\r\n", "10000000000000000\r\n"] {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let origin = Recorder::start(move |_| Answer::raw(format!("{head}{chunk}")));
        let gateway = gateway(origin.address(), "");
        let mut client = gateway.connect();
        is(&client.get("/x"), 502, INTERNAL);
        is(&client.get("/cached/x"), 502, INTERNAL);
        assert_eq!(origin.connections(), 2, "a doubtful connection is not used again: {chunk:?}");
    }
}

#[test]
fn a_head_without_end_is_a_bad_gateway() {
    let origin = Recorder::start(|_| Answer::raw(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000))).hang());
    is(&gateway(origin.address(), "").get("/x"), 502, INTERNAL);
}

#[test]
fn an_origin_that_is_too_slow_is_a_timeout() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/head" => Answer::raw("HTTP/1.1 200 OK\r\nContent-").hang(),
        _ => Answer::none().hang(),
    });
    let gateway = gateway(origin.address(), "timeout = \"100ms\"");
    let mut client = gateway.connect();
    for target in ["/x", "/head", "/cached/x"] {
        is(&client.get(target), 504, TIMED_OUT);
    }
    is(&client.request("POST", "/x", "Content-Length: 1\r\n").send("x").read(), 504, TIMED_OUT);
}

#[test]
fn a_first_byte_that_is_too_late_is_a_timeout() {
    let origin = Recorder::start(|_| Answer::none().hang());
    let gateway = gateway(origin.address(), "first_byte_timeout = \"100ms\"\nretries = 0");
    is(&gateway.get("/x"), 504, TIMED_OUT);
}

/// Each of these ends before it should, first as it is and then through the cache.
#[test]
fn a_truncated_answer_never_looks_whole_and_is_never_stored() {
    for begun in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    ] {
        for ending in [Answer::close, Answer::reset] {
            let origin = Recorder::start(move |_| ending(Answer::raw(begun)));
            let gateway = gateway(origin.address(), "");
            for target in ["/x", "/cached/x", "/cached/x"] {
                never_whole(gateway.connect().request("GET", target, "").try_read(false), begun);
            }
            assert_eq!(origin.count(), 3, "nothing was stored, nothing repeated: {begun:?}");
        }
    }
}

#[test]
fn a_reset_of_an_answer_that_ends_with_its_connection_is_no_end() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Recorder::start(move |_| Answer::raw("HTTP/1.1 200 OK\r\n\r\nhello").wait(&held).reset());
    let gateway = gateway(origin.address(), "");
    for target in ["/x", "/cached/x"] {
        let mut client = gateway.connect();
        client.request("GET", target, "");
        gate.open();
        never_whole(client.try_read(false), target);
    }
}

/// A client of HTTP/1.0 tells an answer's end from the connection's: a broken answer must end in a reset.
#[test]
fn a_truncated_answer_is_a_reset_where_the_end_of_the_connection_means_the_end() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/whole" => Answer::chunked("", &["hello"]),
        _ => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").close(),
    });
    let gateway = gateway(origin.address(), "");
    let whole = gateway.connect().send("GET /whole HTTP/1.0\r\nHost: a\r\n\r\n").read();
    assert_eq!((whole.text(), whole.field("transfer-encoding")), ("hello", None));
    never_whole(gateway.connect().send("GET /x HTTP/1.0\r\nHost: a\r\n\r\n").try_read(false), "HTTP/1.0");
}

/// Or it is a refusal, if it ended before anything had left.
fn never_whole(read: Result<Response, support::client::Broken>, what: &str) {
    match read {
        Ok(response) if response.status == 502 => is(&response, 502, INTERNAL),
        Ok(response) => panic!("{what:?} came as a whole answer: {response:?}"),
        Err(broken) => assert!(broken.response.is_none_or(|r| r.status == 200), "{what:?}"),
    }
}

/// The same for one that takes too long.
fn is_given_up(read: Result<Response, support::client::Broken>, what: &str) {
    match read {
        Ok(response) if response.status == 504 => is(&response, 504, TIMED_OUT),
        read => never_whole(read, what),
    }
}

#[test]
fn an_origin_that_stops_in_the_middle_is_given_up() {
    let origin = Recorder::start(|_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").hang());
    let gateway = gateway(origin.address(), "idle_timeout = \"100ms\"");
    for target in ["/x", "/cached/x"] {
        is_given_up(gateway.connect().request("GET", target, "").try_read(false), target);
    }
}

/// Neither an upload nor an answer that goes on and on keeps a call alive for longer. Under `aws` the integration's timeout
/// is that limit; at the edge a call has none unless it is stated.
#[test]
fn a_call_ends_when_its_time_is_over() {
    let origin = Recorder::start(|request| match request.method.as_str() {
        "GET" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").hang(),
        _ => Answer::none().hang(),
    });
    for more in ["total_timeout = \"100ms\"", "timeout = \"100ms\""] {
        let text = FAILING.replace("@ORIGIN@", &origin.address().to_string()).replace("@MORE@", more);
        let profile = if more.starts_with("total") { "edge" } else { "aws" };
        let gateway = Gateway::start(&format!("profile = \"{profile}\"\n{text}"));
        for target in ["/x", "/cached/x"] {
            is_given_up(gateway.connect().request("GET", target, "").try_read(false), target);
        }
        let mut client = gateway.connect();
        is(&client.request("POST", "/x", "Content-Length: 10\r\n").send("hello").read(), 504, TIMED_OUT);
    }
}

/// The origin ends kept connections while nobody looks: GET goes out once more, POST with a body does not.
#[test]
fn a_dead_kept_connection_costs_get_nothing() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/first" => Answer::ok("first"),
        _ if request.connection == 0 => Answer::none().close(),
        _ => Answer::ok("second"),
    });
    let gateway = gateway(origin.address(), "retries = 0");
    let mut client = gateway.connect();
    assert_eq!(client.get("/first").text(), "first");
    assert_eq!(client.get("/x").text(), "second");
    assert_eq!((origin.count(), origin.connections()), (3, 2));
}

#[test]
fn a_dead_kept_connection_does_not_repeat_post() {
    let origin = Recorder::start(|request| match request.connection {
        0 if request.method == "POST" => Answer::none().close(),
        _ => Answer::ok("x"),
    });
    let gateway = gateway(origin.address(), "retries = 3");
    let mut client = gateway.connect();
    assert_eq!(client.get("/x").text(), "x");
    is(&client.request("POST", "/x", "Content-Length: 1\r\n").send("x").read(), 504, NETWORK);
    assert_eq!(origin.count(), 2);
}

#[test]
fn one_dead_address_of_several_is_passed_over() {
    let (origin, nobody) = (Recorder::echoing(), Port::reserve());
    let addresses = format!("addresses = [\"{}\", \"{}\"]", nobody.address(), origin.address());
    let gateway = gateway("origin.test", &addresses);
    for i in 0..20 {
        // Each request on a connection of its own to the origin would be too kind: these share the kept one.
        assert_eq!(gateway.get(&format!("/{i}")).status, 200);
    }
    assert_eq!(origin.count(), 20);
    assert_eq!(origin.last().field("host"), Some("origin.test"));
}

/// Which of several addresses it is that fails is in the metrics.
#[test]
fn failures_are_counted_by_address() {
    let (origin, nobody) = (Recorder::echoing(), Port::reserve());
    let text = FAILING.replace("@ORIGIN@", "origin.test");
    let addresses = format!("addresses = [\"{}\", \"{}\"]", nobody.address(), origin.address());
    let gateway = Gateway::start(&format!("{ADMIN}{}", text.replace("@MORE@", &addresses)));
    (0..20).for_each(|i| assert_eq!(gateway.get(&format!("/{i}")).status, 200));
    let failures =
        |address| gateway.metrics().value(&format!("sluice_origin_address_failures_total{{address=\"{address}\"}}"));
    assert!(failures(nobody.address()) >= 1.0);
    assert!(
        gateway
            .metrics()
            .0
            .contains_key(&format!("sluice_origin_address_failures_total{{address=\"{}\"}}", origin.address()))
    );
    assert_eq!(failures(origin.address()), 0.0);
}

#[test]
fn an_address_that_comes_back_is_used_again() {
    let first = Port::reserve();
    let gateway = gateway(first.address(), "");
    is(&gateway.get("/x"), 504, NETWORK);
    let origin = Recorder::on_port(&first, |_| Answer::ok("back"));
    assert_eq!(gateway.get("/x").text(), "back");
    assert_eq!(origin.count(), 1);
}
