//! How a flush makes everything older unreachable at once.
//!
//! Every flush starts a new epoch. A fetch notes the epoch in which it began; what it brings is stored only while that
//! epoch still runs, so an answer that was asked for before a flush is never found after it.

/// The time between two flushes of one cache, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch that a flush starts.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many flushes came before.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Purges of one cache, counted from zero. A fetch notes the last one before it began; what it brings may be covered by
/// each later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);
