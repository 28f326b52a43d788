//! What the memory cache keeps, under which key, for how long, and what it never does: mix answers.
//! AWS's page: "Enabling API caching to enhance responsiveness".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use support::{Answer, Gateway, Recorder, Response, eventually};

const CACHING: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "caching"
default_stage = "prod"
[[api]]
id = "caching"
[[api.resource]]
path = "/plain/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/plain/{proxy}" }
[[api.resource]]
path = "/keyed/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/keyed/{id}" }
method.POST.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/keyed/{id}", request_parameters = { "integration.request.header.X-Who" = "method.request.body.who" } }
method.HEAD.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/keyed/{id}" }
[[api.resource]]
path = "/all-the-same/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/same/{id}" }
method.POST.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/same/{id}" }
[[api.resource]]
path = "/never/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/never/{id}" }
[[api.resource]]
path = "/off/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/off/{id}" }
[[api.resource]]
path = "/brief/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/brief/{id}" }
[[api.resource]]
path = "/by-host/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/by-host/{id}", preserve_host = true }

[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."GET /keyed/{id}"]
cache_key_parameters = ["path.id", "query.view", "header.X-Tenant"]
[api.stage.prod.method."POST /keyed/{id}"]
caching_enabled = true
cache_key_parameters = ["path.id", "integration.request.header.X-Who"]
[api.stage.prod.method."POST /all-the-same/{id}"]
caching_enabled = true
cache_key_parameters = []
[api.stage.prod.method."HEAD /keyed/{id}"]
caching_enabled = true
cache_key_parameters = ["path.id"]
[api.stage.prod.method."GET /all-the-same/{id}"]
cache_key_parameters = []
[api.stage.prod.method."GET /never/{id}"]
cache_ttl = "0s"
[api.stage.prod.method."GET /off/{id}"]
caching_enabled = false
[api.stage.prod.method."GET /brief/{id}"]
cache_ttl = "1s"
"#;

fn gateway(origin: &Recorder, top: &str) -> Gateway {
    Gateway::start(&CACHING.replace("@TOP@", top).replace("@ORIGIN@", &origin.address().to_string()))
}

/// Every answer tells its number, so a stored one is known by it.
fn counting(lines: &'static str, status: u16) -> Recorder {
    let count = AtomicUsize::new(0);
    Recorder::start(move |_| Answer::status(status, lines, format!("answer {}", count.fetch_add(1, SeqCst))))
}

fn is_hit(response: &Response) -> bool {
    response.field("cache-status").is_some_and(|s| s.starts_with("Sluice; hit"))
}

/// Whether the second of two requests is answered like the first.
fn is_stored(gateway: &Gateway, target: &str, lines: [&str; 2]) -> bool {
    let mut client = gateway.connect();
    let first = client.get_with(target, lines[0]);
    let second = client.get_with(target, lines[1]);
    first.text() == second.text()
}

#[test]
fn a_second_get_is_answered_from_memory_and_says_so() {
    let origin = counting("Content-Type: text/x\r\nX-Kept: 1\r\n", 200);
    let gateway = gateway(&origin, "");
    let first = gateway.get("/plain/a");
    assert_eq!((first.field("age"), first.field("cache-status")), (None, Some("Sluice; fwd=uri-miss; stored")));
    let second = gateway.get("/plain/a");
    assert_eq!((second.status, second.text()), (200, "answer 0"));
    assert_eq!((second.field("content-type"), second.field("x-kept")), (Some("text/x"), Some("1")));
    assert!(is_hit(&second) && second.field("age").is_some());
    assert_ne!(first.field("x-amzn-requestid"), second.field("x-amzn-requestid"), "the id is of this request");
    assert_eq!(origin.count(), 1);
}

/// What is said of a method's throttle, or of its time, does not decide whether it is cached.
#[test]
fn a_setting_of_another_kind_leaves_an_any_method_cached() {
    for settings in ["throttling_rate_limit = 1000", "cache_ttl = \"60s\"", "cache_key_parameters = []"] {
        let origin = counting("", 200);
        let text = format!("{CACHING}\n[api.stage.prod.method.\"ANY /plain/{{proxy+}}\"]\n{settings}\n");
        let text = text.replace("@TOP@", "").replace("@ORIGIN@", &origin.address().to_string());
        let gateway = Gateway::start(&text);
        assert!(!is_hit(&gateway.get("/plain/a")) && is_hit(&gateway.get("/plain/a")), "{settings}");
        let posted = gateway.connect().request("POST", "/plain/a", "Content-Length: 0\r\n").read();
        assert_eq!(posted.field("cache-status"), Some("Sluice; fwd=method"), "{settings}");
    }
}

