//! One cache without its bodies.

use std::fmt;

use foyer_memory::{Cache, CacheBuilder, CacheProperties};

use super::{Case, Outcome, Request, Sampling, Tally};
use crate::entry::weight;
use crate::key::Prehashed;
use crate::tier::memory::eviction;

/// What is left of an entry.
struct Ghost {
    fresh_until_ns: u64,
    weight: usize,
}

pub(super) struct Shadow {
    case: Case,
    sampling: Sampling,
    cache: Cache<u64, Ghost, Prehashed, CacheProperties>,
    methods: Vec<Tally>,
    peak: usize,
}

impl Shadow {
    pub(super) fn new(case: Case, methods: usize, sampling: Sampling) -> Self {
        let capacity = usize::try_from(sampling.scaled(case.capacity)).unwrap_or(usize::MAX);
        let cache = CacheBuilder::new(capacity)
            .with_shards(1)
            .with_eviction_config(eviction())
            .with_hash_builder(Prehashed::default())
            .with_weighter(|_: &u64, ghost: &Ghost| ghost.weight)
            .build();
        Self { case, sampling, cache, methods: vec![Tally::default(); methods], peak: 0 }
    }

    pub(super) fn push(&mut self, request: &Request) {
        let key = request.key.low();
        let fresh = self.cache.get(&key).map(|found| found.value().fresh_until_ns > request.at_ns);
        if let Some(tally) = self.methods.get_mut(request.method) {
            count(tally, fresh, request.bytes);
        }
        if fresh != Some(true) && request.storable {
            self.store(key, request);
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let peak_bytes = self.sampling.unscaled(self.peak as u64);
        Outcome { case: self.case, methods: self.methods.clone(), peak_bytes }
    }

    /// What is larger than the cache would empty it, and the tier refuses it.
    fn store(&mut self, key: u64, request: &Request) {
        let weight = weight(usize::try_from(request.bytes).unwrap_or(usize::MAX));
        if weight <= self.cache.capacity() && self.case.ttl_ns > 0 {
            let fresh_until_ns = request.at_ns.saturating_add(self.case.ttl_ns);
            self.cache.insert(key, Ghost { fresh_until_ns, weight });
            self.peak = self.peak.max(self.cache.usage());
        }
    }
}

/// Bytes that a request's answer takes in a cache.
pub(super) fn room_for(request: &Request) -> u64 {
    weight(usize::try_from(request.bytes).unwrap_or(usize::MAX)) as u64
}

const fn count(tally: &mut Tally, fresh: Option<bool>, bytes: u64) {
    match fresh {
        Some(true) => tally.hits += 1,
        Some(false) => tally.expired += 1,
        None => tally.misses += 1,
    }
    match fresh {
        Some(true) => tally.hit_bytes += bytes,
        _ => tally.origin_bytes += bytes,
    }
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shadow({:?})", self.case)
    }
}
