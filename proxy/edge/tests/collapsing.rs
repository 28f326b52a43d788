//! One fetch per storable key, however many wait, whatever becomes of the first client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use support::{Answer, Client, Gate, Gateway, Recorder, Request};

const COLLAPSING: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "collapsing"
default_stage = "prod"
[[api]]
id = "collapsing"
[[api.resource]]
path = "/mock"
method.GET.integration = { type = "MOCK" }
[[api.resource]]
path = "/x/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}", retries = 0, timeout = "2s" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."GET /x/{x}"]
cache_key_parameters = ["path.x"]
"#;

/// An origin whose answers wait for the gate, each with its number in the order of their requests.
fn scene(top: &str, answer: impl Fn(usize, &Gate) -> Answer + Send + Sync + 'static) -> (Recorder, Gate, Gateway) {
    let (gate, count) = (Gate::default(), AtomicUsize::new(0));
    let held = gate.clone();
    let origin = Recorder::start(move |_: &Request| answer(count.fetch_add(1, SeqCst), &held));
    let text = COLLAPSING.replace("@TOP@", top).replace("@ORIGIN@", &origin.address().to_string());
    (origin, gate, Gateway::start(&text))
}

/// So many clients that have asked for the same; the first one's request is at the origin before the others come.
fn crowd(origin: &Recorder, gateway: &Gateway, count: usize, lines: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| gateway.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.request("GET", "/x/same", lines);
        if i == 0 {
            origin.wait_for(1);
        }
    }
    // The worker has been around since.
    assert_eq!(gateway.get("/mock").status, 200);
    clients
}

