//! What an origin says of its answers, and what clients ask about them: RFC 9111, RFC 5861, conditions, ranges, HEAD.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

#[path = "revalidation/stale.rs"]
mod stale;
#[path = "revalidation/variants.rs"]
mod variants;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use support::front::{proxied, shop};
use support::{Answer, Gateway, Recorder, Response, eventually};

const CONFIGURATION: &str = r#"
trusted_proxies = ["127.0.0.1"]
[[listener]]
address = "@LISTEN@"
default_api = "a"
default_stage = "prod"
[[api]]
id = "a"
[[api.resource]]
path = "/rfc/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/rfc/{proxy}", retries = 0 }
[[api.resource]]
path = "/keyed/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/keyed/{proxy}" }
[[api.resource]]
path = "/guarded/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/guarded/{proxy}" }
[[api.resource]]
path = "/ttl/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/ttl/{proxy}" }
[[api.resource]]
path = "/plain/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/plain/{proxy}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."ANY /rfc/{proxy+}"]
caching_enabled = true
cache_mode = "rfc9111"
cache_early_refresh = "60s"
require_authorization_for_cache_control = false
[api.stage.prod.method."ANY /keyed/{proxy+}"]
caching_enabled = true
cache_mode = "rfc9111"
cache_key_parameters = ["path.proxy", "header.X-Tenant"]
[api.stage.prod.method."ANY /guarded/{proxy+}"]
caching_enabled = true
cache_mode = "rfc9111"
unauthorized_cache_control_header_strategy = "SUCCEED_WITHOUT_RESPONSE_HEADER"
[api.stage.prod.method."ANY /plain/{proxy+}"]
caching_enabled = true
cache_derived_answers = false
"#;

fn gateway(origin: &Recorder) -> Gateway {
    Gateway::start(&CONFIGURATION.replace("@ORIGIN@", &origin.address().to_string()))
}

/// The n-th answer tells its number, behind these field lines.
fn counting(lines: &'static str) -> Recorder {
    let count = AtomicUsize::new(0);
    Recorder::start(move |_| Answer::status(200, lines, format!("answer {}", count.fetch_add(1, SeqCst))))
}

/// Another gateway, which passes all on and has these lines of its stage and, before all, of the node.
fn passing(origin: &Recorder, top: &str, stage: &str) -> Gateway {
    let stage = format!("[api.stage.prod]\ncache_cluster_enabled = true\n{stage}\n");
    let text = shop(top, &(proxied("ANY", "/{proxy+}", ", retries = 0") + &stage));
    Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()))
}

fn says(response: &Response) -> &str {
    response.field("cache-status").unwrap_or_default()
}

#[test]
fn the_origin_says_for_how_long() {
    let origin = counting("Cache-Control: max-age=60\r\nAge: 20\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n");
    let gateway = gateway(&origin);
    // Made long ago, as Date tells: that counts as age.
    assert_eq!((gateway.get("/rfc/a").text(), gateway.get("/rfc/a").text()), ("answer 0", "answer 1"));
    let origin = counting("Cache-Control: max-age=60\r\nAge: 20\r\nSet-Cookie: a=b\r\n");
    let gateway = self::gateway(&origin);
    let (first, second) = (gateway.get("/rfc/a"), gateway.get_with("/rfc/a", "Cookie: c=d\r\n"));
    assert_eq!((first.text(), second.text()), ("answer 0", "answer 0"));
    let age: u32 = second.field("age").unwrap().parse().unwrap();
    assert!((20..40).contains(&age), "{age}");
    assert_eq!(second.values("date").len(), 1);
    for control in ["no-store, max-age=9", "private, max-age=9"] {
        let lines: &'static str = format!("Cache-Control: {control}\r\n").leak();
        let origin = counting(lines);
        let gateway = self::gateway(&origin);
        assert_eq!((gateway.get("/rfc/a").text(), gateway.get("/rfc/a").text()), ("answer 0", "answer 1"));
    }
}

#[test]
fn an_expired_answer_is_validated_and_lives_on() {
    let origin = Recorder::start(|request| match request.field("if-none-match") {
        Some("\"a\"") => {
            Answer::raw("HTTP/1.1 304 Same\r\nX-New: 2\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n\r\n")
        }
        _ => Answer::status(200, "ETag: \"a\"\r\nCache-Control: max-age=0\r\nX-Old: 1\r\n", "whole"),
    });
    let gateway = gateway(&origin);
    assert_eq!(gateway.get("/rfc/a").text(), "whole");
    for _ in 0..2 {
        let response = gateway.get("/rfc/a");
        assert_eq!((response.status, response.text()), (200, "whole"));
        assert_eq!((response.field("x-new"), response.field("x-old")), (Some("2"), Some("1")));
    }
    let response = gateway.get_with("/rfc/a", "If-None-Match: \"a\"\r\n");
    assert_eq!((response.status, origin.count()), (304, 2));
}

