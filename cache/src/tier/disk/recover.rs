//! What is on the disk when a store is opened: files are told apart, and the index is made from what they hold.
//!
//! Footers say what is in a segment; one without is scanned. Segments come and go at the ends of a run of numbers: where
//! a number is missing, or a segment can not be read, nothing older is believed, for a tombstone may be missing. Files
//! that are not the store's are left alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::buffer::{PAGE, PageBuffer};
use super::events::Event;
use super::files::{FileIo, Open};
use super::footer::{Row, Trailer, footer, footer_len};
use super::frame::{self, Frame, Kind};
use super::log::{Log, Spare};
use super::scan::{Scanned, scan};
use super::segment::{Segment, Start};
use super::shared::Shared;
use super::stats::add;

const PREFIX: &str = "segment-";

/// The name of a segment's file. It says nothing about which segment is in it.
pub(super) fn file_name(number: u32) -> String {
    format!("{PREFIX}{number:06}")
}

/// A file that a store may have made.
pub(super) fn is_file_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() >= 6 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Brings the index up to what is on the disk.
pub(super) fn recover(log: &mut Log) {
    let segments = Recovery { log }.segments();
    let shared = Arc::clone(&log.shared);
    shared.counts.to_recover.store(segments.len() as u64, Relaxed);
    for (number, segment) in segments.into_iter().enumerate() {
        if shared.queue.is_closed() {
            return;
        }
        Recovery { log }.segment(segment);
        shared.counts.recovered.store(number as u64 + 1, Relaxed);
    }
    shared.watch.make_ready();
    let (entries, segments) = (shared.index.entries(), shared.segments.len());
    shared.watch.say(&Event::Recovered { entries, segments });
}

struct Recovery<'a> {
    log: &'a mut Log,
}

