//! A disk that misbehaves under the running gateway: full, taken away, forbidden, foreign, newer, contended.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use support::disk::{Rig, body, kill, send_signal, settle, state};
use support::{Answer, Client, Gateway, Recorder, eventually};

/// A file system in memory of that size below a directory, taken away with this; nothing where it may not be mounted.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={megabytes}m,mode=700");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "sluice-test"]).arg(at).output();
        mounted.is_ok_and(|run| run.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// An origin whose answers are `length` bytes that begin with the request's path, and are of that path alone.
fn large_answers(length: usize) -> Recorder {
    Recorder::start(move |request| Answer::status(200, "", answer(&request.target, length)))
}

fn answer(path: &str, length: usize) -> String {
    let mut text = format!("{path} ").repeat(length / path.len() + 1);
    text.truncate(length);
    text
}

#[test]
fn a_full_file_system_shortens_the_store_and_nothing_wrong_is_served() {
    let rig = Rig { origin: large_answers(400_000), size: "512 MiB", ..Rig::new() };
    let Some(_small) = Small::mount(&rig.directory(), 96) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let gateway = rig.start();
    for n in 0..300 {
        assert_eq!(body(&gateway, &format!("/pets/{n}")), answer(&format!("/pets/{n}"), 400_000));
    }
    eventually("all that fits is written", || gateway.metrics().sum("sluice_cache_disk_queue_bytes") == 0.0);
    assert!(gateway.log().contains("the file system is full"), "{}", gateway.log());
    assert_eq!(state(&gateway), "good");
    let metrics = gateway.metrics();
    assert!(metrics.sum("sluice_cache_disk_bytes") <= 96.0 * 1024.0 * 1024.0);
    assert!(metrics.sum("sluice_cache_disk_segments_evicted_total") > 0.0, "the oldest made room");
    let before = rig.origin.count();
    for n in 240..300 {
        assert_eq!(body(&gateway, &format!("/pets/{n}")), answer(&format!("/pets/{n}"), 400_000));
    }
    assert!(
        rig.origin.count() < before + 30,
        "the newest are still there: {} were fetched",
        rig.origin.count() - before
    );
}

#[test]
fn a_directory_that_is_taken_away_fails_nothing() {
    let rig = Rig::new();
    let gateway = rig.start();
    (0..10).for_each(|n| drop(body(&gateway, &format!("/pets/{n}"))));
    settle(&gateway, 10.0);
    fs::remove_dir_all(rig.directory()).unwrap();
    for n in 0..30 {
        assert_eq!(gateway.get(&format!("/pets/{n}")).status, 200);
    }
    kill(gateway, libc::SIGTERM);
    let gateway = rig.start();
    assert_eq!(gateway.get("/pets/1").status, 200, "it begins anew");
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    let rig = Rig::new();
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    kill(gateway, libc::SIGTERM);
    let journal = rig.directory().join("pool/journal");
    let mut bytes = fs::read(&journal).unwrap();
    let ours = bytes.clone();
    bytes[7] = 99;
    fs::write(&journal, &bytes).unwrap();
    let gateway = Gateway::start(&rig.configuration());
    assert_eq!(state(&gateway), "not-open");
    assert!(gateway.log().contains("format 99, which a later version of Sluice wrote"), "{}", gateway.log());
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"), "memory serves");
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    kill(gateway, libc::SIGTERM);
    fs::write(&journal, &ours).unwrap();
    let gateway = rig.start();
    assert!(body(&gateway, "/pets/1").ends_with("answer 0"), "nothing was lost");
}

#[test]
fn reloads_under_load_that_change_size_fail_no_request_and_serve_nothing_wrong() {
    let mut rig = Rig { origin: large_answers(30_000), ..Rig::new() };
    let gateway = rig.start();
    let (ended, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = gateway.address();
    std::thread::scope(|scope| {
        for seed in 0..3_usize {
            let (ended, asked) = (&ended, &asked);
            scope.spawn(move || {
                let (mut client, mut n) = (Client::connect(address), seed);
                while !ended.load(SeqCst) {
                    n = (n * 31 + 7) % 257;
                    let path = format!("/pets/{n}");
                    let got = client.get(&path);
                    assert_eq!((got.status, got.text() == answer(&path, 30_000)), (200, true), "{path}");
                    asked.fetch_add(1, SeqCst);
                }
            });
        }
        for size in ["256 MiB", "80 MiB", "512 MiB", "128 MiB"] {
            let before = asked.load(SeqCst);
            rig.size = size;
            rig.reload(&gateway, |text| text);
            let log = format!(
                "version={}",
                2 + ["256 MiB", "80 MiB", "512 MiB", "128 MiB"].iter().position(|s| *s == size).unwrap()
            );
            eventually("it has been reloaded", || gateway.log().contains(&log));
            eventually("requests went on", || asked.load(SeqCst) > before + 200);
        }
        ended.store(true, SeqCst);
    });
    assert_eq!(gateway.metrics().sum("sluice_cache_disk_damaged_total"), 0.0);
    assert_eq!(state(&gateway), "good");
}

#[test]
fn a_process_that_is_killed_leaves_the_directory_to_whoever_waits_for_it() {
    let rig = Rig::new();
    let first = rig.start();
    (0..20).for_each(|n| drop(body(&first, &format!("/pets/{n}"))));
    settle(&first, 20.0);
    let second = Gateway::start(&rig.configuration());
    assert_eq!(state(&second), "not-open");
    // In the middle of its closing, or before it has begun: either way nothing is torn.
    send_signal(first.pid(), libc::SIGTERM);
    kill(first, libc::SIGKILL);
    eventually("the disk is taken over", || state(&second) == "good");
    for n in 0..20 {
        assert!(body(&second, &format!("/pets/{n}")).ends_with(&format!("answer {n}")), "{n}");
    }
    assert_eq!(rig.origin.count(), 20);
}
