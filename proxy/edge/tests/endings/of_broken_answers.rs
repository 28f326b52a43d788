//! Answers that break off in the middle: whose doing it is shows in the access log, in the metrics and in explain, though
//! their status was good.

use serde_json::Value;

use super::gateway;
use super::support::admin::ADMIN;
use super::support::http2::Http2;
use super::support::{Answer, Gateway, Recorder, eventually};

/// Whose doing it was, and what became of the endpoint, on each line of the log.
const TOP: &str = r#"
access_log = { destination = "@DIR@/access.log", format = "$context.path $context.status $context.brokenOff|$context.integration.error" }
"#;

fn origin() -> Recorder {
    Recorder::start(|request| {
        let begun = Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nhello");
        match request.target.rsplit('/').next() {
            Some("cut") => begun.close(),
            Some("bad") => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"),
            Some("slow") => begun.hang(),
            _ => begun.then_pattern(99_999_995),
        }
    })
}

fn logging(origin: &Recorder, more: &str) -> Gateway {
    gateway(&format!("{TOP}{ADMIN}"), &format!("http://{}", origin.address()), more)
}

/// The line, the counter and the ledger of the one request for `path`.
fn shows(gateway: &Gateway, path: &str, by: &str, error: &str) {
    let file = gateway.directory().join("access.log");
    let start = format!("{path} 200 {by}|");
    let line = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.lines().find(|line| line.starts_with(&start)).map(str::to_owned)
    };
    eventually(&format!("{start:?} in the log"), || line().is_some());
    let line = line().unwrap();
    assert!(line.contains(error) && (error != "-" || line.ends_with("|-")), "{line}");
    let sample = format!("sluice_broken_off_total{{by=\"{by}\"}}");
    eventually("it is counted", || gateway.metrics().value(&sample) > 0.0);
    let told: Value = serde_json::from_str(&gateway.admin("GET", "/sluice/explain?limit=100").body).unwrap();
    let requests = told["requests"].as_array().unwrap();
    let request = requests.iter().find(|request| request["path"] == path).unwrap();
    assert_eq!(request["ledger"]["deliver"]["broken_off"], by, "{request}");
}

#[test]
fn what_the_endpoint_breaks_off_is_told() {
    let origin = origin();
    let gateway = logging(&origin, "");
    for (path, error) in [
        ("/plain/cut", "after 5 bytes"),
        ("/plain/bad", "after 5 bytes"),
        ("/cached/bad", "the fetch failed within the body"),
    ] {
        let broken = gateway.connect().request("GET", path, "").try_read(false).unwrap_err();
        assert_eq!(broken.response.map(|response| response.text().to_owned()).as_deref(), Some("hello"), "{path}");
        shows(&gateway, path, "endpoint", error);
    }
    assert_eq!(gateway.metrics().sum("sluice_broken_off_total"), 3.0);
}

#[test]
fn an_endpoint_that_is_too_slow_in_its_body_is_told_from_one_that_ends_it() {
    let origin = origin();
    for (more, error) in [("idle_timeout = \"100ms\"", "idle_timeout"), ("total_timeout = \"100ms\"", "whole call")] {
        let gateway = logging(&origin, more);
        gateway.connect().request("GET", "/plain/slow", "").try_read(false).unwrap_err();
        shows(&gateway, "/plain/slow", "endpoint_timeout", error);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_is_no_failure_of_the_endpoint() {
    let origin = origin();
    let gateway = logging(&origin, "");
    let mut client = gateway.connect();
    client.request("GET", "/plain/gone", "");
    eventually("the answer has begun", || client.stream().peek(&mut [0; 1]).is_ok_and(|count| count > 0));
    drop(client);
    shows(&gateway, "/plain/gone", "client", "-");
    let mut client = Http2::connect(gateway.address());
    let head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/plain/reset")];
    client.head(1, &head, true);
    client.until_begun();
    client.reset(1);
    shows(&gateway, "/plain/reset", "client", "-");
    assert_eq!(gateway.metrics().sum("sluice_broken_off_total"), 2.0);
}
