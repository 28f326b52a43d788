//! The thread that decides the log's order: it takes what is queued, lays it out in batches, and hands them to the
//! writer. While one batch is written it fills the next, so there is no waiting for more to come.
//!
//! Before that it recovers what is on the disk; what is queued meanwhile waits.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::time::{Duration, Instant};

use super::batch::{Batch, Fit, Label};
use super::buffer::PageBuffer;
use super::clock;
use super::config::SEGMENTS_LEAST;
use super::footer::footer;
use super::frame;
use super::journal::{AckPromise, NotDurable};
use super::log::{Log, OpenSegment, Reinsertion};
use super::queue::{Insert, Mark, Op, Order, Waited};
use super::shared::Shared;
use super::stats::add;

/// One is filled while the other is written.
pub(super) const BUFFERS: usize = 2;

pub(super) struct Encoder {
    pub(super) shared: Arc<Shared>,
    pub(super) batches: SyncSender<Batch>,
    pub(super) buffers: Receiver<PageBuffer>,
    /// For buffers that were not needed after all.
    pub(super) free: Sender<PageBuffer>,
    pub(super) retry: Duration,
    pub(super) log: Log,
    pub(super) open: Option<OpenSegment>,
    /// What did not fit any more.
    pub(super) carried: Option<Op>,
    pub(super) retry_at: Option<Instant>,
}

impl Encoder {
    pub(super) fn run(mut self) {
        self.log.recover();
        while self.turn() {}
        self.seal();
    }

    /// One batch, or one order, or one try to write again. False at the end.
    fn turn(&mut self) -> bool {
        self.leave_failed_segment();
        match self.wait() {
            Waited::Closed => return false,
            Waited::Nothing if self.retry_at.is_none() && !self.shared.has_doubts() => return true,
            Waited::Nothing | Waited::Some => {}
        }
        if !self.is_open() {
            self.refuse_waiting();
            return true;
        }
        let Ok(buffer) = self.buffers.recv() else { return false };
        match self.fill(buffer) {
            Some(batch) => self.hand_over(batch),
            None => true,
        }
    }

    fn wait(&self) -> Waited {
        let at_hand = self.carried.is_some() || !self.log.reinsertions.is_empty();
        let due = self.shared.has_doubts() && self.retry_at.is_none();
        if at_hand || due { Waited::Some } else { self.shared.queue.wait(self.retry_at) }
    }

