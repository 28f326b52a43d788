//! The shards between two flushes.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use foyer_memory::{Cache, CacheBuilder, CacheProperties, S3FifoConfig};

use crate::entry::Entry;
use crate::invalidate::Epoch;
use crate::key::{ByFingerprint, ByKey, Fingerprint, KeyRef, Keyed, Prehashed};

use super::departures::{Departures, Listener, purging};
use super::stored::Stored;

type Shard = Cache<ByKey<Stored>, (), Prehashed, CacheProperties>;

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

    /// The same shards with another capacity, unless too few of the largest objects would fit into one.
    pub(super) fn resized(self, capacity: u64) -> Option<Self> {
        let shard_capacity = capacity / self.shards as u64;
        let least = self.object_limit.saturating_add(self.object_limit / LARGEST_OVERHEAD);
        let shard_capacity = usize::try_from(shard_capacity).unwrap_or(usize::MAX);
        (shard_capacity as u64 >= least).then_some(Self { shard_capacity, ..self })
    }
}

/// One part in so many is what the largest objects weigh beside their bodies, at most.
const LARGEST_OVERHEAD: u64 = 4;

const OBJECTS_PER_SHARD: u64 = 16;
const SMALLEST_OBJECT_LIMIT: u64 = 64 * 1024;
const SHARDS_LIMIT: u64 = 256;

const fn previous_power_of_two(number: u64) -> u64 {
    1 << number.ilog2()
}

/// All shards of one epoch.
pub(super) struct Generation {
    epoch: Epoch,
    object_limit: u64,
    shard_capacity: AtomicUsize,
    shards: Box<[Shard]>,
    listener: Arc<Listener>,
}

impl Generation {
    pub(super) fn new(shape: Shape, epoch: Epoch, departures: &Arc<Departures>) -> Self {
        let listener = Arc::new(Listener::new(Arc::clone(departures)));
        let shards = (0..shape.shards).map(|_| shard(shape.shard_capacity, &listener)).collect();
        let (object_limit, shard_capacity) = (shape.object_limit, AtomicUsize::new(shape.shard_capacity));
        Self { epoch, object_limit, shard_capacity, shards, listener }
    }

    /// Takes another capacity, without forgetting more than has to go. Takes as long as freeing that takes.
    ///
    /// # Errors
    /// The shards would be too small for the largest objects; nothing has changed.
    pub(super) fn resize(&self, capacity: u64) -> Result<(), ()> {
        let shape = self.shape().resized(capacity).ok_or(())?;
        self.shard_capacity.store(shape.shard_capacity, Ordering::Relaxed);
        // The one error is a refused eviction configuration, and none is handed over.
        self.shards.iter().for_each(|shard| drop(shard.resize(shape.shard_capacity)));
        Ok(())
    }

    fn shape(&self) -> Shape {
        let shard_capacity = self.shard_capacity.load(Ordering::Relaxed);
        Shape { shards: self.shards.len(), shard_capacity, object_limit: self.object_limit }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.shard_capacity.load(Ordering::Relaxed) as u64 * self.shards.len() as u64
    }

    /// foyer would empty a whole shard for an entry that is larger, and keep it.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        let capacity = self.shard_capacity.load(Ordering::Relaxed);
        entry.body().len() as u64 <= self.object_limit && entry.weight() <= capacity
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn get(&self, key: KeyRef<'_>) -> Option<Stored> {
        let found = self.shard(key)?.get(&key)?;
        Some(found.key().0.clone())
    }

    pub(super) fn has(&self, key: KeyRef<'_>) -> bool {
        self.shard(key).is_some_and(|shard| shard.contains(&key))
    }

    pub(super) fn insert(&self, stored: Stored) {
        let stored = ByKey(stored);
        if let Some(shard) = self.shard(stored.0.key()) {
            shard.insert(stored, ());
        }
    }

    pub(super) fn remove(&self, key: KeyRef<'_>) -> bool {
        self.shard(key).is_some_and(|shard| shard.remove(&key).is_some())
    }

    /// Removes what a purge has covered.
    pub(super) fn purge(&self, key: KeyRef<'_>) -> bool {
        purging(|| self.remove(key))
    }

    /// What has this fingerprint, whatever its key.
    pub(super) fn known_as(&self, fingerprint: Fingerprint) -> Option<Stored> {
        let by = ByFingerprint(fingerprint);
        Some(self.shard(KeyRef { fingerprint, bytes: b"" })?.get(&by)?.key().0.clone())
    }

    /// Every entry of one shard. They are looked at once the shard is free again: others wait for its lock.
    pub(super) fn all(&self, shard: usize) -> Vec<Stored> {
        let Some(shard) = self.shards.get(shard) else { return Vec::new() };
        let mut all = Vec::with_capacity(shard.entries());
        {
            let look = pin!(shard.flush_if(|stored: &ByKey<Stored>, (): &()| {
                all.push(stored.0.clone());
                false
            }));
            // It waits for a tier that foyer itself has below, and there is none.
            let done = look.poll(&mut Context::from_waker(Waker::noop()));
            debug_assert!(done.is_ready());
        }
        all
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
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
        .with_weighter(|stored: &ByKey<Stored>, (): &()| stored.0.weight())
        .with_event_listener(Arc::clone(listener) as Arc<_>)
        .build()
}

/// Which entries go first; what is tried out without bodies uses it too.
pub(crate) fn eviction() -> S3FifoConfig {
    S3FifoConfig::default()
}
