//! How stored answers become unreachable before their time: flushes, purges, bans.
//!
//! A **flush** starts a new [`Epoch`]. A fetch notes the epoch in which it began; what it brings is stored only while
//! that epoch still runs, so an answer that was asked for before a flush is never found after it.
//!
//! A **purge** takes a part: one key with its variants, a method, a path prefix, a tag, or everything softly. It leaves a
//! [`Ban`]: what is covered, and a number. Entries know the number of the last purge before their fetch began
//! ([`Entry::born`](crate::Entry::born)); a ban with a later number covers them if its predicate does. Each look-up
//! compares two numbers, and asks predicates only when there is a ban that the entry has not been asked about yet. Fetches
//! under way hold a [`Birth`]: as long as one is older than a ban, the ban stays, so what it brings is refused.
//!
//! Hard is gone at once. Soft is expired at once: it may be served stale while a fresh answer is fetched. What a fetch
//! brings that began before either is not stored.

mod ban;
mod bans;
mod birth;
mod durable;
mod purge;

pub use ban::{Ban, BanError};
pub use bans::{BAN_BYTES, BANS, Bans, Coverage};
pub use birth::Birth;
pub use durable::{Durable, NotDurable, Volatile, flush, purge};
pub use purge::{Force, Purge, Target, TargetKind};

/// The time between two flushes of one cache, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch that a flush starts.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The epoch after so many flushes.
    #[must_use]
    pub const fn numbered(number: u64) -> Self {
        Self(number)
    }

    /// How many flushes came before.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Purges of one cache in their order. A fetch notes the last one before it began; what it brings may be covered by each
/// later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The one of the next purge.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests;
