//! A counter with one writer: a load and a store on the writer's own cache line, never a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up on one thread, is read on any.
///
/// A reader sees a value that was true a moment ago. Two writers would lose counts: only `CoreMetrics`, which cannot be
/// shared between threads, may add.
#[derive(Debug, Default)]
pub(super) struct Tally(AtomicU64);

impl Tally {
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.value().wrapping_add(n), Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