/// What a file turned out to be.
enum Found {
    Segment(u64),
    Spare,
    Ignored(&'static str),
}

impl Recovery<'_> {
    /// The store's segments, oldest first, without those that the capacity has no room for.
    fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        for name in self.names() {
            match self.look_at(&name) {
                Ok((file, Found::Segment(number))) => {
                    segments.push(Segment::new(self.log.shared.lineage, number, name, file));
                }
                Ok((file, Found::Spare)) => self.log.spares.push(Spare { name, file }),
                Ok((_, Found::Ignored(why))) => self.ignore(&name, why),
                Err(error) => {
                    self.failed(&error);
                    self.ignore(&name, "it can not be read");
                }
            }
        }
        segments.sort_by_key(|segment| segment.number);
        self.log.next_number = segments.last().map_or(1, |last| last.number + 1);
        self.only_what_fits(&mut segments);
        self.only_one_run(&mut segments);
        segments
    }

    fn names(&self) -> Vec<String> {
        let names = self.log.shared.directory.names().unwrap_or_else(|error| {
            self.failed(&error);
            Vec::new()
        });
        let mut names: Vec<String> = names.into_iter().filter(|name| is_file_name(name)).collect();
        names.sort();
        names
    }

    fn look_at(&self, name: &str) -> io::Result<(Arc<dyn FileIo>, Found)> {
        let Shared { directory, segment_bytes, lineage, .. } = &*self.log.shared;
        let file = directory.open(name, Open::Existing)?;
        let length = file.len()?;
        if length == 0 {
            // Made by a store that stopped before it could take room for it.
            file.allocate(*segment_bytes as u64)?;
            return Ok((file, Found::Spare));
        }
        if length != *segment_bytes as u64 {
            return Ok((file, Found::Ignored("its length is not that of a segment")));
        }
        let mut page = PageBuffer::zeroed(PAGE);
        file.read_at(page.as_mut_slice(), 0)?;
        let found = match Start::read(page.as_slice()) {
            Start::Ours(start) if start.lineage == *lineage => Found::Segment(start.number),
            Start::Ours(_) => Found::Spare,
            Start::Blank => identify(file.as_ref(), *segment_bytes, *lineage)?.map_or(Found::Spare, Found::Segment),
            Start::Version(_) => identify(file.as_ref(), *segment_bytes, *lineage)?
                .map_or(Found::Ignored("another version of Sluice wrote it"), Found::Segment),
            Start::Unknown => identify(file.as_ref(), *segment_bytes, *lineage)?
                .map_or(Found::Ignored("it is no segment"), Found::Segment),
        };
        // A store begins at 1 and counts.
        let found = match found {
            Found::Segment(number) if number >= frame::NUMBERS / 2 => Found::Ignored("no store counts so far"),
            found => found,
        };
        Ok((file, found))
    }

    fn ignore(&mut self, name: &str, why: &str) {
        self.log.shared.watch.say(&Event::Ignored { file: name, why });
        self.log.foreign.insert(name.to_owned());
    }

    fn only_what_fits(&mut self, segments: &mut Vec<Segment>) {
        let limit = usize::try_from(self.log.shared.segments_limit()).unwrap_or(usize::MAX);
        self.drop_first(segments, segments.len().saturating_sub(limit));
    }

    /// Two files of one number, or a number that no file has: what is older is not believed.
    fn only_one_run(&mut self, segments: &mut Vec<Segment>) {
        let gap = segments.windows(2).rposition(|pair| match pair {
            [one, other] => one.number + 1 != other.number,
            _ => false,
        });
        if let Some(gap) = gap {
            self.say_dropped(gap as u64 + 1, "a segment between them and the newest is missing");
            self.drop_first(segments, gap + 1);
        }
    }

    fn drop_first(&mut self, segments: &mut Vec<Segment>, count: usize) {
        for segment in segments.drain(..count) {
            self.discard(&segment);
        }
    }

    /// Takes a file away, so that it is not believed at the next start either.
    fn discard(&self, segment: &Segment) {
        let Shared { directory, .. } = &*self.log.shared;
        if let Err(error) = directory.remove(&segment.name).and_then(|()| directory.sync()) {
            self.failed(&error);
        }
    }

    fn segment(&mut self, segment: Segment) {
        let newest = segment.number + 1 == self.log.next_number;
        match self.read_segment(&segment, newest) {
            Ok(Scanned { rows, .. }) if rows.is_empty() && newest => {
                self.discard(&segment);
                self.log.next_number = segment.number;
            }
            Ok(Scanned { rows, unbelievable_before }) => {
                self.adopt_epochs(&rows);
                if let Some(offset) = unbelievable_before {
                    self.drop_older("damage where something may have been dropped");
                    self.add(segment, rows.into_iter().filter(|row| row.offset >= offset));
                } else {
                    self.add(segment, rows.into_iter());
                }
            }
            Err(error) => {
                self.failed(&error);
                self.drop_older("a segment that is newer can not be read");
                self.discard(&segment);
            }
        }
    }

    fn read_segment(&self, segment: &Segment, newest: bool) -> io::Result<Scanned> {
        let Shared { segment_bytes, lineage, .. } = &*self.log.shared;
        if let Some(rows) = footer_rows(segment, *segment_bytes, *lineage)? {
            return Ok(Scanned { rows, unbelievable_before: None });
        }
        let scanned = scan(segment, *segment_bytes, !newest)?;
        if newest && !scanned.rows.is_empty() && scanned.unbelievable_before.is_none() {
            self.seal(segment, &scanned.rows);
        }
        Ok(scanned)
    }

    /// The next start need not scan it again.
    fn seal(&self, segment: &Segment, rows: &[Row]) {
        let Shared { segment_bytes, lineage, .. } = &*self.log.shared;
        let end = rows.iter().map(|row| (row.offset + row.length) as usize * frame::UNIT).max().unwrap_or(0);
        if end.next_multiple_of(PAGE) + footer_len(rows.len()) > *segment_bytes {
            return;
        }
        let footer = footer(*lineage, segment.number, rows);
        let written = segment.file.write_at(footer.as_slice(), (segment_bytes - footer.len()) as u64);
        if let Err(error) = written.and_then(|()| segment.file.sync()) {
            self.log.shared.watch.write_failed(&error);
        }
    }

    /// Also of what is not believed: it may be, at another start.
    fn adopt_epochs(&self, rows: &[Row]) {
        for row in rows.iter().filter(|row| row.kind == Kind::Entry) {
            if let Some(space) = self.log.shared.spaces.find(row.space) {
                space.adopt_epoch(u64::from(row.epoch));
            }
        }
    }

    /// Nothing read so far is believed.
    fn drop_older(&mut self, why: &'static str) {
        let Shared { segments, index, spaces, .. } = &*self.log.shared;
        self.say_dropped(segments.len(), why);
        while let Some(segment) = segments.pop_oldest() {
            self.discard(&segment);
        }
        index.clear();
        spaces.each(|space| space.clear_ledger());
    }

    fn add(&self, segment: Segment, rows: impl Iterator<Item = Row>) {
        let shared = &self.log.shared;
        let number = segment.number;
        shared.segments.push(Arc::new(segment));
        for row in rows {
            apply(shared, number, &row);
        }
    }

    fn say_dropped(&self, segments: u64, why: &str) {
        if segments > 0 {
            self.log.shared.watch.say(&Event::Dropped { segments, why });
        }
    }

    fn failed(&self, error: &io::Error) {
        add(&self.log.shared.counts.read_errors, 1);
        self.log.shared.watch.read_failed(error);
    }
}

