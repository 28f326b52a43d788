//! Which of several fetches of one key counts: whoever asked for a fresh answer overtakes all that began before.
//!
//! A client that forces a refresh must find its answer in the cache afterwards, and not that of a fetch that was under
//! way when it asked. Every fetch notes its [`Turn`] when it begins, and is stored only if nobody has overtaken it since.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::freshness::NotStored;
use crate::key::{Fingerprint, Prehashed};

/// When a fetch began, counted in forced refreshes of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Turn(u64);

/// The forced refreshes of one cache.
#[derive(Debug)]
pub struct Turns {
    last: AtomicU64,
    shards: [Mutex<Shard>; SHARDS],
}

/// A power of two.
const SHARDS: usize = 16;

/// Keys that a shard remembers. When they are more, every fetch of the shard that is under way counts as overtaken: an
/// answer that is not stored costs one more fetch, an old one that is would be served.
const KEYS: usize = 1024;

#[derive(Debug, Default)]
struct Shard {
    /// Overtaken, whatever the key.
    floor: Turn,
    latest: HashMap<u64, Turn, Prehashed>,
}

impl Turns {
    /// Nobody has forced anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self { last: AtomicU64::new(0), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The turn of a fetch that begins now.
    #[must_use]
    pub fn now(&self) -> Turn {
        Turn(self.last.load(Ordering::Acquire))
    }

    /// The turn of a forced refresh that begins now: all earlier fetches of the key are overtaken.
    pub fn overtake(&self, key: Fingerprint) -> Turn {
        let mut shard = self.shard(key).lock();
        let turn = Turn(self.last.fetch_add(1, Ordering::AcqRel) + 1);
        if shard.latest.len() >= KEYS && !shard.latest.contains_key(&key.low()) {
            shard.floor = turn;
            shard.latest.clear();
        }
        shard.latest.insert(key.low(), turn);
        turn
    }

    /// Stores what a fetch has brought, unless it was overtaken. Nobody overtakes it while `store` runs.
    ///
    /// # Errors
    /// [`NotStored::Superseded`], or what `store` says.
    pub fn keep<T>(
        &self,
        key: Fingerprint,
        turn: Turn,
        store: impl FnOnce() -> Result<T, NotStored>,
    ) -> Result<T, NotStored> {
        let shard = self.shard(key).lock();
        let latest = shard.latest.get(&key.low()).copied().unwrap_or_default();
        if turn < latest.max(shard.floor) { Err(NotStored::Superseded) } else { store() }
    }

    fn shard(&self, key: Fingerprint) -> &Mutex<Shard> {
        let [first, ..] = &self.shards;
        self.shards.get(key.high() as usize & (SHARDS - 1)).unwrap_or(first)
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Fingerprint = Fingerprint(7);

    fn stored(turns: &Turns, key: Fingerprint, turn: Turn) -> bool {
        turns.keep(key, turn, || Ok(())).is_ok()
    }

    #[test]
    fn a_refresh_overtakes_what_began_before_it_and_nothing_else() {
        let turns = Turns::new();
        let before = turns.now();
        let refresh = turns.overtake(KEY);
        let after = turns.now();
        assert!(!stored(&turns, KEY, before), "an older fetch ends after the refresh");
        assert!(stored(&turns, KEY, refresh) && stored(&turns, KEY, after));
        assert!(stored(&turns, Fingerprint(8), before), "another key");
    }

    #[test]
    fn of_two_refreshes_the_later_one_counts() {
        let turns = Turns::new();
        let (first, second) = (turns.overtake(KEY), turns.overtake(KEY));
        assert!(!stored(&turns, KEY, first) && stored(&turns, KEY, second));
    }

    #[test]
    fn what_is_no_longer_remembered_counts_as_overtaken() {
        let turns = Turns::new();
        let before = turns.now();
        turns.overtake(KEY);
        for key in 0..4 * KEYS as u128 {
            turns.overtake(Fingerprint(key));
        }
        assert!(!stored(&turns, KEY, before));
        assert!(turns.shards.iter().all(|shard| shard.lock().latest.len() <= KEYS));
        assert!(stored(&turns, KEY, turns.now()));
    }

    #[test]
    fn why_a_tier_refuses_is_passed_on() {
        let turns = Turns::new();
        assert_eq!(turns.keep::<()>(KEY, turns.now(), || Err(NotStored::TooLarge)), Err(NotStored::TooLarge));
    }
}
