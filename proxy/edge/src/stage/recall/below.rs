//! What lies on disk, where memory has nothing. Each key is asked for once; of a key whose answers vary, the marker and
//! then the variant.

use std::sync::Arc;

use sluice_cache::answer::vary::MARKER;
use sluice_cache::key::Keyed;
use sluice_cache::tier::disk::Pending;
use sluice_cache::{Birth, Entry, Epoch, Found, KeyRef};

use crate::plan::StageCache;
use crate::stage::Exchange;
use crate::storage::Looked;

/// How far a request has come with the disk.
#[derive(Debug, Default)]
pub enum OnDisk {
    /// Not yet asked.
    #[default]
    NotAsked,
    /// Is being read.
    Reading(Pending, Since),
    /// The same, while the driver waits.
    Waited(Since),
    /// Has come.
    Came(Option<Arc<Entry>>, Since),
    /// Has answered.
    Found,
    /// Had nothing to say.
    Asked,
}

/// The state of memory before the disk was asked: what a flush or a purge since then has made unreachable does not come
/// into memory.
#[derive(Debug)]
pub struct Since {
    epoch: Epoch,
    /// While it is held no purge is forgotten.
    _birth: Birth,
}

impl Since {
    fn now(cache: &StageCache) -> Self {
        Self { epoch: cache.memory.epoch(), _birth: cache.memory.bans().birth() }
    }
}

impl OnDisk {
    /// What is to be waited for.
    pub fn take(&mut self) -> Option<Pending> {
        match std::mem::replace(self, Self::Asked) {
            Self::Reading(pending, since) => {
                *self = Self::Waited(since);
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
        *self = match std::mem::replace(self, Self::Asked) {
            Self::Waited(since) => Self::Came(entry, since),
            other => other,
        };
    }

    /// Whether it has what the request is answered with.
    pub const fn has_found(&self) -> bool {
        matches!(self, Self::Found)
    }
}

/// What the disk has under a key; `None`: it has to be waited for. What may be served goes into memory.
pub(super) fn look(exchange: &mut Exchange<'_>, cache: &StageCache, key: KeyRef<'_>) -> Option<Found> {
    let now = exchange.now.mono;
    let (entry, since) = match std::mem::replace(&mut exchange.disk, OnDisk::Asked) {
        OnDisk::NotAsked if cache.disk.is_open() => {
            let since = Since::now(cache);
            match cache.disk.look(key, now) {
                Looked::Absent => return Some(Found::Absent),
                Looked::Found(entry) => (entry, since),
                Looked::Reading(pending) => {
                    exchange.disk = OnDisk::Reading(pending, since);
                    return None;
                }
            }
        }
        // What is asked for may be another variant by now.
        OnDisk::Came(Some(entry), since) if entry.key() == key => (entry, since),
        _ => return Some(Found::Absent),
    };
    let is_marker = entry.status() == MARKER;
    let found = cache.memory.take_up(entry, since.epoch, now);
    exchange.disk = match &found {
        // It is no answer, but leads to one, which the disk may have too. The marker itself is in memory now.
        Found::Fresh(_) | Found::Expired(_) if is_marker => OnDisk::NotAsked,
        Found::Fresh(_) => OnDisk::Found,
        _ => OnDisk::Asked,
    };
    Some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::AtomicU64;

    use sluice_cache::entry::{Draft, Lifetime};
    use sluice_cache::flight::Limits;
    use sluice_cache::key::SECRET_LEN;
    use sluice_cache::{Flights, KeyHasher, MemoryTier, Sequence, Turns};

    use super::*;
    use crate::message::date::Now;
    use crate::message::head::{Head, Version};
    use crate::message::request_id::RequestId;
    use crate::stage::accept::{Connection, Verdict};

    const MIB: u64 = 1024 * 1024;

    fn entry(key: KeyRef<'_>) -> Arc<Entry> {
        let (lifetime, born) = (Lifetime::until(0, u64::MAX), Sequence(0));
        Arc::new(Entry::new(Draft { key, status: 200, notes: b"", head: b"", lifetime, born }, &[]).unwrap())
    }

    /// What is found under a key, when this has come from disk, and whether the answer counts as the disk's.
    fn found(key: KeyRef<'_>, came: Option<Arc<Entry>>) -> (bool, bool) {
        let cache = StageCache {
            memory: MemoryTier::new(MIB, MIB),
            disk: Arc::default(),
            flights: Flights::new(Limits::default()),
            turns: Turns::new(),
            size: AtomicU64::new(MIB),
        };
        let head = Head::flat(Version::Http11, b"GET", b"/", b"a", std::iter::empty()).unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let connection = Connection { peer, listener: 0, verdict: Verdict::Plain, mutual: None };
        let mut exchange = Exchange::new(head, connection, Now::default(), RequestId::default());
        exchange.disk = OnDisk::Came(came, Since::now(&cache));
        let is_fresh = matches!(look(&mut exchange, &cache, key), Some(Found::Fresh(_)));
        (is_fresh, exchange.disk.has_found())
    }

    #[test]
    fn what_has_come_for_another_key_is_nobody_s_answer() {
        let hasher = KeyHasher::new([1; SECRET_LEN]);
        let (one, other) = (hasher.key(b"one"), hasher.key(b"other"));
        assert_eq!(found(one, Some(entry(one))), (true, true));
        assert_eq!(found(one, Some(entry(other))), (false, false));
        assert_eq!(found(one, None), (false, false));
    }
}
