//! Gates of the disk tier on real files: a process that is killed, a disk that is too small.
//!
//! The killed process is this very test binary, started again for one test that does nothing otherwise. It notes what
//! was acknowledged in a file, which outlives it as the page cache does. The long forms run with `make gates`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sluice_cache::entry::{Draft, Lifetime};
use sluice_cache::key::SECRET_LEN;
use sluice_cache::tier::disk::{Ack, Config, Health, Probe, Space, Store};
use sluice_cache::{Codec, Entry, KeyHasher, Sequence};

const MIB: u64 = 1024 * 1024;
/// Set for the process that is to be killed: its directory.
const DIRECTORY: &str = "SLUICE_GATE_DIRECTORY";
const WRITERS: usize = 5000;

fn long() -> bool {
    std::env::var_os("SLUICE_GATES").is_some()
}

fn hasher() -> KeyHasher {
    KeyHasher::new([5; SECRET_LEN])
}

/// Bytes that only this version of this key has.
fn body(key: u64, version: u64) -> Vec<u8> {
    let seed = (key ^ version.rotate_left(40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let length = 5000 + (seed >> 40) as usize % 10_000;
    let mut body = [key, version, seed].map(u64::to_le_bytes).concat().repeat(length / 24 + 1);
    body.truncate(length);
    body
}

fn entry(key: u64, version: u64) -> Arc<Entry> {
    let (bytes, notes) = (key.to_le_bytes(), version.to_le_bytes());
    let (lifetime, born) = (Lifetime::until(0, u64::MAX), Sequence::default());
    let draft = Draft { key: hasher().key(&bytes), status: 200, notes: &notes, head: b"A: b\r\n", lifetime, born };
    Arc::new(Entry::new(draft, &[Bytes::from(body(key, version))]).unwrap())
}

/// The version under a key; a wrong body is a failure.
fn version(space: &Space, key: u64) -> Option<u64> {
    let bytes = key.to_le_bytes();
    let entry = match space.probe(hasher().key(&bytes), 1) {
        Probe::Absent => return None,
        Probe::Ready(entry) => entry,
        Probe::Read(pending) => pending.wait()?,
    };
    let version = u64::from_le_bytes(entry.notes().try_into().unwrap());
    assert!(entry.body()[..] == body(key, version), "a wrong body under {key}");
    Some(version)
}

fn config(directory: &Path, capacity: u64) -> Config {
    let mut config = Config::new(directory, capacity);
    config.segment_bytes = (4 * MIB) as u32;
    config.retry = Duration::from_millis(20);
    config
}

fn open(config: &Config) -> (Store, Space) {
    let store = Store::open(config).unwrap();
    let space = store.space("gate", |_| Codec::plain()).unwrap();
    until(Duration::from_secs(120), || store.is_ready());
    (store, space)
}

fn until(limit: Duration, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < limit, "what should have happened did not");
        std::thread::yield_now();
    }
}

/// Starts this binary again as the process that will be killed.
fn writer(directory: &Path, capacity: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_process_that_is_killed", "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).env("SLUICE_GATE_CAPACITY", capacity.to_string());
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

/// Not a test by itself: what the other tests start and kill.
#[test]
fn the_process_that_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let capacity = std::env::var("SLUICE_GATE_CAPACITY").unwrap().parse().unwrap();
    let (_store, space) = open(&config(&directory.join("cache"), capacity));
    let mut log = OpenOptions::new().create(true).append(true).open(directory.join("acknowledged")).unwrap();
    let first = acknowledged(directory).len() as u64 * 4;
    write_for_ever(&space, &mut log, first);
}

/// As many writers as the gate says, each of which waits for its acknowledgement before it writes again. One in eight
/// writes over one of its own keys.
fn write_for_ever(space: &Space, log: &mut File, first: u64) {
    let mut waiting: VecDeque<(u64, u64, Ack)> = VecDeque::with_capacity(WRITERS);
    for version in first + 1.. {
        if waiting.len() == WRITERS
            && let Some((key, version, ack)) = waiting.pop_front()
            && ack.wait().is_ok()
        {
            log.write_all(&[key.to_le_bytes(), version.to_le_bytes()].concat()).unwrap();
        }
        let key = if version % 8 == 0 && version > 8 * 1000 { version - 8 * (version % 1000) - 1 } else { version };
        let ack = loop {
            match space.insert_durably(entry(key, version), space.epoch()) {
                Ok(ack) => break ack,
                // The queue is full.
                Err(_) => std::thread::yield_now(),
            }
        };
        waiting.push_back((key, version, ack));
    }
}

