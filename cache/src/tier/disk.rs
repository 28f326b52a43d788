//! The disk tier: a log of segment files, with an index in memory.
//!
//! A [`Store`] owns one directory. Entries are appended to the log in batches, by one thread that lays them out and one
//! that writes; when the capacity is reached, the oldest segment's file is used again. The order in the log decides which
//! version of a key is current. What is dropped leaves a tombstone in the log, which is evicted after what it covers, so
//! a restart brings nothing back. What must outlive the eviction (spaces, flushes, bans) is in a small journal.
//!
//! A [`Space`] is one stage's part of a store: its own epoch, codec and share of the capacity.
//!
//! Nothing here fails a request: what can not be read is a miss, what can not be written is refused or lost, and both are
//! counted. An [`Ack`] resolves when the device has what it stands for, behind an `fdatasync`.
//!
//! Bounds: the queue by bytes and number, two batch buffers, waiting reads by number, the index by the entries that the
//! capacity has room for (at most 40 bytes each).

mod access;
mod batch;
mod buffer;
mod bytes;
mod carry;
mod clock;
mod config;
mod destroy;
mod encoder;
mod events;
mod files;
mod footer;
mod found;
mod frame;
mod health;
mod in_flight;
mod index;
mod journal;
mod log;
mod object;
mod open;
mod pool;
mod promise;
mod queue;
mod reader;
mod recover;
mod scan;
mod segment;
mod segments;
mod shared;
mod space;
mod stats;
mod survey;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread::JoinHandle;

use thiserror::Error;

use crate::record::Codec;
use crate::seal::{NoRandom, Salt};

use journal::Fact;
use promise::promise;
use queue::{Full, Order};
use shared::Shared;
use space::SpaceCore;

pub use access::{Probe, Space};
pub use config::{Config, OpenError, RECORD_LIMIT, Reads, SEGMENTS_LEAST};
pub use destroy::{bytes_in, destroy, lies_in};
pub use events::{Event, Events, Silent};
pub use found::{Found, found_in};
pub use health::Health;
pub use journal::{Ack, BANS_LIMIT, NAME_LIMIT, NotDurable, SPACES_LIMIT};
pub use object::{
    CHUNK, CHUNK_BYTES, HEAD, Lost, Manifest, ObjectReader, ObjectRefused, ObjectSize, ObjectWriter, WAITING_LIMIT,
};
pub use pool::Pending;
pub use promise::Later;
pub use stats::{Refused, Stats};
pub use survey::{Cursor, Survey};

/// A cache on disk. Dropping it closes it.
pub struct Store {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
    lock: Option<File>,
}

/// Why a space was not opened.
#[derive(Debug, Error)]
pub enum SpaceError {
    /// The name is longer than [`NAME_LIMIT`].
    #[error("the name of a cache space has at most {NAME_LIMIT} bytes")]
    NameTooLong,
    /// There are [`SPACES_LIMIT`] already.
    #[error("a disk cache has at most {SPACES_LIMIT} spaces")]
    TooMany,
    /// The system gave no random bytes for the salt.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// A capacity that a store can not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{least} bytes are the least that this disk cache works with")]
pub struct TooSmall {
    /// The least, bytes.
    pub least: u64,
}

impl Store {
    /// Opens the store in a directory, or begins one. Returns at once: what is on disk is found later, see
    /// [`Store::is_ready`]; until then look-ups are misses, and what is inserted or removed waits.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is deleted then.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        open::open(config)
    }

    /// The space of that name, begun if there is none yet, which blocks until that is written down. The codec is made
    /// from the space's salt. Opening it again gives the same space, with the new codec.
    ///
    /// # Errors
    /// See [`SpaceError`].
    pub fn space(&self, name: &str, codec: impl FnOnce(Salt) -> Codec) -> Result<Space, SpaceError> {
        if name.len() > NAME_LIMIT {
            return Err(SpaceError::NameTooLong);
        }
        let (core, salt) = self.find_or_begin(name)?;
        core.codec.store(Some(Arc::new(codec(salt))));
        Ok(Space { core, shared: Arc::clone(&self.shared) })
    }

