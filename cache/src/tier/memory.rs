//! The memory tier: foyer's in-memory cache with S3-FIFO, weighed in bytes.
//!
//! A hit takes the read lock of one shard, compares the key's bytes and counts a reference; it allocates nothing. The
//! tier is an array of foyer caches with one shard each rather than one foyer cache with many, so that hits of different
//! shards share no counter, and a flushed generation can be emptied shard by shard.
//!
//! A flush swaps all shards for empty ones at once. The old ones are emptied by [`MemoryTier::drain_some`], called from
//! a thread that serves nobody, and count in [`MemoryTier::bytes`] until they are gone; meanwhile the new ones take no
//! more than fits beside them.

mod departures;
mod generation;
mod stored;
mod sweep;

use std::collections::VecDeque;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::answer::vary::MARKER;
use crate::entry::Entry;
use crate::freshness::NotStored;
use crate::invalidate::{Bans, Coverage, Epoch};
use crate::key::{KeyRef, Keyed};
use crate::seal::{MemorySeal, SealedEntry};
use crate::tier::Tier;

pub use departures::Departures;
pub(crate) use generation::eviction;
use generation::{Generation, Shape};
use stored::Stored;
pub use sweep::Swept;

/// Flushed generations that may wait for their emptying; one more flush empties the oldest itself.
const FLUSHED_LIMIT: usize = 8;

/// What a look-up found.
#[derive(Debug, Clone)]
pub enum Found {
    /// An answer that may be served.
    Fresh(Arc<Entry>),
    /// An answer whose time is over, or that a soft purge has expired.
    Expired(Arc<Entry>),
    /// One that was purged and may not be served.
    Purged,
    /// Nothing.
    Absent,
}

impl Found {
    /// What an entry of which the bans say `coverage` is worth at `now_ns`.
    #[inline]
    fn of(entry: Arc<Entry>, coverage: Coverage, now_ns: u64) -> Self {
        match coverage {
            Coverage::Clear if entry.freshness(now_ns).is_fresh() => Self::Fresh(entry),
            Coverage::Clear | Coverage::Expired => Self::Expired(entry),
            Coverage::Gone => Self::Purged,
        }
    }
}

/// Answers in memory, within a capacity that counts all that they cost.
#[derive(Debug)]
pub struct MemoryTier {
    object_limit: u64,
    departures: Arc<Departures>,
    bans: Arc<Bans>,
    /// What is stored is sealed with it.
    seal: Option<MemorySeal>,
    live: ArcSwap<Generation>,
    flushed: Mutex<VecDeque<Arc<Generation>>>,
    /// Held by whoever exchanges or resizes the shards; no request waits for it.
    changing: Mutex<()>,
}

impl MemoryTier {
    /// A tier of `capacity` bytes for bodies of at most `object_limit` bytes.
    #[must_use]
    pub fn new(capacity: u64, object_limit: u64) -> Self {
        Self::under(Arc::default(), capacity, object_limit)
    }

    /// The same under bans that other tiers share.
    #[must_use]
    pub fn under(bans: Arc<Bans>, capacity: u64, object_limit: u64) -> Self {
        Self::with(bans, None, capacity, object_limit)
    }

    /// The same, with everything sealed while nobody asks for it.
    #[must_use]
    pub fn sealed(seal: MemorySeal, bans: Arc<Bans>, capacity: u64, object_limit: u64) -> Self {
        Self::with(bans, Some(seal), capacity, object_limit)
    }

    fn with(bans: Arc<Bans>, seal: Option<MemorySeal>, capacity: u64, object_limit: u64) -> Self {
        let shape = Shape::new(capacity, object_limit);
        let departures = Arc::new(Departures::default());
        let live = ArcSwap::from_pointee(Generation::new(shape, Epoch::default(), &departures));
        Self { object_limit, departures, bans, seal, live, flushed: Mutex::default(), changing: Mutex::default() }
    }