fn apply(shared: &Shared, segment: u64, row: &Row) {
    match row.kind {
        Kind::Entry => apply_entry(shared, segment, row),
        Kind::Tombstone => shared.index.remove(row.slot),
        Kind::Echo => shared.index.remove_if(row.slot, |place| {
            shared.segments.number(place.segment).is_some_and(|older| (older, place.offset) < (segment, row.offset))
        }),
        Kind::End => {}
    }
}

/// A version of an epoch that is over hides none: that one is unreachable too.
fn apply_entry(shared: &Shared, segment: u64, row: &Row) {
    let Some(space) = shared.spaces.find(row.space) else { return };
    let epoch = space.epoch();
    // What was dropped since the store was opened has its tombstone still to come.
    if epoch as u32 != row.epoch || shared.in_flight.is_marked_after(row.slot, 0) {
        shared.index.remove(row.slot);
        return;
    }
    let place = row.place(segment);
    shared.index.insert(row.slot, place);
    space.account(epoch, segment, place.bytes() as u64);
}

/// The rows in a segment's footer, if it has one that is whole.
pub(super) fn footer_rows(segment: &Segment, segment_bytes: usize, lineage: u64) -> io::Result<Option<Vec<Row>>> {
    let Some(trailer) = read_trailer(segment.file.as_ref(), segment_bytes)? else { return Ok(None) };
    let length = trailer.footer_len();
    if (trailer.lineage, trailer.segment) != (lineage, segment.number) || length > segment_bytes {
        return Ok(None);
    }
    let mut footer = PageBuffer::zeroed(length);
    segment.file.read_at(footer.as_mut_slice(), (segment_bytes - length) as u64)?;
    Ok(trailer.rows(footer.as_slice()))
}

fn read_trailer(file: &dyn FileIo, segment_bytes: usize) -> io::Result<Option<Trailer>> {
    let mut page = PageBuffer::zeroed(PAGE);
    file.read_at(page.as_mut_slice(), (segment_bytes - PAGE) as u64)?;
    Ok(Trailer::read(page.as_slice()))
}

/// Which segment a file is whose start page does not say so: its first frame knows, or its trailer. A trailer may be of
/// the file's former life.
fn identify(file: &dyn FileIo, segment_bytes: usize, lineage: u64) -> io::Result<Option<u64>> {
    let mut page = PageBuffer::zeroed(PAGE);
    file.read_at(page.as_mut_slice(), PAGE as u64)?;
    let claimed = Frame::claimed_segment(page.as_slice());
    if let Some(number) = claimed
        && Frame::read(page.as_slice(), frame::seed(lineage, number)).is_some()
    {
        return Ok(claimed);
    }
    let trailer = read_trailer(file, segment_bytes)?;
    Ok(trailer.filter(|trailer| trailer.lineage == lineage).map(|trailer| trailer.segment))
}
