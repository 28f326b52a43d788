//! One stage's part of the disk, which may be there or not yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sluice_cache::invalidate::{Ban, Bans, Durable, NotDurable, Target};
use sluice_cache::tier::disk::{Ack, Pending, Probe, Space};
use sluice_cache::{Entry, Epoch, KeyHasher, KeyRef};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nothing is kept on disk for longer, so that a ban that is kept for as long outlives all that it covers; nanoseconds.
const LONGEST: u64 = 31 * 24 * 3600 * NS_PER_SECOND;

/// A disk that takes longer than this for a read is slower than most origins.
const PATIENCE: Duration = Duration::from_millis(500);

/// A stage's part of the disk. While there is none every look-up is a miss, and nothing is kept.
#[derive(Debug, Default)]
pub struct StageDisk {
    space: ArcSwapOption<Space>,
    /// When the last of what was stored expires, nanoseconds.
    horizon_ns: AtomicU64,
    late: AtomicU64,
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
    /// Serves from a space from now on. What its bans forbid is forbidden; if they cannot be read all of it is.
    pub(super) fn attach(&self, space: Space, bans: &Bans, now_ns: u64) {
        let kept = space.bans();
        if bans.adopt(kept.iter().map(|(ban, _)| ban.as_slice())).is_err() {
            tracing::error!(space = space.name(), "its bans cannot be read: all that it holds is dropped");
            if let Err(error) = space.flush().wait() {
                tracing::error!(%error, space = space.name(), "it is not used");
                return;
            }
        }
        // How long the entries of earlier processes live is not known.
        self.horizon_ns.fetch_max(now_ns.saturating_add(LONGEST), Relaxed);
        self.space.store(Some(Arc::new(space)));
    }

    /// Serves nothing from now on.
    pub(super) fn detach(&self) {
        self.space.store(None);
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
                self.late.fetch_add(1, Relaxed);
                None
            }
        }
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
    fn horizon_ns(&self, now_ns: u64) -> u64 {
        match self.disk.space() {
            Some(_) => self.disk.horizon_ns.load(Relaxed).max(now_ns),
            None => 0,
        }
    }

    /// A key is removed at its place as well: a tombstone outlives every ban.
    fn ban(&self, ban: &Ban) -> Result<(), NotDurable> {
        let Some(space) = self.disk.space() else { return Ok(()) };
        let removed = match &ban.purge().target {
            Target::Key(key) => Some(space.remove(self.hasher.key(key))),
            _ => None,
        };
        let mut bytes = Vec::new();
        ban.encode(&mut bytes);
        let expires = u32::try_from(ban.until_ns().div_ceil(NS_PER_SECOND)).unwrap_or(u32::MAX);
        let kept = space.ban(&bytes, expires).wait().map_err(|error| NotDurable(error.to_string()));
        let removed = removed.map_or(Ok(()), |ack| ack.wait().map_err(|error| NotDurable(error.to_string())));
        kept.and(removed)
    }

    fn flush(&self) -> Result<(), NotDurable> {
        let Some(space) = self.disk.space() else { return Ok(()) };
        space.flush().wait().map_err(|error| NotDurable(error.to_string()))
    }
}
