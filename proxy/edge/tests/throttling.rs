//! Token buckets of methods, stages and the account, and the cap on requests in flight.
//! AWS's page: "Throttle requests to your REST APIs for better throughput".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Answer, Gate, Gateway, Recorder, Response, eventually};

/// Two methods with answers of their own, one that goes to an origin, and another API.
const THROTTLED: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "throttled"
default_stage = "prod"
[[api]]
id = "throttled"
[[api.resource]]
path = "/a"
method.GET.integration = { type = "MOCK", body = "a" }
[[api.resource]]
path = "/b"
method.GET.integration = { type = "MOCK", body = "b" }
[[api.resource]]
path = "/origin/{x}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[api.stage.prod]
@STAGE@
[[api]]
id = "other"
[[api.resource]]
path = "/a"
method.GET.integration = { type = "MOCK", body = "other a" }
[api.stage.prod]
"#;

fn gateway(top: &str, stage: &str) -> Gateway {
    with_origin("127.0.0.1:1", top, stage)
}

fn with_origin(origin: impl ToString, top: &str, stage: &str) -> Gateway {
    let text = THROTTLED.replace("@TOP@", top).replace("@STAGE@", stage);
    Gateway::start(&text.replace("@ORIGIN@", &origin.to_string()))
}

/// How many of so many requests, one after the other, are let through.
fn admitted(gateway: &Gateway, target: &str, offered: usize) -> usize {
    let mut client = gateway.connect();
    (0..offered).map(|_| client.get(target)).filter(|response| response.status != 429).count()
}