#[test]
fn the_client_s_condition_is_asked_of_what_the_origin_has_confirmed() {
    let origin = Recorder::start(|request| match request.field("if-none-match") {
        Some("\"a\"") => Answer::raw("HTTP/1.1 304 Same\r\n\r\n"),
        Some(other) => panic!("the client's own condition has reached the origin: {other}"),
        None => Answer::status(200, "ETag: \"a\"\r\nCache-Control: max-age=0\r\n", "whole"),
    });
    let gateway = gateway(&origin);
    assert_eq!(gateway.get_with("/rfc/a", "If-None-Match: \"b\"\r\n").status, 200);
    assert_eq!(gateway.get_with("/rfc/a", "If-None-Match: \"b\"\r\n").text(), "whole");
    let response = gateway.get_with("/rfc/a", "If-None-Match: \"a\"\r\n");
    assert_eq!((response.status, response.field("etag"), response.text()), (304, Some("\"a\""), ""));
}

#[test]
fn a_304_about_another_answer_is_not_believed() {
    let origin = Recorder::start(|request| match request.field("if-none-match") {
        Some(_) => Answer::raw("HTTP/1.1 304 Same\r\nETag: \"b\"\r\n\r\n"),
        None => Answer::status(200, "ETag: \"a\"\r\nCache-Control: max-age=0\r\n", "whole"),
    });
    let gateway = gateway(&origin);
    for _ in 0..2 {
        assert_eq!(gateway.get("/rfc/a").text(), "whole");
    }
    assert_eq!(origin.count(), 3);
}

#[test]
fn conditions_ranges_and_head_are_answered_from_a_get() {
    for path in ["/rfc/a", "/ttl/a"] {
        let origin = Recorder::start(|_| {
            Answer::status(200, "ETag: \"a\"\r\nCache-Control: max-age=60\r\nContent-Type: x\r\n", "0123456789")
        });
        let gateway = gateway(&origin);
        gateway.get(path);
        let same = gateway.get_with(path, "If-None-Match: \"x\", W/\"a\"\r\n");
        assert_eq!((same.status, same.field("etag"), same.field("content-type")), (304, Some("\"a\""), None));
        assert_eq!(gateway.get_with(path, "If-Modified-Since: Thu, 01 Jan 2032 00:00:00 GMT\r\n").status, 304);
        assert_eq!(gateway.get_with(path, "If-None-Match: \"b\"\r\n").text(), "0123456789");
        let part = gateway.get_with(path, "Range: bytes=2-4\r\nIf-Range: \"a\"\r\n");
        assert_eq!((part.status, part.text(), part.field("content-range")), (206, "234", Some("bytes 2-4/10")));
        assert_eq!(gateway.get_with(path, "Range: bytes=2-4\r\nIf-Range: \"b\"\r\n").text(), "0123456789");
        let beyond = gateway.get_with(path, "Range: bytes=10-\r\n");
        assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */10")));
        let head = gateway.connect().request("HEAD", path, "").read_bodiless();
        assert_eq!((head.status, head.field("content-length")), (200, Some("10")));
        assert!(says(&head).starts_with("Sluice; hit"), "{head:?}");
        assert_eq!(origin.count(), 1);
    }
}

#[test]
fn what_nobody_asked_for_is_not_derived() {
    let origin = Recorder::start(|_| Answer::status(200, "ETag: \"a\"\r\n", "whole"));
    let gateway = gateway(&origin);
    gateway.get("/plain/a");
    assert_eq!(gateway.get_with("/plain/a", "If-None-Match: \"a\"\r\n").status, 200);
    assert_eq!(gateway.get_with("/plain/a", "Range: bytes=0-0\r\n").status, 200);
    gateway.connect().request("HEAD", "/plain/a", "").read_bodiless();
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_range_that_is_not_stored_is_the_origin_s_to_answer() {
    let origin = Recorder::start(|request| match request.field("range") {
        Some(_) => Answer::status(206, "Content-Range: bytes 0-0/5\r\n", "w"),
        None => Answer::status(200, "Cache-Control: max-age=60\r\n", "whole"),
    });
    let gateway = gateway(&origin);
    assert_eq!(gateway.get_with("/rfc/a", "Range: bytes=0-0\r\n").text(), "w");
    gateway.connect().request("HEAD", "/rfc/a", "").read_bodiless();
    assert_eq!(gateway.get("/rfc/a").text(), "whole");
    assert_eq!(gateway.get_with("/rfc/a", "Range: bytes=0-0\r\n").text(), "w");
    assert_eq!(origin.count(), 3);
}

#[test]
fn what_is_stale_is_served_while_one_fetches_it_anew() {
    let count = AtomicUsize::new(0);
    let origin = Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => Answer::status(200, "Cache-Control: max-age=5, stale-while-revalidate=600\r\nAge: 9\r\n", "old"),
        _ => Answer::status(200, "Cache-Control: max-age=600\r\n", "new"),
    });
    let gateway = gateway(&origin);
    assert_eq!(gateway.get("/rfc/a").text(), "old");
    let stale = gateway.connect().request("HEAD", "/rfc/a", "").read_bodiless();
    assert!(says(&stale).starts_with("Sluice; hit; ttl=-"), "{stale:?}");
    eventually("the new answer", || gateway.get("/rfc/a").text() == "new");
    assert_eq!(origin.count(), 2);
    assert!(origin.requests().iter().all(|request| request.method == "GET"), "{:?}", origin.requests());
}

