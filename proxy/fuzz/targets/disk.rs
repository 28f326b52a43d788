//! The files of a disk cache after somebody was at them: a store opens on them or says why not, and finds nothing under a
//! key that was not stored there. Checksums are made right again, for whoever writes to the disk can do that too.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice_cache::entry::{Draft, Lifetime};
use sluice_cache::key::{Keyed, SECRET_LEN};
use sluice_cache::tier::disk::{Config, Probe, Space, Store};
use sluice_cache::{Codec, Entry, KeyHasher, Sequence};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const SEGMENT: usize = 64 * 1024;
const UNIT: usize = 64;
const PAGE: usize = 4096;
const KEYS: u8 = 24;

type Files = BTreeMap<String, Vec<u8>>;

fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory, 6 * SEGMENT as u64);
    (config.segment_bytes, config.read_threads) = (SEGMENT as u32, 1);
    config
}

fn hasher() -> KeyHasher {
    KeyHasher::new([5; SECRET_LEN])
}

/// A store with some full segments, one that is not, tombstones, a flush and a ban.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&config(directory.path())).expect("a store");
    let space = store.space("one", |_| Codec::plain()).expect("a space");
    let _ = store.space("two", |_| Codec::plain()).expect("a space").flush().wait();
    for key in 0..KEYS {
        let bytes = [key];
        let draft = Draft {
            key: hasher().key(&bytes),
            status: 200,
            notes: b"",
            head: b"A: b\r\n",
            lifetime: Lifetime::until(0, u64::MAX),
            born: Sequence::default(),
        };
        let entry = Entry::new(draft, &[Bytes::from(vec![key; 9000])]).expect("an entry");
        let _ = space.insert_durably(Arc::new(entry), space.epoch()).expect("there is room").wait();
        if key % 5 == 4 {
            let _ = space.remove(hasher().key(&[key - 1])).wait();
        }
    }
    drop((space, store));
    let mut files = Files::new();
    for file in std::fs::read_dir(directory.path()).expect("files").flatten() {
        let name = file.file_name().into_string().expect("a name");
        files.insert(name, std::fs::read(file.path()).expect("a file"));
    }
    files.remove("lock");
    files
});

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The journal's header, and the records as far as their lengths lead.
fn prove_journal(bytes: &mut [u8]) {
    let mut header = bytes.get(..64).map_or([0; 64], |b| b.try_into().unwrap_or([0; 64]));
    header[56..].fill(0);
    put(bytes, 56, &xxh3_64(&header).to_le_bytes());
    let (lineage, mut at) = (word(bytes, 8), 64);
    while let Some(length) = bytes.get(at..at + 16).map(|b| word(b, 0) as u32) {
        let Some(payload) = bytes.get(at + 16..at + 16 + length as usize) else { return };
        if length == 0 {
            return;
        }
        let mut header = [0; 16];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[8..].copy_from_slice(&xxh3_64(payload).to_le_bytes());
        let own = xxh3_64_with_seed(&header, lineage ^ at as u64) as u32;
        header[4..8].copy_from_slice(&own.max(1).to_le_bytes());
        put(bytes, at, &header);
        at += 16 + length as usize;
    }
}

/// A segment's start page, whatever looks like a frame, and the footer.
fn prove_segment(bytes: &mut [u8]) {
    let sum = xxh3_64(bytes.get(..32).unwrap_or_default());
    put(bytes, 32, &sum.to_le_bytes());
    let (lineage, number) = (word(bytes, 8), word(bytes, 16));
    let seed = xxh3_64_with_seed(&number.to_le_bytes(), lineage);
    for at in (PAGE..bytes.len()).step_by(UNIT) {
        let Some(frame) = bytes.get(at..at + 56).filter(|frame| frame.starts_with(b"SL\x01") && frame[3] != b'F')
        else {
            continue;
        };
        let own = xxh3_64_with_seed(frame, seed);
        put(bytes, at + 56, &own.to_le_bytes());
    }
    let Some(trailer) = bytes.len().checked_sub(64).filter(|at| bytes[*at..].starts_with(b"SL\x01F")) else { return };
    let (rows, lineage) = ((word(bytes, trailer) >> 32) as usize * 32, word(bytes, trailer + 8));
    let start = bytes.len().checked_sub((rows + 64).next_multiple_of(PAGE));
    if let Some(rows) = start.and_then(|start| bytes.get(start..start + rows)) {
        let sum = xxh3_64_with_seed(rows, lineage);
        put(bytes, trailer + 24, &sum.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[trailer..trailer + 56]);
    put(bytes, trailer + 56, &sum.to_le_bytes());
}

/// Each five bytes are one: which file, where in it, what stands there then. Places are those that hold structure.
fn change(files: &mut Files, bytes: &[u8]) {
    for edit in bytes.chunks_exact(5).take(32) {
        let count = files.len();
        let Some((name, file)) = files.iter_mut().nth(usize::from(edit[0] & 0xF) % count) else { continue };
        let place = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = match (name.as_str(), edit[0] >> 4) {
            ("journal", _) => place % file.len().max(1),
            (_, 0..4) => place % 40,
            (_, 4..8) => file.len().saturating_sub(1 + place % 512),
            (_, 8..12) => PAGE + place % 12 * (9000 + PAGE).next_multiple_of(PAGE) + usize::from(edit[4]) % UNIT,
            (_, 12..15) => place,
            _ => {
                file.truncate(place);
                continue;
            }
        };
        put(file, at, &[edit[3]]);
    }
}

fn look_up(space: &Space, key: u8) {
    let entry = match space.probe(hasher().key(&[key]), 1) {
        Probe::Absent => None,
        Probe::Ready(entry) => Some(entry),
        Probe::Read(pending) => pending.wait(),
    };
    assert!(entry.is_none_or(|entry| entry.key().bytes == [key]));
}

fuzz_target!(|bytes: &[u8]| {
    let mut files = FILES.clone();
    change(&mut files, bytes);
    let directory = tempfile::tempdir().expect("a directory");
    for (name, file) in &mut files {
        if name == "journal" {
            prove_journal(file)
        } else {
            prove_segment(file)
        }
        std::fs::write(directory.path().join(name), file).expect("room");
    }
    let Ok(store) = Store::open(&config(directory.path())) else { return };
    let Ok(space) = store.space("one", |_| Codec::plain()) else { return };
    while !store.is_ready() {
        std::thread::yield_now();
    }
    (0..KEYS).for_each(|key| look_up(&space, key));
});
