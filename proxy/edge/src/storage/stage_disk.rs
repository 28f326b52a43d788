//! One stage's part of the disk, which may be there or not yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use sluice_cache::invalidate::{Ban, Bans, Durable, Force, NotDurable, Purge, Target};
use sluice_cache::tier::disk::{Ack, Pending, Probe, Space};
use sluice_cache::{Entry, Epoch, KeyHasher, KeyRef};

use super::objects::Filling;
use super::owed::Owed;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nothing is kept on disk for longer, so that a ban that is kept for as long outlives all that it covers; nanoseconds.
const LONGEST: u64 = 31 * 24 * 3600 * NS_PER_SECOND;

/// A disk that takes longer than this for a read is slower than most origins.
const PATIENCE: Duration = Duration::from_millis(500);

/// A stage's part of the disk. While there is none every look-up is a miss, and nothing is kept.
#[derive(Debug, Default)]
pub struct StageDisk {
    space: ArcSwapOption<Space>,
    /// Held by whoever exchanges the space.
    owed: Mutex<Owed>,
    /// When the last of what was stored expires, nanoseconds.
    horizon_ns: AtomicU64,
    late: AtomicU64,
    pub(super) filling: Filling,
    objects: AtomicU64,
    lost: AtomicU64,
}

/// What a look-up on disk comes to.
#[derive(Debug)]
pub enum Looked {
    /// Nothing.
    Absent,
    /// It was at hand.
    Found(Arc<Entry>),
    /// It is being read.
    Reading(Pending),
}

impl StageDisk {
    /// It is to come.
    pub(super) fn expect(&self) {
        self.owed.lock().await_disk(true);
    }

    /// Serves from a space from now on. What its bans forbid is forbidden; if they cannot be read all of it is. What it
    /// has missed while it was not open is made up for first.
    pub(super) fn attach(&self, space: Space, bans: &Bans, now_ns: u64) {
        let mut owed = self.owed.lock();
        let longest = now_ns.saturating_add(LONGEST);
        if let Err(error) = owed.settle(&space, expiry(longest)) {
            tracing::error!(%error, space = space.name(), "purges have not reached it: it is not used");
            return;
        }
        let kept = space.bans();
        if bans.adopt(kept.iter().map(|(ban, _)| ban.as_slice())).is_err() {
            tracing::error!(
                space = space.name(),
                "the purges of a disk cache cannot be read: all that it holds is dropped"
            );
            if let Err(error) = space.flush().wait() {
                tracing::error!(%error, space = space.name(), "what a disk cache holds cannot be dropped: it is not used");
                return;
            }
        }
        // How long the entries of earlier processes live is not known.
        self.horizon_ns.fetch_max(longest, Relaxed);
        self.space.store(Some(Arc::new(space)));
    }

    /// Serves nothing from now on.
    pub(super) fn detach(&self) {
        self.space.store(None);
    }

    /// The same, and nothing is to come.
    pub(super) fn dismiss(&self) {
        self.owed.lock().await_disk(false);
        self.detach();
    }

    /// Its space, while there is one.
    pub fn space(&self) -> Option<Arc<Space>> {
        self.space.load_full()
    }

    /// What is stored under a key. Never blocks.
    pub fn look(&self, key: KeyRef<'_>, now_ns: u64) -> Looked {
        let space = self.space.load();
        match space.as_ref().map(|space| space.probe(key, now_ns)) {
            None | Some(Probe::Absent) => Looked::Absent,
            Some(Probe::Ready(entry)) => Looked::Found(entry),
            Some(Probe::Read(pending)) => Looked::Reading(pending),
        }
    }

    /// The epoch that a fetch notes when it begins.
    pub fn epoch(&self) -> Epoch {
        self.space.load().as_ref().map_or_else(Epoch::default, |space| space.epoch())
    }

