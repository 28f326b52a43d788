//! The disk below the caches' memory: what is found again after a restart, what must not be, and a disk that fails.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;
use support::disk::{Rig, body, contains, files, kill, settle, state};
use support::{Answer, Gateway, Recorder, eventually};

#[test]
fn what_was_stored_is_found_after_a_kill_and_after_a_stop() {
    let rig = Rig::new();
    let gateway = rig.start();
    let first: Vec<String> = (0..20).map(|n| body(&gateway, &format!("/pets/{n}"))).collect();
    settle(&gateway, 20.0);
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    let again: Vec<String> = (0..20).map(|n| body(&gateway, &format!("/pets/{n}"))).collect();
    assert_eq!(first, again);
    let answer = gateway.get("/pets/0");
    assert_eq!(answer.field("cache-status").unwrap().split("; ttl").next(), Some("Sluice; hit"));
    kill(gateway, libc::SIGTERM);
    let gateway = rig.start();
    let answer = gateway.get("/pets/3");
    assert!(answer.field("cache-status").unwrap().ends_with("; detail=disk"), "{answer:?}");
    assert_eq!(rig.origin.count(), 20);
}

#[test]
fn what_was_purged_or_flushed_does_not_come_back() {
    let rig = Rig::new();
    let gateway = rig.start();
    (0..3).for_each(|n| drop(body(&gateway, &format!("/pets/{n}"))));
    settle(&gateway, 3.0);
    let purge = |what: serde_json::Value| {
        let text = what.to_string();
        let told = support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &text);
        assert_eq!(told.status, 200, "{}", told.body);
    };
    purge(json!({ "tag": "1" }));
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    assert!(body(&gateway, "/pets/0").ends_with("answer 0"));
    assert!(body(&gateway, "/pets/1").ends_with("answer 3"), "it was purged by its tag");
    assert_eq!(gateway.admin("DELETE", "/restapis/shop/stages/prod/cache/data").status, 202);
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    assert!(body(&gateway, "/pets/2").ends_with("answer 4"), "all was flushed");
}

#[test]
fn what_a_purge_has_overtaken_does_not_reach_the_disk() {
    let gate = std::sync::Arc::new(support::Gate::default());
    let (first, count) = (gate.clone(), AtomicUsize::new(0));
    // Larger than the memory tier takes, so that it would lie on the disk alone.
    let large = "x".repeat(1_040_000);
    let origin = Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => Answer::raw("HTTP/1.1 200 OK\r\nSurrogate-Key: a\r\nContent-Length: 1040001\r\n\r\n")
            .wait(&first)
            .then(format!("o{large}")),
        _ => Answer::status(200, "Surrogate-Key: a\r\n", format!("n{large}")),
    });
    let rig = Rig { origin, ..Rig::new() };
    let gateway = rig.start();
    let mut early = gateway.connect();
    early.request("GET", "/pets/1", "");
    rig.origin.wait_for(1);
    let wish = json!({ "tag": "a" }).to_string();
    let told = support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish);
    assert_eq!(told.status, 200, "{}", told.body);
    gate.open();
    assert!(early.read().text().starts_with('o'));
    assert!(body(&gateway, "/pets/1").starts_with('n'));
    settle(&gateway, 1.0);
    assert!(body(&gateway, "/pets/1").starts_with('n'));
    assert_eq!(rig.origin.count(), 2);
    drop(gateway);
    assert!(!files(&rig.directory()).iter().any(|(_, bytes)| contains(bytes, b"oxxxxxxxx")), "it was written");
}