#[test]
fn aws_says_nothing_of_its_cache() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "profile = \"aws\"");
    let (first, second) = (gateway.get("/keyed/a"), gateway.get("/keyed/a"));
    assert_eq!(first.text(), second.text());
    for response in [first, second] {
        assert_eq!((response.field("age"), response.field("cache-status")), (None, None));
    }
}

#[test]
fn path_and_whole_query_are_the_edge_s_key() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    let targets = [
        "/plain/a",
        "/plain/b",
        "/plain/a/b",
        "/plain/a?",
        "/plain/a?x=1",
        "/plain/a?x=2",
        "/plain/a?x=1&y",
        "/plain/A",
        "/plain/%61",
    ];
    let first: Vec<_> = targets.iter().map(|t| gateway.get(t).text().to_owned()).collect();
    let second: Vec<_> = targets.iter().map(|t| gateway.get(t).text().to_owned()).collect();
    assert_eq!(first, second);
    assert_eq!(origin.count(), targets.len());
}

#[test]
fn named_parameters_are_the_key_and_others_are_not() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    for (stored, target, lines) in [
        (false, "/keyed/1", ""),
        (true, "/keyed/1?other=2", "X-Other: 1\r\n"),
        (false, "/keyed/2", ""),
        (false, "/keyed/1?view=full", ""),
        (true, "/keyed/1?other=3&view=full", ""),
        (true, "/keyed/1?vie%77=f%75ll", ""),
        (false, "/keyed/1?view=", ""),
        (false, "/keyed/1?view=Full", ""),
        (false, "/keyed/1", "X-Tenant: a\r\n"),
        (true, "/keyed/1", "x-tenant:   a \r\n"),
        (false, "/keyed/1", "X-Tenant:\r\n"),
        (false, "/keyed/1?view=a", "X-Tenant: a\r\n"),
    ] {
        assert_eq!(is_hit(&gateway.get_with(target, lines)), stored, "{target} {lines}");
    }
}

/// Whoever could send it something that tells no answers apart could choose what all others get.
#[test]
fn an_origin_never_sees_a_query_parameter_that_the_key_does_not_know() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    let mut client = gateway.connect();
    for (verb, target, lines, seen) in [
        ("GET", "/keyed/1?evil=1&view=a+b&%76iew=%63&VIEW=2&&view", "", "/keyed/1?view=a+b&%76iew=%63&view"),
        // Kept out of the cache, and by a verb of its own key.
        ("GET", "/keyed/2?view=1&evil=1", "Authorization: Basic YTpi\r\n", "/keyed/2?view=1"),
        ("POST", "/keyed/3?view=1&evil=1", "Content-Length: 0\r\n", "/keyed/3"),
        // The whole query is the key, nothing is, or the verb is not cached.
        ("GET", "/plain/4?evil=1&view=1", "", "/plain/4?evil=1&view=1"),
        ("POST", "/plain/5?evil=1", "Content-Length: 0\r\n", "/plain/5?evil=1"),
        ("GET", "/all-the-same/6?evil=1", "", "/same/6?evil=1"),
        ("GET", "/off/7?evil=1", "", "/off/7?evil=1"),
    ] {
        assert_eq!(client.request(verb, target, lines).read().status, 200);
        assert_eq!(origin.last().target, seen, "{verb} {target}");
    }
}

#[test]
fn aws_passes_on_what_the_key_does_not_know() {
    let origin = counting("", 200);
    gateway(&origin, "profile = \"aws\"").get("/keyed/1?evil=1&view=2");
    assert_eq!(origin.last().target, "/keyed/1?evil=1&view=2");
}