    /// What is stored under a key.
    #[must_use]
    pub fn get(&self, key: KeyRef<'_>, now_ns: u64) -> Found {
        let Some(stored) = self.live.load().get(key) else { return Found::Absent };
        let Some((entry, coverage)) = self.judge(stored) else { return Found::Absent };
        if self.seal.is_some() && entry.key() != key {
            return Found::Absent;
        }
        Found::of(entry, coverage, now_ns)
    }

    /// What an entry is worth that a tier below has found, judged like those here; one that may be served is kept here
    /// too. `began` is the epoch before the tier was asked. The caller has held a [`Birth`](crate::Birth) since then, so
    /// that no purge is forgotten meanwhile.
    #[must_use]
    pub fn take_up(&self, entry: Arc<Entry>, began: Epoch, now_ns: u64) -> Found {
        // One from a clock that has been set back since is nobody's to judge.
        if !self.bans.accepts(&entry) {
            return Found::Absent;
        }
        let coverage = self.bans.judge(&entry);
        let found = Found::of(entry, coverage, now_ns);
        if let Found::Fresh(entry) = &found {
            self.keep_up(entry, began);
        } else if let Found::Expired(entry) = &found
            && entry.status() == MARKER
        {
            // It leads to answers that have times of their own.
            self.keep_up(entry, began);
        }
        found
    }

    fn keep_up(&self, entry: &Arc<Entry>, began: Epoch) {
        // Should it not fit, it is read from below again.
        // A marker that a soft purge has expired still leads to answers.
        let _served_either_way = self.put(Arc::clone(entry), began, |coverage| coverage != Coverage::Gone);
    }

    /// Whether something lies under a key, without counting as a look-up.
    #[must_use]
    pub fn holds(&self, key: KeyRef<'_>) -> bool {
        self.live.load().has(key)
    }

    /// Stores an answer whose fetch began in the epoch `began`, in place of the one under its key. The fetch's
    /// [`Birth`](crate::Birth) is held until this returns.
    ///
    /// # Errors
    /// It is too large, a flush has come between or is not over, or a purge has come between that covers it: a soft one
    /// as well, for what was stored since then is newer.
    pub fn insert(&self, entry: Arc<Entry>, began: Epoch) -> Result<(), NotStored> {
        self.put(entry, began, |coverage| coverage == Coverage::Clear)
    }

    fn put(&self, entry: Arc<Entry>, began: Epoch, allows: impl Fn(Coverage) -> bool) -> Result<(), NotStored> {
        let live = self.live.load();
        if !live.holds(&entry) {
            return Err(NotStored::TooLarge);
        }
        if live.epoch() != began {
            return Err(NotStored::Flushed);
        }
        if !self.fits_beside_flushed(&live, &entry) {
            return Err(NotStored::Flushing);
        }
        if !allows(self.bans.judge(&entry)) {
            return Err(NotStored::Purged);
        }
        live.insert(self.stored(&entry).ok_or(NotStored::TooLarge)?);
        // A ban that came while the entry was put in has perhaps been looked for before it was there.
        match allows(self.bans.judge(&entry)) {
            true => Ok(()),
            false => {
                live.purge(entry.key());
                Err(NotStored::Purged)
            }
        }
    }

    fn stored(&self, entry: &Arc<Entry>) -> Option<Stored> {
        match &self.seal {
            None => Some(Stored::Plain(Arc::clone(entry))),
            Some(seal) => Some(Stored::Sealed(Arc::new(seal.seal(entry)?))),
        }
    }

    /// The entry, readable, and what the bans say of it.
    fn judge(&self, stored: Stored) -> Option<(Arc<Entry>, Coverage)> {
        match stored {
            Stored::Plain(entry) => {
                let coverage = self.bans.judge(&entry);
                Some((entry, coverage))
            }
            Stored::Sealed(sealed) => self.judge_sealed(&sealed),
        }
    }

