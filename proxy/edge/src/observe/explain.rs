//! The last requests of each core, kept so that someone can ask why.
//!
//! Every error is kept, and of the rest one in [`SAMPLE`], or more while there is little traffic, so that a single
//! `curl` is always there. Errors and the rest have rings of their own: a flood of one does not wash out the other.
//! An entry is of fixed size and holds no header, no body and no query string.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::message::request_id::RequestId;

/// Entries in each of a core's two rings.
pub const RING: usize = 256;

/// Of requests that did not fail, one in so many is kept.
pub const SAMPLE: u32 = 64;

/// A request that did not fail is kept anyway if the last one kept is this much older.
const QUIET_US: u64 = 10_000;

/// Bytes of the path that are kept.
const PATH_PREFIX: usize = 64;

/// One request, with its ledger `T`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained<T> {
    /// `$context.requestId`.
    pub request_id: u128,
    /// Receipt, microseconds since the UNIX epoch.
    pub time_us: u64,
    /// From receipt to the answer's end, microseconds.
    pub latency_us: u64,
    /// Final status.
    pub status: u16,
    /// How the path began.
    pub path: PathPrefix,
    /// What each stage decided.
    pub ledger: T,
}

impl<T> Explained<T> {
    /// The entry as JSON; `ledger` tells what the stages decided.
    pub fn to_json(&self, ledger: impl FnOnce(&T) -> Value) -> Value {
        json!({
            "requestId": RequestId(self.request_id).to_string(),
            "requestTimeEpochMicros": self.time_us,
            "latencyMicros": self.latency_us,
            "status": self.status,
            "path": self.path.text(),
            "ledger": ledger(&self.ledger),
        })
    }
}

/// The first bytes of a path, without its query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathPrefix {
    bytes: [u8; PATH_PREFIX],
    kept: u8,
    cut: bool,
}

impl PathPrefix {
    /// Keeps what fits of `path`, and nothing from a `?` on.
    pub fn new(path: &[u8]) -> Self {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let mut bytes = [0; PATH_PREFIX];
        let kept = path.len().min(PATH_PREFIX);
        for (to, from) in bytes.iter_mut().zip(path) {
            *to = *from;
        }
        Self { bytes, kept: kept as u8, cut: path.len() > PATH_PREFIX }
    }

    /// For reading: bytes that are not text are replaced, and `…` says that there was more.
    pub fn text(&self) -> String {
        let kept = self.bytes.get(..usize::from(self.kept)).unwrap_or_default();
        let more = if self.cut { "…" } else { "" };
        String::from_utf8_lossy(kept).into_owned() + more
    }
}

/// The rings of all cores.
#[derive(Debug)]
pub struct Explain<T> {
    /// One per worker.
    cores: Mutex<Vec<Arc<Rings<T>>>>,
}

impl<T: Copy> Explain<T> {
    /// Rings for one more worker.
    pub fn core(&self) -> CoreExplain<T> {
        let rings = Arc::new(Rings::default());
        self.cores.lock().push(Arc::clone(&rings));
        CoreExplain { rings, unkept: 0, last_kept_us: 0 }
    }

    /// The `limit` latest entries of all cores, the newest first.
    pub fn recent(&self, limit: usize) -> Vec<Explained<T>> {
        let cores = self.cores.lock().clone();
        let mut entries: Vec<_> = cores.iter().flat_map(|core| core.entries()).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.time_us));
        entries.truncate(limit);
        entries
    }
}

impl<T> Default for Explain<T> {
    fn default() -> Self {
        Self { cores: Mutex::default() }
    }
}

/// One worker's side of its rings.
#[derive(Debug)]
pub struct CoreExplain<T> {
    rings: Arc<Rings<T>>,
    unkept: u32,
    last_kept_us: u64,
}

impl<T: Copy> CoreExplain<T> {
    /// Keeps a finished request if it `failed` or is due; `entry` is only called then.
    ///
    /// `now_us` is any clock in microseconds, always the same one. While someone reads the ring, the request is let go.
    pub fn offer(&mut self, failed: bool, now_us: u64, entry: impl FnOnce() -> Explained<T>) {
        if failed {
            keep(&self.rings.errors, entry);
        } else if self.is_due(now_us) {
            keep(&self.rings.samples, entry);
        }
    }

    fn is_due(&mut self, now_us: u64) -> bool {
        let due = self.unkept + 1 >= SAMPLE || now_us.saturating_sub(self.last_kept_us) >= QUIET_US;
        if due {
            self.unkept = 0;
            self.last_kept_us = now_us;
        } else {
            self.unkept += 1;
        }
        due
    }
}

