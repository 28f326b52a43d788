//! What is acknowledged is on the device: a purge, a flush and a rotation of keys are answered behind the sync that
//! keeps them, and not with success where there is none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use support::disk::{Rig, body, kill, settle, state};
use support::disk_keys::{key_ids, rig, with_keys};
use support::faults::{Held, SYNCING, WRITING, forbid_writes, outlive_refused_writes};
use support::{Gateway, admin, eventually};

/// Who is not kept waiting answers long before.
const WAITING: Duration = Duration::from_millis(400);

/// The thread that writes entries and what takes the place of a removed one.
const LOG: &str = "cache-write";
/// The thread that writes flushes and bans.
const JOURNAL: &str = "cache-journal";

/// What changes on disk, by the call that asks for it, and who writes it.
fn changes() -> Vec<(&'static str, &'static str, Value, &'static str, u16)> {
    let purge = |wish, by| ("POST", "/sluice/cache/purge", wish, by, 200);
    vec![
        purge(json!({ "url": "http://gateway.test/pets/1" }), LOG),
        purge(json!({ "tag": "1" }), JOURNAL),
        purge(json!({ "prefix": "/pets" }), JOURNAL),
        purge(json!({ "everything": true }), JOURNAL),
        purge(json!({ "url": "http://gateway.test/pets/1", "soft": true }), JOURNAL),
        ("DELETE", "/restapis/shop/stages/prod/cache/data", Value::Null, JOURNAL, 202),
    ]
}

fn ask(gateway: &Gateway, method: &str, path: &str, wish: &Value) -> admin::Told {
    let text = if wish.is_null() { String::new() } else { wish.to_string() };
    admin::send(&gateway.directory().join("admin.sock"), method, path, &text)
}

/// What comes of a request that is answered only once `held` lets its thread go on.
fn behind<T: Send>(mut held: Held, request: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (done, answer) = channel();
        scope.spawn(move || done.send(request()));
        held.wait();
        let early = answer.recv_timeout(WAITING);
        drop(held);
        assert!(early.is_err(), "it is answered before it is on the device");
        answer.recv_timeout(support::PATIENCE).unwrap()
    })
}

#[test]
fn a_purge_and_a_flush_are_answered_behind_their_sync() {
    let rig = Rig::new();
    let gateway = rig.start();
    for (method, path, wish, thread, status) in changes() {
        body(&gateway, "/pets/1");
        settle(&gateway, 1.0);
        let held = Held::at(gateway.pid(), thread, SYNCING);
        let told = behind(held, || ask(&gateway, method, path, &wish));
        assert_eq!(told.status, status, "{wish} {}", told.body);
    }
}

/// Has the gateway reload, which takes the current keys and, to be seen by, another path.
fn reload(gateway: &Gateway, rig: &Rig) -> admin::Told {
    let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
    let text = text.replace("@DIR@", &gateway.directory().display().to_string());
    fs::write(gateway.directory().join("sluice.toml"), text.replace("/pets/{id}\"\n", "/new/{id}\"\n")).unwrap();
    ask(gateway, "POST", "/sluice/reload", &Value::Null)
}

#[test]
fn a_rotation_is_answered_behind_all_that_the_old_key_has_sealed() {
    let mut rig = rig(&[1], 1);
    let gateway = rig.start();
    let mut held = Held::at(gateway.pid(), LOG, WRITING);
    body(&gateway, "/pets/1");
    held.wait();
    rig = with_keys(rig, &[1, 3], 3);
    let told = behind(held, || reload(&gateway, &rig));
    assert_eq!((told.status, key_ids(&rig)), (200, vec![1]), "{}", told.body);
}

#[test]
fn a_rotation_is_answered_behind_its_sync() {
    let mut rig = rig(&[1], 1);
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig = with_keys(rig, &[1, 3], 3);
    let told = behind(Held::at(gateway.pid(), LOG, SYNCING), || reload(&gateway, &rig));
    assert_eq!(told.status, 200, "{}", told.body);
}

fn failed_reloads(gateway: &Gateway) -> f64 {
    gateway.metrics().value("sluice_reloads_total{result=\"failed\"}")
}

#[test]
fn a_rotation_that_the_disk_does_not_keep_changes_nothing() {
    outlive_refused_writes();
    let mut rig = rig(&[1], 1);
    let gateway = rig.start();
    let first = body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    forbid_writes(gateway.pid(), true);
    body(&gateway, "/pets/2");
    eventually("the disk fails", || state(&gateway) == "writes-fail");
    rig = with_keys(rig, &[1, 3], 3);
    let told = reload(&gateway, &rig);
    assert_eq!(told.status, 500, "{}", told.body);
    assert!(told.body.contains("key 1 sealed") && told.body.contains("'pool'"), "{}", told.body);
    // The file has changed, which is looked at once more.
    eventually("both tries have failed", || failed_reloads(&gateway) == 2.0);
    assert_eq!((body(&gateway, "/pets/1"), gateway.get("/new/1").status), (first, 403), "the old plan serves");
    forbid_writes(gateway.pid(), false);
    eventually("the disk is back", || state(&gateway) == "good");
    let third = body(&gateway, "/pets/3");
    settle(&gateway, 2.0);
    assert_eq!(key_ids(&rig), [1, 1], "the old key seals");
    assert_eq!(reload(&gateway, &rig).status, 200);
    body(&gateway, "/new/4");
    settle(&gateway, 3.0);
    assert_eq!(key_ids(&rig), [1, 1, 3]);
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    assert_eq!(body(&gateway, "/pets/3"), third);
}

#[test]
fn what_the_disk_does_not_keep_is_no_success_and_does_not_come_back() {
    outlive_refused_writes();
    for (method, path, wish, _, _) in changes() {
        let rig = Rig::new();
        let gateway = rig.start();
        let stored = body(&gateway, "/pets/1");
        settle(&gateway, 1.0);
        forbid_writes(gateway.pid(), true);
        let told = ask(&gateway, method, path, &wish);
        assert_eq!(told.status, 500, "{wish} {}", told.body);
        assert_ne!(body(&gateway, "/pets/1"), stored, "{wish}: it holds in this process");
        forbid_writes(gateway.pid(), false);
        eventually("the disk is back", || state(&gateway) == "good");
        // Whoever repeats it knows that it is kept.
        let told = ask(&gateway, method, path, &wish);
        assert!(matches!(told.status, 200 | 202), "{wish} {}", told.body);
        kill(gateway, libc::SIGKILL);
        assert_ne!(body(&rig.start(), "/pets/1"), stored, "{wish}");
    }
}