fn numbered(number: usize, gate: &Gate) -> Answer {
    let body = format!("answer {number}");
    Answer::none().wait(gate).then(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn all_who_wait_get_the_answer_to_one_fetch() {
    for top in ["threads = 1", "threads = 2"] {
        let (origin, gate, gateway) = scene(top, numbered);
        let clients = crowd(&origin, &gateway, 30, "");
        gate.open();
        let answers: Vec<_> = clients.into_iter().map(|mut client| client.read()).collect();
        assert!(answers.iter().all(|a| (a.status, a.text()) == (200, "answer 0")), "{answers:?}");
        let told = |what: &str| answers.iter().filter(|a| a.field("cache-status").unwrap().contains(what)).count();
        assert_eq!(told("; collapsed") + told("; hit") + 1, 30, "{answers:?}");
        assert!(told("; collapsed") > 0);
        assert_eq!(origin.count(), 1);
    }
}

#[test]
fn a_first_client_that_leaves_takes_nothing_with_it() {
    let (origin, gate, gateway) = scene("", numbered);
    let mut clients = crowd(&origin, &gateway, 5, "");
    drop(clients.remove(0));
    assert_eq!(gateway.get("/mock").status, 200);
    gate.open();
    for mut client in clients {
        assert_eq!(client.read().text(), "answer 0");
    }
    assert_eq!(gateway.get("/x/same").text(), "answer 0");
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_first_client_that_reads_nothing_holds_nobody_up() {
    let (origin, gate, gateway) = scene("", |_, gate| {
        Answer::none().wait(gate).then("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").then_pattern(1_000_000)
    });
    let mut clients = crowd(&origin, &gateway, 4, "");
    gate.open();
    for client in clients.iter_mut().skip(1).rev() {
        assert_eq!(client.read().body.len(), 1_000_000);
    }
    assert_eq!(clients[0].read().body.len(), 1_000_000);
    assert_eq!(origin.count(), 1);
}

#[test]
fn all_who_wait_for_a_fetch_that_fails_get_its_failure_at_once() {
    let (origin, gate, gateway) = scene("", |number, gate| match number {
        0 => Answer::none().wait(gate).reset(),
        _ => Answer::ok("second try"),
    });
    let clients = crowd(&origin, &gateway, 30, "");
    gate.open();
    for mut client in clients {
        assert_eq!(client.read().status, 504);
    }
    assert_eq!(origin.count(), 1, "one after the other they would have waited for thirty failures");
    assert_eq!(gateway.get("/x/same").text(), "second try", "who comes later begins anew");
}

#[test]
fn who_waits_does_so_no_longer_than_the_endpoint_may_take() {
    let (origin, gate, gateway) = scene("", numbered);
    let clients = crowd(&origin, &gateway, 10, "");
    for mut client in clients {
        assert_eq!(client.read().status, 504);
    }
    assert_eq!(origin.count(), 1, "nobody has asked, and waited, once more");
    gate.open();
}

#[test]
fn a_body_without_a_length_that_breaks_off_is_fetched_once_for_all_who_wait() {
    let (origin, gate, gateway) = scene("", |number, gate| match number {
        0 => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").wait(gate).close(),
        _ => Answer::ok("whole"),
    });
    let clients = crowd(&origin, &gateway, 5, "");
    gate.open();
    for mut client in clients.into_iter().skip(1) {
        assert_eq!(client.read().status, 502);
    }
    assert_eq!(origin.count(), 1);
    assert_eq!(gateway.get("/x/same").text(), "whole");
}

#[test]
fn a_fetch_that_breaks_off_breaks_off_for_all_and_is_not_stored() {
    let (origin, gate, gateway) = scene("", |number, gate| match number {
        0 => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").wait(gate).close(),
        _ => Answer::ok("whole"),
    });
    let clients = crowd(&origin, &gateway, 4, "");
    gate.open();
    for mut client in clients {
        if let Ok(response) = client.try_read(false) {
            assert_eq!(response.text(), "whole", "who comes late may have fetched anew");
        }
    }
    assert_eq!(gateway.get("/x/same").text(), "whole");
}

#[test]
fn an_answer_for_one_client_alone_is_shared_with_nobody() {
    let (origin, gate, gateway) = scene("", |number, gate| {
        let answer = Answer::none().wait(gate);
        answer.then(format!("HTTP/1.1 200 OK\r\nSet-Cookie: id={number}\r\nContent-Length: 1\r\n\r\n{number}"))
    });
    let clients = crowd(&origin, &gateway, 8, "");
    gate.open();
    let mut cookies: Vec<String> = Vec::new();
    for mut client in clients {
        let response = client.read();
        assert_eq!(response.field("set-cookie"), Some(format!("id={}", response.text()).as_str()));
        cookies.push(response.text().to_owned());
    }
    cookies.sort();
    cookies.dedup();
    assert_eq!((cookies.len(), origin.count()), (8, 8));
}

#[test]
fn callers_with_credentials_wait_for_nobody() {
    let (origin, gate, gateway) = scene("", numbered);
    let clients = crowd(&origin, &gateway, 4, "Authorization: Bearer x\r\n");
    origin.wait_for(4);
    gate.open();
    for mut client in clients {
        assert_eq!(client.read().field("cache-status"), Some("Sluice; fwd=bypass; detail=authorization"));
    }
}

#[test]
fn aws_fetches_for_each() {
    let (origin, gate, gateway) = scene("profile = \"aws\"", numbered);
    let clients = crowd(&origin, &gateway, 4, "");
    origin.wait_for(4);
    gate.open();
    clients.into_iter().for_each(|mut client| assert_eq!(client.read().status, 200));
}

#[test]
fn an_answer_that_grows_too_large_still_reaches_all() {
    let size = 3_000_000;
    let (origin, gate, gateway) = scene("", move |_, gate| {
        Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .then(format!("{size:x}\r\n"))
            .wait(gate)
            .then_pattern(size)
            .then("\r\n0\r\n\r\n")
    });
    let clients = crowd(&origin, &gateway, 4, "");
    gate.open();
    let readers: Vec<_> = clients.into_iter().map(|mut c| std::thread::spawn(move || c.read().body)).collect();
    for reader in readers {
        let body = reader.join().unwrap();
        assert_eq!(body.len() as u64, size);
        assert!(body.chunks(support::answer::PATTERN.len()).all(|c| c == &support::answer::PATTERN[..c.len()]));
    }
}

#[test]
fn what_has_come_is_sent_before_the_rest_has() {
    let dripping = |_: usize, gate: &Gate| {
        Answer::none().then("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc").wait(gate).then("def")
    };
    let (_origin, gate, gateway) = scene("", dripping);
    let mut client = gateway.connect();
    client.request("GET", "/x/drip", "");
    // The origin gives up waiting for the gate after a while; whoever waits for it must fail before.
    client.stream().set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let head = client.reader().head().unwrap().unwrap();
    assert_eq!(head.field("content-length"), Some("6"));
    gate.open();
    let mut body = Vec::new();
    let end = support::wire::framing(&head).unwrap().unwrap();
    client.reader().body(end, &mut body).unwrap();
    assert_eq!(body, b"abcdef");
}
