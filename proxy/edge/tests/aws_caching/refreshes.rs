//! Clients that ask for a fresh answer: who may, and what comes of it when others fetch at the same time.

use super::*;
use crate::support::{Gate, Request};

const FRESH: &str = "Cache-Control: max-age=0\r\n";

#[test]
fn callers_are_named_by_network_and_a_stage_s_list_is_its_own() {
    let origin = counting(200);
    for (api, stage, granted) in [
        ("[\"127.0.0.0/8\"]", "", true),
        ("[\"10.0.0.0/8\"]", "", false),
        ("[\"10.0.0.0/8\"]", "cache_invalidation_callers = [\"127.0.0.1\"]\n", true),
        ("[\"127.0.0.0/8\"]", "cache_invalidation_callers = []\n", false),
    ] {
        let text = format!("{PETS}{stage}").replace("@TOP@", EDGE);
        let text = text.replace("id = \"pets\"\n", &format!("id = \"pets\"\ncache_invalidation_callers = {api}\n"));
        let gateway = Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()));
        let stored = gateway.get("/pets");
        let wish = gateway.get_with("/pets", FRESH);
        assert_eq!(wish.text() != stored.text(), granted, "{api} {stage}");
        let told = if granted { "Sluice; fwd=request; stored" } else { "Sluice; hit" };
        assert!(wish.field("cache-status").unwrap().starts_with(told), "{:?}", wish.field("cache-status"));
    }
}

#[test]
fn a_trusted_proxy_s_word_says_who_is_calling() {
    let origin = counting(200);
    let top = "trusted_proxies = [\"127.0.0.0/8\"]";
    let gateway = gateway(&origin, top, "cache_invalidation_callers = [\"192.0.2.0/24\"]\n");
    let stored = gateway.get("/pets");
    let wish = |address: &str| gateway.get_with("/pets", &format!("{FRESH}X-Forwarded-For: {address}\r\n"));
    assert_eq!(wish("198.51.100.1").text(), stored.text());
    assert_ne!(wish("192.0.2.7").text(), stored.text());
}

/// An origin whose first answer waits for the gate; the others come at once.
fn slow_first() -> (Recorder, Gate) {
    let (gate, count) = (Gate::default(), AtomicUsize::new(0));
    let held = gate.clone();
    let origin = Recorder::start(move |_: &Request| {
        let number = count.fetch_add(1, SeqCst);
        let body = format!("answer {number}");
        let answer = if number == 0 { Answer::none().wait(&held) } else { Answer::none() };
        answer.then(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    });
    (origin, gate)
}

/// The fetch under way began before the wish; neither may it fulfil the wish, nor be found afterwards.
#[test]
fn a_refresh_overtakes_the_fetch_that_is_under_way() {
    for profile in [AWS, EDGE] {
        let (origin, gate) = slow_first();
        let gateway = gateway(&origin, profile, "require_authorization_for_cache_control = false\n");
        let mut slow = gateway.connect();
        slow.request("GET", "/pets", "");
        origin.wait_for(1);
        assert_eq!(gateway.get_with("/pets", FRESH).text(), "answer 1");
        gate.open();
        assert_eq!(slow.read().text(), "answer 0", "who asked before gets what was fetched for it");
        eventually("the late answer is refused", || {
            metric(&gateway, "sluice_not_stored_total{reason=\"superseded\"}") == 1
        });
        assert_eq!(gateway.get("/pets").text(), "answer 1");
        assert_eq!(origin.count(), 2);
    }
}

/// Whoever comes after the wish follows its fetch, not the older one.
#[test]
fn who_comes_after_a_refresh_waits_for_it() {
    let (gate, count) = (Gate::default(), AtomicUsize::new(0));
    let held = gate.clone();
    let origin = Recorder::start(move |_: &Request| {
        let body = format!("answer {}", count.fetch_add(1, SeqCst));
        Answer::none().wait(&held).then(format!("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{body}"))
    });
    let gateway = gateway(&origin, EDGE, "require_authorization_for_cache_control = false\n");
    let mut clients = [(); 3].map(|()| gateway.connect());
    clients[0].request("GET", "/pets", "");
    origin.wait_for(1);
    clients[1].request("GET", "/pets", FRESH);
    origin.wait_for(2);
    clients[2].request("GET", "/pets", "");
    // The worker has been around since.
    assert!(admin(&gateway, "GET", "/healthz").starts_with("HTTP/1.1 200"));
    gate.open();
    let texts = clients.map(|mut client| client.read().text().to_owned());
    assert_eq!(texts, ["answer 0", "answer 1", "answer 1"]);
}

#[test]
fn a_refresh_that_brings_an_error_is_judged_like_any_other_answer() {
    for (profile, after) in [(AWS, 500), (EDGE, 200)] {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
            0 => Answer::ok("fine"),
            _ => Answer::status(500, "", "an error"),
        });
        let gateway = gateway(&origin, profile, "require_authorization_for_cache_control = false\n");
        assert_eq!(gateway.get("/pets").status, 200);
        assert_eq!(gateway.get_with("/pets", FRESH).status, 500);
        assert_eq!(gateway.get("/pets").status, after, "AWS replaces the entry; the edge keeps what it has");
    }
}

#[test]
fn a_verb_that_is_not_cached_says_so() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "");
    edit(&gateway, "path = \"/cats\"\nmethod.GET", "path = \"/cats\"\nmethod.ANY");
    assert_eq!(send(&gateway, "PUT", "/cats", "").field("cache-status"), Some("Sluice; fwd=method"));
    assert_eq!(gateway.get("/cats").field("cache-status"), Some("Sluice; fwd=uri-miss; stored"));
}
