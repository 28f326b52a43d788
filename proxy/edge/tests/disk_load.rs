//! A gateway with a disk under load while things happen to it: keys rotate, the disk is full, the configuration changes.
//! Every answer must be 200 and the right one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};
use support::disk::{Rig, kill, post, state};
use support::disk_keys::{KEYS, VARIABLE, key_ids, rig, with_keys};
use support::{Answer, Gateway, Recorder, eventually};

/// Bytes of an answer: many are more than memory holds.
const LENGTH: usize = 250_000;
const CLIENTS: usize = 3;

/// What is answered for a name: nothing else has any of it.
fn page(name: &str) -> String {
    let mut page = format!("{name}|").repeat(LENGTH / (name.len() + 1) + 1);
    page.truncate(LENGTH);
    page
}

fn pages() -> Recorder {
    Recorder::start(|request| {
        let name = request.target.rsplit('/').next().unwrap_or_default().to_owned();
        Answer::status(200, &format!("Surrogate-Key: {name}\r\n"), page(&name))
    })
}

/// Clients ask for these many names, over and over, while `change` runs; each answer is checked. The number of answers so
/// far is told to `change`.
fn under_load(gateway: &Gateway, names: usize, change: impl FnOnce(&dyn Fn(usize))) {
    let (stop, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (mut stream, mut body) = (TcpStream::connect(gateway.address()).unwrap(), Vec::new());
                stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
                while !stop.load(Relaxed) {
                    let name = (answers.fetch_add(1, Relaxed) * 7 % names).to_string();
                    let head = fetch(&mut stream, &name, &mut body);
                    assert!(head.starts_with("HTTP/1.1 200 ") && body == page(&name).as_bytes(), "{name}: {head}");
                }
            });
        }
        let more = |count: usize| {
            let goal = answers.load(Relaxed) + count;
            eventually("the load goes on", || answers.load(Relaxed) >= goal);
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| change(&more)));
        stop.store(true, Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// The quick way to an answer of that length: its head.
fn fetch(stream: &mut TcpStream, name: &str, body: &mut Vec<u8>) -> String {
    write!(stream, "GET /pets/{name} HTTP/1.1\r\nHost: gateway.test\r\n\r\n").unwrap();
    let mut bytes = vec![0; LENGTH + 4096];
    let mut came = 0;
    let end = loop {
        let count = stream.read(&mut bytes[came..]).unwrap();
        assert!(count > 0, "{name}: the connection has ended");
        came += count;
        if let Some(end) = bytes[..came.min(4096)].windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    stream.read_exact(&mut bytes[came..(end + LENGTH).max(came)]).unwrap();
    body.clear();
    body.extend_from_slice(&bytes[end..(end + LENGTH).max(came)]);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn reload(gateway: &Gateway, rig: &Rig) -> (u16, Value) {
    let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
    let text = text.replace("@DIR@", &gateway.directory().display().to_string());
    fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
    post(gateway, "/sluice/reload", &json!({}))
}

#[test]
fn keys_rotate_under_load() {
    let mut rig = Rig { origin: pages(), ..rig(&[1], 1) };
    let gateway = Gateway::start_with(tempfile::tempdir().unwrap(), &rig.configuration(), &[(VARIABLE, KEYS[1])]);
    eventually("the disk is ready", || state(&gateway) == "good");
    under_load(&gateway, 40, |more| {
        // The last ones take keys away that have sealed most of what there is.
        for (listed, current) in [(&[1, 2][..], 2), (&[1, 2, 3], 3), (&[1, 2, 3], 1), (&[1, 3], 3), (&[3], 3)] {
            more(150);
            rig = with_keys(std::mem::replace(&mut rig, Rig::new()), listed, current);
            let (status, told) = reload(&gateway, &rig);
            assert_eq!(status, 200, "{told}");
        }
        more(150);
    });
    assert!(key_ids(&rig).contains(&3));
}

/// Names whose answers take more than the disk has.
const NAMES: usize = 450;

/// A small file system in memory, where this process may mount one.
struct Small(PathBuf);

impl Small {
    fn mount(directory: &Path, mebibytes: usize) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(directory).output();
        mount.is_ok_and(|mounted| mounted.status.success()).then(|| Self(directory.to_owned()))
    }

    /// Takes so many MiB of it, or all that there is.
    fn take(&self, name: &str, mebibytes: usize) -> PathBuf {
        let (ballast, part) = (self.0.join(name), vec![1; 1 << 20]);
        let mut file = fs::File::create(&ballast).unwrap();
        let _full = (0..mebibytes).try_for_each(|_| std::io::Write::write_all(&mut file, &part));
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn bytes(gateway: &Gateway) -> u64 {
    let status: Value = serde_json::from_str(&gateway.admin("GET", "/sluice/cache").body).unwrap();
    status["disks"][0]["bytes"].as_u64().unwrap_or_default() >> 20
}

#[test]
fn a_full_disk_under_load_keeps_what_fits_and_grows_when_there_is_room() {
    let mut rig = Rig { origin: pages(), size: "97 MiB", ..Rig::new() };
    let Some(small) = Small::mount(rig.cache.path(), 100) else {
        eprintln!("not run: this process may not mount");
        return;
    };
    // Room for four segments of six.
    let ballast = small.take("ballast", 30);
    let gateway = rig.start();
    under_load(&gateway, NAMES, |more| {
        (0..6).for_each(|_| more(50));
        eventually("the disk is full", || gateway.log().contains("the file system is full"));
        let rest = small.take("rest", 1_000);
        more(200);
        rig.stage = "cache_statuses = { \"404\" = \"10s\" }\n";
        let (status, told) = reload(&gateway, &rig);
        assert_eq!(status, 200, "{told}");
        more(300);
        assert_eq!((bytes(&gateway), state(&gateway).as_str()), (64, "good"), "{}", gateway.log());
        let (purged, told) = post(&gateway, "/sluice/cache/purge", &json!({ "tag": "7" }));
        assert!(purged == 200 || purged == 500, "{told}");
        [ballast, rest].iter().for_each(|file| fs::remove_file(file).unwrap());
        eventually("the store grows again", || bytes(&gateway) > 64);
        let (purged, told) = post(&gateway, "/sluice/cache/purge", &json!({ "tag": "7" }));
        assert_eq!(purged, 200, "{told}");
    });
    assert_eq!(state(&gateway), "good");
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    assert!(gateway.metrics().sum("sluice_cache_disk_entries") > 200.0);
    let (before, mut stream, mut body) =
        (rig.origin.count(), TcpStream::connect(gateway.address()).unwrap(), Vec::new());
    // In another order than they were stored in, or each would go just before it is asked for.
    for name in (0..NAMES).rev().map(|name| name.to_string()) {
        fetch(&mut stream, &name, &mut body);
        assert!(body == page(&name).as_bytes(), "{name}");
    }
    let fetched = rig.origin.count() - before;
    assert!(fetched < NAMES * 3 / 4, "{fetched}");
}