#[test]
fn what_is_stale_is_served_where_nothing_better_can_be_had() {
    const GRACE: &str = "Cache-Control: max-age=5, stale-if-error=600\r\nAge: 9\r\n";
    for failure in [Answer::status(503, "", "sorry"), Answer::raw("no HTTP\r\n\r\n")] {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |request| match count.fetch_add(1, SeqCst) {
            0 => Answer::status(200, GRACE, "old"),
            1 if request.target == "/rfc/b" => {
                Answer::status(200, "Cache-Control: max-age=5\r\nAge: 9\r\nETag: x\r\n", "x")
            }
            _ => failure.clone(),
        });
        let gateway = gateway(&origin);
        gateway.get("/rfc/a");
        gateway.get("/rfc/b");
        let stale = gateway.get("/rfc/a");
        assert_eq!((stale.status, stale.text()), (200, "old"));
        assert_eq!(says(&stale), "Sluice; fwd=stale; detail=stale-if-error");
        assert!(stale.field("age").unwrap().parse::<u32>().unwrap() >= 9);
        assert!(gateway.get("/rfc/b").status >= 500, "it has no leave to be served stale");
    }
}

#[test]
fn answers_that_vary_stand_side_by_side() {
    let count = AtomicUsize::new(0);
    let origin = Recorder::start(move |request| {
        let n = count.fetch_add(1, SeqCst);
        let vary = if request.target == "/rfc/star" { "*" } else { "X-Lang, Accept-Encoding" };
        Answer::status(200, &format!("Cache-Control: max-age=60\r\nVary: {vary}\r\n"), format!("answer {n}"))
    });
    let gateway = gateway(&origin);
    let get = |path: &str, lines: &str| gateway.get_with(path, lines).text().to_owned();
    let languages = ["", "X-Lang: \r\n", "X-Lang: de\r\n", "X-Lang: en\r\nX-Other: 1\r\n"];
    let first = languages.map(|lines| get("/rfc/a", lines));
    assert_eq!(first, ["answer 0", "answer 1", "answer 2", "answer 3"]);
    assert_eq!(languages.map(|lines| get("/rfc/a", lines)), first);
    assert_eq!(get("/rfc/a", "X-Lang: en\r\nX-Other: 2\r\n"), "answer 3");
    gateway.connect().request("POST", "/rfc/a", "Content-Length: 0\r\n").read();
    assert!(languages.iter().all(|lines| !first.contains(&get("/rfc/a", lines))), "one purge takes all");
    assert_ne!(get("/rfc/star", ""), get("/rfc/star", ""));
}

#[test]
fn answers_are_refreshed_before_they_expire() {
    let origin = counting("Cache-Control: max-age=100\r\nAge: 98\r\n");
    let gateway = gateway(&origin);
    for path in 0..8 {
        gateway.get(&format!("/rfc/{path}"));
        gateway.get(&format!("/rfc/{path}"));
    }
    // One in 25 waits longer than this far into its last half.
    origin.wait_for(12);
}

#[test]
fn a_request_may_want_less_than_what_is_stored() {
    let origin = counting("Cache-Control: max-age=60\r\n");
    let gateway = gateway(&origin);
    assert_eq!(gateway.get_with("/rfc/a", "Cache-Control: only-if-cached\r\n").status, 504);
    assert_eq!(gateway.get("/rfc/a").text(), "answer 0");
    assert_eq!(gateway.get_with("/rfc/a", "Cache-Control: only-if-cached\r\n").text(), "answer 0");
    let wishes =
        ["Cache-Control: no-cache", "Pragma: no-cache", "Cache-Control: max-age=0", "Cache-Control: min-fresh=99"];
    for (n, wish) in wishes.iter().enumerate() {
        assert_eq!(gateway.get_with("/rfc/a", &format!("{wish}\r\n")).text(), format!("answer {}", n + 1), "{wish}");
        assert_eq!(gateway.get("/rfc/a").text(), format!("answer {}", n + 1), "{wish}");
    }
    assert_eq!(gateway.get_with("/rfc/a", "Cache-Control: no-store\r\n").text(), "answer 5");
    assert_eq!(gateway.get("/rfc/a").text(), "answer 4");
}

