//! Encryption at rest in the whole gateway: keys out of files, variables and commands, and rotation by reload.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;

use serde_json::json;
use support::disk::{Rig, body, contains, files, kill, post, settle};
use support::disk_keys::{KEYS, VARIABLE, key_ids, rig, with_keys};
use support::{Gateway, eventually};

fn start(rig: &Rig) -> Gateway {
    let gateway = Gateway::start_with(tempfile::tempdir().unwrap(), &rig.configuration(), &[(VARIABLE, KEYS[1])]);
    eventually("the disk is ready", || support::disk::state(&gateway) == "good");
    gateway
}

/// Has the gateway reload; its answer says that the rotation holds.
fn rotate(gateway: &Gateway, rig: &Rig) {
    let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
    let text = text.replace("@DIR@", &gateway.directory().display().to_string());
    fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
    let (status, told) = post(gateway, "/sluice/reload", &json!({}));
    assert_eq!(status, 200, "{told}");
}

#[test]
fn keys_rotate_from_a_file_to_a_variable_to_a_command_and_nothing_is_flushed() {
    let mut rig = rig(&[1], 1);
    let gateway = start(&rig);
    // An answer leaves before it is stored, so only what is on disk is known to be sealed with the key of its time.
    let first = body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    rig = with_keys(rig, &[1, 2], 2);
    rotate(&gateway, &rig);
    assert_eq!(key_ids(&rig), [1]);
    let second = body(&gateway, "/pets/2");
    settle(&gateway, 2.0);
    rig = with_keys(rig, &[1, 2, 3], 3);
    rotate(&gateway, &rig);
    let third = body(&gateway, "/pets/3");
    settle(&gateway, 3.0);
    kill(gateway, libc::SIGKILL);
    assert_eq!(key_ids(&rig), [1, 2, 3]);
    for (path, bytes) in files(&rig.directory()) {
        let is_plain = ["secret-plain-text", "/pets/", KEYS[0], KEYS[1], KEYS[2]].map(str::as_bytes);
        assert!(!is_plain.iter().any(|text| contains(&bytes, text)), "{}", path.display());
    }
    let gateway = start(&rig);
    let again = ["/pets/1", "/pets/2", "/pets/3"].map(|path| body(&gateway, path));
    assert_eq!(again, [first, second.clone(), third]);
    kill(gateway, libc::SIGKILL);
    rig = with_keys(rig, &[2, 3], 3);
    let gateway = start(&rig);
    assert!(body(&gateway, "/pets/1").ends_with("answer 3"), "the key that is not listed any more opens nothing");
    assert_eq!(body(&gateway, "/pets/2"), second);
    assert_eq!(rig.origin.count(), 4);
}

#[test]
fn a_rotation_to_a_key_that_cannot_be_had_changes_nothing() {
    let mut rig = rig(&[1], 1);
    let gateway = start(&rig);
    let stored = body(&gateway, "/pets/1");
    rig = with_keys(rig, &[1, 3], 3);
    rig.more = rig.more.replace("/bin/echo", "/bin/false");
    let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
    let text = text.replace("@DIR@", &gateway.directory().display().to_string());
    fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
    let (status, told) = post(&gateway, "/sluice/reload", &json!({}));
    assert_eq!(status, 422, "{told}");
    assert!(told["message"].as_str().unwrap().contains("cache.encryption") && !told.to_string().contains(KEYS[2]));
    assert_eq!(body(&gateway, "/pets/1"), stored);
    body(&gateway, "/pets/2");
    settle(&gateway, 2.0);
    assert_eq!(key_ids(&rig), [1, 1]);
}

/// It answered 200, went on writing plain text, and looked at no key.
#[test]
fn a_reload_that_would_begin_or_end_sealing_is_refused() {
    let sealed = rig(&[1], 1);
    let mut rig = Rig { more: String::new(), cache: tempfile::tempdir().unwrap(), ..Rig::new() };
    let gateway = rig.start();
    let asked = |rig: &Rig| {
        let text = rig.configuration().replace("@LISTEN@", &gateway.address().to_string());
        let text = text.replace("@DIR@", &gateway.directory().display().to_string());
        fs::write(gateway.directory().join("sluice.toml"), text).unwrap();
        post(&gateway, "/sluice/reload", &json!({}))
    };
    rig.more = sealed.more.clone();
    let (status, told) = asked(&rig);
    assert_eq!(status, 422, "{told}");
    assert!(told["message"].as_str().unwrap().contains("[cache.encryption] comes, goes"), "{told}");
    rig.more = String::new();
    assert_eq!(asked(&rig).0, 200);
}

#[test]
fn with_keys_everything_on_disk_is_sealed_whatever_a_stage_says() {
    let mut rig = rig(&[1], 1);
    rig.stage = "cache_data_encrypted = false\n";
    let gateway = start(&rig);
    body(&gateway, "/pets/1");
    settle(&gateway, 1.0);
    assert_eq!(key_ids(&rig), [1]);
    assert!(!files(&rig.directory()).iter().any(|(_, bytes)| contains(bytes, b"secret-plain-text")));
}