/// The origin may read either of two values, so neither alone may find what is stored for both.
#[test]
fn repeated_parameters_are_told_apart_from_single_ones() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    let twice = "X-Tenant: mallory\r\nX-Tenant: alice\r\n";
    for (target, lines) in [("/keyed/1", twice), ("/keyed/1?view=x&view=y", "")] {
        assert!(!is_hit(&gateway.get_with(target, lines)));
        assert!(is_hit(&gateway.get_with(target, lines)), "the same again is the same");
    }
    for (target, lines) in [
        ("/keyed/1", "X-Tenant: alice\r\n"),
        ("/keyed/1", "X-Tenant: mallory\r\n"),
        ("/keyed/1", "X-Tenant: mallory, alice\r\n"),
        ("/keyed/1?view=y", ""),
        ("/keyed/1?view=x", ""),
        ("/keyed/1?view=y&view=x", ""),
    ] {
        assert!(!is_hit(&gateway.get_with(target, lines)), "{target} {lines}");
    }
}

/// A field that `Connection` names never reaches the origin, so it must not stand in the key either.
#[test]
fn a_field_named_away_is_absent_in_the_key() {
    let origin = Recorder::start(|request| Answer::ok(format!("for {:?}", request.field("x-tenant"))));
    let gateway = gateway(&origin, "");
    let lines = "X-Tenant: alice\r\nConnection: X-Tenant\r\n";
    assert_eq!(gateway.get_with("/keyed/1", lines).text(), "for None");
    assert_eq!(gateway.get_with("/keyed/1", "X-Tenant: alice\r\n").text(), "for Some(\"alice\")");
}

#[test]
fn an_empty_list_of_parameters_makes_all_requests_the_same() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    assert_eq!(gateway.get("/all-the-same/1").text(), gateway.get("/all-the-same/2?x").text());
}

#[test]
fn aws_ignores_the_path_unless_it_is_named() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "profile = \"aws\"");
    assert_eq!(gateway.get("/plain/1").text(), gateway.get("/plain/2?x=y").text());
    assert_ne!(gateway.get("/keyed/1").text(), gateway.get("/keyed/2").text());
}

#[test]
fn other_verbs_are_cached_by_name_only() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    let mut client = gateway.connect();
    let mut post = |target: &str| {
        let response = client.request("POST", target, "Content-Length: 0\r\n").read();
        response.text().to_owned()
    };
    assert_ne!(post("/plain/1"), post("/plain/1"), "a stage's default is for GET");
    assert_eq!(post("/keyed/1"), post("/keyed/1"));
    assert_ne!(post("/keyed/1"), gateway.get("/keyed/1").text(), "verbs are kept apart");
}

/// Whatever the method's settings say: one caller's body would decide what another gets.
#[test]
fn a_body_that_the_key_does_not_know_keeps_every_verb_out() {
    let origin = counting("", 200);
    for (top, target, is_shared) in
        [("", "/all-the-same/1", false), ("", "/keyed/1", false), ("profile = \"aws\"", "/all-the-same/1", true)]
    {
        let gateway = gateway(&origin, top);
        let post = |body: &str| {
            let mut client = gateway.connect();
            client.request("POST", target, &format!("Content-Length: {}\r\n", body.len())).send(body).read()
        };
        let (alice, bob) = (post(r#"{"who":"alice"}"#), post(r#"{"who":"bob"}"#));
        assert_eq!(alice.text() == bob.text(), is_shared, "{top} {target}");
    }
    let gateway = gateway(&origin, "");
    let kept_out = gateway.connect().request("POST", "/all-the-same/1", "Content-Length: 1\r\n").send("x").read();
    assert_eq!(kept_out.field("cache-status"), Some("Sluice; fwd=bypass; detail=body"));
    let empty = || gateway.connect().request("POST", "/all-the-same/1", "Content-Length: 0\r\n").read();
    assert_eq!(empty().text(), empty().text(), "none is known");
}

#[test]
fn a_stored_head_answer_does_not_claim_a_length_of_zero() {
    let origin = Recorder::start(|_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"e\"\r\n\r\n"));
    let gateway = gateway(&origin, "");
    let mut client = gateway.connect();
    assert_eq!(client.request("HEAD", "/keyed/1", "").read_bodiless().field("content-length"), Some("1234"));
    let stored = client.request("HEAD", "/keyed/1", "").read_bodiless();
    assert!(is_hit(&stored));
    assert_eq!((stored.field("content-length"), stored.field("etag")), (None, Some("\"e\"")));
    assert_eq!(client.request("HEAD", "/keyed/1", "").read_bodiless().status, 200);
}

#[test]
fn ttl_zero_and_switched_off_methods_are_not_cached() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    for target in ["/never/1", "/off/1"] {
        assert!(!is_stored(&gateway, target, ["", ""]), "{target}");
        assert_eq!(gateway.get(target).field("cache-status"), None);
    }
}