    fn find_or_begin(&self, name: &str) -> Result<(Arc<SpaceCore>, Salt), SpaceError> {
        let Shared { journal, spaces, .. } = &*self.shared;
        let mut facts = journal.facts();
        let known = facts.by_name(name).and_then(|id| Some((spaces.find(id)?, facts.salt(id)?)));
        if let Some(known) = known {
            return Ok(known);
        }
        if spaces.len() >= SPACES_LIMIT {
            return Err(SpaceError::TooMany);
        }
        let salt = Salt::random()?;
        let id = facts.next_space;
        let core = Arc::new(SpaceCore::new(id, name.to_owned(), 0));
        spaces.add(Arc::clone(&core));
        let written =
            journal.state_in(&mut facts, Fact::Space { id, name: name.to_owned(), epoch: 0, salt: *salt.to_bytes() });
        drop(facts);
        // Should the disk refuse, it is tried again; a space that is lost all the same begins anew, and finds nothing.
        let _tried_again = written.wait();
        Ok((core, salt))
    }

    /// The names of its spaces, opened or not.
    #[must_use]
    pub fn spaces(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.shared.spaces.each(|space| names.push(space.name.clone()));
        names.sort();
        names
    }

    /// The same as [`Space::forget`], of the space of that name; nothing if there is none.
    #[must_use]
    pub fn forget(&self, name: &str) -> Option<Ack> {
        let id = self.shared.journal.facts().by_name(name)?;
        let core = self.shared.spaces.find(id)?;
        Some(Space { core, shared: Arc::clone(&self.shared) }.forget())
    }

    /// Whether objects are being read from the space of that name.
    #[must_use]
    pub fn is_read(&self, name: &str) -> bool {
        let id = self.shared.journal.facts().by_name(name);
        id.and_then(|id| self.shared.spaces.find(id)).is_some_and(|space| space.readers.load(SeqCst) > 0)
    }

    /// Whether the index is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.watch.is_ready()
    }

    /// Changes the capacity, bytes. Resolves when it holds; what is smaller loses its oldest entries.
    ///
    /// # Errors
    /// It is too small.
    pub fn resize(&self, capacity: u64) -> Result<Ack, TooSmall> {
        let least = Config::capacity_least(self.shared.segment_bytes as u32);
        if capacity < least {
            return Err(TooSmall { least });
        }
        // Where the system lets it have no more, it says so when a segment is not opened.
        let _as_far_as_possible = open::allow_open_files(capacity, self.shared.segment_bytes as u32);
        Ok(self.order(|promise| Order::Resize(capacity, promise)))
    }

    /// Resolves when all that was queued before is on the device.
    pub fn commit(&self) -> Ack {
        self.order(Order::Commit)
    }

    fn order(&self, order: impl FnOnce(journal::AckPromise) -> Order) -> Ack {
        let (promise, ack) = promise();
        if let Err((full, order)) = self.shared.queue.order(order(promise)) {
            let (Order::Commit(promise) | Order::Resize(_, promise)) = order;
            promise.resolve(Err(if full == Full::Closed { NotDurable::Closed } else { NotDurable::Busy }));
        }
        ack
    }

    /// Its figures of the moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Shared { counts, index, segments, watch, queue, .. } = &*self.shared;
        let (queue_bytes, queue_marks) = queue.waiting();
        Stats {
            health: watch.health(),
            recovered: (counts.recovered.load(Relaxed), counts.to_recover.load(Relaxed)),
            entries: index.entries(),
            index_bytes: index.bytes(),
            segments: segments.len(),
            segment_bytes: self.shared.segment_bytes as u32,
            capacity: self.shared.capacity.load(Relaxed),
            queue_bytes,
            queue_marks,
            refused: counts.refused(),
            lost: counts.lost.load(Relaxed),
            overtaken: counts.overtaken.load(Relaxed),
            written_bytes: counts.written_bytes.load(Relaxed),
            write_errors: counts.write_errors.load(Relaxed),
            read_errors: counts.read_errors.load(Relaxed),
            damaged: counts.damaged.load(Relaxed),
            reads_inline: counts.reads_inline.load(Relaxed),
            reads_pooled: counts.reads_pooled.load(Relaxed),
            reads_refused: counts.reads_refused.load(Relaxed),
            evicted_segments: counts.evicted_segments.load(Relaxed),
            no_space: counts.no_space.load(Relaxed),
            is_short: counts.is_short.load(Relaxed),
            reinserted: counts.reinserted.load(Relaxed),
            carried: counts.carried.load(Relaxed),
            doubted: counts.doubted.load(Relaxed),
        }
    }

    /// Writes what is queued and gives the directory up. Blocks until that is done. Objects that are being read are read
    /// to their end, as long as nobody writes over them.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.queue.close();
        let is_read = self.shared.reads.close();
        self.shared.journal.close();
        if is_read {
            // They end with the last of those that read.
            self.readers.clear();
        }
        for thread in self.threads.drain(..).chain(self.readers.drain(..)) {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
        drop(self.lock.take());
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
