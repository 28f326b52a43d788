//! Frames that are written at once: a run of pages of one segment.
//!
//! Tombstones are written twice, the second time on a page of their own behind everything else, so that no single
//! damaged page makes an old version current again. A batch that somebody waits for ends with an `End` frame; what is
//! missing before one of those was damaged, and not merely never written.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::buffer::{PAGE, PageBuffer};
use super::footer::{Row, footer_len};
use super::frame::{self, Frame, Kind, Position, UNIT};
use super::index::{Place, Slot};
use super::journal::AckPromise;
use super::segment::Segment;
use crate::entry::Entry;
use crate::key::{Fingerprint, Keyed};
use crate::record::Codec;

/// One frame of a batch, and what its publication needs.
pub(super) struct Written {
    pub(super) row: Row,
    pub(super) epoch: u64,
    /// Its place in the queue's order.
    pub(super) sequence: u32,
}

pub(super) struct Batch {
    pub(super) segment: Arc<Segment>,
    /// Where it goes, bytes from the segment's start.
    pub(super) at: usize,
    pub(super) buffer: PageBuffer,
    pub(super) written: Vec<Written>,
    pub(super) promises: Vec<AckPromise>,
    /// Somebody waits for the device.
    pub(super) sync: bool,
    /// Set with the last batch of a segment.
    pub(super) footer: Option<PageBuffer>,
    marks: usize,
}

/// What an entry's frame says beside the entry.
pub(super) struct Label {
    pub(super) space: u32,
    pub(super) epoch: u64,
    pub(super) sequence: u32,
}

/// Whether something fits into a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// Not into the buffer any more.
    NextBatch,
    /// Not into the segment any more.
    NextSegment,
}

impl Batch {
    pub(super) fn new(segment: Arc<Segment>, at: usize, mut buffer: PageBuffer) -> Self {
        buffer.clear();
        Self { segment, at, buffer, written: vec![], promises: vec![], sync: false, footer: None, marks: 0 }
    }

    /// Whether a frame of `bytes` fits, where the segment has `rows` rows already.
    pub(super) fn fit(&self, bytes: usize, mark: bool, rows: usize, segment_bytes: usize) -> Fit {
        let marks = self.marks + usize::from(mark);
        let frames = (self.buffer.len() + bytes.next_multiple_of(UNIT)).next_multiple_of(PAGE);
        let whole = frames + (marks * frame::LEN + frame::LEN).next_multiple_of(PAGE);
        let footer = footer_len(rows + self.written.len() + 1);
        match () {
            () if self.at + whole + footer > segment_bytes => Fit::NextSegment,
            () if whole > self.buffer.capacity() => Fit::NextBatch,
            () => Fit::Fits,
        }
    }

    /// Makes room for one record that is longer than a batch usually is.
    pub(super) fn enlarge(&mut self, bytes: usize) {
        self.buffer = PageBuffer::with_capacity(bytes.next_multiple_of(PAGE) + 2 * PAGE);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Appends an entry that fits. False if it could not be encoded, or is not as long as its codec said.
    pub(super) fn entry(&mut self, entry: &Entry, codec: &Codec, label: &Label, expires: u32) -> bool {
        let start = self.buffer.len();
        let frame = Frame {
            kind: Kind::Entry,
            space: label.space,
            epoch: label.epoch,
            fingerprint: entry.key().fingerprint,
            position: self.here(),
            expires,
            payload: codec.encoded_len(entry) as u32,
        };
        self.buffer.push(&[0; frame::LEN]);
        if codec.encode(entry, &frame.bound(), self.buffer.tail()).is_err() {
            self.buffer.truncate(start);
            return false;
        }
        if self.buffer.len() != start + frame::LEN + frame.payload as usize {
            self.buffer.truncate(start);
            return false;
        }
        self.complete(start, frame);
        self.written.push(Written { row: Row::of(&frame), epoch: label.epoch, sequence: label.sequence });
        true
    }

    /// Appends a tombstone that fits.
    pub(super) fn mark(&mut self, space: u32, slot: Slot) {
        let frame = self.bare(Kind::Tombstone, space, slot, self.here());
        self.buffer.push(&frame.to_bytes(0, self.segment.seed));
        self.written.push(Written { row: Row::of(&frame), epoch: 0, sequence: 0 });
        self.marks += 1;
    }

    /// Somebody waits for the device.
    pub(super) fn promise(&mut self, promise: Option<AckPromise>) {
        self.sync |= promise.is_some();
        self.promise_found(promise);
    }

    /// Somebody waits until what is in the batch can be found.
    pub(super) fn promise_found(&mut self, promise: Option<AckPromise>) {
        self.promises.extend(promise);
    }

    /// Appends the second copies of the tombstones and, if it is synced, the end.
    pub(super) fn finish(&mut self) {
        if self.marks > 0 {
            self.buffer.pad(PAGE);
            let marks: Vec<Row> = self.rows().filter(|row| row.kind == Kind::Tombstone).collect();
            for row in marks {
                let echo = self.bare(Kind::Echo, row.space, row.slot, row.position(self.segment.number));
                self.buffer.push(&echo.to_bytes(0, self.segment.seed));
            }
        }
        // Also in a batch that has nothing else: somebody waits for the batches before it.
        if self.sync {
            let end = self.bare(Kind::End, 0, Slot(0), self.here());
            self.buffer.push(&end.to_bytes(0, self.segment.seed));
        }
        self.buffer.pad(PAGE);
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        self.written.iter().map(|written| written.row)
    }

    pub(super) fn place(&self, written: &Written) -> Place {
        written.row.place(self.segment.number)
    }

    fn here(&self) -> Position {
        Position { segment: self.segment.number, offset: ((self.at + self.buffer.len()) / UNIT) as u32 }
    }

    const fn bare(&self, kind: Kind, space: u32, slot: Slot, position: Position) -> Frame {
        let fingerprint = Fingerprint(slot.low(space) as u128);
        Frame { kind, space, epoch: 0, fingerprint, position, expires: u32::MAX, payload: 0 }
    }

    /// Writes the frame before the record that has been appended.
    fn complete(&mut self, start: usize, frame: Frame) {
        let record = self.buffer.as_slice().get(start + frame::LEN..).unwrap_or_default();
        let bytes = frame.to_bytes(xxh3_64(record), self.segment.seed);
        if let Some(place) = self.buffer.as_mut_slice().get_mut(start..start + frame::LEN) {
            place.copy_from_slice(&bytes);
        }
        self.buffer.pad(UNIT);
    }
}
