//! What a store counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use thiserror::Error;

use super::health::Health;

/// Why an entry is not kept. An older version of it is not served any more either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Refused {
    /// The space was flushed after the fetch began.
    #[error("flushed since its fetch began")]
    Flushed,
    /// The record would be longer than half a segment.
    #[error("too large for the disk cache")]
    TooLarge,
    /// Too much waits to be written already.
    #[error("too much waits to be written")]
    Busy,
    /// The disk fails.
    #[error("the disk fails")]
    Failing,
    /// The store is closed, or the space forgotten.
    #[error("closed")]
    Closed,
}

impl Refused {
    /// All reasons, for metrics that count each.
    pub const ALL: [Self; 5] = [Self::Flushed, Self::TooLarge, Self::Busy, Self::Failing, Self::Closed];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::TooLarge => "too-large",
            Self::Busy => "busy",
            Self::Failing => "failing",
            Self::Closed => "closed",
        }
    }

    const fn number(self) -> usize {
        match self {
            Self::Flushed => 0,
            Self::TooLarge => 1,
            Self::Busy => 2,
            Self::Failing => 3,
            Self::Closed => 4,
        }
    }
}

/// A store's figures of the moment. Counts are since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How it is.
    pub health: Health,
    /// Segments that the start has read, of how many; equal once it is ready.
    pub recovered: (u64, u64),
    /// Entries that can be found.
    pub entries: u64,
    /// Memory that the index takes, bytes.
    pub index_bytes: u64,
    /// Segments on disk.
    pub segments: u64,
    /// Bytes of each.
    pub segment_bytes: u32,
    /// Bytes that the segments may take in all.
    pub capacity: u64,
    /// Memory that entries take which wait to be written, bytes.
    pub queue_bytes: usize,
    /// Other things that wait to be written.
    pub queue_marks: usize,
    /// Refused entries, in the order of [`Refused::ALL`].
    pub refused: [u64; 5],
    /// Entries that were taken and then not written.
    pub lost: u64,
    /// Entries that are not found although they were written: their key was dropped while they were on their way, or
    /// another one that shares its place among what is on its way.
    pub overtaken: u64,
    /// Bytes written, with padding.
    pub written_bytes: u64,
    /// Failed writes.
    pub write_errors: u64,
    /// Failed reads.
    pub read_errors: u64,
    /// Reads that found something else than was written.
    pub damaged: u64,
    /// Hits out of the page cache.
    pub reads_inline: u64,
    /// Reads by the store's threads.
    pub reads_pooled: u64,
    /// Reads that were misses because too many waited.
    pub reads_refused: u64,
    /// Segments whose entries were forgotten to make room.
    pub evicted_segments: u64,
    /// Times that the file system had no room for a segment which the capacity has room for.
    pub no_space: u64,
    /// Whether that is so now: the store keeps to what there is.
    pub is_short: bool,
    /// Entries that were written again when their segment was evicted, because they had been hit.
    pub reinserted: u64,
    /// Large objects that were written again as a whole, because they had been asked for.
    pub carried: u64,
    /// Times that a space was dropped because too much of it was in doubt.
    pub doubted: u64,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) refused: [AtomicU64; 5],
    pub(super) lost: AtomicU64,
    pub(super) overtaken: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) write_errors: AtomicU64,
    pub(super) read_errors: AtomicU64,
    pub(super) damaged: AtomicU64,
    pub(super) reads_inline: AtomicU64,
    pub(super) reads_pooled: AtomicU64,
    pub(super) reads_refused: AtomicU64,
    pub(super) evicted_segments: AtomicU64,
    pub(super) no_space: AtomicU64,
    pub(super) is_short: AtomicBool,
    pub(super) reinserted: AtomicU64,
    pub(super) carried: AtomicU64,
    pub(super) doubted: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) to_recover: AtomicU64,
}

impl Counts {
    pub(super) fn refuse(&self, why: Refused) -> Refused {
        if let Some(count) = self.refused.get(why.number()) {
            add(count, 1);
        }
        why
    }

    pub(super) fn refused(&self) -> [u64; 5] {
        self.refused.each_ref().map(|count| count.load(Relaxed))
    }
}

pub(super) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Relaxed);
}
