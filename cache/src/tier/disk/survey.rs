//! Looking at everything that a space has on disk, in the order of the log: to tell what a purge would take.
//!
//! A footer says what lies in a segment; the one that is being written has none yet, and is read to its end once it was
//! begun. Only what is current is shown. One read is under way at a time, past the page cache, so that it keeps what
//! requests ask for. Whoever looks says after each entry whether to go on, and goes on later where it has stopped.

use std::io;

use super::access::Space;
use super::clock;
use super::files::Open;
use super::footer::Row;
use super::frame::Kind;
use super::index::{Place, Slot};
use super::object::{CHUNK, Manifest};
use super::reader;
use super::recover::footer_rows;
use super::scan::{Window, scan};
use super::segment::Segment;
use super::shared::Shared;
use super::stats::add;
use crate::entry::Entry;
use crate::key::{KeyRef, Keyed as _};

/// What is read at once, bytes.
const WINDOW: usize = 256 * 1024;

/// How far a survey has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The segment's number.
    pub segment: u64,
    /// Units of 64 bytes from its start.
    pub offset: u32,
}

/// What a part of a survey has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Where to go on; nothing at the end.
    pub next: Option<Cursor>,
    /// Entries that could not be read, or were not what they should be.
    pub unreadable: u64,
}

/// Of an object in chunks, those too.
fn on_disk(entry: &Entry, place: Place) -> u64 {
    place.bytes() as u64 + Manifest::of(entry).map_or(0, |object| object.length())
}

/// What a part of a survey has to do with.
struct Walk<'w> {
    space: &'w Space,
    now_seconds: u32,
    read_bytes: u64,
    unreadable: u64,
    go_on: &'w mut dyn FnMut(u64) -> bool,
    each: &'w mut dyn FnMut(Entry, u64),
}

impl Space {
    /// Shows every entry that can be found, with the bytes that it takes on disk, from `from` on. Blocks while it reads:
    /// `go_on` is asked after each entry and gets the bytes that have been read so far. Nothing is changed by it; what is
    /// written or evicted meanwhile may be seen or not.
    pub fn survey(&self, from: Cursor, mut go_on: impl FnMut(u64) -> bool, mut each: impl FnMut(Entry, u64)) -> Survey {
        let now_seconds = clock::seconds();
        let (go_on, each) = (&mut go_on, &mut each);
        let mut walk = Walk { space: self, now_seconds, read_bytes: 0, unreadable: 0, go_on, each };
        let next = walk.run(from);
        Survey { next, unreadable: walk.unreadable }
    }

    /// The one entry under a key, with the bytes that it takes on disk. Blocks while it is read, and is no hit.
    #[must_use]
    pub fn peek(&self, key: KeyRef<'_>) -> Option<(Entry, u64)> {
        let Shared { index, segments, .. } = &*self.shared;
        let place = index.get(Slot::of(self.core.id, key.fingerprint)).filter(|_| self.shared.watch.is_ready())?;
        let segment = segments.find(place.segment)?;
        let (frame, entry) = reader::read_for_copy(&self.shared, &segment, place, &self.core)?;
        let is_it = entry.key() == key && frame.expires > clock::seconds();
        let bytes = on_disk(&entry, place);
        is_it.then_some((entry, bytes))
    }

    /// Segments of the store that it lies in.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.shared.segments.len()
    }

    /// How many of them are behind a survey that has come so far.
    #[must_use]
    pub fn segments_before(&self, cursor: Cursor) -> u64 {
        self.shared.segments.from(cursor.segment).map_or(self.segments(), |(_, older)| older)
    }
}

impl Walk<'_> {
    fn run(&mut self, mut at: Cursor) -> Option<Cursor> {
        // Before that the index tells nothing of what is current.
        if !self.space.shared.watch.is_ready() {
            return None;
        }
        while let Some((segment, _)) = self.space.shared.segments.from(at.segment) {
            let offset = if segment.number == at.segment { at.offset } else { 0 };
            match self.segment(&segment, offset) {
                Ok(None) => {}
                Ok(stopped) => return stopped,
                Err(error) => self.failed(&error),
            }
            at = Cursor { segment: segment.number + 1, offset: 0 };
            if !(self.go_on)(self.read_bytes) {
                return Some(at);
            }
        }
        None
    }

    /// Where it was stopped, if it was.
    fn segment(&mut self, live: &Segment, from: u32) -> io::Result<Option<Cursor>> {
        let shared = &self.space.shared;
        let Shared { lineage, segment_bytes, directory, .. } = &**shared;
        let file = match directory.open(&live.name, Open::ExistingDirect) {
            // It has been evicted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let segment = Segment::new(*lineage, live.number, live.name.clone(), file);
        let (rows, may_stop) = self.rows(&segment)?;
        let (mut window, before) = (Window::new(&segment, *segment_bytes, WINDOW), self.read_bytes);
        for row in rows.iter().filter(|row| row.offset >= from) {
            if !self.is_current(&segment, row) {
                continue;
            }
            self.show(&mut window, &segment, row)?;
            self.read_bytes = before + window.read_bytes;
            if !(self.go_on)(self.read_bytes) && may_stop {
                return Ok(Some(Cursor { segment: segment.number, offset: row.offset + row.length }));
            }
        }
        Ok(None)
    }

    /// What lies in a segment, and whether that is told so quickly that it can be asked again.
    fn rows(&mut self, segment: &Segment) -> io::Result<(Vec<Row>, bool)> {
        let Shared { lineage, segment_bytes, .. } = &*self.space.shared;
        if let Some(rows) = footer_rows(segment, *segment_bytes, *lineage)? {
            return Ok((rows, true));
        }
        self.read_bytes += *segment_bytes as u64;
        Ok((scan(segment, *segment_bytes, false)?.rows, false))
    }

    fn is_current(&self, segment: &Segment, row: &Row) -> bool {
        let Space { core, shared } = self.space;
        let epoch = core.epoch();
        row.kind == Kind::Entry
            && (row.space, row.epoch) == (core.id, epoch as u32)
            && row.expires > self.now_seconds
            && core.reaches(epoch, segment.number)
            && shared.index.get(row.slot) == Some(row.place(segment.number))
    }

    fn show(&mut self, window: &mut Window<'_>, segment: &Segment, row: &Row) -> io::Result<()> {
        let place = row.place(segment.number);
        match reader::read_from(window, segment, place, &self.space.core)? {
            // Counted with its head.
            Some(entry) if entry.status() == CHUNK => {}
            Some(entry) => {
                let bytes = on_disk(&entry, place);
                (self.each)(entry, bytes);
            }
            // Unless its segment is used again by now.
            None if self.is_current(segment, row) => self.unreadable += 1,
            None => {}
        }
        Ok(())
    }

    fn failed(&mut self, error: &io::Error) {
        self.unreadable += 1;
        add(&self.space.shared.counts.read_errors, 1);
        self.space.shared.watch.read_failed(error);
    }
}
