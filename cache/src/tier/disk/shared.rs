//! What the threads of a store and its callers share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::events::Event;
use super::files::DirectoryIo;
use super::health::Watch;
use super::in_flight::InFlight;
use super::index::{Index, Slot};
use super::journal::{Ack, AckPromise, Fact, Journal, NotDurable};
use super::pool::ReadQueue;
use super::queue::{Full, MARKS_LIMIT, Mark, Queue};
use super::segments::Segments;
use super::space::{SpaceCore, Spaces};
use super::stats::{Counts, add};

pub(super) struct Shared {
    pub(super) directory: Arc<dyn DirectoryIo>,
    pub(super) lineage: u64,
    pub(super) segment_bytes: usize,
    pub(super) batch_bytes: usize,
    /// Whether every read blocks, and takes whole pages.
    pub(super) direct: bool,
    pub(super) capacity: AtomicU64,
    /// The longest object that was ever asked for, bytes; 0 while none was.
    pub(super) largest_asked: AtomicU64,
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) spaces: Spaces,
    pub(super) queue: Queue,
    pub(super) in_flight: InFlight,
    pub(super) reads: ReadQueue,
    pub(super) journal: Arc<Journal>,
    pub(super) watch: Arc<Watch>,
    pub(super) counts: Counts,
    /// Keys of which an older version may lie in the log, with no tombstone yet. At most [`MARKS_LIMIT`].
    doubts: Mutex<VecDeque<(u32, Slot)>>,
}

/// What a store's shared part is made of.
pub(super) struct Parts {
    pub(super) directory: Arc<dyn DirectoryIo>,
    pub(super) lineage: u64,
    pub(super) segment_bytes: usize,
    pub(super) batch_bytes: usize,
    pub(super) direct: bool,
    pub(super) capacity: u64,
    pub(super) queue_bytes: usize,
    pub(super) read_queue: usize,
    pub(super) journal: Arc<Journal>,
    pub(super) watch: Arc<Watch>,
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { directory, lineage, segment_bytes, batch_bytes, direct, journal, watch, .. } = parts;
        Self {
            directory,
            lineage,
            segment_bytes,
            batch_bytes,
            direct,
            capacity: AtomicU64::new(parts.capacity),
            largest_asked: AtomicU64::new(0),
            index: Index::new(),
            segments: Segments::default(),
            spaces: Spaces::default(),
            queue: Queue::new(parts.queue_bytes),
            in_flight: InFlight::new(),
            reads: ReadQueue::new(parts.read_queue),
            journal,
            watch,
            counts: Counts::default(),
            doubts: Mutex::default(),
        }
    }

    /// Segments that the capacity has room for.
    pub(super) fn segments_limit(&self) -> u64 {
        self.capacity.load(Relaxed) / self.segment_bytes as u64
    }

    /// The longest record with its frame, bytes.
    pub(super) const fn record_limit(&self) -> usize {
        let half = self.segment_bytes / 2;
        if half < super::config::RECORD_LIMIT { half } else { super::config::RECORD_LIMIT }
    }

    /// Sees to it that no version of a key is found that is in the log or on its way there.
    pub(super) fn forget_key(&self, space: &SpaceCore, slot: Slot, promise: Option<AckPromise>) {
        let refused = self.queue.mark(Mark { space: space.id, slot, promise }, &self.in_flight);
        self.index.remove(slot);
        if let Err((full, mark)) = refused {
            let why = if full == Full::Closed { NotDurable::Closed } else { NotDurable::Busy };
            if full == Full::Full {
                self.doubt_all(space);
            }
            mark.promise.into_iter().for_each(|promise| promise.resolve(Err(why)));
        }
    }

    /// An entry is refused: its older version, if there may be one, goes.
    pub(super) fn forget_older(&self, space: &SpaceCore, slot: Slot) {
        // In this order: what leaves the flight is in the index by then.
        let busy = self.in_flight.is_busy(slot);
        if busy || !self.watch.is_ready() || self.index.get(slot).is_some() {
            self.forget_key(space, slot, None);
        }
    }

    /// The log has not what it should have under a key: a tombstone will follow as soon as one can be written.
    pub(super) fn doubt(&self, space: u32, slot: Slot) {
        self.index.remove(slot);
        let mut doubts = self.doubts.lock();
        if doubts.len() < MARKS_LIMIT {
            doubts.push_back((space, slot));
            return;
        }
        drop(doubts);
        if let Some(space) = self.spaces.find(space) {
            self.doubt_all(&space);
        }
    }

    pub(super) fn next_doubt(&self) -> Option<(u32, Slot)> {
        self.doubts.lock().pop_front()
    }

    pub(super) fn has_doubts(&self) -> bool {
        !self.doubts.lock().is_empty()
    }

    /// More of a space is in doubt than can be kept track of: all of it goes.
    fn doubt_all(&self, space: &SpaceCore) {
        add(&self.counts.doubted, 1);
        self.watch.say(&Event::Doubted { space: &space.name });
        drop(self.flush(space));
    }

    /// Starts a space's next epoch.
    pub(super) fn flush(&self, space: &SpaceCore) -> Ack {
        let mut facts = self.journal.facts();
        let epoch = space.start_epoch(self.watch.is_ready());
        self.journal.state_in(&mut facts, Fact::Epoch { id: space.id, epoch })
    }
}
