//! Looking at every entry in memory: to free what bans cover, and to tell what a purge would take.
//!
//! One shard at a time. Its lock is held for as long as it takes to note what is in it; bans and visitors are asked
//! afterwards, while look-ups go on. What is noted and evicted meanwhile is freed a moment later. Nothing here is called
//! from a thread that serves requests.

use std::sync::Arc;

use crate::answer::marker::Marker;
use crate::entry::Entry;
use crate::invalidate::{Ban, Coverage};
use crate::key::{KeyRef, Keyed};

use super::MemoryTier;
use super::generation::Generation;

/// Entries that a purge has taken, or would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many; those of a soft purge among them, which stay.
    pub entries: u64,
    /// What they cost, bytes.
    pub bytes: u64,
}

impl Swept {
    fn count(&mut self, entry: &Entry) {
        self.entries += 1;
        self.bytes += entry.weight() as u64;
    }
}

impl MemoryTier {
    /// Frees what bans cover and expires what they expire, everywhere; then no ban has to be kept for memory's sake.
    pub fn sweep(&self, now_ns: u64) -> Swept {
        let (newest, mut swept) = (self.bans.newest(), Swept::default());
        for shard in 0..self.shards() {
            self.sweep_shard(shard, &mut swept);
            std::thread::yield_now();
        }
        self.bans.settle(newest, now_ns);
        swept
    }

    /// The same for a purge of one key and its variants, without a search unless variants are to stay, expired.
    pub fn sweep_key(&self, ban: &Ban, key: KeyRef<'_>, now_ns: u64) -> Swept {
        let mut swept = Swept::default();
        let live = self.live.load();
        if let Some((entry, coverage)) = live.get(key).and_then(|stored| self.judge(stored)) {
            let marker = Marker::of(&entry);
            if marker.is_some() && coverage != Coverage::Gone {
                // Those that it does not list are reached through it all the same.
                return self.sweep(now_ns);
            }
            take(&live, &entry, coverage, &mut swept);
            for variant in marker.iter().flat_map(Marker::variants) {
                if let Some((entry, coverage)) = live.known_as(*variant).and_then(|stored| self.judge(stored)) {
                    take(&live, &entry, coverage, &mut swept);
                }
            }
        }
        ban.settle();
        self.bans.retire(now_ns);
        swept
    }

    fn sweep_shard(&self, shard: usize, swept: &mut Swept) {
        let live = self.live.load();
        for stored in live.all(shard) {
            let was_expired = stored.is_purged_softly();
            let Some((entry, coverage)) = self.judge(stored) else { continue };
            match coverage {
                Coverage::Gone => self.remove_purged(&live, &entry, swept),
                Coverage::Expired if !was_expired => swept.count(&entry),
                _ => {}
            }
        }
    }

    /// Unless a newer one has come into its place.
    fn remove_purged(&self, live: &Generation, entry: &Entry, swept: &mut Swept) {
        let there = live.get(entry.key()).and_then(|stored| self.judge(stored));
        if there.is_some_and(|(_, coverage)| coverage == Coverage::Gone) && live.purge(entry.key()) {
            swept.count(entry);
        }
    }

    /// Shows every entry of one part that can be found, in no order. There are [`MemoryTier::shards`] parts.
    pub fn visit(&self, shard: usize, mut visit: impl FnMut(&Arc<Entry>)) {
        for stored in self.live.load().all(shard) {
            if let Some((entry, Coverage::Clear | Coverage::Expired)) = self.judge(stored) {
                visit(&entry);
            }
        }
    }

    /// Parts that [`MemoryTier::visit`] shows.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.live.load().shards()
    }
}

fn take(live: &Generation, entry: &Entry, coverage: Coverage, swept: &mut Swept) {
    if coverage != Coverage::Clear {
        swept.count(entry);
    }
    if coverage == Coverage::Gone {
        live.purge(entry.key());
    }
}
