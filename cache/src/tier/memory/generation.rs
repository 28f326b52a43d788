//! The shards between two flushes.

use std::fmt;
use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, CacheProperties, S3FifoConfig};

use crate::entry::Entry;
use crate::invalidate::Epoch;
use crate::key::{ByKey, KeyRef, Keyed, Prehashed};

use super::departures::{Departures, Listener};

type Shard = Cache<ByKey<Arc<Entry>>, (), Prehashed, CacheProperties>;

/// How a capacity is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// A power of two.
    shards: usize,
    shard_capacity: usize,
    object_limit: u64,
}

impl Shape {
    /// As many shards as leave room for [`OBJECTS_PER_SHARD`] of the largest objects in each: fewer shards waste less
    /// where one gets more than its share, more of them keep locks and evictions short.
    pub(super) fn new(capacity: u64, object_limit: u64) -> Self {
        let shard_at_least = object_limit.max(SMALLEST_OBJECT_LIMIT).saturating_mul(OBJECTS_PER_SHARD);
        let shards = previous_power_of_two((capacity / shard_at_least).clamp(1, SHARDS_LIMIT));
        let shard_capacity = usize::try_from(capacity / shards).unwrap_or(usize::MAX);
        Self { shards: shards as usize, shard_capacity, object_limit }
    }

    pub(super) const fn capacity(self) -> u64 {
        self.shard_capacity as u64 * self.shards as u64
    }

    pub(super) const fn object_limit(self) -> u64 {
        self.object_limit
    }

    /// foyer would empty a whole shard for an entry that is larger, and keep it.
    pub(super) const fn holds(self, entry: &Entry) -> bool {
        entry.body().len() as u64 <= self.object_limit && entry.weight() <= self.shard_capacity
    }
}

const OBJECTS_PER_SHARD: u64 = 16;
const SMALLEST_OBJECT_LIMIT: u64 = 64 * 1024;
const SHARDS_LIMIT: u64 = 256;

const fn previous_power_of_two(number: u64) -> u64 {
    1 << number.ilog2()
}

/// All shards of one epoch.
pub(super) struct Generation {
    epoch: Epoch,
    shards: Box<[Shard]>,
    listener: Arc<Listener>,
}

impl Generation {
    pub(super) fn new(shape: Shape, epoch: Epoch, departures: &Arc<Departures>) -> Self {
        let listener = Arc::new(Listener::new(Arc::clone(departures)));
        let shards = (0..shape.shards).map(|_| shard(shape.shard_capacity, &listener)).collect();
        Self { epoch, shards, listener }
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn get(&self, key: KeyRef<'_>) -> Option<Arc<Entry>> {
        let found = self.shard(key)?.get(&key)?;
        Some(Arc::clone(&found.key().0))
    }

    pub(super) fn insert(&self, entry: Arc<Entry>) {
        let stored = ByKey(entry);
        if let Some(shard) = self.shard(stored.0.key()) {
            shard.insert(stored, ());
        }
    }

    pub(super) fn remove(&self, key: KeyRef<'_>) -> bool {
        self.shard(key).is_some_and(|shard| shard.remove(&key).is_some())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.usage() as u64).sum()
    }

    pub(super) fn entries(&self) -> u64 {
        self.shards.iter().map(|shard| shard.entries() as u64).sum()
    }

    /// From now on what leaves has been flushed.
    pub(super) fn retire(&self) {
        self.listener.retire();
    }

    /// Empties shards until `entries` entries are gone; returns how many went.
    pub(super) fn drain(&self, entries: usize) -> usize {
        let mut gone = 0;
        for shard in self.shards.iter().filter(|shard| shard.entries() > 0) {
            if gone >= entries {
                break;
            }
            gone += shard.entries();
            shard.evict_all();
        }
        gone
    }

    /// The half of the fingerprint that the shard's own table does not use.
    fn shard(&self, key: KeyRef<'_>) -> Option<&Shard> {
        self.shards.get(key.fingerprint.high() as usize & (self.shards.len() - 1))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({:?}, {} shards)", self.epoch, self.shards.len())
    }
}

fn shard(capacity: usize, listener: &Arc<Listener>) -> Shard {
    CacheBuilder::new(capacity)
        .with_shards(1)
        .with_eviction_config(eviction())
        .with_hash_builder(Prehashed::default())
        .with_weighter(|stored: &ByKey<Arc<Entry>>, (): &()| stored.0.weight())
        .with_event_listener(Arc::clone(listener) as Arc<_>)
        .build()
}

/// Which entries go first; what is tried out without bodies uses it too.
pub(crate) fn eviction() -> S3FifoConfig {
    S3FifoConfig::default()
}