fn is_throttled(response: &Response) {
    assert_eq!((response.status, response.text()), (429, r#"{"message":"Too Many Requests"}"#));
    assert_eq!(response.field("x-amzn-errortype"), Some("TooManyRequestsException"));
    assert_eq!(response.field("content-type"), Some("application/json"));
    assert_eq!(response.field("retry-after"), None, "AWS sends none");
    assert!(!response.closes());
}

#[test]
fn a_burst_is_let_through_and_the_rest_is_refused() {
    let gateway = gateway("", "throttling_rate_limit = 0\nthrottling_burst_limit = 7");
    let mut client = gateway.connect();
    for _ in 0..7 {
        assert_eq!(client.get("/a").text(), "a");
    }
    for _ in 0..3 {
        is_throttled(&client.get("/a"));
    }
    is_throttled(&gateway.get("/a"));
}

#[test]
fn tokens_come_back_at_the_rate() {
    let gateway = gateway("", "throttling_rate_limit = 1\nthrottling_burst_limit = 1");
    assert_eq!(gateway.get("/a").status, 200);
    is_throttled(&gateway.get("/a"));
    eventually("a token comes back", || gateway.get("/a").status == 200);
    is_throttled(&gateway.get("/a"));
}

#[test]
fn a_method_has_a_bucket_of_its_own() {
    let own = "[api.stage.prod.method.\"GET /a\"]\nthrottling_rate_limit = 0\nthrottling_burst_limit = 2";
    let gateway = gateway("", own);
    assert_eq!(admitted(&gateway, "/a", 10), 2);
    assert_eq!(admitted(&gateway, "/b", 10), 10);
    assert_eq!(admitted(&gateway, "/_aws/execute-api/other/prod/a", 10), 10);
}

#[test]
fn the_edge_s_stage_limit_is_shared_and_aws_s_is_each_method_s() {
    let stage = "throttling_rate_limit = 0\nthrottling_burst_limit = 4";
    let edge = gateway("", stage);
    assert_eq!(admitted(&edge, "/a", 3) + admitted(&edge, "/b", 3), 4);
    let aws = gateway("profile = \"aws\"", stage);
    assert_eq!((admitted(&aws, "/a", 6), admitted(&aws, "/b", 6)), (4, 4));
}

#[test]
fn the_account_s_limit_holds_for_all_apis_together() {
    let gateway = gateway("throttle = { account_rate_limit = 0, account_burst_limit = 5 }", "");
    assert_eq!(admitted(&gateway, "/a", 3), 3);
    assert_eq!(admitted(&gateway, "/_aws/execute-api/other/prod/a", 10), 2);
    is_throttled(&gateway.get("/b"));
}

#[test]
fn a_refused_request_takes_no_token_anywhere() {
    let limits = "throttling_rate_limit = 0\nthrottling_burst_limit = 5\n\
                  [api.stage.prod.method.\"GET /a\"]\nthrottling_rate_limit = 0\nthrottling_burst_limit = 1";
    let gateway = gateway("", limits);
    assert_eq!(admitted(&gateway, "/a", 20), 1);
    assert_eq!(admitted(&gateway, "/b", 20), 4, "the method's refusals have cost the stage nothing");
}

#[test]
fn what_reaches_no_method_or_is_denied_takes_no_token() {
    let limits =
        "throttling_rate_limit = 0\nthrottling_burst_limit = 2\nresource_policy = { deny = [\"203.0.113.9/32\"] }";
    let gateway = gateway("trusted_proxies = [\"127.0.0.1/32\"]", limits);
    let mut client = gateway.connect();
    for _ in 0..10 {
        assert_eq!(client.get("/none").status, 403);
        assert_eq!(client.get_with("/a", "X-Forwarded-For: 203.0.113.9\r\n").status, 403);
    }
    assert_eq!(admitted(&gateway, "/a", 10), 2);
}

#[test]
fn stored_answers_cost_tokens_too() {
    let origin = Recorder::echoing();
    let stage = "cache_cluster_enabled = true\ncache_cluster_size = \"16 MiB\"\n\
                 throttling_rate_limit = 0\nthrottling_burst_limit = 3";
    let gateway = with_origin(origin.address(), "", stage);
    assert_eq!(admitted(&gateway, "/origin/x", 10), 3);
    assert_eq!(origin.count(), 1);
}

#[test]
fn every_way_in_draws_on_the_same_bucket() {
    let origin = Recorder::echoing();
    let gateway = with_origin(origin.address(), "", "throttling_rate_limit = 0\nthrottling_burst_limit = 3");
    let mut client = gateway.connect();
    let post = |client: &mut support::Client| {
        client.request("POST", "/origin/x", "Content-Length: 4\r\n").send("body").read().status
    };
    assert_eq!((client.get("/origin/x").status, post(&mut client)), (200, 200));
    assert_eq!(gateway.connect().send("GET /origin/x HTTP/1.0\r\nHost: a\r\n\r\n").read().status, 200);
    assert_eq!((post(&mut client), origin.count()), (429, 3));
    is_throttled(&gateway.get("/origin/x"));
}

#[test]
fn concurrent_clients_share_a_burst_exactly() {
    let gateway = gateway("threads = 2", "throttling_rate_limit = 0\nthrottling_burst_limit = 100");
    let counts = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| admitted(&gateway, "/a", 50))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert_eq!(counts, 100);
}

#[test]
fn only_so_many_requests_are_in_flight() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin =
        Recorder::start(move |_| Answer::none().wait(&held).then("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = with_origin(origin.address(), "throttle = { in_flight_limit = 2 }", "");
    let (mut first, mut second) = (gateway.connect(), gateway.connect());
    first.request("GET", "/origin/1", "");
    second.request("POST", "/origin/2", "Content-Length: 1\r\n").send("x");
    origin.wait_for(2);
    is_throttled(&gateway.get("/origin/3"));
    is_throttled(&gateway.get("/a"));
    gate.open();
    assert_eq!((first.read().status, second.read().status), (200, 200));
    eventually("their places are free again", || gateway.get("/origin/4").status == 200);
    assert_eq!(origin.count_of("/3"), 0);
}

#[test]
fn a_place_in_flight_is_free_again_after_every_kind_of_end() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/broken" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "/refused" => Answer::none().close(),
        "/garbage" => Answer::raw("garbage\r\n\r\n"),
        _ => Answer::ok("x"),
    });
    let gateway = with_origin(origin.address(), "throttle = { in_flight_limit = 1 }", "");
    for target in ["/origin/broken", "/origin/refused", "/origin/garbage", "/origin/good"] {
        let _ = gateway.connect().request("GET", target, "").try_read(false);
        eventually(&format!("a place after {target}"), || gateway.get("/origin/x").status == 200);
    }
}
