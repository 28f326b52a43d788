//! What becomes of the disk of stages that come and go, of stores that cannot be opened, and of what is shredded.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use support::disk::{Rig, body, files, kill, post, settle, state};
use support::{Gateway, eventually};

/// Large enough for a store of its own. Segments take room one after another, so it does not take all of it.
const LARGE: &str = "6.2 GB";

/// A rig whose stage has a store of its own, kept for so long when it is gone.
fn large(keep: &str) -> Rig {
    let more = format!("keep_removed = \"{keep}\"\n");
    Rig { size: LARGE, more, ..Rig::new() }
}

fn own_store(rig: &Rig) -> PathBuf {
    rig.directory().join("shop.prod")
}

/// The stage without its cache.
fn without_cache(text: String) -> String {
    text.replace("cache_cluster_enabled = true", "cache_cluster_enabled = false")
        .lines()
        .filter(|line| !["cache_cluster_size", "cache_memory", "cache_ttl"].iter().any(|key| line.starts_with(key)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Entries in memory, if there is a cache.
fn in_memory(gateway: &Gateway) -> Option<u64> {
    let status: serde_json::Value = serde_json::from_str(&gateway.admin("GET", "/sluice/cache").body).unwrap();
    status["caches"][0]["entries"].as_u64()
}

fn has_caches(gateway: &Gateway) -> bool {
    gateway.admin("GET", "/sluice/cache").body.contains("\"shop\"")
}

fn command(gateway: &Gateway, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let run = command.arg("cache").args(arguments).arg("--config").arg(gateway.directory().join("sluice.toml"));
    let run = run.output().unwrap();
    (run.status.code().unwrap(), String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned())
}

#[test]
fn a_stage_that_comes_back_in_time_finds_all_it_had() {
    let rig = large("1h");
    let gateway = rig.start();
    let stored = body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig.reload(&gateway, without_cache);
    eventually("the cache is gone", || !has_caches(&gateway));
    assert!(own_store(&rig).is_dir());
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"), "nothing is cached meanwhile");
    rig.reload(&gateway, |text| text);
    eventually("it is back", || has_caches(&gateway) && state(&gateway) == "good");
    assert_eq!(in_memory(&gateway), Some(0));
    assert_eq!(body(&gateway, "/pets/1"), stored);
    assert_eq!(rig.origin.count(), 2);
}

/// Stores and removes answers, gives the stage another size, and looks for them at once and after another start.
fn assert_kept_with(mut rig: Rig, size: &'static str) {
    let gateway = rig.start();
    let stored: Vec<String> = (0..4).map(|n| body(&gateway, &format!("/pets/{n}"))).collect();
    settle(&gateway, 4.0);
    assert_eq!(post(&gateway, "/sluice/cache/purge", &json!({ "tag": "3" })).0, 200);
    rig.size = size;
    rig.reload(&gateway, |text| text);
    eventually("it has been reloaded", || gateway.log().contains(" reloaded "));
    let all = |gateway: &Gateway| (0..3).map(|n| body(gateway, &format!("/pets/{n}"))).collect::<Vec<_>>();
    eventually("the disk is ready", || state(&gateway) == "good");
    assert_eq!(all(&gateway), stored[..3]);
    kill(gateway, libc::SIGTERM);
    let gateway = rig.start();
    assert_eq!((all(&gateway), rig.origin.count()), (stored[..3].to_vec(), 4));
    assert!(body(&gateway, "/pets/3").ends_with("answer 4"), "what was purged stays away");
}

#[test]
fn a_stage_that_grows_out_of_the_shared_store_keeps_what_it_has() {
    assert_kept_with(Rig::new(), LARGE);
}

#[test]
fn a_stage_that_has_its_own_store_keeps_it_when_it_shrinks() {
    assert_kept_with(large("0s"), "1 GB");
}

#[test]
fn what_was_flushed_while_the_stage_had_no_cache_does_not_come_back() {
    let rig = large("1h");
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig.reload(&gateway, without_cache);
    eventually("the cache is gone", || !has_caches(&gateway));
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"), "nothing is cached meanwhile");
    assert_eq!(gateway.admin("DELETE", "/restapis/shop/stages/prod/cache/data").status, 202);
    rig.reload(&gateway, |text| text);
    eventually("it is back", || has_caches(&gateway) && state(&gateway) == "good");
    assert!(body(&gateway, "/pets/1").ends_with("answer 2"));
}

#[test]
fn the_store_of_a_stage_that_is_gone_is_removed_after_its_time() {
    let rig = large("0s");
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    fs::write(rig.directory().join("notes.txt"), "mine").unwrap();
    rig.reload(&gateway, without_cache);
    eventually("its store is gone", || !own_store(&rig).exists());
    let left: Vec<_> =
        files(&rig.directory()).into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert!(left.iter().any(|name| name == "notes.txt") && left.iter().any(|name| name == "key-secret"), "{left:?}");
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"), "nothing is cached meanwhile");
    rig.reload(&gateway, |text| text);
    eventually("the stage begins anew", || has_caches(&gateway) && state(&gateway) == "good");
    assert!(body(&gateway, "/pets/1").ends_with("answer 2"));
}

#[test]
fn a_store_that_there_is_no_room_for_beside_the_others_goes_at_once() {
    let rig = large("1h");
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    // The stage has another name from now on, and the disk is just large enough for one.
    rig.reload(&gateway, |text| text.replace("prod", "live").replace("\"7 GB\"", "\"6.2 GB\""));
    eventually("the other has its store", || rig.directory().join("shop.live/journal").is_file());
    eventually("the first one is gone", || !own_store(&rig).exists());
}

#[test]
fn a_part_of_the_shared_store_is_forgotten_after_its_time() {
    let rig = Rig { more: "keep_removed = \"0s\"\n".into(), ..Rig::new() };
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    let other = |text: String| text.replace("stage.prod", "stage.live").replace("\"prod\"", "\"live\"");
    rig.reload(&gateway, other);
    eventually("the other stage serves", || gateway.get("/pets/1").text().ends_with("answer 1"));
    eventually("the first one's part is forgotten", || {
        let (status, _) = post(&gateway, "/sluice/cache/shred", &json!({ "api": "shop", "stage": "prod" }));
        status == 404
    });
    assert!(body(&gateway, "/pets/1").ends_with("answer 1"), "the other's is not");
}

#[test]
fn a_shredded_stage_begins_anew_and_stays_so() {
    let rig = Rig::sealed(&"0123456789abcdef".repeat(4));
    let gateway = rig.start();
    (0..3).for_each(|n| drop(body(&gateway, &format!("/pets/{n}"))));
    settle(&gateway, 3.0);
    let (code, said) = command(&gateway, &["shred", "--api", "shop", "--stage", "prod"]);
    assert_eq!((code, said.as_str()), (0, "shop/prod: destroyed\n"));
    assert!(body(&gateway, "/pets/1").ends_with("answer 3"), "neither memory nor disk has it");
    settle(&gateway, 1.0);
    kill(gateway, libc::SIGKILL);
    let gateway = rig.start();
    assert!(body(&gateway, "/pets/1").ends_with("answer 3"), "what came after it is kept");
    assert!(body(&gateway, "/pets/2").ends_with("answer 4"), "what was before does not come back");
    let (code, said) = command(&gateway, &["shred", "--api", "shop", "--stage", "none"]);
    assert!(code != 0 && said.contains("nothing of that stage"), "{said}");
}

#[test]
fn a_stage_that_is_gone_can_be_shredded_before_its_time() {
    let rig = large("1h");
    let gateway = rig.start();
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig.reload(&gateway, without_cache);
    eventually("the cache is gone", || !has_caches(&gateway));
    let (code, said) = command(&gateway, &["shred", "--api", "shop", "--stage", "prod"]);
    assert!(code == 0 && said.contains("lies in the clear"), "{said}");
    assert!(!own_store(&rig).exists());
}

#[test]
fn a_store_that_cannot_be_opened_is_said_once_and_comes_back_by_itself() {
    let rig = Rig::new();
    fs::create_dir_all(rig.directory()).unwrap();
    fs::write(rig.directory().join("pool"), "a file in the place of the directory").unwrap();
    let gateway = Gateway::start(&rig.configuration());
    let states = || gateway.metrics().value("sluice_cache_disk_state{store=\"pool\",state=\"not-open\"}");
    assert_eq!((state(&gateway).as_str(), states()), ("not-open", 1.0));
    assert!(body(&gateway, "/pets/1").ends_with("answer 0"), "memory serves");
    let (_, told) = command(&gateway, &["status"]);
    assert!(told.contains("not-open") && told.contains("pool: making "), "{told}");
    let lines = || gateway.log().matches("a disk cache is not open").count();
    // A reload tries at once, and has nothing new to say.
    rig.reload(&gateway, |text| text.replace("3600s", "3000s"));
    eventually("it has been reloaded", || gateway.log().contains(" reloaded "));
    assert_eq!(lines(), 1, "{}", gateway.log());
    fs::remove_file(rig.directory().join("pool")).unwrap();
    eventually("the disk is there", || state(&gateway) == "good");
    eventually("that is said", || gateway.log().contains("a disk cache is open after all"));
    assert_eq!((states(), lines()), (0.0, 1));
}
