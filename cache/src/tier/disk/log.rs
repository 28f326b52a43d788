//! Which files the log is in: the next segment's file, and what leaves for it.
//!
//! A new segment takes a file that is left over, or makes one, or takes the oldest segment's. The start page is durable
//! before anything else is written to the segment, so a file never passes for its former life once a later one has been
//! evicted too. On a full file system the oldest segment goes, and the log is as long as there is room for.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustix::io::Errno;

use super::carry::Carrier;
use super::clock;
use super::events::Event;
use super::files::{FileIo, Open};
use super::footer::Row;
use super::frame::{self, Kind};
use super::index::Slot;
use super::reader;
use super::recover;
use super::segment::{Segment, StartPage};
use super::shared::Shared;
use super::space::SpaceCore;
use super::stats::add;
use crate::entry::Entry;
use crate::record::Codec;

/// Of an evicted segment, this part at most is written again.
const REINSERTED_PART: usize = 4;

/// The segment that is written to.
pub(super) struct OpenSegment {
    pub(super) segment: Arc<Segment>,
    /// Where its next batch begins, bytes.
    pub(super) at: usize,
    /// What is in it.
    pub(super) rows: Vec<Row>,
}

/// An entry that is written once more because it was of use.
pub(super) struct Reinsertion {
    pub(super) space: Arc<SpaceCore>,
    pub(super) entry: Entry,
    pub(super) codec: Arc<Codec>,
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    pub(super) sequence: u32,
    /// Bytes of its frame and record.
    pub(super) bytes: usize,
}

/// A file that holds nothing that counts.
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn FileIo>,
}

pub(super) struct Log {
    pub(super) shared: Arc<Shared>,
    pub(super) next_number: u64,
    pub(super) spares: Vec<Spare>,
    /// Names that are taken by files which are not the log's.
    pub(super) foreign: BTreeSet<String>,
    pub(super) reinsertions: Vec<Reinsertion>,
    /// Of large objects, which are written again before their turn.
    pub(super) carrier: Carrier,
}