#[test]
fn what_is_sealed_cannot_be_read_without_its_key() {
    let rig = Rig::sealed(&"0123456789abcdef".repeat(4));
    let gateway = rig.start();
    let first = body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    kill(gateway, libc::SIGTERM);
    for (file, bytes) in files(&rig.directory()) {
        assert!(!contains(&bytes, b"secret-plain-text"), "{}", file.display());
        assert!(!contains(&bytes, b"/pets/1"), "{}", file.display());
    }
    let gateway = rig.start();
    assert_eq!(body(&gateway, "/pets/1"), first);
    kill(gateway, libc::SIGTERM);
    fs::write(rig.cache.path().join("key"), "fedcba9876543210".repeat(4)).unwrap();
    let gateway = rig.start();
    assert_ne!(body(&gateway, "/pets/1"), first, "another key under the same id opens nothing");
}

#[test]
fn without_encryption_the_text_is_there_to_be_read() {
    let rig = Rig::new();
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    kill(gateway, libc::SIGTERM);
    assert!(files(&rig.directory()).iter().any(|(_, bytes)| contains(bytes, b"secret-plain-text")));
}

/// All pages of a dry run, as the command asks for them: found in memory and on disk, paths that are listed.
fn dry_run(gateway: &Gateway, mut wish: serde_json::Value) -> (u64, u64, Vec<String>) {
    let (mut memory, mut disk, mut paths) = (0, 0, Vec::new());
    loop {
        wish["dry_run"] = json!(true);
        let socket = gateway.directory().join("admin.sock");
        let told = support::admin::send(&socket, "POST", "/sluice/cache/purge", &wish.to_string());
        let page: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((told.status, &page["disk_unreadable"]), (200, &json!(0)), "{}", told.body);
        memory += page["found"].as_u64().unwrap();
        disk += page["disk_found"].as_u64().unwrap();
        assert!(page["disk_found"] == 0 || page["disk_bytes"].as_u64().unwrap() > 100, "{page}");
        assert!(page["done"].as_u64() <= page["parts"].as_u64(), "{page}");
        paths.extend(page["entries"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap().to_owned()));
        wish["from"] = page["next"].clone();
        if wish["from"].is_null() {
            assert_eq!(page["done"], page["parts"]);
            paths.sort_unstable();
            return (memory, disk, paths);
        }
    }
}

#[test]
fn a_dry_run_finds_what_only_the_disk_has() {
    let rig = Rig::sealed(&"0123456789abcdef".repeat(4));
    let gateway = rig.start();
    (0..20).for_each(|n| drop(body(&gateway, &format!("/pets/{n}"))));
    settle(&gateway, 20.0);
    kill(gateway, libc::SIGTERM);
    let gateway = rig.start();
    assert_eq!(dry_run(&gateway, json!({ "tag": "7" })), (0, 1, vec!["/pets/7".into()]));
    body(&gateway, "/pets/7");
    assert_eq!(dry_run(&gateway, json!({ "tag": "7" })), (1, 1, vec!["/pets/7".into()]), "listed once");
    let (memory, disk, paths) = dry_run(&gateway, json!({ "everything": true, "limit": 3 }));
    assert_eq!((memory, disk, paths.len()), (1, 20, 20), "in pages of three");
    assert_eq!(dry_run(&gateway, json!({ "prefix": "/pets/1", "limit": 0 })), (0, 11, vec![]));
    let url = json!({ "api": "shop", "stage": "prod", "url": "/pets/3", "host": "gateway.test" });
    assert_eq!(dry_run(&gateway, url), (0, 1, vec!["/pets/3".into()]));
    let wish = json!({ "tag": "8" }).to_string();
    support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish);
    assert_eq!(dry_run(&gateway, json!({ "tag": "8" })), (0, 0, vec![]), "it was purged");
    assert_eq!(rig.origin.count(), 20);
    let wish = json!({ "tag": "8", "dry_run": true, "from": "disk-0-x" }).to_string();
    let told = support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish);
    assert_eq!(told.status, 400, "{}", told.body);
}

