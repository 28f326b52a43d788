//! Reading a segment that has no footer, frame by frame, with every record's checksum.
//!
//! What follows a bad frame is looked for on the next page, where every batch begins. Whether the bad frame was torn, by
//! a write that was not finished when the process or the machine stopped, or damaged later, is told by what follows: in
//! a segment that was synced as a whole, or before an `End`, it was damaged. A damaged record still tells that there was
//! a newer version. A damaged frame may have been anything, so all that is older can not be believed any more.

use std::io;

use xxhash_rust::xxh3::Xxh3Default;

use super::buffer::{PAGE, PageBuffer};
use super::footer::Row;
use super::frame::{self, Frame, Kind, UNIT};
use super::segment::Segment;

/// What is read at once, bytes.
const WINDOW: usize = 1 << 20;

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) rows: Vec<Row>,
    /// Frames before this one can not all be told: nothing older is to be believed.
    pub(super) unbelievable_before: Option<u32>,
}

/// Reads a whole segment. `synced` says that all of it was on the device once.
pub(super) fn scan(segment: &Segment, segment_bytes: usize, synced: bool) -> io::Result<Scanned> {
    let window = Window::new(segment, segment_bytes, WINDOW);
    let mut scan = Scan { segment, window, rows: vec![], hole: None, proven_hole: None, proven: 0 };
    scan.read()?;
    Ok(scan.judge(synced))
}

struct Scan<'a> {
    segment: &'a Segment,
    window: Window<'a>,
    /// Rows, and whether their records are whole.
    rows: Vec<(Row, bool)>,
    /// The first good frame behind the last bad ones, in units from the segment's start.
    hole: Option<u32>,
    /// The same as it was at the last `End`.
    proven_hole: Option<u32>,
    /// Rows before the last `End`.
    proven: usize,
}

impl Scan<'_> {
    fn read(&mut self) -> io::Result<()> {
        let mut at = PAGE;
        let mut gap = false;
        while at + frame::LEN <= self.window.size {
            let Some((frame, sum)) = self.frame(at)? else {
                gap |= !self.is_padding(at)?;
                at = (at + 1).next_multiple_of(PAGE);
                continue;
            };
            if std::mem::take(&mut gap) {
                self.hole = Some((at / UNIT) as u32);
            }
            self.note(&frame, sum, at)?;
            at += frame.stride();
        }
        Ok(())
    }

    /// The frame at `at`, if one is there that belongs there.
    fn frame(&mut self, at: usize) -> io::Result<Option<(Frame, u64)>> {
        let (number, size, seed) = (self.segment.number, self.window.size, self.segment.seed);
        let Some((frame, sum)) = Frame::read(self.window.bytes(at, frame::LEN)?, seed) else { return Ok(None) };
        let offset = frame.position.offset as usize * UNIT;
        let in_place = if frame.kind == Kind::Echo { offset < at } else { offset == at };
        let belongs = frame.position.segment == number && in_place && at + frame.stride() <= size;
        Ok(belongs.then_some((frame, sum)))
    }

    /// Within a page, zeros fill up to the next batch.
    fn is_padding(&mut self, at: usize) -> io::Result<bool> {
        let bytes = self.window.bytes(at, frame::LEN)?;
        Ok(!at.is_multiple_of(PAGE) && bytes.iter().all(|byte| *byte == 0))
    }

    fn note(&mut self, frame: &Frame, sum: u64, at: usize) -> io::Result<()> {
        match frame.kind {
            Kind::End => (self.proven, self.proven_hole) = (self.rows.len(), self.hole),
            Kind::Entry => {
                let whole = self.window.sum(at + frame::LEN, frame.payload as usize)? == sum;
                self.rows.push((Row::of(frame), whole));
            }
            Kind::Tombstone | Kind::Echo => self.rows.push((Row::of(frame), true)),
        }
        Ok(())
    }

    fn judge(self, synced: bool) -> Scanned {
        let (proven, hole) = if synced { (self.rows.len(), self.hole) } else { (self.proven, self.proven_hole) };
        let rows = self.rows.into_iter().enumerate().filter_map(|(number, (row, whole))| match whole {
            true => Some(row),
            false => (number < proven).then_some(Row { kind: Kind::Tombstone, ..row }),
        });
        Scanned { rows: rows.collect(), unbelievable_before: hole }
    }
}

/// A part of the file, moved along as it is read.
pub(super) struct Window<'a> {
    segment: &'a Segment,
    buffer: PageBuffer,
    start: usize,
    size: usize,
    /// What has been read of the file in all, bytes.
    pub(super) read_bytes: u64,
}

impl<'a> Window<'a> {
    /// Of a file of `size` bytes at most `window`, both whole pages.
    pub(super) fn new(segment: &'a Segment, size: usize, window: usize) -> Self {
        Self { segment, buffer: PageBuffer::zeroed(window.min(size)), start: usize::MAX, size, read_bytes: 0 }
    }

    /// Fills `to` with what lies at `at`, within the file.
    pub(super) fn copy(&mut self, mut at: usize, to: &mut [u8]) -> io::Result<()> {
        for part in to.chunks_mut(PAGE) {
            part.copy_from_slice(self.bytes(at, part.len())?);
            at += part.len();
        }
        Ok(())
    }

    /// At most a page of bytes, which lie within the file.
    fn bytes(&mut self, at: usize, length: usize) -> io::Result<&[u8]> {
        let end = self.start.saturating_add(self.buffer.len());
        if at < self.start || at + length > end {
            self.move_to(at)?;
        }
        Ok(self.buffer.as_slice().get(at - self.start..at - self.start + length).unwrap_or_default())
    }

    fn move_to(&mut self, at: usize) -> io::Result<()> {
        let start = (at / PAGE * PAGE).min(self.size - self.buffer.len());
        self.start = usize::MAX;
        self.segment.file.read_at(self.buffer.as_mut_slice(), start as u64)?;
        self.start = start;
        self.read_bytes += self.buffer.len() as u64;
        Ok(())
    }

    /// The checksum of a record, however long.
    fn sum(&mut self, mut at: usize, length: usize) -> io::Result<u64> {
        let end = at + length;
        let mut sum = Xxh3Default::new();
        while at < end {
            let part = (end - at).min(PAGE);
            sum.update(self.bytes(at, part)?);
            at += part;
        }
        Ok(sum.digest())
    }
}
