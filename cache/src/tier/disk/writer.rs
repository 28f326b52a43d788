//! The thread that writes batches, one at a time, and makes known what is written.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use super::batch::{Batch, Written};
use super::buffer::PageBuffer;
use super::frame::Kind;
use super::journal::NotDurable;
use super::shared::Shared;
use super::stats::add;

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) batches: Receiver<Batch>,
    /// Buffers go back this way.
    pub(super) free: Sender<PageBuffer>,
}

impl Writer {
    pub(super) fn run(self) {
        while let Ok(batch) = self.batches.recv() {
            self.batch(batch);
        }
    }

    fn batch(&self, mut batch: Batch) {
        let written = self.write(&batch);
        match &written {
            Ok(()) => self.publish(&batch),
            Err(error) => self.fail(&batch, error),
        }
        if batch.footer.is_some() || batch.segment.has_failed() {
            batch.segment.file.finished();
        }
        self.give_back(&mut batch);
        let outcome = written.map_err(|_| NotDurable::Failed);
        batch.promises.into_iter().for_each(|promise| promise.resolve(outcome));
    }

    /// A segment is synced with its last batch at the latest.
    fn write(&self, batch: &Batch) -> io::Result<()> {
        let Batch { segment, buffer, footer, .. } = batch;
        if segment.has_failed() {
            return Err(io::Error::other("an earlier write to this segment failed"));
        }
        if buffer.len() > 0 {
            segment.file.write_at(buffer.as_slice(), batch.at as u64)?;
        }
        if let Some(footer) = footer {
            segment.file.write_at(footer.as_slice(), (self.shared.segment_bytes - footer.len()) as u64)?;
        }
        if batch.sync || footer.is_some() { segment.file.sync() } else { Ok(()) }
    }

    fn publish(&self, batch: &Batch) {
        add(&self.shared.counts.written_bytes, batch.buffer.len() as u64);
        self.shared.watch.write_succeeded();
        batch.written.iter().for_each(|written| self.publish_one(batch, written));
    }

    fn publish_one(&self, batch: &Batch, written: &Written) {
        let Shared { index, in_flight, spaces, .. } = &*self.shared;
        let slot = written.row.slot;
        let place = batch.place(written);
        if written.row.kind == Kind::Entry {
            let inserted = index.insert_unless(slot, place, || in_flight.is_marked_after(slot, written.sequence));
            add(&self.shared.counts.overtaken, u64::from(!inserted));
            if let Some(space) = spaces.find(written.row.space) {
                space.account(written.epoch, batch.segment.number, place.bytes() as u64);
            }
        } else {
            index.remove(slot);
        }
        in_flight.leave(slot);
    }

    /// Whatever of the batch has come to the disk, nothing of it is believed.
    fn fail(&self, batch: &Batch, error: &io::Error) {
        add(&self.shared.counts.write_errors, 1);
        batch.segment.fail();
        self.shared.watch.write_failed(error);
        for written in &batch.written {
            add(&self.shared.counts.lost, u64::from(written.row.kind == Kind::Entry));
            self.shared.doubt(written.row.space, written.row.slot);
            self.shared.in_flight.leave(written.row.slot);
        }
        self.shared.queue.wake();
    }

    /// A buffer that one long record had made long is not kept.
    fn give_back(&self, batch: &mut Batch) {
        let standard = self.shared.batch_bytes;
        let used = std::mem::replace(&mut batch.buffer, PageBuffer::with_capacity(0));
        let buffer = if used.capacity() > standard { PageBuffer::with_capacity(standard) } else { used };
        // Nobody takes it once the store closes.
        let _closing = self.free.send(buffer);
    }
}
