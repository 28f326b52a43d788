//! A gateway with a disk that is sealed under one of three keys.

use std::fs;

use super::disk::{Rig, files};

/// Keys in 64 hexadecimal digits.
pub const KEYS: [&str; 3] = [
    "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
    "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce",
];

/// The variable that has the second one.
pub const VARIABLE: &str = "SLUICE_TEST_KEY";

/// A rig with three keys, of which these are listed and one is current.
pub fn rig(listed: &[u32], current: u32) -> Rig {
    let mut rig = Rig::new();
    let file = rig.cache.path().join("key");
    fs::write(&file, KEYS[0]).unwrap();
    let source = |id: u32| match id {
        1 => format!("file = \"{}\"", file.display()),
        2 => format!("env = \"{VARIABLE}\""),
        _ => format!("command = [\"/bin/echo\", \"{}\"]", KEYS[2]),
    };
    let key = |id: &u32| format!("[[cache.encryption.key]]\nid = {id}\n{}\n", source(*id));
    rig.more = format!("[cache.encryption]\ncurrent = {current}\n") + &listed.iter().map(key).collect::<String>();
    rig
}

/// The same files and origin with other keys.
pub fn with_keys(old: Rig, listed: &[u32], current: u32) -> Rig {
    let file = old.cache.path().join("key");
    let new = rig(listed, current);
    let more = new.more.replace(&new.cache.path().join("key").display().to_string(), &file.display().to_string());
    Rig { more, ..old }
}

/// Key ids in the fronts of all sealed records on disk (version, form, two zeros, id), in their order.
pub fn key_ids(rig: &Rig) -> Vec<u32> {
    let mut ids = Vec::new();
    for (_, bytes) in files(&rig.directory()).iter().filter(|(path, _)| path.to_string_lossy().contains("segment-")) {
        // Frames begin on 64 bytes; those of entries have a record behind them.
        for frame in bytes.chunks(64).collect::<Vec<_>>().windows(2).filter(|pair| pair[0].starts_with(b"SL\x01\x01")) {
            ids.push(u32::from_le_bytes(frame[1][4..8].try_into().unwrap()));
        }
    }
    ids.sort_unstable();
    ids
}
