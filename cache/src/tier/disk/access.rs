//! A space as its callers have it: look up, insert, remove, flush, ban.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::frame;
use super::index::{Place, Slot};
use super::journal::{Ack, AckPromise, BANS_LIMIT, Fact, NotDurable};
use super::object::{ChunkKey, Manifest};
use super::pool::{Pending, Urgency};
use super::promise::{kept, promise};
use super::queue::{Full, Insert};
use super::reader::{self, Wanted};
use super::segment::Segment;
use super::shared::Shared;
use super::space::SpaceCore;
use super::stats::{Refused, add};
use crate::entry::Entry;
use crate::invalidate::Epoch;
use crate::key::{Fingerprint, KeyRef, Keyed};

/// A longer record is not read by the asking thread, bytes: others wait for that thread.
const INLINE_LIMIT: usize = 256 * 1024;

/// What a look-up found.
#[derive(Debug)]
pub enum Probe {
    /// Nothing that may be served.
    Absent,
    /// It was in the page cache. It may be expired: until when it is of use, it is found.
    Ready(Arc<Entry>),
    /// It is being read.
    Read(Pending),
}

/// Who is told of what has become of an entry.
enum Told {
    Nobody,
    /// That it is written and can be found.
    OfBeingFound(AckPromise),
    /// That the device has it.
    OfTheDevice(AckPromise),
}

/// One stage's part of a store. A clone is the same space.
#[derive(Clone)]
pub struct Space {
    pub(super) core: Arc<SpaceCore>,
    pub(super) shared: Arc<Shared>,
}

impl Space {
    /// What is stored under a key; nothing while the store recovers. Never blocks.
    #[must_use]
    pub fn probe(&self, key: KeyRef<'_>, now_ns: u64) -> Probe {
        let slot = self.slot(key.fingerprint);
        if !self.shared.watch.is_ready() {
            return Probe::Absent;
        }
        let Some((place, segment)) = self.find(self.shared.index.hit(slot)) else { return Probe::Absent };
        if !self.shared.direct
            && place.bytes() <= INLINE_LIMIT
            && let Some(raw) = reader::read_cached(&segment, place)
        {
            add(&self.shared.counts.reads_inline, 1);
            let entry = reader::believe(&self.shared, &self.core, &segment, place, raw, key, now_ns);
            return entry.map_or(Probe::Absent, Probe::Ready);
        }
        let (fingerprint, bytes) = (key.fingerprint, key.bytes.into());
        let wanted = Wanted { space: Arc::clone(&self.core), segment, place, fingerprint, key: bytes, now_ns };
        self.read(wanted, slot, Urgency::Usual)
    }

    /// Looks a chunk up. It is not noted by itself that it was of use: objects are kept whole or not at all. Always read
    /// by another thread, and let in before others: an answer that was begun depends on it.
    pub(super) fn probe_chunk(&self, key: &ChunkKey, now_ns: u64) -> Probe {
        let (slot, key) = (self.slot(key.fingerprint()), key.as_ref());
        let find = || self.find(self.shared.index.get(slot));
        // Between the two looks of the first one it may have been carried, and its old segment be gone.
        let Some((place, segment)) = find().or_else(find) else { return Probe::Absent };
        let (fingerprint, bytes) = (key.fingerprint, key.bytes.into());
        let wanted = Wanted { space: Arc::clone(&self.core), segment, place, fingerprint, key: bytes, now_ns };
        self.read(wanted, slot, Urgency::Begun)
    }

    /// Notes that an object was asked for.
    pub(super) fn ask_for(&self, manifest: &Manifest) {
        self.shared.index.ask(self.slot(ChunkKey::new(manifest.object, 0).fingerprint()));
        self.shared.largest_asked.fetch_max(manifest.length(), Relaxed);
    }

    /// Whether a chunk can be found.
    pub(super) fn has_chunk(&self, key: &ChunkKey) -> bool {
        self.find(self.shared.index.get(self.slot(key.fingerprint()))).is_some()
    }

    /// The segment of a place, if what is there counts.
    fn find(&self, place: Option<Place>) -> Option<(Place, Arc<Segment>)> {
        let place = place?;
        let segment = self.shared.segments.find(place.segment)?;
        self.core.reaches(self.core.epoch(), segment.number).then_some((place, segment))
    }

    fn read(&self, wanted: Wanted, slot: Slot, urgency: Urgency) -> Probe {
        match self.shared.reads.push(wanted, slot, urgency) {
            Some(pending) => {
                add(&self.shared.counts.reads_pooled, 1);
                Probe::Read(pending)
            }
            None => {
                add(&self.shared.counts.reads_refused, 1);
                Probe::Absent
            }
        }
    }

    /// Queues an answer whose fetch began in the epoch `began`, in the place of the one under its key. Never blocks. The
    /// entry is found once it is written.
    ///
    /// # Errors
    /// Why it is not kept. An older version under its key is gone then too.
    pub fn insert(&self, entry: Arc<Entry>, began: Epoch) -> Result<(), Refused> {
        self.queue(entry, began, Told::Nobody)
    }

