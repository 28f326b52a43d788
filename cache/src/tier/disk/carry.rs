//! Carries large objects on that were asked for, before the log comes round to them.
//!
//! Small entries are written again when their segment is evicted. An object lies in many segments, and is worth nothing
//! without all of them: so it is decided at its first chunk, which is its oldest, and then all of it is copied, chunk by
//! chunk and its head last, beside what fills write. It is copied from segments that are still alive, so readers find it
//! at one place or the other all the time.
//!
//! Bounds: at most half of a batch is carried, and over time one byte for [`FILLED_FOR_CARRIED`] that fills write.
//! Who comes while that is used up is not carried. An object that cannot be copied before the log reaches it is not
//! begun; one whose chunk is lost, or that is overtaken all the same, is forgotten as a whole. One chunk is held at most.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::clock;
use super::frame;
use super::index::Slot;
use super::log::Reinsertion;
use super::object::{ChunkKey, Manifest, ObjectId, begins};
use super::reader;
use super::recover;
use super::shared::Shared;
use super::space::SpaceCore;
use super::stats::add;

/// Bytes that fills write for one that is carried.
const FILLED_FOR_CARRIED: u64 = 2;

/// Of the log, this part at most is looked at before its turn.
const AHEAD_PART: u64 = 4;

pub(super) struct Carrier {
    shared: Arc<Shared>,
    /// The segment that is looked at next.
    next: u64,
    /// First chunks that were found in the segment before, of objects that were asked for.
    found: VecDeque<(u32, Slot)>,
    object: Option<Carried>,
    /// A copy that had no room in its batch.
    held: Option<Reinsertion>,
    /// Bytes that may be carried; below zero until fills have made up for what was.
    credit: i64,
    /// The segment that was last copied from.
    copied_from: u64,
}

/// What comes next of an object.
enum Step {
    /// This, which was read from that segment.
    Copy(Box<Reinsertion>, u64),
    /// Not yet.
    Later,
    /// Nothing: all is copied.
    Done,
    /// It is not there any more.
    Lost,
}

/// An object that is being carried.
struct Carried {
    space: Arc<SpaceCore>,
    id: ObjectId,
    chunks: u32,
    /// The chunk that comes next; behind the last one comes the head.
    next: u32,
    head: Slot,
}

impl Carrier {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, next: 0, found: VecDeque::new(), object: None, held: None, credit: 0, copied_from: 0 }
    }

    /// Fills have written so many bytes more.
    pub(super) fn earn(&mut self, bytes: usize) {
        let most = self.ahead() * self.shared.segment_bytes as u64 / 2;
        let earned = bytes as u64 / FILLED_FOR_CARRIED;
        self.credit = self.credit.saturating_add_unsigned(earned).min(most.cast_signed());
    }

    /// What is to be written next of an object. `room` is what is left in the segment that is written.
    pub(super) fn next(&mut self, room: usize) -> Option<Reinsertion> {
        if self.held.is_some() {
            return self.held.take();
        }
        if self.object.is_none() {
            self.object = self.find(room as u64);
        }
        match self.object.as_mut()?.copy(&self.shared) {
            Step::Copy(copy, segment) => {
                self.copied_from = segment;
                Some(*copy)
            }
            Step::Later => None,
            Step::Done => {
                add(&self.shared.counts.carried, 1);
                self.object = None;
                None
            }
            Step::Lost => {
                self.give_up();
                None
            }
        }
    }

    /// There was no room for it.
    pub(super) fn hold(&mut self, copy: Reinsertion) {
        self.held = Some(copy);
    }

    /// Nothing can be written: what was begun is given up.
    pub(super) fn give_up(&mut self) {
        if let Some(copy) = self.held.take() {
            self.shared.in_flight.leave(copy.slot);
        }
        if let Some(object) = self.object.take() {
            object.forget(&self.shared);
        }
    }

    /// Whether something that was read from this segment may not have been written yet.
    pub(super) const fn has_copied_from(&self, segment: u64) -> bool {
        self.copied_from == segment
    }

    /// A segment is about to go: an object of which it has something left goes too.
    pub(super) fn leave(&mut self, segment: u64) {
        let left = |object: &Carried| object.next_segment(&self.shared).is_none_or(|at| at <= segment);
        if self.object.as_ref().is_some_and(left) {
            self.give_up();
        }
    }

    /// Segments that may be looked at before their turn: so many that the longest object can be copied in time.
    fn ahead(&self) -> u64 {
        let longest = self.shared.largest_asked.load(Relaxed);
        let wanted = (2 * longest).div_ceil(self.shared.segment_bytes as u64) + 1;
        if longest == 0 { 0 } else { wanted.min(self.shared.segments_limit() / AHEAD_PART) }
    }

    /// Segments that the log may still grow by.
    fn spare(&self) -> u64 {
        self.shared.segments_limit().saturating_sub(self.shared.segments.len())
    }

    fn find(&mut self, room: u64) -> Option<Carried> {
        loop {
            while let Some((space, slot)) = self.found.pop_front() {
                if let Some(object) = self.admit(space, slot, room) {
                    return Some(object);
                }
            }
            self.look()?;
        }
    }

    /// Looks at one segment more; nothing if it is not time for it.
    fn look(&mut self) -> Option<()> {
        let Shared { segments, index, .. } = &*self.shared;
        let (segment, before) = segments.from(self.next)?;
        if before + self.spare() >= self.ahead() {
            return None;
        }
        self.next = segment.number + 1;
        let rows = recover::footer_rows(&segment, self.shared.segment_bytes, self.shared.lineage);
        // What cannot be read is noticed when the segment goes.
        for row in rows.ok().flatten().unwrap_or_default() {
            if row.kind == frame::Kind::Entry && index.is_asked(row.slot, row.place(segment.number)) {
                self.found.push_back((row.space, row.slot));
            }
        }
        Some(())
    }

    /// The object whose first chunk this is, if it is whole, somebody can still ask for it, and there is time and credit
    /// for it.
    fn admit(&mut self, space: u32, first: Slot, room: u64) -> Option<Carried> {
        if self.credit < 0 {
            return None;
        }
        let space = self.shared.spaces.find(space)?;
        let (copy, segment) = read(&self.shared, &space, first)?;
        let (id, head) = begins(&copy.entry)?;
        let head = Slot::of(space.id, head);
        let manifest = manifest(&self.shared, &space, head).filter(|manifest| manifest.object == id)?;
        let object = Carried { space, id, chunks: manifest.chunks(), next: 0, head };
        let (_, before) = self.shared.segments.from(segment)?;
        let until_it_goes = room + (before + self.spare()) * self.shared.segment_bytes as u64;
        if 2 * manifest.length() > until_it_goes || !object.is_whole(&self.shared) {
            return None;
        }
        self.credit = self.credit.saturating_sub_unsigned(manifest.length());
        Some(object)
    }
}