    fn leave_failed_segment(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.segment.has_failed()) {
            self.open = None;
            self.retry_at = Some(Instant::now() + self.retry);
        }
    }

    /// Whether there is a segment to write to; opens one if it is time to try.
    fn is_open(&mut self) -> bool {
        if self.open.is_some() {
            return true;
        }
        if self.retry_at.is_some_and(|at| at > Instant::now()) {
            return false;
        }
        self.let_writer_finish();
        match self.log.open_segment() {
            Ok(open) => {
                self.open = Some(open);
                self.retry_at = None;
                self.shared.watch.write_succeeded();
                true
            }
            Err(error) => {
                add(&self.shared.counts.write_errors, 1);
                self.shared.watch.write_failed(&error);
                self.retry_at = Some(Instant::now() + self.retry);
                false
            }
        }
    }

    /// While the log is very short, the oldest segment may be the one that is written: both buffers are back when it is
    /// not. And what was copied out of the segment that goes is to be found at its new place before.
    fn let_writer_finish(&self) {
        if self.shared.segments.len() >= SEGMENTS_LEAST && !self.log.copies_from_oldest() {
            return;
        }
        let back: Vec<PageBuffer> = self.buffers.iter().take(BUFFERS).collect();
        for buffer in back {
            // It comes back to this very thread.
            let _own = self.free.send(buffer);
        }
    }

    /// There is no segment to write to: nothing waits for that.
    fn refuse_waiting(&mut self) {
        self.log.carrier.give_up();
        let reinsertions = std::mem::take(&mut self.log.reinsertions);
        for again in reinsertions {
            self.shared.index.remove(again.slot);
            self.shared.in_flight.leave(again.slot);
        }
        while let Some(op) = self.carried.take().or_else(|| self.shared.queue.pop()) {
            match op {
                Op::Insert(insert) => self.lose(insert),
                Op::Mark(mark) => self.put_off(mark),
                Op::Order(Order::Commit(promise)) => promise.resolve(Err(NotDurable::Failed)),
                Op::Order(Order::Resize(capacity, promise)) => self.resize(capacity, promise),
            }
        }
    }

    fn lose(&self, insert: Insert) {
        add(&self.shared.counts.lost, 1);
        self.shared.doubt(insert.space.id, insert.slot);
        self.shared.in_flight.leave(insert.slot);
        insert.promise.into_iter().for_each(|promise| promise.resolve(Err(NotDurable::Failed)));
    }

    fn put_off(&self, mark: Mark) {
        self.shared.doubt(mark.space, mark.slot);
        self.shared.in_flight.leave(mark.slot);
        mark.promise.into_iter().for_each(|promise| promise.resolve(Err(NotDurable::Failed)));
    }

    fn resize(&mut self, capacity: u64, promise: AckPromise) {
        self.shared.capacity.store(capacity, Relaxed);
        let shrunk = self.log.shrink(u64::from(self.open.is_none()));
        promise.resolve(shrunk.map_err(|_| NotDurable::Failed));
    }

    fn fill(&mut self, buffer: PageBuffer) -> Option<Batch> {
        let open = self.open.as_ref()?;
        let mut batch = Batch::new(Arc::clone(&open.segment), open.at, buffer);
        let fit = self.fill_with_all(&mut batch);
        batch.finish();
        self.advance(&mut batch, fit == Fit::NextSegment);
        Some(batch)
    }

    /// Doubts first: all that waits is younger than what they are about. Then what is written again, which is older than
    /// all that waits.
    fn fill_with_all(&mut self, batch: &mut Batch) -> Fit {
        while self.fits(batch, frame::LEN, true) == Fit::Fits {
            let Some((space, slot)) = self.shared.next_doubt() else { break };
            self.shared.in_flight.enter(slot);
            batch.mark(space, slot);
        }
        while let Some(again) = self.log.reinsertions.pop() {
            let fit = self.fit_entry(batch, again.bytes);
            if fit != Fit::Fits {
                self.log.reinsertions.push(again);
                return fit;
            }
            self.reinsert(batch, again);
        }
        let fit = self.carry(batch);
        if fit != Fit::Fits {
            return fit;
        }
        let before = batch.buffer.len();
        let fit = self.fill_from_queue(batch);
        self.log.carrier.earn(batch.buffer.len() - before);
        fit
    }

    /// At most half of a batch: fills are never kept out.
    fn carry(&mut self, batch: &mut Batch) -> Fit {
        let most = batch.buffer.len() + batch.buffer.capacity() / 2;
        while batch.buffer.len() < most {
            let room = self.shared.segment_bytes.saturating_sub(batch.at + batch.buffer.len());
            let Some(copy) = self.log.carrier.next(room) else { break };
            let fit = self.fit_entry(batch, copy.bytes);
            if fit != Fit::Fits {
                self.log.carrier.hold(copy);
                return fit;
            }
            self.reinsert(batch, copy);
        }
        Fit::Fits
    }

    fn fill_from_queue(&mut self, batch: &mut Batch) -> Fit {
        while let Some(op) = self.carried.take().or_else(|| self.shared.queue.pop()) {
            let fit = match &op {
                Op::Insert(insert) => self.fit_entry(batch, insert.bytes),
                Op::Mark(_) => self.fits(batch, frame::LEN, true),
                // Room for the end of the batch.
                Op::Order(_) => self.fits(batch, 0, false),
            };
            if fit != Fit::Fits {
                self.carried = Some(op);
                return fit;
            }
            self.take(batch, op);
        }
        Fit::Fits
    }

    fn take(&mut self, batch: &mut Batch, op: Op) {
        match op {
            Op::Insert(insert) => self.insert(batch, insert),
            Op::Mark(mark) => {
                batch.mark(mark.space, mark.slot);
                batch.promise(mark.promise);
            }
            Op::Order(Order::Commit(promise)) => batch.promise(Some(promise)),
            Op::Order(Order::Resize(capacity, promise)) => self.resize(capacity, promise),
        }
    }

    fn fits(&self, batch: &Batch, bytes: usize, mark: bool) -> Fit {
        let rows = self.open.as_ref().map_or(0, |open| open.rows.len());
        batch.fit(bytes, mark, rows, self.shared.segment_bytes)
    }

    fn fit_entry(&self, batch: &mut Batch, bytes: usize) -> Fit {
        match self.fits(batch, bytes, false) {
            Fit::NextBatch if batch.is_empty() => batch.enlarge(bytes),
            fit => return fit,
        }
        self.fits(batch, bytes, false)
    }

    fn insert(&self, batch: &mut Batch, insert: Insert) {
        let Insert { space, entry, codec, epoch, sequence, .. } = &insert;
        let label = Label { space: space.id, epoch: *epoch, sequence: *sequence };
        if !batch.entry(entry, codec, &label, expires(entry)) {
            return self.lose(insert);
        }
        match insert.durable {
            true => batch.promise(insert.promise),
            false => batch.promise_found(insert.promise),
        }
    }

    fn reinsert(&self, batch: &mut Batch, again: Reinsertion) {
        let Reinsertion { space, entry, codec, epoch, slot, sequence, .. } = again;
        let label = Label { space: space.id, epoch, sequence };
        if batch.entry(&entry, &codec, &label, expires(&entry)) {
            add(&self.shared.counts.reinserted, 1);
        } else {
            self.shared.doubt(space.id, slot);
            self.shared.in_flight.leave(slot);
        }
    }

    /// The segment's next batch begins behind this one; with `full`, it is the last.
    fn advance(&mut self, batch: &mut Batch, full: bool) {
        let Some(open) = &mut self.open else { return };
        open.at += batch.buffer.len();
        open.rows.extend(batch.rows());
        if full {
            batch.footer = Some(footer(self.shared.lineage, open.segment.number, &open.rows));
            self.open = None;
        }
    }

    fn hand_over(&mut self, batch: Batch) -> bool {
        let idle = batch.is_empty() && batch.promises.is_empty() && batch.footer.is_none();
        if idle {
            return self.free.send(batch.buffer).is_ok();
        }
        self.batches.send(batch).is_ok()
    }

    /// Closing: the open segment gets its footer.
    fn seal(&mut self) {
        self.leave_failed_segment();
        if self.open.is_none() {
            return;
        }
        let Ok(buffer) = self.buffers.recv() else { return };
        let Some(open) = &self.open else { return };
        let mut batch = Batch::new(Arc::clone(&open.segment), open.at, buffer);
        self.advance(&mut batch, true);
        self.hand_over(batch);
    }
}

fn expires(entry: &crate::entry::Entry) -> u32 {
    let lifetime = entry.lifetime();
    let last = lifetime.fresh_until_ns.max(lifetime.revalidate_until_ns).max(lifetime.error_until_ns);
    clock::seconds_up(last)
}
