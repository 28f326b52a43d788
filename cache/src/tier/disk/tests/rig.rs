//! A store on a simulated disk, entries that can be checked, and chance that can be had again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::files::simulated::Disk;
use super::super::open::open_in;
use super::super::{Config, Event, Events, NotDurable, OpenError, Probe, Refused, Space, Store};
use crate::entry::{Draft, Entry, Lifetime};
use crate::invalidate::Sequence;
use crate::key::{KeyHasher, KeyRef, Keyed, SECRET_LEN};
use crate::record::Codec;

pub(super) const SEGMENT: u32 = 128 * 1024;
pub(super) const SEGMENTS: u64 = 8;
/// Nanoseconds since 1970 in tests.
pub(super) const NOW: u64 = 1_000_000_000_000_000_000;
pub(super) const DONE: Result<(), NotDurable> = Ok(());

/// Keeps the lines.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<String>>);

impl Events for Lines {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().push(event.to_string());
    }
}

impl Lines {
    pub(super) fn has(&self, part: &str) -> bool {
        self.0.lock().iter().any(|line| line.contains(part))
    }
}

pub(super) struct Rig {
    pub(super) disk: Disk,
    pub(super) config: Config,
    pub(super) lines: Arc<Lines>,
    hasher: KeyHasher,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::on(Disk::default())
    }

    pub(super) fn on(disk: Disk) -> Self {
        let lines = Arc::new(Lines::default());
        let mut config = Config::new(std::path::Path::new("/simulated"), SEGMENTS * u64::from(SEGMENT));
        config.segment_bytes = SEGMENT;
        config.retry = Duration::from_millis(2);
        config.events = lines.clone();
        config.read_threads = 2;
        Self { disk, config, lines, hasher: KeyHasher::new([3; SECRET_LEN]) }
    }

    /// The same machine after kill -9.
    pub(super) fn killed(&self) -> Self {
        self.started_again(self.disk.after_kill())
    }

    /// The same machine after a power cut.
    pub(super) fn cut(&self, keep: impl FnMut() -> bool) -> Self {
        self.started_again(self.disk.after_power_cut(keep))
    }

    fn started_again(&self, disk: Disk) -> Self {
        let again = Self::on(disk);
        let events = again.config.events.clone();
        Self { config: Config { events, ..self.config.clone() }, ..again }
    }

    pub(super) fn open(&self) -> Store {
        let store = self.try_open().unwrap();
        until(|| store.is_ready());
        store
    }

    pub(super) fn try_open(&self) -> Result<Store, OpenError> {
        open_in(Arc::new(self.disk.clone()), &self.config)
    }

    pub(super) fn key<'a>(&self, bytes: &'a [u8]) -> KeyRef<'a> {
        self.hasher.key(bytes)
    }

    pub(super) fn entry(&self, key: u64, version: u64, length: usize) -> Arc<Entry> {
        self.entry_until(key, version, length, u64::MAX)
    }

    pub(super) fn entry_until(&self, key: u64, version: u64, length: usize, until: u64) -> Arc<Entry> {
        let bytes = key.to_le_bytes();
        let lifetime = Lifetime::until(0, until);
        let draft = Draft {
            key: self.key(&bytes),
            status: 200,
            notes: &version.to_le_bytes(),
            head: b"A: b\r\n",
            lifetime,
            born: Sequence::default(),
        };
        Arc::new(Entry::new(draft, &[Bytes::from(body(key, version, length))]).unwrap())
    }

    /// The version under a key; panics if the body is not that version's.
    pub(super) fn version(&self, space: &Space, key: u64) -> Option<u64> {
        let bytes = key.to_le_bytes();
        let entry = match space.probe(self.key(&bytes), NOW) {
            Probe::Absent => return None,
            Probe::Ready(entry) => entry,
            Probe::Read(pending) => pending.wait()?,
        };
        let version = u64::from_le_bytes(entry.notes().try_into().unwrap());
        assert_eq!(&entry.body()[..], body(key, version, entry.body().len()), "a wrong body under {key}");
        assert_eq!(entry.key().bytes, bytes);
        Some(version)
    }

    pub(super) fn insert(&self, space: &Space, key: u64, version: u64, length: usize) -> Result<(), Refused> {
        space.insert(self.entry(key, version, length), space.epoch())
    }

    pub(super) fn remove(&self, space: &Space, key: u64) -> Result<(), NotDurable> {
        space.remove(self.key(&key.to_le_bytes())).wait()
    }
}

pub(super) fn space(store: &Store) -> Space {
    store.space("pets/prod", |_| Codec::plain()).unwrap()
}

/// Bytes that only this version of this key has.
pub(super) fn body(key: u64, version: u64, length: usize) -> Vec<u8> {
    let mut chance = Chance(key ^ version.rotate_left(32));
    std::iter::repeat_with(|| chance.next()).flat_map(u64::to_le_bytes).take(length).collect()
}

/// Waits for another thread's doing.
pub(super) fn until(condition: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "what should have happened did not");
        std::thread::yield_now();
    }
}

/// SplitMix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
