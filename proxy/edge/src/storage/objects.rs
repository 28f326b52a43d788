//! Large objects on their way to the disk and from it: how many at once, and which keys.
//!
//! Of each key one object is written at a time: who brings the same meanwhile only passes it on. The bounds are the
//! process's, over all stages.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use sluice_cache::tier::disk::{Manifest, ObjectRefused, ObjectSize, ObjectWriter, Refused};
use sluice_cache::{Epoch, Fingerprint, NotStored};

use super::StageDisk;

/// Objects that are written at once. Each holds one chunk of 256 KiB, beside what waits in its store's queue.
const WRITTEN: usize = 64;

/// Objects that are sent at once. Each holds at most two chunks: 256 MiB in all.
const SENT: usize = 512;

static WRITING: AtomicUsize = AtomicUsize::new(0);
static SENDING: AtomicUsize = AtomicUsize::new(0);

/// The keys of a stage whose objects are being written; at most [`WRITTEN`].
#[derive(Debug, Default)]
pub(super) struct Filling(Mutex<HashSet<Fingerprint>>);

/// A large object that is being written.
#[derive(Debug)]
pub struct Fill {
    writer: ObjectWriter,
    seat: FillSeat,
}

/// Keeps others from writing an object under the same key.
#[derive(Debug)]
pub struct FillSeat {
    disk: Arc<StageDisk>,
    key: Fingerprint,
    _place: Place,
}

/// The right to send an object.
#[derive(Debug)]
pub struct SendSeat(#[expect(dead_code, reason = "held until it is dropped")] Place);

#[derive(Debug)]
struct Place(&'static AtomicUsize);

impl Place {
    fn take(of: &'static AtomicUsize, limit: usize) -> Option<Self> {
        let next = |taken: usize| (taken < limit).then_some(taken + 1);
        of.fetch_update(Relaxed, Relaxed, next).ok().map(|_| Self(of))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl SendSeat {
    /// Nothing while too many are sent.
    pub fn take() -> Option<Self> {
        Place::take(&SENDING, SENT).map(Self)
    }
}

impl Fill {
    /// Begins to write the answer of a fetch that noted the epoch `began`.
    ///
    /// # Errors
    /// There is no disk, no room for one more, or somebody writes it already.
    pub fn begin(disk: &Arc<StageDisk>, key: Fingerprint, began: Epoch, size: ObjectSize) -> Result<Self, NotStored> {
        let space = disk.space().ok_or(NotStored::Disk)?;
        let place = Place::take(&WRITING, WRITTEN).ok_or(NotStored::NoRoom)?;
        if !disk.filling.0.lock().insert(key) {
            return Err(NotStored::Filling);
        }
        let seat = FillSeat { disk: Arc::clone(disk), key, _place: place };
        Ok(Self { writer: space.object(key, began, size).map_err(reason)?, seat })
    }

    /// Takes the next bytes. Never waits.
    ///
    /// # Errors
    /// The object is not kept.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NotStored> {
        self.writer.push(bytes).map_err(reason)
    }

    /// Whether the disk keeps up.
    pub fn has_room(&self) -> bool {
        self.writer.has_room()
    }

    /// Waits until the disk has caught up a good deal.
    pub async fn room(&mut self) {
        self.writer.room().await;
    }

    /// Waits until all of it can be found. The head is to be stored while the seat is held.
    ///
    /// # Errors
    /// The object is not kept.
    pub async fn finish(self) -> Result<(Manifest, FillSeat), NotStored> {
        let manifest = self.writer.finish().await.map_err(reason)?;
        Ok((manifest, self.seat))
    }
}

impl Drop for FillSeat {
    fn drop(&mut self) {
        self.disk.filling.0.lock().remove(&self.key);
    }
}

const fn reason(refused: ObjectRefused) -> NotStored {
    match refused {
        ObjectRefused::Disk(Refused::Flushed) => NotStored::Flushed,
        ObjectRefused::TooLarge => NotStored::TooLarge,
        ObjectRefused::Length => NotStored::Incomplete,
        ObjectRefused::Disk(_) | ObjectRefused::Evicted | ObjectRefused::NoRandom => NotStored::Disk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_they_are_given_back() {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        let all: Vec<_> = std::iter::from_fn(|| Place::take(&TAKEN, 3)).collect();
        assert_eq!(all.len(), 3);
        drop(all);
        assert!(Place::take(&TAKEN, 3).is_some());
    }

    #[test]
    fn without_a_disk_nothing_is_written() {
        let size = ObjectSize { declared: None, limit: 1 };
        let begun = Fill::begin(&Arc::default(), Fingerprint(1), Epoch::default(), size);
        assert_eq!(begun.err(), Some(NotStored::Disk));
    }
}
