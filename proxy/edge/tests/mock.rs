//! MOCK methods answer what is configured, at once, without any origin.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::Gateway;

const MOCKS: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "mocks"
default_stage = "prod"
[[api]]
id = "mocks"
[[api.resource]]
path = "/full"
[api.resource.method.ANY.integration]
type = "MOCK"
status = 418
headers = { content-type = "text/plain", X-Kind = "tea  pot" }
body = "short and stout\n"
[[api.resource]]
path = "/bare"
method.GET.integration = { type = "MOCK" }
[[api.resource]]
path = "/gone"
method.GET.integration = { type = "MOCK", status = 204 }
[[api.resource]]
path = "/large"
method.GET.integration = { type = "MOCK", body = "@LARGE@" }
[api.stage.prod]
"#;

fn mocks() -> Gateway {
    Gateway::start(&MOCKS.replace("@LARGE@", &"0123456789".repeat(5_000)))
}

#[test]
fn status_headers_and_body_are_as_configured() {
    let response = mocks().get("/full");
    assert_eq!(response.start, "HTTP/1.1 418 I'm a teapot");
    assert_eq!(response.field("content-type"), Some("text/plain"));
    assert_eq!(response.field("x-kind"), Some("tea  pot"));
    assert_eq!(response.field("content-length"), Some("16"));
    assert_eq!(response.text(), "short and stout\n");
    assert_eq!(response.field("x-amzn-trace-id"), None);
    assert!(response.field("date").is_some_and(|d| d.ends_with(" GMT") && d.len() == 29));
}

#[test]
fn an_empty_answer_states_its_length_and_204_does_not() {
    let gateway = mocks();
    let mut client = gateway.connect();
    let bare = client.get("/bare");
    assert_eq!((bare.status, bare.field("content-length"), bare.text()), (200, Some("0"), ""));
    let gone = client.get("/gone");
    assert_eq!((gone.status, gone.field("content-length"), gone.field("transfer-encoding")), (204, None, None));
    assert_eq!(client.get("/bare").status, 200, "the connection is still in step");
}

#[test]
fn head_has_the_length_and_no_body() {
    let gateway = mocks();
    let mut client = gateway.connect();
    let head = client.request("HEAD", "/full", "").read_bodiless();
    assert_eq!((head.status, head.field("content-length")), (418, Some("16")));
    assert_eq!(client.get("/full").text(), "short and stout\n");
}

#[test]
fn many_requests_in_one_write_are_answered_in_order() {
    let gateway = mocks();
    let mut client = gateway.connect();
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let batch = [one("/full"), one("/large"), one("/bare"), one("/none")].concat().repeat(50);
    let mut writer = client.stream().try_clone().unwrap();
    let sent = std::thread::spawn(move || std::io::Write::write_all(&mut writer, batch.as_bytes()).unwrap());
    for _ in 0..50 {
        let answers = [client.read(), client.read(), client.read(), client.read()];
        let seen = answers.each_ref().map(|a| (a.status, a.body.len()));
        assert_eq!(seen, [(418, 16), (200, 50_000), (200, 0), (403, 42)]);
    }
    sent.join().unwrap();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let gateway = mocks();
    let mut client = gateway.connect();
    for byte in b"GET /full HTTP/1.1\r\nHost: a\r\nX-Long: value\r\n\r\nGET /bare HTTP/1.1\r\nHost: a\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!((client.read().status, client.read().status), (418, 200));
}

#[test]
fn a_request_id_is_fresh_or_the_client_s() {
    let gateway = mocks();
    let mut client = gateway.connect();
    let mut id = |lines: &str| client.get_with("/full", lines).field("x-amzn-requestid").unwrap().to_owned();
    let (first, second) = (id(""), id(""));
    assert_ne!(first, second);
    let own = "01234567-89ab-cdef-0123-456789abcdef";
    assert_eq!(id(&format!("x-amzn-RequestId: {own}\r\n")), own);
    assert_ne!(id("x-amzn-RequestId: mine\r\n"), "mine");
}

#[test]
fn the_connection_ends_when_the_client_says_so() {
    let gateway = mocks();
    let mut client = gateway.connect();
    assert!(!client.get("/full").closes());
    assert!(client.get_with("/full", "Connection: Close\r\n").closes());
    assert!(client.is_closed());
}

#[test]
fn a_client_that_has_ended_its_side_is_still_answered() {
    let gateway = mocks();
    let mut client = gateway.connect();
    client.request("GET", "/full", "").request("GET", "/bare", "").end();
    assert_eq!((client.read().status, client.read().status), (418, 200));
    assert!(client.is_closed());
}