/// One core's entries, shared with the reader.
#[derive(Debug)]
struct Rings<T> {
    errors: Mutex<Ring<T>>,
    samples: Mutex<Ring<T>>,
}

impl<T: Copy> Rings<T> {
    fn entries(&self) -> Vec<Explained<T>> {
        let mut entries = self.errors.lock().entries.clone();
        entries.extend_from_slice(&self.samples.lock().entries);
        entries
    }
}

impl<T> Default for Rings<T> {
    fn default() -> Self {
        Self { errors: Mutex::default(), samples: Mutex::default() }
    }
}

/// The last [`RING`] entries, in no order.
#[derive(Debug)]
struct Ring<T> {
    /// Never more than [`RING`], and allocated at once.
    entries: Vec<Explained<T>>,
    oldest: usize,
}

impl<T> Ring<T> {
    fn push(&mut self, entry: Explained<T>) {
        if self.entries.len() < RING {
            self.entries.push(entry);
        } else if let Some(oldest) = self.entries.get_mut(self.oldest) {
            *oldest = entry;
            self.oldest = (self.oldest + 1) % RING;
        }
    }
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { entries: Vec::with_capacity(RING), oldest: 0 }
    }
}

fn keep<T>(ring: &Mutex<Ring<T>>, entry: impl FnOnce() -> Explained<T>) {
    if let Some(mut ring) = ring.try_lock() {
        ring.push(entry());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: u16, time_us: u64) -> Explained<u32> {
        let path = PathPrefix::new(b"/prod/pets");
        Explained { request_id: 7, time_us, latency_us: 12, status, path, ledger: 3 }
    }

    fn offer(core: &mut CoreExplain<u32>, status: u16, time_us: u64) {
        core.offer(status >= 400, time_us, || entry(status, time_us));
    }

    #[test]
    fn errors_outlive_a_flood_of_hits() {
        let explain = Explain::default();
        let mut core = explain.core();
        offer(&mut core, 500, 1);
        (2..200_000).for_each(|now| offer(&mut core, 200, now));
        assert!(explain.recent(1_000).iter().any(|entry| entry.status == 500));
    }

    #[test]
    fn all_errors_up_to_the_ring_are_kept_and_the_oldest_go_first() {
        let explain = Explain::default();
        let mut core = explain.core();
        (0..RING as u64 + 10).for_each(|now| offer(&mut core, 404, now));
        let times: Vec<_> = explain.recent(1_000).iter().map(|entry| entry.time_us).collect();
        assert_eq!(times, (10..RING as u64 + 10).rev().collect::<Vec<_>>());
    }

    #[test]
    fn of_a_burst_of_hits_one_in_sixty_four_is_kept() {
        let explain = Explain::default();
        let mut core = explain.core();
        (0..640).for_each(|n| offer(&mut core, 200, 1_000_000 + n));
        assert_eq!(explain.recent(1_000).len(), 10);
    }

    #[test]
    fn a_lone_request_is_kept() {
        let explain = Explain::default();
        let mut core = explain.core();
        (1..=3).for_each(|n| offer(&mut core, 200, n * 1_000_000));
        assert_eq!(explain.recent(1_000).len(), 3);
    }

    #[test]
    fn a_reader_never_blocks_the_core() {
        let explain = Explain::default();
        let mut core = explain.core();
        let reading = Arc::clone(&core.rings);
        let locked = reading.errors.lock();
        offer(&mut core, 500, 1);
        drop(locked);
        offer(&mut core, 502, 2);
        let statuses: Vec<_> = explain.recent(10).iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [502]);
    }

    #[test]
    fn the_newest_of_all_cores_come_first() {
        let explain = Explain::default();
        let (mut one, mut two) = (explain.core(), explain.core());
        offer(&mut one, 500, 1);
        offer(&mut two, 501, 2);
        offer(&mut one, 502, 3);
        let statuses: Vec<_> = explain.recent(2).iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [502, 501]);
    }

    #[test]
    fn a_path_is_cut_and_its_query_never_kept() {
        assert_eq!(PathPrefix::new(b"/a?token=secret").text(), "/a");
        assert_eq!(PathPrefix::new(&[b'x'; 65]).text(), "x".repeat(64) + "…");
        assert_eq!(PathPrefix::new(&[b'x'; 64]).text(), "x".repeat(64));
    }

    #[test]
    fn an_entry_as_json() {
        let value = entry(200, 5).to_json(|ledger| json!({ "n": ledger }));
        assert_eq!(value["requestId"], "00000000-0000-0000-0000-000000000007");
        assert_eq!(value["ledger"]["n"], 3);
        assert_eq!(value["path"], "/prod/pets");
    }
}
