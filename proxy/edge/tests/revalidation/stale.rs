//! What is served after its time where `cache_ttl` gives that: `cache_stale_while_revalidate`, `cache_stale_if_error`,
//! soft purges.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::says;
use super::support::{Answer, Gate, Gateway, Recorder, admin, eventually};

fn gateway(origin: &Recorder, keys: &str) -> Gateway {
    super::passing(origin, "", &format!("cache_cluster_size = \"16 MiB\"\n{keys}"))
}

/// Answers `old` once, then what it is told to.
fn old_then(next: Answer) -> Recorder {
    let count = AtomicUsize::new(0);
    Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => Answer::status(200, "ETag: \"a\"\r\nSurrogate-Key: t\r\n", "old"),
        _ => next.clone(),
    })
}

fn purge_softly(gateway: &Gateway) {
    let socket = gateway.directory().join("admin.sock");
    let told = admin::send(&socket, "POST", "/sluice/cache/purge", r#"{"tag":"t","soft":true}"#);
    assert_eq!(told.status, 200, "{}", told.body);
}

fn is_over(gateway: &Gateway, says: &str) {
    eventually("its time is over", || super::says(&gateway.get("/a")).starts_with(says));
}

#[test]
fn what_is_over_is_served_while_one_request_fetches_it_anew() {
    let gate = Arc::new(Gate::default());
    let origin = old_then(Answer::none().wait(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"));
    let gateway = gateway(&origin, "cache_ttl = \"1s\"\ncache_stale_while_revalidate = \"600s\"");
    assert_eq!(gateway.get("/a").text(), "old");
    is_over(&gateway, "Sluice; hit; ttl=-");
    origin.wait_for(2);
    for _ in 0..5 {
        let stale = gateway.get("/a");
        assert_eq!((stale.text(), says(&stale).ends_with("; detail=stale")), ("old", true), "{stale:?}");
        assert!(stale.field("age").unwrap().parse::<u32>().unwrap() >= 1);
    }
    assert_eq!(origin.count(), 2, "one fetches for all");
    gate.open();
    eventually("the new answer", || gateway.get("/a").text() == "new");
}

#[test]
fn what_was_purged_softly_is_served_while_it_is_fetched_anew() {
    let gate = Arc::new(Gate::default());
    let origin = old_then(Answer::none().wait(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"));
    let gateway = gateway(&origin, "cache_ttl = \"3600s\"\ncache_stale_while_revalidate = \"600s\"");
    assert_eq!(gateway.get("/a").text(), "old");
    purge_softly(&gateway);
    let stale = gateway.get("/a");
    assert_eq!((stale.text(), says(&stale)), ("old", "Sluice; hit; ttl=-0; detail=stale"));
    origin.wait_for(2);
    gate.open();
    eventually("the new answer", || gateway.get("/a").text() == "new");
    let fresh = gateway.get("/a");
    let left: u32 = says(&fresh).strip_prefix("Sluice; hit; ttl=").unwrap().parse().unwrap();
    assert!((3590..3600).contains(&left), "it is fresh again, for whole seconds: {fresh:?}");
    assert_eq!(origin.count(), 2);
}

#[test]
fn without_leave_nothing_is_served_after_its_time() {
    for keys in ["cache_ttl = \"3600s\"", "cache_ttl = \"3600s\"\ncache_stale_if_error = \"600s\""] {
        let origin = old_then(Answer::status(200, "", "new"));
        let gateway = gateway(&origin, keys);
        assert_eq!(gateway.get("/a").text(), "old");
        purge_softly(&gateway);
        let fresh = gateway.get("/a");
        assert_eq!((fresh.text(), says(&fresh)), ("new", "Sluice; fwd=stale; stored; detail=purged"));
    }
    let origin = old_then(Answer::status(503, "", "sorry"));
    let gateway = gateway(&origin, "cache_ttl = \"1s\"\ncache_stale_while_revalidate = \"1s\"");
    assert_eq!(gateway.get("/a").text(), "old");
    eventually("both times are over", || gateway.get("/a").status == 503);
}

#[test]
fn what_is_over_is_served_where_the_endpoint_fails() {
    for failure in [Answer::status(503, "", "sorry"), Answer::raw("no HTTP\r\n\r\n"), Answer::none().close()] {
        let origin = old_then(failure);
        let gateway = gateway(&origin, "cache_ttl = \"1s\"\ncache_stale_if_error = \"600s\"");
        assert_eq!(gateway.get("/a").text(), "old");
        is_over(&gateway, "Sluice; fwd=stale");
        let stale = gateway.get("/a");
        assert_eq!(
            (stale.status, stale.text(), says(&stale)),
            (200, "old", "Sluice; fwd=stale; detail=stale-if-error")
        );
    }
    let origin = old_then(Answer::status(404, "", "gone"));
    let gateway = gateway(&origin, "cache_ttl = \"1s\"\ncache_stale_if_error = \"600s\"");
    gateway.get("/a");
    eventually("a 404 is no failure", || gateway.get("/a").status == 404);
}

#[test]
fn what_was_purged_softly_is_served_where_the_endpoint_fails() {
    let origin = old_then(Answer::status(500, "", "sorry"));
    let gateway = gateway(&origin, "cache_ttl = \"3600s\"\ncache_stale_if_error = \"600s\"");
    assert_eq!(gateway.get("/a").text(), "old");
    purge_softly(&gateway);
    for _ in 0..2 {
        let stale = gateway.get("/a");
        assert_eq!((stale.text(), says(&stale)), ("old", "Sluice; fwd=stale; detail=stale-if-error"));
    }
    assert_eq!(origin.count(), 3, "each has tried");
}

#[test]
fn a_fetch_behind_an_answer_that_fails_leaves_it_and_is_not_tried_again_at_once() {
    let origin = old_then(Answer::status(500, "", "sorry"));
    let gateway = gateway(&origin, "cache_ttl = \"1s\"\ncache_stale_while_revalidate = \"600s\"");
    assert_eq!(gateway.get("/a").text(), "old");
    is_over(&gateway, "Sluice; hit; ttl=-");
    origin.wait_for(2);
    let metrics = || gateway.metrics().value("sluice_not_stored_total{reason=\"status\"}");
    eventually("it has failed", || metrics() > 0.0);
    for _ in 0..20 {
        assert_eq!(gateway.get("/a").text(), "old");
    }
    assert_eq!(origin.count(), 2);
}
