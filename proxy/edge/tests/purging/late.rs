//! What was on its way when a purge came.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;

use super::admin::Admin;
use super::support::{Answer, Gate, Recorder, eventually};
use super::{gateway, is_stored};

/// The first answer is held back in the middle of its body; all later ones come at once.
fn held() -> (Recorder, Arc<Gate>) {
    let (gate, count) = (Arc::new(Gate::default()), AtomicUsize::new(0));
    let first = gate.clone();
    let origin = Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => {
            let head = "HTTP/1.1 200 OK\r\nSurrogate-Key: a\r\nContent-Length: 7\r\n\r\nol";
            Answer::raw(head).wait(&first).then("d one")
        }
        number => Answer::status(200, "Surrogate-Key: a\r\n", format!("new {number}")),
    });
    (origin, gate)
}

fn purges() -> [serde_json::Value; 5] {
    [
        json!({ "tag": "a" }),
        json!({ "prefix": "/pets/1" }),
        json!({ "method": "GET /pets/{id}" }),
        json!({ "url": "http://gateway.test/pets/1" }),
        json!({ "everything": true }),
    ]
}

/// Lets a fetch be overtaken by each kind of purge. Its client gets what it asked for; nobody else does.
fn is_overtaken_by_every_purge(top: &str) {
    purges().iter().for_each(|wish| is_overtaken_by(top, wish));
    for mut wish in purges() {
        wish["soft"] = true.into();
        is_overtaken_by(top, &wish);
    }
}

fn is_overtaken_by(top: &str, wish: &serde_json::Value) {
    let (origin, gate) = held();
    let gateway = gateway(&origin, top);
    let admin = Admin::of(&gateway);
    let mut early = gateway.connect();
    early.request("GET", "/pets/1", "");
    origin.wait_for(1);
    assert_eq!(admin.post("/sluice/cache/purge", wish).0, 200, "{wish}");
    let late = gateway.get("/pets/1");
    assert_eq!(late.text(), "new 1", "{wish}: whoever asks after a purge does not follow what was fetched before");
    gate.open();
    assert_eq!(early.read().text(), "old one");
    eventually("the old fetch is over", || admin.figure("fetches") == 0 && admin.figure("bans") == 0);
    assert_eq!(gateway.get("/pets/1").text(), "new 1", "{wish}: what was fetched before is not stored after");
}

#[test]
fn a_collapsed_fetch_is_overtaken_by_every_purge() {
    is_overtaken_by_every_purge("");
}

#[test]
fn a_fetch_of_one_s_own_is_overtaken_by_every_purge() {
    is_overtaken_by_every_purge("profile = \"aws\"");
}

#[test]
fn a_purge_of_something_else_lets_others_follow_and_store() {
    let (origin, gate) = held();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    let mut clients: Vec<_> = (0..2).map(|_| gateway.connect()).collect();
    clients[0].request("GET", "/pets/1", "");
    origin.wait_for(1);
    for wish in [json!({ "prefix": "/pets/2" }), json!({ "method": "GET /keyed/{id}" })] {
        assert_eq!(admin.post("/sluice/cache/purge", &wish).0, 200);
    }
    assert_eq!(admin.figure("bans"), 2, "kept for the fetch under way");
    clients[1].request("GET", "/pets/1", "");
    gate.open();
    clients.iter_mut().for_each(|client| assert_eq!(client.read().text(), "old one"));
    eventually("it is stored", || admin.figure("entries") == 1);
    assert!(is_stored(&gateway, "/pets/1"));
    eventually("nothing is remembered for ever", || admin.figure("bans") == 0);
    assert_eq!(origin.count(), 1);
}