    /// The same, and tells when the answer is on the device.
    ///
    /// # Errors
    /// As for [`Space::insert`].
    pub fn insert_durably(&self, entry: Arc<Entry>, began: Epoch) -> Result<Ack, Refused> {
        let (promise, ack) = promise();
        self.queue(entry, began, Told::OfTheDevice(promise))?;
        Ok(ack)
    }

    /// Queues a chunk, which has no older version; tells when it can be found.
    pub(super) fn insert_chunk(&self, entry: Arc<Entry>, began: Epoch) -> Result<Ack, Refused> {
        let (promise, ack) = promise();
        let slot = self.slot(entry.key().fingerprint);
        let queued = self.try_queue(entry, began, Told::OfBeingFound(promise), slot);
        queued.map_err(|why| self.refuse(why)).map(|()| ack)
    }

    /// Counts why something is not kept.
    pub(super) fn refuse(&self, why: Refused) -> Refused {
        self.shared.counts.refuse(why)
    }

    fn queue(&self, entry: Arc<Entry>, began: Epoch, told: Told) -> Result<(), Refused> {
        let slot = self.slot(entry.key().fingerprint);
        let Err(why) = self.try_queue(entry, began, told, slot) else { return Ok(()) };
        self.shared.forget_older(&self.core, slot);
        Err(self.refuse(why))
    }

    fn try_queue(&self, entry: Arc<Entry>, began: Epoch, told: Told, slot: Slot) -> Result<(), Refused> {
        let codec = self.core.codec.load_full().ok_or(Refused::Closed)?;
        let bytes = frame::LEN + codec.encoded_len(&entry);
        self.admit(began, bytes)?;
        let (space, epoch) = (Arc::clone(&self.core), began.number());
        let (promise, durable) = match told {
            Told::Nobody => (None, false),
            Told::OfBeingFound(promise) => (Some(promise), false),
            Told::OfTheDevice(promise) => (Some(promise), true),
        };
        let insert = Insert { space, entry, codec, epoch, slot, bytes, sequence: 0, promise, durable };
        self.shared.queue.insert(insert, &self.shared.in_flight).map_err(|(full, _)| match full {
            Full::Full => Refused::Busy,
            Full::Closed => Refused::Closed,
        })
    }

    fn admit(&self, began: Epoch, bytes: usize) -> Result<(), Refused> {
        match () {
            () if self.core.forgotten.load(SeqCst) => Err(Refused::Closed),
            () if self.core.epoch() != began.number() => Err(Refused::Flushed),
            () if bytes > self.shared.record_limit() => Err(Refused::TooLarge),
            () if self.shared.watch.writes_fail() => Err(Refused::Failing),
            () => Ok(()),
        }
    }

    /// Drops what is stored or queued under a key: not found from now on, and durably so once the answer resolves.
    pub fn remove(&self, key: KeyRef<'_>) -> Ack {
        let (promise, ack) = promise();
        self.shared.forget_key(&self.core, self.slot(key.fingerprint), Some(promise));
        ack
    }

    /// Drops everything: unreachable from now on, and durably so once the answer resolves.
    pub fn flush(&self) -> Ack {
        self.shared.flush(&self.core)
    }

    /// The epoch that a fetch notes when it begins.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch::numbered(self.core.epoch())
    }

    /// Keeps a ban for as long as entries that it covers may live, seconds since 1970. The store does not know what it
    /// means: it gives it back as it is, also after a restart. A flush drops it.
    pub fn ban(&self, ban: &[u8], expires: u32) -> Ack {
        let mut facts = self.shared.journal.facts();
        if facts.ban_bytes(self.core.id) + ban.len() > BANS_LIMIT {
            return kept(Err(NotDurable::Busy));
        }
        let fact = Fact::Ban { id: self.core.id, expires, bytes: ban.to_vec() };
        self.shared.journal.state_in(&mut facts, fact)
    }

    /// The bans that are kept, in the order in which they were made, each with its expiry.
    #[must_use]
    pub fn bans(&self) -> Vec<(Vec<u8>, u32)> {
        let facts = self.shared.journal.facts();
        let Some(space) = facts.spaces.get(&self.core.id) else { return Vec::new() };
        space.bans.iter().map(|(expires, ban)| (ban.clone(), *expires)).collect()
    }

    /// Ends the space and destroys its salt: its sealed records can not be read any more by anybody. Resolves when the
    /// salt is overwritten on the device, as far as the device overwrites.
    pub fn forget(&self) -> Ack {
        self.core.forgotten.store(true, SeqCst);
        self.core.start_epoch(true);
        self.core.codec.store(None);
        self.shared.spaces.remove(self.core.id);
        self.shared.journal.forget(self.core.id)
    }

    /// Bytes of the log that it may take; what is older goes.
    pub fn set_share(&self, bytes: u64) {
        self.core.set_share(bytes);
    }

    /// Bytes of the log that it takes, old versions included until their room is used again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.core.bytes()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    fn slot(&self, fingerprint: Fingerprint) -> Slot {
        Slot::of(self.core.id, fingerprint)
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("name", &self.core.name).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