/// Of each key the newest version that was acknowledged.
fn acknowledged(directory: &Path) -> BTreeMap<u64, u64> {
    let mut bytes = Vec::new();
    let Ok(mut log) = File::open(directory.join("acknowledged")) else { return BTreeMap::new() };
    log.read_to_end(&mut bytes).unwrap();
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let mut newest = BTreeMap::new();
    for pair in bytes.chunks_exact(16) {
        let (key, version) = (word(&pair[..8]), word(&pair[8..]));
        newest.entry(key).and_modify(|old: &mut u64| *old = version.max(*old)).or_insert(version);
    }
    newest
}

fn kill_after(mut child: Child, directory: &Path, acknowledgements: u64) {
    let log = directory.join("acknowledged");
    let length = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let wanted = length() + 16 * acknowledgements;
    until(Duration::from_secs(60), || length() >= wanted);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn g1_a_killed_process_keeps_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (capacity, rounds, writes) = if long() { (4096 * MIB, 6, 40_000) } else { (256 * MIB, 2, 3_000) };
    for round in 0..rounds {
        kill_after(writer(directory.path(), capacity), directory.path(), writes);
        let (store, space) = open(&config(&directory.path().join("cache"), capacity));
        assert_eq!(store.stats().evicted_segments, 0, "the gate's store is too small");
        for (key, written) in acknowledged(directory.path()) {
            let found = version(&space, key);
            // A newer one that was not acknowledged yet is as good.
            assert!(found.is_some_and(|found| found >= written), "round {round}: {key} has {found:?}, not {written}");
        }
    }
}

#[test]
fn g2_a_smaller_capacity_and_a_kill_while_segments_are_evicted() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let (large, small) = (128 * MIB, 32 * MIB);
    for _ in 0..if long() { 12 } else { 1 } {
        kill_after(writer(directory.path(), large), directory.path(), 3_000);
        kill_after(writer(directory.path(), small), directory.path(), 3_000);
        let started = Instant::now();
        let (store, space) = open(&config(&cache, small));
        space.insert_durably(entry(1, u64::MAX), space.epoch()).unwrap().wait().unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(version(&space, 1), Some(u64::MAX));
        assert!(store.stats().segments <= 8 && files(&cache) <= 8);
        let least = acknowledged(directory.path());
        let found: Vec<_> = least.iter().filter_map(|(key, least)| Some((version(&space, *key)?, *least))).collect();
        assert!(found.iter().all(|(found, least)| found >= least));
        // Most of them are of the thousands that were not acknowledged yet.
        assert!(store.stats().entries > 1000, "{:?}", store.stats());
        drop(store);
        std::fs::remove_dir_all(&cache).unwrap();
        std::fs::remove_file(directory.path().join("acknowledged")).unwrap();
    }
}

fn files(cache: &Path) -> usize {
    let names = cache.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("segment")).count()
}

/// A small file system in memory, where this process may mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(bytes: u64) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(directory.path()).output();
        mount.is_ok_and(|mounted| mounted.status.success()).then_some(Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn g3_a_file_system_that_is_too_small_keeps_what_fits() {
    let Some(small) = Small::mount(40 * MIB) else {
        eprintln!("not run: this process may not mount");
        return;
    };
    let ballast = small.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 12 * MIB as usize]).unwrap();
    let (store, space) = open(&config(&small.0.path().join("cache"), 256 * MIB));
    let write = |keys: std::ops::Range<u64>| {
        for key in keys {
            space.insert_durably(entry(key, 1), space.epoch()).unwrap().wait().unwrap();
        }
    };
    write(1..5_000);
    assert_eq!((store.stats().segments, store.stats().health), (6, Health::Good));
    assert_eq!(version(&space, 4_999), Some(1));
    std::fs::remove_file(ballast).unwrap();
    write(5_000..10_000);
    assert_eq!((store.stats().segments, version(&space, 9_999)), (9, Some(1)));
    let found = (1..10_000).filter(|key| version(&space, *key).is_some()).count();
    assert_eq!(found as u64, store.stats().entries);
}