impl Carried {
    /// Its next chunk, or its head, and the segment that it was in.
    fn copy(&mut self, shared: &Shared) -> Step {
        let read = match self.next.cmp(&self.chunks) {
            Ordering::Less => read(shared, &self.space, self.slot(self.next)),
            // Another head may be on its way, which is younger; and what is on its way may share this one's bucket.
            Ordering::Equal => match read_alone(shared, &self.space, self.head) {
                Err(Busy) => return Step::Later,
                Ok(read) => read,
            },
            Ordering::Greater => return Step::Done,
        };
        let Some((copy, segment)) = read else { return Step::Lost };
        self.next += 1;
        shared.in_flight.enter(copy.slot);
        Step::Copy(Box::new(copy), segment)
    }

    fn is_whole(&self, shared: &Shared) -> bool {
        (0..self.chunks).all(|number| shared.index.get(self.slot(number)).is_some())
    }

    /// The segment of what is copied next.
    fn next_segment(&self, shared: &Shared) -> Option<u64> {
        let slot = if self.next < self.chunks { self.slot(self.next) } else { self.head };
        shared.segments.number(shared.index.get(slot)?.segment)
    }

    /// Nothing of it is found any more: its head leads nowhere, and is a miss.
    fn forget(&self, shared: &Shared) {
        (0..self.chunks).for_each(|number| shared.index.remove(self.slot(number)));
    }

    fn slot(&self, number: u32) -> Slot {
        Slot::of(self.space.id, ChunkKey::new(self.id, number).fingerprint())
    }
}

/// Something is on its way for a key.
struct Busy;

/// The same as [`read`] if nothing is on its way for the key: else the copy might come behind a newer version in the log.
/// What is queued from the sequence on comes later; what is not on its way any more is in the index.
fn read_alone(shared: &Shared, space: &Arc<SpaceCore>, slot: Slot) -> Result<Option<(Reinsertion, u64)>, Busy> {
    let sequence = shared.queue.sequence();
    if shared.in_flight.is_busy(slot) {
        return Err(Busy);
    }
    Ok(read(shared, space, slot).map(|(copy, segment)| (Reinsertion { sequence, ..copy }, segment)))
}

/// The version under a slot, to be written once more.
fn read(shared: &Shared, space: &Arc<SpaceCore>, slot: Slot) -> Option<(Reinsertion, u64)> {
    let sequence = shared.queue.sequence();
    let place = shared.index.get(slot)?;
    let segment = shared.segments.find(place.segment)?;
    let (frame, entry) = reader::read_for_copy(shared, &segment, place, space)?;
    if frame.expires <= clock::seconds() {
        return None;
    }
    let codec = space.codec.load_full()?;
    let bytes = frame::LEN + codec.encoded_len(&entry);
    let space = Arc::clone(space);
    Some((Reinsertion { space, entry, codec, epoch: frame.epoch, slot, sequence, bytes }, segment.number))
}

/// What the head under a slot says.
fn manifest(shared: &Shared, space: &Arc<SpaceCore>, head: Slot) -> Option<Manifest> {
    Manifest::of(&read(shared, space, head)?.0.entry)
}
