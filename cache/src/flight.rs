//! One fetch per key however many wait for it.
//!
//! The first request for a key leads: it fetches. Those that come meanwhile follow. Once the head of the answer is
//! there the leader says what it is:
//!
//! - Not storable: every follower goes to the origin by itself at once, and for a while nobody follows on this key.
//! - Storable and of known length: followers get the head and read the body while it grows, each at its own pace.
//! - Storable and of unknown length: followers wait until it is whole. Should it outgrow the object limit they go by
//!   themselves; the leader's own client gets the rest through a bounded [`Window`].
//!
//! If the fetch fails, all who wait get that [`Failure`] at once, and who comes later begins anew: nobody waits for more
//! than one fetch. A leader that is dropped without a word is gone: exactly one follower leads next and the others keep
//! waiting. Followers wait as long as they like; a deadline is a dropped [`Follower`].
//!
//! Nothing here spawns, sleeps or reads a clock. Wakers are called outside all locks; locks are held for moments and
//! taken in one order, the table's shard before the flight.

mod board;
mod budget;
mod follower;
mod growing;
mod leader;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::invalidate::{Epoch, Sequence};
use crate::key::{KeyRef, Prehashed};

use board::{Flight, Seat};
use budget::Budget;

pub use follower::{Follower, Verdict};
pub use growing::{Broken, Head, Reader};
pub use leader::{Excess, Filling, Incomplete, Leader};
pub use window::{ClientGone, WINDOW, Window};

/// What flights may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Followers of one key; more go by themselves.
    pub followers: usize,
    /// The largest body that is collected, bytes.
    pub object_bytes: u64,
    /// Bodies on their way and those that slow readers still hold, bytes, all flights together.
    pub buffered_bytes: u64,
    /// For how long nobody follows on a key whose answer was not storable, nanoseconds.
    pub alone_for_ns: u64,
    /// How many such keys are remembered.
    pub alone_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            followers: 10_000,
            object_bytes: 1024 * 1024,
            buffered_bytes: 16 * 1024 * 1024,
            alone_for_ns: 10_000_000_000,
            alone_keys: 16 * 1024,
        }
    }
}

/// What a request that missed the cache does.
#[derive(Debug)]
pub enum Role {
    /// Fetch, for all. Look into the tier once more before: the last leader may have stored the answer meanwhile.
    Lead(Leader),
    /// Wait for the leader.
    Follow(Follower),
    /// Fetch by yourself, for yourself.
    Uncollapsed,
}

/// How a fetch has failed, for all who waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke.
    Network,
    /// No answer in time.
    Timeout,
    /// What came was no answer, or not all of one.
    Malformed,
}

/// When a request was sent to the origin, in flushes and purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The epoch at that time.
    pub epoch: Epoch,
    /// The last purge before.
    pub born: Sequence,
}

impl Asked {
    /// Whether the answer is as good for who asks later.
    fn serves(self, later: Self, is_purged: impl FnOnce(Sequence) -> bool) -> bool {
        self.epoch >= later.epoch && (self.born >= later.born || !is_purged(self.born))
    }
}

/// All fetches under way.
#[derive(Debug)]
pub struct Flights {
    limits: Limits,
    budget: Arc<Budget>,
    shards: [Mutex<Shard>; SHARDS],
}

/// A power of two.
const SHARDS: usize = 64;

impl Flights {
    /// No fetches yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let budget = Arc::new(Budget::new(limits.buffered_bytes));
        Arc::new(Self { limits, budget, shards: std::array::from_fn(|_| Mutex::default()) })
    }

    /// Takes part in the fetch of a key, for a request that noted `asked` when it missed. `is_purged` tells whether what was
    /// asked for after a certain purge may be covered by a later one: then nobody who asks now follows it.
    pub fn join(
        self: &Arc<Self>,
        key: KeyRef<'_>,
        asked: Asked,
        now_ns: u64,
        is_purged: impl FnOnce(Sequence) -> bool,
    ) -> Role {
        let mut shard = self.shard(key.fingerprint.low()).lock();
        if shard.is_alone(key.fingerprint.low(), now_ns) {
            return Role::Uncollapsed;
        }
        match shard.flights.get(&key.fingerprint.low()) {
            Some(flight) if !flight.is_for(key) => Role::Uncollapsed,
            Some(flight) if flight.asked().serves(asked, is_purged) => self.follow(flight),
            _ => self.lead(&mut shard, key, asked),
        }
    }

    /// Fetches a key anew for a request that no flight before it may answer. Who comes later follows this one; those
    /// who follow an older one already stay with it.
    pub fn overtake(self: &Arc<Self>, key: KeyRef<'_>, asked: Asked, now_ns: u64) -> Role {
        let mut shard = self.shard(key.fingerprint.low()).lock();
        match shard.is_alone(key.fingerprint.low(), now_ns) {
            true => Role::Uncollapsed,
            false => self.lead(&mut shard, key, asked),
        }
    }

    /// Keys that are being fetched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().flights.len()).sum()
    }

    /// Whether nothing is being fetched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of bodies that are on their way or still being read.
    #[must_use]
    pub fn buffered_bytes(&self) -> u64 {
        self.budget.used()
    }

    fn follow(self: &Arc<Self>, flight: &Arc<Flight>) -> Role {
        match flight.admit(self.limits.followers) {
            Some(ticket) => Role::Follow(Follower::new(Arc::clone(self), Arc::clone(flight), ticket)),
            None => Role::Uncollapsed,
        }
    }

    fn lead(self: &Arc<Self>, shard: &mut Shard, key: KeyRef<'_>, asked: Asked) -> Role {
        if self.budget.is_spent() {
            return Role::Uncollapsed;
        }
        let flight = Arc::new(Flight::new(key, asked));
        // A flight from before a flush or a purge, if there is one, goes on for those who follow it already.
        shard.flights.insert(key.fingerprint.low(), Arc::clone(&flight));
        Role::Lead(Leader::new(Seat::new(Arc::clone(self), flight)))
    }

    fn shard(&self, digest: u64) -> &Mutex<Shard> {
        let [first, ..] = &self.shards;
        // The top bits: the table inside uses the low ones.
        self.shards.get((digest >> (64 - SHARDS.ilog2())) as usize).unwrap_or(first)
    }
}

/// Part of the table, under one lock.
#[derive(Debug, Default)]
struct Shard {
    /// By the low half of the fingerprint; the flight knows the whole key.
    flights: HashMap<u64, Arc<Flight>, Prehashed>,
    /// Keys on which nobody follows, and until when.
    alone: HashMap<u64, u64, Prehashed>,
}

impl Shard {
    fn is_alone(&self, digest: u64, now_ns: u64) -> bool {
        self.alone.get(&digest).is_some_and(|until_ns| now_ns < *until_ns)
    }

    /// Remembers a key as uncollapsed. Where there is no room it is not remembered, which costs its next followers a
    /// wait for a head.
    fn leave_alone(&mut self, digest: u64, now_ns: u64, limits: &Limits) {
        let room = (limits.alone_keys / SHARDS).max(1);
        if self.alone.len() >= room {
            self.alone.retain(|_, until_ns| now_ns < *until_ns);
        }
        if self.alone.len() < room {
            self.alone.insert(digest, now_ns.saturating_add(limits.alone_for_ns));
        }
    }

    fn remove(&mut self, flight: &Arc<Flight>) {
        if self.flights.get(&flight.digest()).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            self.flights.remove(&flight.digest());
        }
    }
}

#[cfg(test)]
mod tests;
