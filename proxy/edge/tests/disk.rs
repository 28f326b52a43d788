//! The disk below the caches' memory: what is found again after a restart, what must not be, and a disk that fails.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;
use support::{Answer, Gateway, Recorder, eventually};

const DISK: &str = r#"
[admin]
address = "unix:@DIR@/admin.sock"
[cache.disk]
directory = "@CACHE@"
size = "1 GB"
@MORE@
[[listener]]
address = "@LISTEN@"
default_api = "shop"
default_stage = "prod"
[[api]]
id = "shop"
[[api.resource]]
path = "/pets/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets/{id}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "@SIZE@"
cache_memory = "1 MiB"
cache_ttl = "3600s"
"#;

/// An origin that numbers its answers, and a directory that outlives gateways.
struct Rig {
    origin: Recorder,
    cache: tempfile::TempDir,
    more: String,
    size: &'static str,
}

impl Rig {
    fn new() -> Self {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |request| {
            let name = request.target.rsplit('/').next().unwrap_or_default().to_owned();
            let body = format!("secret-plain-text {name} answer {}", count.fetch_add(1, SeqCst));
            Answer::status(200, &format!("Surrogate-Key: {name}\r\n"), body)
        });
        Self { origin, cache: tempfile::tempdir().unwrap(), more: String::new(), size: "128 MiB" }
    }

    fn sealed(key: &str) -> Self {
        let rig = Self::new();
        let more = format!(
            "[cache.encryption]\ncurrent = 7\n[[cache.encryption.key]]\nid = 7\nfile = \"{}\"\n",
            rig.cache.path().join("key").display()
        );
        fs::write(rig.cache.path().join("key"), key).unwrap();
        Self { more, ..rig }
    }

    fn configuration(&self) -> String {
        DISK.replace("@CACHE@", &self.directory().display().to_string())
            .replace("@ORIGIN@", &self.origin.address().to_string())
            .replace("@MORE@", &self.more)
            .replace("@SIZE@", self.size)
    }

    fn directory(&self) -> PathBuf {
        self.cache.path().join("store")
    }

    fn start(&self) -> Gateway {
        let gateway = Gateway::start(&self.configuration());
        eventually("the disk is ready", || state(&gateway) == "good");
        gateway
    }
}

fn state(gateway: &Gateway) -> String {
    let status: serde_json::Value = serde_json::from_str(&gateway.admin("GET", "/sluice/cache").body).unwrap();
    status["disks"][0]["state"].as_str().unwrap_or_default().to_owned()
}

/// Until all that was stored is on disk.
fn settle(gateway: &Gateway, entries: f64) {
    eventually("the entries are on disk", || gateway.metrics().sum("sluice_cache_disk_entries") >= entries);
}

fn kill(mut gateway: Gateway, signal: libc::c_int) {
    nix_kill(gateway.pid(), signal);
    eventually("the process has ended", || !gateway.is_alive());
}

#[allow(unsafe_code, reason = "there is no other way to send a signal")]
fn nix_kill(pid: u32, signal: libc::c_int) {
    // SAFETY: sends a signal to a child of ours.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

fn body(gateway: &Gateway, path: &str) -> String {
    gateway.get(path).text().to_owned()
}

/// The contents of all files below a directory.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for file in fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()) {
        match file.is_dir() {
            true => all.extend(files(&file)),
            false => all.push((file.clone(), fs::read(&file).unwrap())),
        }
    }
    all
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

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
    let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
    let text = text.replace("@DIR@", &gateway.directory().display().to_string());
    fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
    nix_kill(gateway.pid(), libc::SIGHUP);
    let capacity = || gateway.metrics().sum("sluice_cache_disk_capacity_bytes");
    eventually("the store has grown", || capacity() > 200.0 * 1024.0 * 1024.0);
    assert_eq!(body(&gateway, "/pets/1"), stored);
}
