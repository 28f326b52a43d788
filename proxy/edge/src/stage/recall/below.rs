//! What lies on disk, where memory has nothing.

use std::sync::Arc;

use sluice_cache::invalidate::Coverage;
use sluice_cache::key::Keyed;
use sluice_cache::tier::disk::Pending;
use sluice_cache::{Entry, Epoch, Found, KeyRef};

use crate::plan::StageCache;
use crate::stage::Exchange;
use crate::storage::Looked;

/// How far a request has come with the disk: it is asked once.
#[derive(Debug, Default)]
pub enum OnDisk {
    /// Not yet asked.
    #[default]
    NotAsked,
    /// Is being read. The memory's epoch was this before.
    Reading(Pending, Epoch),
    /// The same, while the driver waits.
    Waited(Epoch),
    /// Has come.
    Came(Option<Arc<Entry>>, Epoch),
    /// Has answered.
    Found,
    /// Had nothing to say.
    Asked,
}

impl OnDisk {
    /// What is to be waited for.
    pub fn take(&mut self) -> Option<Pending> {
        match std::mem::replace(self, Self::Asked) {
            Self::Reading(pending, began) => {
                *self = Self::Waited(began);
                Some(pending)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// What has come of it.
    pub fn came(&mut self, entry: Option<Arc<Entry>>) {
        if let Self::Waited(began) = *self {
            *self = Self::Came(entry, began);
        }
    }

    /// Whether it has what the request is answered with.
    pub const fn has_found(&self) -> bool {
        matches!(self, Self::Found)
    }
}

/// What the disk has under a key; `None`: it has to be waited for. What may be served goes into memory.
pub(super) fn look(exchange: &mut Exchange<'_>, cache: &StageCache, key: KeyRef<'_>) -> Option<Found> {
    let now = exchange.now.mono;
    let (entry, began) = match std::mem::replace(&mut exchange.disk, OnDisk::Asked) {
        OnDisk::NotAsked => {
            // Before the look-up: what a flush since then has made unreachable does not come into memory.
            let began = cache.memory.epoch();
            match cache.disk.look(key, now) {
                Looked::Absent => return Some(Found::Absent),
                Looked::Found(entry) => (entry, began),
                Looked::Reading(pending) => {
                    exchange.disk = OnDisk::Reading(pending, began);
                    return None;
                }
            }
        }
        // What is asked for may be another variant by now.
        OnDisk::Came(Some(entry), began) if entry.key() == key => (entry, began),
        _ => return Some(Found::Absent),
    };
    let found = judge(cache, entry, now);
    if let Found::Fresh(entry) = &found {
        exchange.disk = OnDisk::Found;
        // Should it not fit, it is read from disk again.
        let _served_either_way = cache.memory.insert(Arc::clone(entry), began);
    }
    Some(found)
}

/// As memory judges its own. An entry from a clock that has been set back since is nobody's to judge.
fn judge(cache: &StageCache, entry: Arc<Entry>, now: u64) -> Found {
    let bans = cache.memory.bans();
    if !bans.accepts(&entry) {
        return Found::Absent;
    }
    match bans.judge(&entry) {
        Coverage::Clear if entry.freshness(now).is_fresh() => Found::Fresh(entry),
        Coverage::Clear | Coverage::Expired => Found::Expired(entry),
        Coverage::Gone => Found::Purged,
    }
}