#[test]
fn max_stale_gets_what_is_over_unless_the_origin_forbids_it() {
    for (control, serves) in [
        ("max-age=5", true),
        ("max-age=5, must-revalidate", false),
        ("s-maxage=5", false),
        ("no-cache, max-age=5", false),
    ] {
        let lines: &'static str = format!("Cache-Control: {control}\r\nAge: 9\r\nETag: \"a\"\r\n").leak();
        let origin = counting(lines);
        let gateway = gateway(&origin);
        assert_eq!(gateway.get("/guarded/a").text(), "answer 0");
        let stale = gateway.get_with("/guarded/a", "Cache-Control: max-stale=600\r\n");
        assert_eq!(stale.text() == "answer 0", serves, "{control}: {stale:?}");
        assert_eq!(says(&stale).starts_with("Sluice; hit; ttl=-"), serves, "{control}: {stale:?}");
        let little = gateway.get_with("/guarded/a", "Cache-Control: max-stale=1\r\n");
        assert_ne!(little.text(), "answer 0", "{control}: it is over for longer");
    }
}

#[test]
fn who_may_not_have_entries_replaced_puts_no_load_on_the_origin() {
    let origin = counting("Cache-Control: max-age=60\r\n");
    let gateway = gateway(&origin);
    for wish in ["X: y", "Cache-Control: no-cache", "Pragma: no-cache", "Cache-Control: max-age=0, no-store"] {
        assert_eq!(gateway.get_with("/guarded/a", &format!("{wish}\r\n")).text(), "answer 0", "{wish}");
    }
    assert_eq!(gateway.get_with("/guarded/b", "Cache-Control: only-if-cached\r\n").status, 504);
}

#[test]
fn an_unsafe_request_that_succeeds_invalidates_its_uri_and_those_that_its_answer_names() {
    let count = AtomicUsize::new(0);
    let origin = Recorder::start(move |request| {
        let n = count.fetch_add(1, SeqCst);
        match request.method.as_str() {
            "GET" => Answer::status(200, "Cache-Control: max-age=60\r\n", format!("answer {n}")),
            "PUT" => Answer::status(500, "", "no"),
            _ => Answer::status(201, "Location: /rfc/b?x\r\nContent-Location: http://elsewhere/rfc/c\r\n", "done"),
        }
    });
    let gateway = gateway(&origin);
    let paths = ["/rfc/a", "/rfc/b?x", "/rfc/b", "/rfc/c"];
    let all = || paths.map(|path| gateway.get_with(path, "Accept-Encoding: gzip\r\n").text().to_owned());
    let before = all();
    gateway.connect().request("PUT", "/rfc/a", "Content-Length: 0\r\n").read();
    assert_eq!(all(), before, "what failed has changed nothing");
    gateway.connect().request("POST", "/rfc/a", "Content-Length: 0\r\n").read();
    let after = all();
    assert!(before[0] != after[0] && before[1] != after[1] && before[2..] == after[2..], "{before:?} {after:?}");
}

#[test]
fn an_unsafe_request_invalidates_what_its_own_fields_lead_to() {
    let origin = counting("Cache-Control: max-age=60\r\n");
    let gateway = gateway(&origin);
    let get = |tenant: &str| gateway.get_with("/keyed/x", &format!("X-Tenant: {tenant}\r\n")).text().to_owned();
    let before = (get("a"), get("b"));
    gateway.connect().request("POST", "/keyed/x", "X-Tenant: a\r\nContent-Length: 2\r\n").send("{}").read();
    let after = (get("a"), get("b"));
    assert!(before.0 != after.0 && before.1 == after.1, "{before:?} {after:?}");
}

#[test]
fn an_unsafe_request_through_a_proxy_invalidates_what_the_proxy_was_asked() {
    const PROXY: &str = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n";
    let count = AtomicUsize::new(0);
    let origin = Recorder::start(move |request| {
        let n = count.fetch_add(1, SeqCst);
        let lines = match request.method.as_str() {
            "POST" => "Location: https://shop.example/rfc/b\r\n",
            _ => "Cache-Control: max-age=60\r\n",
        };
        Answer::status(200, lines, format!("answer {n}"))
    });
    let gateway = gateway(&origin);
    let all = || ["/rfc/a", "/rfc/b", "/rfc/c"].map(|path| gateway.get_with(path, PROXY).text().to_owned());
    let before = all();
    assert_eq!(all(), before);
    gateway.connect().request("POST", "/rfc/a", &format!("{PROXY}Content-Length: 0\r\n")).read();
    let after = all();
    assert!(before[0] != after[0] && before[1] != after[1] && before[2] == after[2], "{before:?} {after:?}");
}