    /// Waits for a read, for so long as it is worth it.
    pub async fn wait(&self, reading: Pending) -> Option<Arc<Entry>> {
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(found) => found,
            Err(_) => {
                self.count_late();
                None
            }
        }
    }

    /// A read has taken too long.
    pub fn count_late(&self) {
        self.late.fetch_add(1, Relaxed);
    }

    /// A large object is stored whole.
    pub fn count_object(&self) {
        self.objects.fetch_add(1, Relaxed);
    }

    /// A large object was found, and is not whole any more.
    pub fn count_lost(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    /// Large objects that were stored, and those that were found and not whole any more.
    pub fn objects(&self) -> (u64, u64) {
        (self.objects.load(Relaxed), self.lost.load(Relaxed))
    }

    /// Reads that took too long, and were misses.
    pub fn late(&self) -> u64 {
        self.late.load(Relaxed)
    }

    /// Keeps an entry whose fetch began in the epoch `began`. Never blocks; what is not kept the store has counted.
    pub fn insert(&self, entry: &Arc<Entry>, began: Epoch, now_ns: u64) {
        let space = self.space.load();
        let Some(space) = space.as_ref() else { return };
        let lifetime = entry.lifetime();
        let last = lifetime.fresh_until_ns.max(lifetime.revalidate_until_ns).max(lifetime.error_until_ns);
        if last > now_ns.saturating_add(LONGEST) {
            return;
        }
        self.horizon_ns.fetch_max(last, Relaxed);
        // Every reason is counted by the store.
        let _counted = space.insert(Arc::clone(entry), began);
    }

    /// Whether a look-up may find anything.
    pub fn is_open(&self) -> bool {
        self.space.load().is_some()
    }

    /// Drops what is stored under a key; durably so once the answer resolves.
    pub fn remove(&self, key: KeyRef<'_>) -> Option<Ack> {
        self.space.load().as_ref().map(|space| space.remove(key))
    }

    /// The same disk as purges see it.
    pub fn durable<'d>(&'d self, hasher: &'d KeyHasher) -> impl Durable + 'd {
        Purged { disk: self, hasher }
    }
}

struct Purged<'d> {
    disk: &'d StageDisk,
    hasher: &'d KeyHasher,
}

impl Durable for Purged<'_> {
    /// What stood under a key is gone once its place has a tombstone, and that outlives every ban: variants of it are
    /// reached through it alone.
    fn horizon_ns(&self, purge: &Purge, now_ns: u64) -> u64 {
        match self.disk.space() {
            Some(_) if is_of_one_place(purge) => 0,
            Some(_) => self.disk.horizon_ns.load(Relaxed).max(now_ns),
            None if self.disk.owed.lock().is_awaited() => now_ns.saturating_add(LONGEST),
            None => 0,
        }
    }

    fn ban(&self, ban: &Ban) -> Result<(), NotDurable> {
        let mut owed = self.disk.owed.lock();
        let Some(space) = self.disk.space() else { return owed.ban(ban) };
        drop(owed);
        let kept = match &ban.purge().target {
            Target::Key(key) if is_of_one_place(ban.purge()) => space.remove(self.hasher.key(key)),
            _ => space.ban(&encoded(ban), expiry(ban.until_ns())),
        };
        kept.wait().map_err(|error| NotDurable(error.to_string()))
    }

    fn flush(&self) -> Result<(), NotDurable> {
        let mut owed = self.disk.owed.lock();
        let Some(space) = self.disk.space() else { return owed.flush() };
        drop(owed);
        space.flush().wait().map_err(|error| NotDurable(error.to_string()))
    }
}

/// Nothing that it means lies anywhere but in the place of its key.
fn is_of_one_place(purge: &Purge) -> bool {
    matches!((&purge.target, purge.force), (Target::Key(_), Force::Hard))
}

pub(super) fn encoded(ban: &Ban) -> Vec<u8> {
    let mut bytes = Vec::new();
    ban.encode(&mut bytes);
    bytes
}

/// In seconds since 1970, as the store counts.
fn expiry(until_ns: u64) -> u32 {
    u32::try_from(until_ns.div_ceil(NS_PER_SECOND)).unwrap_or(u32::MAX)
}