impl Log {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (carrier, foreign) = (Carrier::new(Arc::clone(&shared)), BTreeSet::new());
        Self { shared, next_number: 1, spares: vec![], foreign, reinsertions: vec![], carrier }
    }

    pub(super) fn recover(&mut self) {
        recover::recover(self);
    }

    /// Begins the next segment.
    pub(super) fn open_segment(&mut self) -> io::Result<OpenSegment> {
        let spare = self.next_file()?;
        let number = self.next_number;
        let segment_bytes = self.shared.segment_bytes as u32;
        let start = StartPage { lineage: self.shared.lineage, number, segment_bytes };
        if let Err(error) = start.write(spare.file.as_ref()) {
            self.not_started(spare, &error)?;
            return Err(error);
        }
        self.next_number += 1;
        let segment = Arc::new(Segment::new(self.shared.lineage, number, spare.name, spare.file));
        self.shared.segments.push(Arc::clone(&segment));
        Ok(OpenSegment { segment, at: super::buffer::PAGE, rows: Vec::new() })
    }

    /// Whether what was copied out of the segment that goes next may still be on its way.
    pub(super) fn copies_from_oldest(&self) -> bool {
        self.shared.segments.oldest().is_some_and(|oldest| self.carrier.has_copied_from(oldest.number))
    }

    /// Makes the log as short as the capacity says, leaving room for `more` segments.
    pub(super) fn shrink(&mut self, more: u64) -> io::Result<()> {
        let limit = self.shared.segments_limit();
        while self.shared.segments.len() + more > limit && self.evict(false) {}
        while self.shared.segments.len() + self.spares.len() as u64 > limit {
            let Some(spare) = self.spares.pop() else { break };
            self.remove(&spare)?;
        }
        if self.shared.segments.len() >= limit {
            self.shared.counts.is_short.store(false, Relaxed);
        }
        Ok(())
    }

    fn next_file(&mut self) -> io::Result<Spare> {
        while self.shared.segments.len() + 1 > self.shared.segments_limit() && self.evict(true) {}
        while self.shared.segments.len() + self.spares.len() as u64 > self.shared.segments_limit() {
            let Some(spare) = self.spares.pop() else { break };
            self.remove(&spare)?;
        }
        match self.spares.pop() {
            Some(spare) => Ok(spare),
            None => self.create_or_recycle(),
        }
    }

    fn create_or_recycle(&mut self) -> io::Result<Spare> {
        match self.create() {
            Ok(spare) => {
                self.shared.counts.is_short.store(false, Relaxed);
                Ok(spare)
            }
            Err(error) if is_full(&error) => {
                self.note_full();
                if self.shared.segments.len() > 1 && self.evict(true) {
                    self.spares.pop().ok_or(error)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// A file system that gives room only as it is written to may have none for a file that is there: then the file goes.
    fn not_started(&mut self, spare: Spare, error: &io::Error) -> io::Result<()> {
        if is_full(error) {
            return self.remove(&spare);
        }
        self.spares.push(spare);
        Ok(())
    }

    fn note_full(&mut self) {
        add(&self.shared.counts.no_space, 1);
        if !self.shared.counts.is_short.swap(true, Relaxed) {
            self.shared.watch.say(&Event::NoSpace { segments: self.shared.segments.len() });
        }
    }

    fn create(&self) -> io::Result<Spare> {
        let name = self.unused_name()?;
        let file = self.shared.directory.open(&name, Open::New)?;
        if let Err(error) = file.allocate(self.shared.segment_bytes as u64) {
            drop(file);
            self.shared.directory.remove(&name)?;
            return Err(error);
        }
        self.shared.directory.sync()?;
        Ok(Spare { name, file })
    }

    fn unused_name(&self) -> io::Result<String> {
        let names: BTreeSet<String> = self.shared.directory.names()?.into_iter().collect();
        let unused = (0..u32::MAX).map(recover::file_name).find(|name| !names.contains(name));
        unused.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))
    }

    fn remove(&self, spare: &Spare) -> io::Result<()> {
        self.shared.directory.remove(&spare.name)?;
        self.shared.directory.sync()
    }

    /// Forgets the oldest segment; its file is a spare then. False if there is none.
    fn evict(&mut self, reinsert: bool) -> bool {
        let Some(oldest) = self.shared.segments.oldest() else { return false };
        self.carrier.leave(oldest.number);
        match recover::footer_rows(&oldest, self.shared.segment_bytes, self.shared.lineage) {
            Ok(Some(rows)) => self.forget(&oldest, &rows, reinsert),
            // Its end was never written, or is damaged.
            Ok(None) => self.shared.index.sweep(oldest.number),
            Err(error) => {
                add(&self.shared.counts.read_errors, 1);
                self.shared.watch.read_failed(&error);
                self.shared.index.sweep(oldest.number);
            }
        }
        self.shared.segments.pop_oldest();
        self.shared.spaces.each(|space| space.evicted(oldest.number));
        add(&self.shared.counts.evicted_segments, 1);
        self.spares.push(Spare { name: oldest.name.clone(), file: Arc::clone(&oldest.file) });
        true
    }

    /// Takes a segment's entries out of the index. Those that are to be written again stay in it, at a place that no
    /// look-up finds any more, until they are.
    fn forget(&mut self, segment: &Segment, rows: &[Row], reinsert: bool) {
        let hot = if reinsert { self.keep_hot(segment, rows) } else { Vec::new() };
        let kept: HashSet<u64> = hot.iter().map(|again| again.slot.0).collect();
        for row in rows.iter().filter(|row| row.kind == Kind::Entry && !kept.contains(&row.slot.0)) {
            let place = row.place(segment.number);
            self.shared.index.remove_if(row.slot, |current| current == place);
        }
        self.reinsertions.extend(hot);
    }

    /// What was hit since it was written, the newest first, as far as there is room for it.
    fn keep_hot(&self, segment: &Segment, rows: &[Row]) -> Vec<Reinsertion> {
        let mut room = self.shared.segment_bytes / REINSERTED_PART;
        let mut kept = Vec::new();
        for row in rows.iter().rev().filter(|row| row.kind == Kind::Entry) {
            let bytes = row.length as usize * frame::UNIT;
            if bytes <= room
                && let Some(again) = self.hot(segment, row)
            {
                room -= bytes;
                kept.push(again);
            }
        }
        kept
    }

    /// Nothing may be on its way for this key: it would be older in the log than its older version. That is asked
    /// before the index is: what is queued from here on comes later in the log, and what was on its way is published.
    fn hot(&self, segment: &Segment, row: &Row) -> Option<Reinsertion> {
        let Shared { index, in_flight, queue, spaces, .. } = &*self.shared;
        let sequence = queue.sequence();
        if in_flight.is_busy(row.slot) || row.expires <= clock::seconds() {
            return None;
        }
        let place = row.place(segment.number);
        if !index.is_hot(row.slot, place) {
            return None;
        }
        let space = spaces.find(row.space)?;
        let (frame, entry) = reader::read_for_copy(&self.shared, segment, place, &space)?;
        let codec = space.codec.load_full()?;
        in_flight.enter(row.slot);
        let bytes = frame::LEN + codec.encoded_len(&entry);
        Some(Reinsertion { space, entry, codec, epoch: frame.epoch, slot: row.slot, sequence, bytes })
    }
}

fn is_full(error: &io::Error) -> bool {
    [Errno::NOSPC, Errno::DQUOT].iter().any(|full| error.raw_os_error() == Some(full.raw_os_error()))
}