#[test]
fn what_is_stored_ends_with_its_ttl() {
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    assert_eq!(gateway.get("/brief/1").text(), "answer 0");
    assert_eq!(gateway.get("/brief/1").text(), "answer 0");
    eventually("the stored answer expires", || {
        let response = gateway.get("/brief/1");
        let renewed = response.text() == "answer 1";
        assert_eq!(renewed, !is_hit(&response));
        renewed && response.field("cache-status") == Some("Sluice; fwd=stale; stored")
    });
    assert_eq!(gateway.get("/brief/1").text(), "answer 1", "the new one is stored in its place");
}

#[test]
fn bodies_up_to_a_mebibyte_are_stored() {
    let origin = Recorder::start(|request| {
        let length: usize = request.target.rsplit('/').next().unwrap().parse().unwrap();
        match request.target.contains("chunked") {
            false => {
                Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).then_pattern(length as u64)
            }
            true => Answer::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"))
                .then_pattern(length as u64)
                .then("\r\n0\r\n\r\n"),
        }
    });
    let gateway = gateway(&origin, "");
    for (target, stored) in [
        ("/plain/1048576", true),
        ("/plain/1048577", false),
        ("/plain/chunked/1048576", true),
        ("/plain/chunked/1048577", false),
        ("/plain/0", true),
        ("/plain/chunked/0", true),
    ] {
        let first = gateway.get(target);
        let second = gateway.get(target);
        assert_eq!(first.body, second.body, "{target}");
        assert_eq!(first.body.len(), target.rsplit('/').next().unwrap().parse::<usize>().unwrap());
        assert_eq!(is_hit(&second), stored, "{target}: {:?}", second.field("cache-status"));
    }
}

#[test]
fn the_edge_stores_no_errors_and_aws_does() {
    for status in [400, 404, 429, 500, 503, 302, 206] {
        let (edge, aws) = (counting("", status), counting("", status));
        let (edge, aws) = (gateway(&edge, ""), gateway(&aws, "profile = \"aws\""));
        assert!(!is_stored(&edge, "/keyed/1", ["", ""]), "{status}");
        assert_eq!(is_stored(&aws, "/keyed/1", ["", ""]), status != 206, "{status}");
    }
}

#[test]
fn the_edge_stores_nothing_personal_and_aws_does() {
    let personal = [
        "Set-Cookie: a=b\r\n",
        "Cache-Control: private\r\n",
        "Cache-Control: max-age=9, No-Store\r\n",
        "Vary: *\r\n",
        "Vary: Accept-Encoding, X-Lang\r\n",
    ];
    for lines in personal {
        let (edge, aws) = (counting(lines, 200), counting(lines, 200));
        let (edge, aws) = (gateway(&edge, ""), gateway(&aws, "profile = \"aws\""));
        assert!(!is_stored(&edge, "/keyed/1", ["", ""]), "{lines}");
        assert!(is_stored(&aws, "/keyed/1", ["", ""]), "{lines}");
    }
    let credentials = ["Authorization: Bearer a\r\n", "Authorization: Bearer b\r\n"];
    let (edge, aws) = (counting("", 200), counting("", 200));
    let (edge, aws) = (gateway(&edge, ""), gateway(&aws, "profile = \"aws\""));
    assert!(!is_stored(&edge, "/keyed/1", credentials));
    assert!(!is_stored(&edge, "/keyed/1", ["", credentials[0]]), "nor is what is stored shown to them");
    assert!(is_stored(&aws, "/keyed/1", credentials));
}

#[test]
fn the_host_that_an_origin_is_told_is_in_the_key() {
    let origin = Recorder::start(|request| Answer::ok(format!("{:?}", request.field("x-forwarded-host"))));
    let gateway = gateway(&origin, "trusted_proxies = [\"127.0.0.0/8\"]");
    for host in ["a.test", "b.test", "a.test"] {
        let lines = format!("X-Forwarded-Host: {host}\r\n");
        assert_eq!(gateway.get_with("/plain/1", &lines).text(), format!("Some({host:?})"));
    }
}

