//! A whole answer becomes an entry, in memory and on disk, unless something has come between since its fetch began.

use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::answer::marker::Marker;
use sluice_cache::answer::vary::MARKER;
use sluice_cache::entry::Lifetime;
use sluice_cache::freshness::Ttl;
use sluice_cache::invalidate::Coverage;
use sluice_cache::key::Keyed;
use sluice_cache::{Draft, Entry, Found, NotStored};

use super::accounts;
use crate::plan::StageCache;
use crate::stage::recall::StorageKey;
use crate::stage::recall::variant::Varies;

/// A whole answer that may be stored.
pub struct Answer<'a> {
    /// For how long.
    pub ttl: Ttl,
    /// Its status.
    pub status: u16,
    /// Its field lines.
    pub head: &'a [u8],
    /// Its body in pieces.
    pub body: &'a [Bytes],
}

impl Answer<'_> {
    /// Stores it, unless something has come between since its fetch began. Returns the body as it lies in memory.
    pub fn store(&self, cache: &StageCache, key: &StorageKey, now: u64) -> Option<Bytes> {
        let lifetime = key.lifetime.unwrap_or_else(|| self.ttl.with(key.grace, now));
        let born = key.birth.sequence();
        let draft =
            Draft { key: key.as_ref(), status: self.status, notes: &key.notes, head: self.head, lifetime, born };
        let stored = Entry::new(draft, self.body).map(Arc::new);
        let insert = |entry: Arc<Entry>| {
            cache.turns.keep(key.fingerprint, key.turn, || keep(cache, key, &entry, now))?;
            Ok(entry)
        };
        let marked = key.varies.as_ref().map_or(Ok(()), |varies| self.mark(cache, key, varies, lifetime, now));
        match marked.and(stored).and_then(insert) {
            Ok(entry) => cache.memory.is_plain().then(|| entry.body().clone()),
            Err(reason) => {
                accounts::note_not_stored(reason);
                None
            }
        }
    }

    /// Notes under the key itself by which fields its answers vary, and this one of them.
    fn mark(
        &self,
        cache: &StageCache,
        key: &StorageKey,
        by: &Varies,
        lifetime: Lifetime,
        now: u64,
    ) -> Result<(), NotStored> {
        // One after the other: none is forgotten.
        cache.turns.keep(by.primary, key.turn, || {
            let (primary, born) = (key.primary(by), key.birth.sequence());
            let known = match cache.memory.get(primary, now) {
                Found::Fresh(entry) | Found::Expired(entry) => {
                    Marker::of(&entry).map(|marker| (marker, lifetime.or_longer(entry.lifetime())))
                }
                _ => None,
            };
            let known = known.filter(|(marker, _)| marker.generation() == by.generation);
            let (marker, lifetime) = known.unwrap_or_else(|| (Marker::new(by.generation), lifetime));
            let body = Bytes::from(marker.with(key.fingerprint).ok_or(NotStored::Vary)?.encode());
            let draft = Draft { key: primary, status: MARKER, notes: &key.notes, head: &by.line, lifetime, born };
            let marker = Entry::new(draft, &[body]).map(Arc::new)?;
            keep(cache, key, &marker, now)
        })
    }
}

/// In memory, and on disk unless it must be nowhere.
fn keep(cache: &StageCache, key: &StorageKey, entry: &Arc<Entry>, now: u64) -> Result<(), NotStored> {
    let kept = cache.memory.insert(Arc::clone(entry), key.began);
    let may_lie_below = matches!(kept, Ok(()) | Err(NotStored::TooLarge | NotStored::Flushing));
    // While the key is held no later ban goes away: what one covers by now would outlive it below.
    let is_clear = || cache.memory.bans().judge(entry) == Coverage::Clear;
    if may_lie_below && is_clear() {
        cache.disk.insert(entry, key.below, now);
        if !is_clear() {
            drop(cache.disk.remove(entry.key()));
        }
    }
    kept
}
