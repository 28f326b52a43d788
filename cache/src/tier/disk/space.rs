//! What the store knows of one space: its epoch, its codec, and how much of the log it takes.
//!
//! A space that takes more than its share forgets its own oldest segments' worth: entries below its floor are not found.
//! The room on disk comes back as the log goes round. Dead versions count until then, for they do take room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, RwLock};

use crate::record::Codec;

pub(super) struct SpaceCore {
    pub(super) id: u32,
    pub(super) name: String,
    /// Absent until somebody opens the space.
    pub(super) codec: ArcSwapOption<Codec>,
    pub(super) forgotten: AtomicBool,
    /// Objects that are being sent from it.
    pub(super) readers: AtomicUsize,
    epoch: AtomicU64,
    /// The first segment whose entries count.
    floor: AtomicU64,
    ledger: Mutex<Ledger>,
}

struct Ledger {
    /// Bytes in each segment, in the log's order.
    segments: VecDeque<(u64, u64)>,
    bytes: u64,
    share: u64,
}

/// More flushes than can be lost on their way to the journal.
const UNRECORDED_LIMIT: u64 = 1 << 20;

/// All spaces of a store.
#[derive(Default)]
pub(super) struct Spaces(RwLock<HashMap<u32, Arc<SpaceCore>>>);

impl SpaceCore {
    pub(super) fn new(id: u32, name: String, epoch: u64) -> Self {
        let ledger = Mutex::new(Ledger { segments: VecDeque::new(), bytes: 0, share: u64::MAX });
        Self {
            id,
            name,
            codec: ArcSwapOption::empty(),
            forgotten: AtomicBool::new(false),
            readers: AtomicUsize::new(0),
            epoch: AtomicU64::new(epoch),
            floor: AtomicU64::new(0),
            ledger,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Makes all that it has unreachable, and tells the new epoch. While the store recovers, that is one that nothing in
    /// the log can have.
    pub(super) fn start_epoch(&self, ready: bool) -> u64 {
        let step = if ready { 1 } else { UNRECORDED_LIMIT };
        let mut ledger = self.ledger.lock();
        let epoch = self.epoch.fetch_add(step, SeqCst) + step;
        ledger.clear();
        epoch
    }

    /// The log has something of this epoch: a flush was on its way to the journal and did not come there, but what came
    /// after it is in the log. So it holds; or its epoch would begin again, and what is in it be found.
    pub(super) fn adopt_epoch(&self, epoch: u64) {
        let mut ledger = self.ledger.lock();
        if epoch > self.epoch() {
            self.epoch.store(epoch, SeqCst);
            ledger.clear();
        }
    }

    /// Whether entries of this epoch in this segment count.
    pub(super) fn reaches(&self, epoch: u64, segment: u64) -> bool {
        epoch == self.epoch() && segment >= self.floor.load(SeqCst) && !self.forgotten.load(SeqCst)
    }

    /// Counts bytes of the log; the share may push the floor up.
    pub(super) fn account(&self, epoch: u64, segment: u64, bytes: u64) {
        let mut ledger = self.ledger.lock();
        if epoch == self.epoch() {
            ledger.add(segment, bytes);
            self.raise_floor(&mut ledger);
        }
    }

    /// A segment and all before it are gone.
    pub(super) fn evicted(&self, segment: u64) {
        self.ledger.lock().drop_through(segment);
    }

    pub(super) fn clear_ledger(&self) {
        self.ledger.lock().clear();
    }

    pub(super) fn set_share(&self, bytes: u64) {
        let mut ledger = self.ledger.lock();
        ledger.share = bytes;
        self.raise_floor(&mut ledger);
    }

    /// Bytes of the log that it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.ledger.lock().bytes
    }

    /// The newest segment stays, or a share below a segment would find nothing at all.
    fn raise_floor(&self, ledger: &mut Ledger) {
        while ledger.bytes > ledger.share && ledger.segments.len() > 1 {
            if let Some((segment, _)) = ledger.pop() {
                self.floor.store(segment + 1, SeqCst);
            }
        }
    }
}

impl Ledger {
    fn add(&mut self, segment: u64, bytes: u64) {
        self.bytes += bytes;
        match self.segments.back_mut() {
            Some((last, sum)) if *last == segment => *sum += bytes,
            _ => self.segments.push_back((segment, bytes)),
        }
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        let oldest = self.segments.pop_front()?;
        self.bytes -= oldest.1;
        Some(oldest)
    }

    fn drop_through(&mut self, segment: u64) {
        while self.segments.front().is_some_and(|oldest| oldest.0 <= segment) {
            self.pop();
        }
    }

    fn clear(&mut self) {
        self.segments.clear();
        self.bytes = 0;
    }
}

impl Spaces {
    pub(super) fn find(&self, id: u32) -> Option<Arc<SpaceCore>> {
        self.0.read().get(&id).cloned()
    }

    pub(super) fn add(&self, space: Arc<SpaceCore>) {
        self.0.write().insert(space.id, space);
    }

    pub(super) fn remove(&self, id: u32) {
        self.0.write().remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.0.read().len()
    }

    pub(super) fn each(&self, then: impl FnMut(&Arc<SpaceCore>)) {
        self.0.read().values().for_each(then);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_over_its_share_forgets_its_oldest_segments() {
        let space = SpaceCore::new(1, "s".to_owned(), 4);
        space.set_share(100);
        for segment in 0..5 {
            space.account(4, segment, 40);
        }
        assert_eq!((space.bytes(), space.reaches(4, 2), space.reaches(4, 3)), (80, false, true));
        space.evicted(3);
        assert_eq!(space.bytes(), 40);
        space.account(4, 5, 500);
        assert_eq!((space.bytes(), space.reaches(4, 5)), (500, true));
    }

    #[test]
    fn a_flush_takes_all_and_what_was_on_its_way() {
        let space = SpaceCore::new(1, "s".to_owned(), 4);
        space.account(4, 0, 40);
        assert_eq!(space.start_epoch(true), 5);
        space.account(4, 0, 40);
        assert_eq!((space.bytes(), space.reaches(4, 0), space.reaches(5, 0)), (0, false, true));
        space.account(5, 0, 40);
        space.adopt_epoch(5);
        assert_eq!((space.epoch(), space.bytes()), (5, 40));
        space.adopt_epoch(6);
        assert_eq!((space.epoch(), space.bytes()), (6, 0));
        assert!(space.start_epoch(false) > 1_000_000);
    }
}
