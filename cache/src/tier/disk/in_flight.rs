//! Which keys have something on its way to the log, in buckets.
//!
//! Two questions have to be answered without asking the queue. A refused entry: is there, or will there be, an older
//! version that must be forgotten? An entry that is written: was its key dropped while it was on its way? Keys share
//! buckets, so an answer may be yes where it is no, which costs a tombstone or an entry, never a stale answer.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::index::Slot;

const BUCKETS: usize = 1 << 18;

pub(super) struct InFlight {
    buckets: Box<[Bucket]>,
}

#[derive(Default)]
struct Bucket {
    /// Things on their way.
    count: AtomicU32,
    /// The sequence number of the last mark that was queued.
    marked: AtomicU32,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Bucket::default()).collect() }
    }

    pub(super) fn enter(&self, slot: Slot) {
        self.bucket(slot).count.fetch_add(1, SeqCst);
    }

    pub(super) fn leave(&self, slot: Slot) {
        self.bucket(slot).count.fetch_sub(1, SeqCst);
    }

    pub(super) fn is_busy(&self, slot: Slot) -> bool {
        self.bucket(slot).count.load(SeqCst) != 0
    }

    /// A mark with this sequence number was queued.
    pub(super) fn mark(&self, slot: Slot, sequence: u32) {
        self.bucket(slot).marked.store(sequence, SeqCst);
    }

    /// Whether a mark was queued after this sequence number.
    pub(super) fn is_marked_after(&self, slot: Slot, sequence: u32) -> bool {
        // Numbers wrap; far fewer than half of them are ever on their way.
        self.bucket(slot).marked.load(SeqCst).wrapping_sub(sequence).cast_signed() > 0
    }

    fn bucket(&self, slot: Slot) -> &Bucket {
        // An index below 2^18 into as many buckets.
        #[expect(clippy::indexing_slicing, reason = "eighteen bits index as many buckets")]
        &self.buckets[(slot.0 >> 20) as usize & (BUCKETS - 1)]
    }
}
