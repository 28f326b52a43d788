//! HTTP/2 from clients: by prior knowledge and by ALPN, hits and misses, bodies both ways, many streams, limits, shutdown.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "http2/client.rs"]
mod client;
#[path = "http2/floods.rs"]
mod floods;
mod support;
#[path = "http2/tls.rs"]
mod tls;

use std::process::Command;

use client::{Connection, Got, get, run};
use support::{Answer, Gate, Gateway, Recorder, eventually};

const CONFIGURATION: &str = r#"
[limits]
head_size = "16 KiB"
[[listener]]
address = "@LISTEN@"
default_api = "two"
default_stage = "prod"
@LISTENER@
[[api]]
id = "two"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[[api.resource]]
path = "/x/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{proxy}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
"#;

fn configuration(origin: &Recorder, listener: &str) -> String {
    CONFIGURATION.replace("@LISTENER@", listener).replace("@ORIGIN@", &origin.address().to_string())
}

fn scene(origin: &Recorder) -> Gateway {
    Gateway::start(&configuration(origin, ""))
}

/// Waits for a request to come to the origin.
async fn came_to(origin: &Recorder) {
    while origin.count() == 0 {
        tokio::task::yield_now().await;
    }
}

fn is_hit(got: &Got) -> bool {
    got.field("cache-status").is_some_and(|s| s.starts_with("Sluice; hit"))
}

#[test]
fn a_miss_and_then_a_hit() {
    let origin = Recorder::start(|_| {
        Answer::status(200, "X-Twice: 1\r\nX-Twice: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\n", "body")
    });
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        let (miss, hit) = (client.get("/x/a").await, client.get("/x/a").await);
        assert!(!is_hit(&miss) && is_hit(&hit), "{miss:?} {hit:?}");
        for got in [&miss, &hit] {
            assert_eq!((got.status, got.text(), got.field("content-length")), (200, "body", Some("4")));
            assert_eq!(got.fields.get_all("x-twice").iter().collect::<Vec<_>>(), ["1", "2"]);
            assert!(got.field("date").is_some() && got.field("x-gone").is_none());
            assert!(["connection", "transfer-encoding", "keep-alive"].iter().all(|n| got.field(n).is_none()));
        }
        assert_eq!((miss.field("age"), hit.field("age").is_some()), (None, true));
        let ids = [&miss, &hit].map(|got| got.field("x-amzn-requestid").unwrap().to_owned());
        assert_ne!(ids[0], ids[1]);
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn head_has_the_fields_and_no_body() {
    let origin = Recorder::start(|request| match request.method.as_str() {
        "HEAD" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
        _ => Answer::ok("body"),
    });
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        for target in ["/mock", "/x/a"] {
            let got = client.ask(get(target).method("HEAD"), None).await;
            assert_eq!((got.status, got.text(), got.field("content-length")), (200, "", Some("4")), "{target}");
        }
    });
}

#[test]
fn a_body_goes_to_the_origin_whole() {
    let origin = Recorder::start(|request| Answer::ok(format!("{} bytes", request.body.len())));
    let gateway = scene(&origin);
    let body: Vec<u8> = (0..700_000u32).map(|i| (i % 251) as u8).collect();
    run(async {
        let client = Connection::open(&gateway).await;
        let got = client.ask(get("/x/up").method("POST"), Some(body.clone())).await;
        assert_eq!((got.status, got.text()), (200, "700000 bytes"));
    });
    assert!(origin.last().body == body);
}

#[test]
fn a_hundred_streams_are_answered_side_by_side() {
    let origin = Recorder::echoing();
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        for round in 0..3 {
            let targets: Vec<_> =
                (0..100).map(|n| if n % 3 == 0 { "/mock".into() } else { format!("/x/{n}") }).collect();
            let asked: Vec<_> = targets.iter().map(|target| client.start(get(target), None)).collect();
            for (target, asked) in targets.iter().zip(asked) {
                let got = Got::read(asked.await).await;
                let body = target.strip_prefix("/x").unwrap_or("mock");
                assert_eq!((got.status, got.text()), (200, body), "round {round}");
            }
        }
    });
    assert_eq!(origin.count(), 66);
}