#[test]
fn the_command_tells_what_lies_on_disk() {
    let rig = Rig::new();
    let gateway = rig.start();
    (0..3).for_each(|n| drop(body(&gateway, &format!("/pets/{n}"))));
    settle(&gateway, 3.0);
    kill(gateway, libc::SIGTERM);
    let gateway = rig.start();
    let command = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.args(["cache", "purge", "--everything", "--dry-run", "--config"]);
        let run = command.arg(gateway.directory().join("sluice.toml")).args(arguments).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    let text = command(&[]);
    assert!(text.lines().last().unwrap().starts_with("0 entries, 0 B in memory; 3 entries, "), "{text}");
    assert!(text.contains("shop/prod  GET /pets/2  200  "), "{text}");
    let sum: serde_json::Value = serde_json::from_str(command(&["--json"]).lines().last().unwrap()).unwrap();
    assert_eq!((&sum["found"], &sum["disk_found"]), (&json!(0), &json!(3)));
}

#[test]
fn a_damaged_record_is_a_miss() {
    let rig = Rig::new();
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    kill(gateway, libc::SIGTERM);
    let (file, bytes) = files(&rig.directory()).into_iter().find(|(_, b)| contains(b, b"secret-plain-text")).unwrap();
    let at = bytes.windows(6).position(|window| window == b"secret").unwrap();
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(b"S", at as u64).unwrap();
    let gateway = rig.start();
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"));
}

#[test]
fn a_directory_that_another_process_has_is_waited_for() {
    let rig = Rig::new();
    let first = rig.start();
    let stored = body(&first, "/pets/1");
    settle(&first, 1.0);
    let second = Gateway::start(&rig.configuration());
    assert_eq!(state(&second), "not-open");
    assert!(second.log().contains("is in use by another cache"), "{}", second.log());
    assert_ne!(body(&second, "/pets/1"), stored, "it serves from memory alone");
    kill(first, libc::SIGTERM);
    eventually("the disk is taken over", || state(&second) == "good");
}

#[test]
fn what_is_purged_before_the_disk_is_open_does_not_come_back_with_it() {
    for wish in [json!({ "tag": "2" }), json!({ "url": "http://gateway.test/pets/2" }), json!({ "everything": true })] {
        let rig = Rig::new();
        let first = rig.start();
        let (kept, purged) = (body(&first, "/pets/1"), body(&first, "/pets/2"));
        settle(&first, 2.0);
        let second = Gateway::start(&rig.configuration());
        assert_eq!(state(&second), "not-open");
        let socket = second.directory().join("admin.sock");
        let told = support::admin::send(&socket, "POST", "/sluice/cache/purge", &wish.to_string());
        assert_eq!((told.status, told.body.contains("is not open")), (500, true), "{}", told.body);
        kill(first, libc::SIGTERM);
        eventually("the disk is taken over", || state(&second) == "good");
        assert_ne!(body(&second, "/pets/2"), purged, "{wish}");
        assert_eq!(body(&second, "/pets/1") == kept, wish["everything"].is_null(), "{wish}");
        kill(second, libc::SIGKILL);
        let third = rig.start();
        assert_ne!(body(&third, "/pets/2"), purged, "{wish}");
    }
}

#[test]
fn a_key_that_cannot_be_read_stops_the_start() {
    let rig = Rig::sealed("too short");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sluice.toml");
    let text = rig
        .configuration()
        .replace("@LISTEN@", "127.0.0.1:0")
        .replace("@DIR@", &directory.path().display().to_string());
    fs::write(&file, text).unwrap();
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_sluice")).arg("run").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned() + &String::from_utf8_lossy(&run.stdout);
    assert!(!run.status.success());
    assert!(said.contains("cache.encryption") && !said.contains("too short"), "{said}");
}

#[test]
fn a_store_grows_and_shrinks_while_it_serves() {
    let mut rig = Rig::new();
    let gateway = rig.start();
    let stored = body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig.size = "256 MiB";
    rig.reload(&gateway, |text| text);
    let capacity = || gateway.metrics().sum("sluice_cache_disk_capacity_bytes");
    eventually("the store has grown", || capacity() > 200.0 * 1024.0 * 1024.0);
    assert_eq!(body(&gateway, "/pets/1"), stored);
}
