//! Reading one record, and believing it only if it is what was asked for.

use std::io;
use std::sync::Arc;

use super::buffer::{PAGE, PageBuffer};
use super::frame::{self, Frame, Kind};
use super::index::Place;
use super::scan::Window;
use super::segment::Segment;
use super::shared::Shared;
use super::space::SpaceCore;
use super::stats::add;
use crate::entry::Entry;
use crate::key::{Fingerprint, KeyRef, Keyed};

/// A frame and its record, as they were read.
pub(super) struct Raw {
    head: [u8; frame::LEN],
    record: Vec<u8>,
}

/// What a read is for.
pub(super) struct Wanted {
    pub(super) space: Arc<SpaceCore>,
    pub(super) segment: Arc<Segment>,
    pub(super) place: Place,
    pub(super) fingerprint: Fingerprint,
    /// The key's bytes.
    pub(super) key: Box<[u8]>,
    /// Nanoseconds since 1970.
    pub(super) now_ns: u64,
}

/// Reads out of the page cache, or not at all.
pub(super) fn read_cached(segment: &Segment, place: Place) -> Option<Raw> {
    let mut raw = Raw::room_for(place);
    let read = segment.file.read_parts(&mut raw.head, &mut raw.record, place.start(), false);
    matches!(read, Ok(true)).then_some(raw)
}

/// Reads for a caller that waits.
pub(super) fn read(shared: &Shared, wanted: &Wanted) -> Option<Arc<Entry>> {
    let raw = read_counted(shared, &wanted.segment, wanted.place)?;
    let key = KeyRef { fingerprint: wanted.fingerprint, bytes: &wanted.key };
    believe(shared, &wanted.space, &wanted.segment, wanted.place, raw, key, wanted.now_ns)
}

/// Reads an entry that is to be written again, whatever its key.
pub(super) fn read_for_copy(
    shared: &Shared,
    segment: &Segment,
    place: Place,
    space: &SpaceCore,
) -> Option<(Frame, Entry)> {
    copied(read_counted(shared, segment, place)?, segment, place, space)
}

/// The same out of a part of the segment that is read as a whole.
pub(super) fn read_from(
    window: &mut Window<'_>,
    segment: &Segment,
    place: Place,
    space: &SpaceCore,
) -> io::Result<Option<Entry>> {
    let mut raw = Raw::room_for(place);
    let start = place.start() as usize;
    window.copy(start, &mut raw.head)?;
    window.copy(start + raw.head.len(), &mut raw.record)?;
    Ok(copied(raw, segment, place, space).map(|(_, entry)| entry))
}

fn copied(raw: Raw, segment: &Segment, place: Place, space: &SpaceCore) -> Option<(Frame, Entry)> {
    let frame = raw.frame(segment, place)?;
    if !space.reaches(frame.epoch, segment.number) || frame.space != space.id {
        return None;
    }
    let codec = space.codec.load_full()?;
    let entry = codec.decode(frame.fingerprint, &frame.bound(), raw.record_of(&frame)).ok()?;
    Some((frame, entry))
}

fn read_counted(shared: &Shared, segment: &Segment, place: Place) -> Option<Raw> {
    match read_blocking(shared.direct, segment, place) {
        Ok(raw) => {
            shared.watch.read_succeeded();
            Some(raw)
        }
        Err(error) => {
            add(&shared.counts.read_errors, 1);
            shared.watch.read_failed(&error);
            None
        }
    }
}

fn read_blocking(direct: bool, segment: &Segment, place: Place) -> io::Result<Raw> {
    let mut raw = Raw::room_for(place);
    if !direct {
        segment.file.read_parts(&mut raw.head, &mut raw.record, place.start(), true)?;
        return Ok(raw);
    }
    let skipped = place.start() as usize % PAGE;
    let mut pages = PageBuffer::zeroed((skipped + place.bytes()).next_multiple_of(PAGE));
    segment.file.read_at(pages.as_mut_slice(), place.start() - skipped as u64)?;
    raw.copy_from(pages.as_slice().get(skipped..skipped + place.bytes()).unwrap_or_default());
    Ok(raw)
}

/// The entry in what was read, if it is current, whole and the one that is wanted.
pub(super) fn believe(
    shared: &Shared,
    space: &SpaceCore,
    segment: &Segment,
    place: Place,
    raw: Raw,
    key: KeyRef<'_>,
    now_ns: u64,
) -> Option<Arc<Entry>> {
    let Some(frame) = raw.frame(segment, place) else {
        add(&shared.counts.damaged, 1);
        return None;
    };
    let wanted = (space.id, key.fingerprint) == (frame.space, frame.fingerprint);
    let alive = space.reaches(frame.epoch, segment.number) && u64::from(frame.expires) * SECOND > now_ns;
    if !wanted || !alive {
        return None;
    }
    let codec = space.codec.load_full()?;
    match codec.decode(key.fingerprint, &frame.bound(), raw.record_of(&frame)) {
        Ok(entry) => (entry.key().bytes == key.bytes).then(|| Arc::new(entry)),
        Err(_) => {
            add(&shared.counts.damaged, 1);
            None
        }
    }
}

const SECOND: u64 = 1_000_000_000;

impl Raw {
    fn room_for(place: Place) -> Self {
        Self { head: [0; frame::LEN], record: vec![0; place.bytes().saturating_sub(frame::LEN)] }
    }

    fn copy_from(&mut self, bytes: &[u8]) {
        if let Some((head, record)) = bytes.split_first_chunk() {
            self.head = *head;
            self.record.copy_from_slice(record);
        }
    }

    /// The frame, if it is one of an entry in this very place.
    fn frame(&self, segment: &Segment, place: Place) -> Option<Frame> {
        let (frame, _) = Frame::read(&self.head, segment.seed)?;
        let here = (segment.number, place.offset) == (frame.position.segment, frame.position.offset);
        (here && frame.kind == Kind::Entry && frame.stride() == place.bytes()).then_some(frame)
    }

    fn record_of(mut self, frame: &Frame) -> Vec<u8> {
        self.record.truncate(frame.payload as usize);
        self.record
    }
}