    #[cold]
    fn judge_sealed(&self, sealed: &SealedEntry) -> Option<(Arc<Entry>, Coverage)> {
        let entry = self.seal.as_ref()?.open(sealed)?;
        let coverage = self.bans.judge(&entry);
        let (asked, expired) = entry.judged().read();
        sealed.judged().raise(asked, expired);
        Some((Arc::new(entry), coverage))
    }

    /// Forgets what is stored under a key; tells whether anything was.
    pub fn remove(&self, key: KeyRef<'_>) -> bool {
        self.live.load().remove(key)
    }

    /// Whether entries lie here as they are, and not sealed.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.seal.is_none()
    }

    /// The bans that hold here.
    #[must_use]
    pub const fn bans(&self) -> &Arc<Bans> {
        &self.bans
    }

    /// The epoch that a fetch notes when it begins.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.live.load().epoch()
    }

    /// Forgets everything at once and starts a new epoch. Call [`MemoryTier::drain_some`] until it returns 0 to give
    /// the memory back.
    pub fn flush(&self) -> Epoch {
        let _changing = self.changing.lock();
        self.start_anew(self.capacity())
    }

    /// Takes another capacity. What is stored stays, as far as it fits: what was not asked for lately goes first. Only
    /// where the present shards would be too small for the largest objects everything is forgotten as by
    /// [`MemoryTier::flush`]. Takes as long as freeing what goes does; not for a thread that serves requests.
    pub fn resize(&self, capacity: u64) {
        let _changing = self.changing.lock();
        if self.live.load().resize(capacity).is_err() {
            self.start_anew(capacity);
        }
    }

    fn start_anew(&self, capacity: u64) -> Epoch {
        let mut flushed = self.flushed.lock();
        let epoch = self.live.load().epoch().next();
        let shape = Shape::new(capacity, self.object_limit);
        let old = self.live.swap(Arc::new(Generation::new(shape, epoch, &self.departures)));
        old.retire();
        flushed.push_back(old);
        let excess = if flushed.len() > FLUSHED_LIMIT { flushed.pop_front() } else { None };
        drop(flushed);
        if let Some(excess) = excess {
            excess.drain(usize::MAX);
        }
        epoch
    }

    /// Frees some of what flushes have left: whole shards until at least `entries` entries are gone. Returns how many
    /// went; 0 means that nothing is left.
    pub fn drain_some(&self, entries: usize) -> usize {
        loop {
            let Some(oldest) = self.flushed.lock().front().cloned() else { return 0 };
            match oldest.drain(entries.max(1)) {
                0 => self.flushed.lock().retain(|generation| !Arc::ptr_eq(generation, &oldest)),
                gone => return gone,
            }
        }
    }

    /// Bytes that are taken, by what is served and by what flushes have left.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.live.load().bytes() + self.flushed_bytes()
    }

    /// Entries that can be found.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.live.load().entries()
    }

    /// Bytes that it may take.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.live.load().capacity()
    }

    /// The largest body that it stores, bytes.
    #[must_use]
    pub const fn object_limit(&self) -> u64 {
        self.object_limit
    }

    /// Counts of what has left, by the way it left.
    #[must_use]
    pub fn departures(&self) -> &Departures {
        &self.departures
    }

    fn flushed_bytes(&self) -> u64 {
        self.flushed.lock().iter().map(|generation| generation.bytes()).sum()
    }

    fn fits_beside_flushed(&self, live: &Generation, entry: &Entry) -> bool {
        let flushed = self.flushed_bytes();
        flushed == 0 || flushed + live.bytes() + entry.weight() as u64 <= live.capacity()
    }
}

impl Tier for MemoryTier {
    fn get(&self, key: KeyRef<'_>, now_ns: u64) -> Found {
        Self::get(self, key, now_ns)
    }

    fn insert(&self, entry: Arc<Entry>, began: Epoch) -> Result<(), NotStored> {
        Self::insert(self, entry, began)
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        Self::remove(self, key)
    }
}

#[cfg(test)]
mod tests;