#[test]
fn the_scheme_that_an_origin_is_told_is_in_the_key() {
    let origin = Recorder::start(|request| Answer::ok(format!("{:?}", request.field("x-forwarded-proto"))));
    let gateway = gateway(&origin, "trusted_proxies = [\"127.0.0.0/8\"]");
    for scheme in ["http", "https", "http"] {
        let lines = format!("X-Forwarded-Proto: {scheme}\r\n");
        assert_eq!(gateway.get_with("/plain/1", &lines).text(), format!("Some({scheme:?})"));
    }
}

#[test]
fn what_the_key_names_may_vary() {
    let origin = counting("Vary: X-Tenant, Accept-Encoding\r\n", 200);
    let gateway = gateway(&origin, "");
    assert!(is_stored(&gateway, "/keyed/1", ["", ""]));
    assert!(!is_stored(&gateway, "/plain/1", ["", ""]), "nobody has named it there");
}

#[test]
fn a_cookie_keeps_a_request_out_where_nobody_stated_the_key() {
    let cookies = ["Cookie: s=1\r\n", "Cookie: s=2\r\n"];
    let origin = counting("", 200);
    let gateway = gateway(&origin, "");
    assert!(!is_stored(&gateway, "/plain/1", cookies));
    assert!(is_stored(&gateway, "/keyed/1", cookies), "whoever states the key has decided");
}

#[test]
fn codings_are_kept_apart_and_asked_for_by_name() {
    let origin = Recorder::start(|request| Answer::ok(format!("in {:?}", request.field("accept-encoding"))));
    let gateway = gateway(&origin, "");
    for target in ["/plain/1", "/keyed/1"] {
        for (accepted, seen, stored) in [
            ("gzip, deflate, br", "in Some(\"br\")", false),
            ("br;q=1.0, gzip;q=0.8", "in Some(\"br\")", true),
            ("gzip", "in Some(\"gzip\")", false),
            ("gzip;q=0.1, br;q=0", "in Some(\"gzip\")", true),
            ("zstd", "in None", false),
            ("", "in None", true),
        ] {
            let lines = if accepted.is_empty() { String::new() } else { format!("Accept-Encoding: {accepted}\r\n") };
            let response = gateway.get_with(target, &lines);
            assert_eq!((response.text(), is_hit(&response)), (seen, stored), "{target} {accepted}");
        }
    }
}

#[test]
fn hosts_are_kept_apart_where_the_origin_sees_them() {
    let origin = Recorder::start(|request| Answer::ok(request.field("host").unwrap()));
    let gateway = gateway(&origin, "");
    let get = |host: &str| {
        let mut client = gateway.connect();
        client.send(format!("GET /by-host/1 HTTP/1.1\r\nHost: {host}\r\n\r\n")).read().text().to_owned()
    };
    for host in ["a.test", "b.test", "a.test"] {
        assert_eq!(get(host), host);
    }
}

#[test]
fn a_conditional_request_s_304_is_nobody_else_s_answer() {
    // At the edge the origin is asked for all of it.
    for (top, status) in [("", 200), ("profile = \"aws\"", 304)] {
        let origin = Recorder::start(|request| match request.field("if-none-match") {
            Some(_) => Answer::raw("HTTP/1.1 304 Same\r\n\r\n"),
            None => Answer::ok("whole"),
        });
        let gateway = gateway(&origin, top);
        assert_eq!(gateway.get_with("/keyed/1", "If-None-Match: \"e\"\r\n").status, status);
        assert_eq!(gateway.get("/keyed/1").text(), "whole");
    }
}

#[test]
fn many_keys_at_once_never_mix() {
    let origin = Recorder::start(|request| {
        let size = 100 + request.target.len() * 7919 % 5_000;
        Answer::ok(request.target.repeat(size / request.target.len() + 1))
    });
    let gateway = gateway(&origin, "threads = 2");
    std::thread::scope(|scope| {
        for seed in 0..8usize {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut client = gateway.connect();
                for i in 0..150 {
                    let target = format!("/plain/{}?n={}", (i * 7 + seed * 3) % 40, "x".repeat(i % 5));
                    let response = client.get(&target);
                    let body = response.text();
                    assert!(body.starts_with(&target) && body.replace(&target, "").is_empty(), "{target}: {body}");
                }
            });
        }
    });
    assert!(origin.count() < 8 * 150 / 2, "most came from the cache");
}
