//! What becomes of a large object whose time is over: confirmed by the origin, served where that fails, fetched anew.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;

use super::support::{self, Answer, Gateway, eventually};
use super::{Rig, file, is_hit, segments, settle, status};

const TARGET: &str = "/film-3000000";

/// An origin that answers the first request with the object, and all others as `then` says.
fn rig(then: impl Fn(bool) -> Answer + Send + Sync + 'static) -> Rig {
    let count = AtomicUsize::new(0);
    Rig::new(move |request| match count.fetch_add(1, SeqCst) {
        0 => Answer::status(200, "ETag: \"v1\"\r\nSurrogate-Key: all\r\n", file(&request.target)),
        _ => then(request.field("if-none-match") == Some("\"v1\"")),
    })
}

fn expire(gateway: &Gateway) {
    let wish = json!({ "tag": "all", "soft": true }).to_string();
    let told = support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish);
    assert_eq!(told.status, 200, "{}", told.body);
}

fn started(rig: &Rig) -> Gateway {
    let gateway = rig.start();
    assert!(gateway.get(TARGET).body == file(TARGET));
    settle(&gateway, 1.0);
    assert!(is_hit(&gateway.get(TARGET)));
    gateway
}

#[test]
fn what_the_origin_confirms_is_not_fetched_again() {
    let rig = rig(|asks| match asks {
        true => Answer::raw("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nX-New: 1\r\nSurrogate-Key: all\r\n\r\n"),
        false => Answer::status(500, "", "asked without its tag"),
    });
    let gateway = started(&rig);
    expire(&gateway);
    let confirmed = gateway.get(TARGET);
    assert!(confirmed.status == 200 && confirmed.body == file(TARGET), "{:?}", confirmed.head);
    assert!(status(&confirmed).starts_with("Sluice; fwd=stale; stored"), "{:?}", confirmed.head);
    assert_eq!((confirmed.field("x-new"), rig.origin.count()), (Some("1"), 2));
    let hit = gateway.get(TARGET);
    assert!(is_hit(&hit) && hit.body == file(TARGET) && hit.field("x-new") == Some("1"), "{:?}", hit.head);
    expire(&gateway);
    let written = || gateway.metrics().sum("sluice_cache_disk_written_bytes_total");
    let before = written();
    assert_eq!(gateway.get_with(TARGET, "If-None-Match: \"v1\"\r\n").status, 304);
    assert_eq!(rig.origin.count(), 3);
    eventually("the renewed head is on disk", || written() > before);
    drop(gateway);
    assert!(is_hit(&rig.start().get(TARGET)), "the renewed head is on disk");
}

#[test]
fn what_is_confirmed_and_not_whole_any_more_is_fetched() {
    let rig = rig(|asks| match asks {
        true => Answer::raw("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nSurrogate-Key: all\r\n\r\n"),
        false => Answer::ok(file(TARGET)),
    });
    let gateway = started(&rig);
    for path in segments(&rig.directory()) {
        let mut bytes = std::fs::read(&path).unwrap();
        let Some(at) = memchr::memmem::find(&bytes, &file(TARGET)[100..164]) else { continue };
        bytes[at] ^= 1;
        std::os::unix::fs::FileExt::write_at(
            &std::fs::OpenOptions::new().write(true).open(&path).unwrap(),
            &bytes[at..=at],
            at as u64,
        )
        .unwrap();
    }
    expire(&gateway);
    let anew = gateway.get(TARGET);
    assert!(anew.status == 200 && anew.body == file(TARGET), "{:?}", anew.head);
    assert_eq!(rig.origin.count(), 3);
}

#[test]
fn what_is_stored_is_served_where_the_origin_fails() {
    let mut rig = rig(|_| Answer::status(503, "", "down"));
    rig.stage = "cache_stale_if_error = \"60s\"\n".to_owned();
    let gateway = started(&rig);
    expire(&gateway);
    let stale = gateway.get(TARGET);
    assert!(stale.status == 200 && stale.body == file(TARGET), "{:?}", stale.head);
    assert!(status(&stale).ends_with("detail=stale-if-error"), "{:?}", stale.head);
}

#[test]
fn what_is_stale_is_served_while_a_new_one_is_brought_to_disk() {
    let mut rig = rig(|_| Answer::status(200, "ETag: \"v2\"\r\nSurrogate-Key: all\r\n", file("/film2-3000000")));
    rig.stage = "cache_stale_while_revalidate = \"60s\"\n".to_owned();
    let gateway = started(&rig);
    expire(&gateway);
    let stale = gateway.get(TARGET);
    assert!(stale.body == file(TARGET) && status(&stale).contains("detail=stale"), "{:?}", stale.head);
    settle(&gateway, 2.0);
    let new = gateway.get(TARGET);
    assert!(new.body == file("/film2-3000000") && is_hit(&new), "{:?}", new.head);
    assert_eq!(rig.origin.count(), 2);
}

#[test]
fn what_replaces_a_large_object_may_be_small() {
    let rig = rig(|_| Answer::status(200, "Surrogate-Key: all\r\n", "small"));
    let gateway = started(&rig);
    expire(&gateway);
    assert_eq!(gateway.get(TARGET).text(), "small");
    let hit = gateway.get(TARGET);
    assert!(hit.text() == "small" && status(&hit).starts_with("Sluice; hit"), "{:?}", hit.head);
}
