//! Counts of what has left the memory tier, by the way it left.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foyer_common::event::{Event, EventListener};

use crate::key::ByKey;

use super::stored::Stored;

/// Entries that have left, since the tier was made.
#[derive(Debug, Default)]
pub struct Departures {
    evicted: AtomicU64,
    replaced: AtomicU64,
    removed: AtomicU64,
    purged: AtomicU64,
    flushed: AtomicU64,
}

impl Departures {
    /// Pushed out by newer ones.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Replaced by another answer under the same key.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Removed one by one.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Covered by a purge.
    #[must_use]
    pub fn purged(&self) -> u64 {
        self.purged.load(Ordering::Relaxed)
    }

    /// Freed after a flush, or with the tier.
    #[must_use]
    pub fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Relaxed)
    }
}

thread_local! {
    /// What leaves by this thread's doing has been purged.
    static PURGING: Cell<bool> = const { Cell::new(false) };
}

/// Counts what leaves by `work` as purged.
pub(super) fn purging<T>(work: impl FnOnce() -> T) -> T {
    PURGING.set(true);
    let result = work();
    PURGING.set(false);
    result
}

/// Counts for one generation.
#[derive(Debug)]
pub(super) struct Listener {
    departures: Arc<Departures>,
    retired: AtomicBool,
}

impl Listener {
    pub(super) const fn new(departures: Arc<Departures>) -> Self {
        Self { departures, retired: AtomicBool::new(false) }
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }
}

impl EventListener for Listener {
    type Key = ByKey<Stored>;
    type Value = ();

    fn on_leave(&self, reason: Event, _: &Self::Key, (): &()) {
        let Departures { evicted, replaced, removed, purged, flushed } = &*self.departures;
        let counter = match reason {
            Event::Evict | Event::Remove if PURGING.get() => purged,
            Event::Evict if self.retired.load(Ordering::Relaxed) => flushed,
            Event::Evict => evicted,
            Event::Replace => replaced,
            Event::Remove => removed,
            Event::Clear => flushed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
