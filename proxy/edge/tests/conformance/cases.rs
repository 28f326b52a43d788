//! The table of cases. Each asks, says which status must come, and leaves the rest to the comparison.

use std::time::{Duration, Instant};

use super::configuration::Node;
use super::link::{Ask, Body};
use super::scene::Scene;
use super::support::eventually;

/// A case: its name, where it plays, and what is done.
pub(super) type Case = (&'static str, Node, fn(&mut Scene));

/// A request to an API's own host.
fn ask(verb: &'static str, api: &str, target: &str) -> Ask {
    at(verb, &format!("{api}.execute-api.test"), target)
}

/// A request to any host; its ledger comes with the answer.
fn at(verb: &'static str, host: &str, target: &str) -> Ask {
    let fields = vec![("X-Sluice-Explain", "1".to_owned())];
    Ask { verb, host: host.to_owned(), target: target.to_owned(), fields, body: Body::None }
}

fn get(api: &str, target: &str) -> Ask {
    ask("GET", api, target)
}

impl Ask {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    fn carrying(self, body: Body) -> Self {
        Self { body, ..self }
    }
}

/// The case that HTTP/1.0 cannot play: it has bodies by length alone.
pub(super) const STREAMED: &str = "streamed bodies of requests";

/// All of them, in the order in which they play.
pub(super) const CASES: &[Case] = &[
    // Which method is reached.
    ("mock", Node::Free, |s| {
        s.ask(200, &get("plain", "/prod/mock"));
        s.ask(204, &get("plain", "/prod/empty"));
        s.ask(200, &ask("HEAD", "plain", "/prod/mock"));
        s.ask(200, &ask("OPTIONS", "plain", "/prod/mock"));
    }),
    ("an answer without its ledger", Node::Free, |s| {
        let mut quiet = get("plain", "/none");
        quiet.fields.clear();
        s.ask(403, &quiet);
    }),
    ("default API and stage", Node::Free, |s| {
        s.ask(200, &at("GET", "gateway.test", "/mock"));
    }),
    ("domain and base path", Node::Free, |s| {
        s.ask(200, &at("GET", "api.example.com", "/v1/mock"));
        s.ask(200, &at("GET", "API.example.com:8443", "/v1/mock?x"));
        s.ask(403, &at("GET", "api.example.com", "/v2/mock"));
    }),
    ("a path that names API and stage", Node::Free, |s| {
        s.ask(200, &at("GET", "gateway.test", "/_aws/execute-api/plain/prod/mock"));
        s.ask(403, &at("GET", "gateway.test", "/_aws/execute-api/none/prod/mock"));
    }),
    ("no such API, stage, resource or method", Node::Free, |s| {
        s.ask(403, &get("none", "/prod/mock"));
        s.ask(403, &get("plain", "/none/mock"));
        s.ask(403, &get("plain", "/prod/none"));
        s.ask(403, &ask("POST", "plain", "/prod/only-get"));
        s.ask(403, &ask("HEAD", "plain", "/prod/only-get"));
        s.ask(403, &ask("BREW", "plain", "/prod/mock"));
    }),
    ("greedy and escaped paths", Node::Free, |s| {
        s.ask(200, &get("plain", "/prod/greedy/a/b%2Fc//d/?x=1&y=%20+"));
        s.ask(200, &get("plain", "/prod/o/200/%c3%a9;a=b,c?"));
        s.ask(200, &at("GET", "gateway.test", "//mock/"));
    }),
    // What is passed on.
    ("passed on", Node::Free, |s| {
        let shown = s.ask(200, &get("plain", "/prod/o/ok/1")).clone();
        assert_eq!(shown.body, b"GET /ok/1");
        for target in ["404/x", "500/x", "chunked/x", "large/x"] {
            let status = target.split('/').next().and_then(|s| s.parse().ok()).unwrap_or(200);
            s.ask(status, &get("plain", &format!("/prod/o/{target}")));
        }
        s.ask(200, &get("plain", "/prod/by-host/ok/1"));
    }),
    ("answers without a body", Node::Free, |s| {
        s.ask(204, &get("plain", "/prod/o/204/x"));
        s.ask(304, &get("plain", "/prod/o/304/x").with("If-None-Match", "\"x\""));
        s.ask(200, &ask("HEAD", "plain", "/prod/o/ok/x"));
        s.ask(200, &ask("OPTIONS", "plain", "/prod/o/ok/x"));
    }),
    ("an answer that ends with its connection", Node::Free, |s| {
        s.ask(200, &get("plain", "/prod/o/until-close/x"));
    }),
    ("fields of requests", Node::Free, |s| {
        let asked = get("plain", "/prod/o/ok/fields").with("X-One", "1").with("Accept", "a/b").with("X-One", "2");
        let asked = asked.with("X-Forwarded-For", "203.0.113.1").with("X-Forwarded-Proto", "gopher");
        let asked = asked.with("Forwarded", "for=203.0.113.1").with("X-Forwarded-Host", "evil.test");
        let asked = asked.with("Cookie", "a=1").with("Cookie", "b=2").with("Accept-Encoding", "gzip, br");
        let asked = asked.with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        s.ask(200, &asked.with("Via", "1.1 x").with("X-Empty", "").with("Authorization", "Basic eA=="));
    }),
    ("the client's request id", Node::Free, |s| {
        let id = "01234567-89ab-4cde-8f01-23456789abcd";
        let shown = s.ask(200, &get("plain", "/prod/mock").with("x-amzn-RequestId", id));
        assert_eq!(shown.field("x-amzn-requestid"), Some(id));
    }),
    ("bodies of requests", Node::Free, |s| {
        for body in [Body::Sized(b"sized".into()), Body::Sized(Vec::new())] {
            s.ask(200, &ask("POST", "plain", "/prod/o/ok/body").carrying(body.clone()));
            s.ask(200, &get("plain", "/prod/o/ok/body").carrying(body));
        }
        s.ask(200, &ask("PUT", "plain", "/prod/o/ok/none"));
        let waits = ask("POST", "plain", "/prod/o/ok/waits").with("Expect", "100-continue");
        s.ask(200, &waits.carrying(Body::Sized(b"at last".into())));
    }),
    ("a body that nobody reads", Node::Free, |s| {
        s.ask(200, &ask("POST", "plain", "/prod/mock").carrying(Body::Sized(b"unread".into())));
        s.ask(403, &ask("POST", "plain", "/prod/none").carrying(Body::Sized(b"unread".into())));
    }),
    // What is refused.
    ("targets that mean two things", Node::Free, |s| {
        for target in ["/prod/o/%zz", "/prod/o/../mock", "/prod/o/%2e%2E/mock", "/prod/o/..;a=b/mock"] {
            s.ask(400, &get("plain", target));
        }
    }),
    ("too large", Node::Free, |s| {
        s.ask(431, &get("plain", "/prod/mock").with("X-Long", &"x".repeat(9_000)));
        s.ask(431, &get("plain", &format!("/prod/mock?{}", "x".repeat(9_000))));
        s.ask(431, &(0..40).fold(get("plain", "/prod/mock"), |asked, _| asked.with("X-Many", "1")));
        s.ask(413, &ask("POST", "plain", "/prod/o/ok/large").carrying(Body::Claimed(2_000)));
    }),
    ("an expectation that nobody knows", Node::Free, |s| {
        s.ask(417, &get("plain", "/prod/mock").with("Expect", "a-miracle"));
    }),
    ("networks", Node::Free, |s| {
        s.ask(403, &get("denied", "/prod/mock"));
        s.ask(403, &get("closed", "/prod/mock"));
    }),
    ("buckets of method and stage", Node::Free, |s| {
        for status in [200, 200, 429, 429] {
            s.ask(status, &get("throttled", "/prod/a"));
        }
        s.ask(200, &ask("POST", "throttled", "/prod/o/ok").carrying(Body::Sized(b"x".into())));
        s.ask(504, &get("throttled", "/prod/o/closed"));
        s.ask(200, &get("throttled", "/prod/b"));
        s.ask(429, &get("throttled", "/prod/b"));
    }),
    // What goes wrong behind the gateway.
    ("failures of the origin", Node::Free, |s| {
        s.ask(500, &get("aws", "/prod/unbuildable"));
        s.ask(502, &get("plain", "/prod/o/garbage/x"));
        s.ask(502, &get("plain", "/prod/o/bad-chunk/x"));
        s.ask(504, &get("plain", "/prod/o/closed/x"));
        s.ask(504, &get("plain", "/prod/nobody"));
        s.ask(504, &get("plain", "/prod/slow"));
        s.ask(504, &get("plain", "/prod/late"));
        s.ask(504, &ask("POST", "plain", "/prod/o/closed/x").carrying(Body::Sized(b"x".into())));
    }),
    ("pieces leave as they come", Node::Free, |s| {
        for (api, target, at_origin) in
            [("plain", "/prod/o/trickle/a", "/trickle/a"), ("cached", "/prod/c/trickle/b", "/trickle/b")]
        {
            let mut started = s.start(&get(api, target));
            s.shows(&mut started, "half");
            s.open(at_origin);
            s.finish(200, started);
        }
        let mut started = s.start(&ask("POST", "plain", "/prod/o/trickle/c").carrying(Body::Sized(b"x".into())));
        s.shows(&mut started, "half");
        s.open("/trickle/c");
        s.finish(200, started);
    }),
    ("an answer that breaks off", Node::Free, |s| {
        s.ask(200, &get("plain", "/prod/o/broken/x"));
    }),
    // The cache.
    ("miss and hit", Node::Free, |s| {
        for target in ["ok/1", "chunked/1", "204/1"] {
            let status = if target == "204/1" { 204 } else { 200 };
            s.ask(status, &get("cached", &format!("/prod/c/{target}")));
            s.ask(status, &get("cached", &format!("/prod/c/{target}")));
        }
        s.ask(200, &get("cached", "/prod/c/ok/1?other"));
        s.ask(200, &get("cached", "/prod/c/ok/1").with("Accept-Encoding", "br;q=1.0, gzip"));
        s.ask(200, &ask("HEAD", "cached", "/prod/c/ok/1"));
        s.ask(200, &ask("OPTIONS", "cached", "/prod/c/ok/1"));
    }),
    ("stated keys", Node::Free, |s| {
        for tenant in ["a", "b", "a"] {
            s.ask(200, &get("cached", "/prod/keyed/ok?any").with("X-Tenant", tenant));
        }
        for _ in 0..2 {
            s.ask(200, &ask("POST", "cached", "/prod/keyed/ok"));
        }
        s.ask(200, &ask("POST", "cached", "/prod/keyed/ok").carrying(Body::Sized(b"x".into())));
    }),
    ("requests that pass the cache by", Node::Free, |s| {
        let target = "/prod/c/ok/by";
        for _ in 0..2 {
            s.ask(200, &get("cached", target).with("Authorization", "Basic eA=="));
            s.ask(200, &get("cached", target).with("Cookie", "a=b"));
            s.ask(200, &get("cached", target).carrying(Body::Sized(b"x".into())));
            s.ask(200, &get("cached", target).with("Cache-Control", "no-cache"));
            s.ask(200, &ask("POST", "cached", target));
            s.ask(200, &get("cached", "/prod/off/ok"));
        }
    }),
    ("answers that are not kept", Node::Free, |s| {
        for target in ["no-store", "private", "set-cookie", "vary", "404", "large"] {
            let status = target.parse().unwrap_or(200);
            for _ in 0..2 {
                s.ask(status, &get("cached", &format!("/prod/c/{target}/x")));
            }
        }
        s.ask(502, &get("cached", "/prod/c/garbage/x"));
        s.ask(502, &get("cached", "/prod/c/bad-chunk/x"));
    }),
    ("what is stored grows old", Node::Free, |s| {
        s.ask(200, &get("cached", "/prod/brief/ok"));
        let stored = Instant::now();
        eventually("the stored answer is old", || stored.elapsed() > Duration::from_millis(1_050));
        s.ask(200, &get("cached", "/prod/brief/ok"));
    }),
    ("one fetch for two", Node::Free, |s| {
        let asked = get("cached", "/prod/c/hold/it");
        let first = s.start(&asked);
        s.has_come("/hold/it");
        let second = s.start(&asked);
        s.are_in_flight(2);
        s.open("/hold/it");
        s.finish(200, first);
        s.finish(200, second);
        s.ask(200, &asked);
    }),
    ("AWS's profile", Node::Free, |s| {
        s.ask(200, &get("aws", "/prod/mock"));
        s.ask(403, &get("aws", "/prod/none"));
        s.ask(200, &get("aws", "/prod/o/remapped"));
        s.ask(200, &ask("POST", "aws", "/prod/o/ok").with("X-HTTP-Method-Override", "HEAD"));
        for target in ["ok", "404", "set-cookie"] {
            let status = target.parse().unwrap_or(200);
            for _ in 0..2 {
                s.ask(status, &get("aws", &format!("/prod/c/{target}")));
            }
        }
    }),
    // Last, for what one way leaves out must change nothing for the others.
    (STREAMED, Node::Free, |s| {
        for body in [Body::Streamed(b"streamed".into()), Body::Streamed(Vec::new())] {
            s.ask(200, &ask("POST", "plain", "/prod/o/ok/body").carrying(body.clone()));
            s.ask(200, &get("plain", "/prod/o/ok/body").carrying(body));
        }
        s.ask(413, &ask("POST", "plain", "/prod/o/ok/large").carrying(Body::Streamed(vec![b'x'; 2_000])));
    }),
    // The node as a whole.
    ("the account's bucket", Node::Account, |s| {
        s.ask(403, &get("plain", "/prod/none"));
        s.ask(403, &get("denied", "/prod/mock"));
        for status in [200, 200, 429] {
            s.ask(status, &get("plain", "/prod/mock"));
        }
        s.ask(429, &ask("POST", "plain", "/prod/o/ok").carrying(Body::Sized(b"x".into())));
    }),
    ("requests in flight", Node::InFlight, |s| {
        let first = s.start(&get("plain", "/prod/o/hold/place"));
        s.has_come("/hold/place");
        s.ask(429, &get("plain", "/prod/mock"));
        s.ask(429, &get("throttled", "/prod/o/ok"));
        s.open("/hold/place");
        s.finish(200, first);
        s.are_in_flight(0);
        s.ask(200, &get("throttled", "/prod/o/ok"));
    }),
    ("a redirect", Node::Redirecting, |s| {
        for (verb, target) in [("GET", "/prod/mock?a=b"), ("HEAD", "/prod/none"), ("POST", "/prod/mock")] {
            s.ask(308, &ask(verb, "plain", target));
        }
        s.ask(308, &ask("POST", "plain", "/prod/mock").carrying(Body::Sized(b"x".into())));
        s.ask(400, &get("plain", "/prod/../mock"));
    }),
];