#[test]
fn a_stored_megabyte_goes_at_the_client_s_pace() {
    let origin =
        Recorder::start(|_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").then_pattern(1_000_000));
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        let miss = client.get("/x/large").await;
        let first = client.start(get("/x/large"), None).await;
        // Asked for while the other has used up the connection's window.
        let second = client.start(get("/x/large"), None).await;
        let (first, second) = tokio::join!(Got::read(first), Got::read(second));
        assert!(is_hit(&first) && is_hit(&second));
        for got in [miss, first, second] {
            assert_eq!((got.status, got.body.len()), (200, 1_000_000));
            assert!(got.body.chunks(64 * 1024).all(|c| c.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8)));
        }
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn an_answer_that_takes_time_holds_nobody_up() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Recorder::start(move |r| match r.target.as_str() {
        "/slow" => Answer::none().wait(&held).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"),
        _ => Answer::ok("quick"),
    });
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        let slow = client.start(get("/x/slow"), None);
        came_to(&origin).await;
        assert_eq!(client.get("/x/other").await.text(), "quick");
        assert_eq!(client.get("/mock").await.text(), "mock");
        gate.open();
        assert_eq!(Got::read(slow.await).await.text(), "late");
    });
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    let origin = Recorder::echoing();
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        let many = (0..150).fold(get("/x/many"), |request, n| request.header(format!("x-{n}"), "1"));
        assert_eq!(client.ask(many, None).await.status, 431);
        let long = get("/x/long").header("x-long", "a".repeat(20_000));
        assert_eq!(client.ask(long, None).await.status, 431);
        assert_eq!(client.get("/x/good").await.status, 200);
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_host_that_contradicts_the_authority_is_refused() {
    let origin = Recorder::echoing();
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        assert_eq!(client.ask(get("/x/a").header("host", "evil.test"), None).await.status, 400);
        assert_eq!(client.ask(get("/x/a").header("host", "gateway.test"), None).await.status, 200);
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn escapes_and_dot_segments_are_judged_as_over_http_1() {
    let origin = Recorder::echoing();
    let gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        for target in ["/x/%zz", "/x/../y", "/x/%2e%2e/y"] {
            assert_eq!(client.get(target).await.status, 400, "{target}");
        }
    });
    assert_eq!(origin.count(), 0);
}

#[test]
fn on_sigterm_open_streams_are_finished_and_the_client_is_told() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin =
        Recorder::start(move |_| Answer::none().wait(&held).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
    let mut gateway = scene(&origin);
    run(async {
        let client = Connection::open(&gateway).await;
        let slow = client.start(get("/x/slow"), None);
        came_to(&origin).await;
        assert!(Command::new("kill").arg(gateway.pid().to_string()).status().unwrap().success());
        client.is_told_to_go().await;
        gate.open();
        assert_eq!(Got::read(slow.await).await.text(), "late");
        client.ends_in_order().await;
    });
    eventually("the gateway ends", || !gateway.is_alive());
}

/// Two requests of one read both find room when they are looked at, and one place is left when they go on.
#[test]
fn a_request_that_finds_no_place_after_all_is_not_charged() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin =
        Recorder::start(move |_| Answer::none().wait(&held).then("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let limits = "[api.stage.prod.method.\"ANY /x/{proxy+}\"]\ncaching_enabled = false\n\
                  throttling_rate_limit = 0.001\nthrottling_burst_limit = 2\n";
    let text = format!("threads = 1\n[throttle]\nin_flight_limit = 1\n{}{limits}", configuration(&origin, ""));
    let gateway = Gateway::start(&text);
    run(async {
        let client = Connection::open(&gateway).await;
        let asked = tokio::join!(client.get("/x/a"), async {
            let other = client.get("/x/b").await;
            gate.open();
            other
        });
        assert_eq!((asked.0.status, asked.1.status), (200, 429));
        // Of two tokens one was spent, so one more is admitted and then no other.
        assert_eq!(client.get("/x/c").await.status, 200);
        assert_eq!(client.get("/x/d").await.status, 429);
    });
}
