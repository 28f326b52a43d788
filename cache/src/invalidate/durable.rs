//! Carrying a purge out in all tiers: it is answered once it holds, and would hold after a power cut.

use thiserror::Error;

use super::purge::{Purge, Target};
use super::{Ban, Epoch};
use crate::key::KeyHasher;
use crate::tier::memory::{MemoryTier, Swept};

/// A tier below memory that outlives the process.
pub trait Durable: Send + Sync {
    /// When all that it holds by now will have expired, nanoseconds of the clock of
    /// [`Lifetime`](crate::entry::Lifetime): so long a ban on it is needed. 0 if it holds nothing, or nothing that the
    /// purge means once [`Durable::ban`] has returned.
    fn horizon_ns(&self, purge: &Purge, now_ns: u64) -> u64;

    /// Keeps a ban. Waits until it would be there after a power cut.
    ///
    /// # Errors
    /// It cannot: after a restart what is banned may be back.
    fn ban(&self, ban: &Ban) -> Result<(), NotDurable>;

    /// Forgets everything. Waits until that would be so after a power cut.
    ///
    /// # Errors
    /// It cannot: after a restart what was flushed may be back.
    fn flush(&self) -> Result<(), NotDurable>;
}

/// A purge holds in memory, and may be undone by a restart.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it holds until a restart only: {0}")]
pub struct NotDurable(pub String);

/// Nothing below memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Volatile;

impl Durable for Volatile {
    fn horizon_ns(&self, _: &Purge, _: u64) -> u64 {
        0
    }

    fn ban(&self, _: &Ban) -> Result<(), NotDurable> {
        Ok(())
    }

    fn flush(&self) -> Result<(), NotDurable> {
        Ok(())
    }
}

/// Carries a purge out. When this returns no look-up finds what it covers, here or after a restart, and memory has given
/// up what it held of it; the count is of that. Blocks for as long as the disk takes and memory is searched. `hasher` is
/// the one that the keys were made with.
///
/// # Errors
/// It holds in memory, but the tier below could not keep it.
pub fn purge(
    memory: &MemoryTier,
    below: &dyn Durable,
    hasher: &KeyHasher,
    purge: Purge,
    now_ns: u64,
) -> Result<Swept, NotDurable> {
    // What is put below until the ban is seen counts for how long it is kept; what comes later sees the ban.
    let ban = memory.bans().publish(purge, u64::MAX);
    ban.keep_until(below.horizon_ns(ban.purge(), now_ns));
    let kept = below.ban(&ban);
    let swept = match &ban.purge().target {
        Target::Key(key) => memory.sweep_key(&ban, hasher.key(key), now_ns),
        _ => memory.sweep(now_ns),
    };
    kept.map(|()| swept)
}

/// Carries a flush out. When this returns nothing that was stored before is found, here or after a restart.
///
/// # Errors
/// It holds in memory, but the tier below could not keep it.
pub fn flush(memory: &MemoryTier, below: &dyn Durable) -> Result<Epoch, NotDurable> {
    // The lower tier first: what a look-up has brought up from it before is refused by memory then.
    let kept = below.flush();
    let epoch = memory.flush();
    memory.bans().flushed();
    kept.map(|()| epoch)
}
