//! Where answers are kept.

pub mod disk;
pub mod memory;

use std::sync::Arc;

use crate::entry::Entry;
use crate::freshness::NotStored;
use crate::invalidate::Epoch;
use crate::key::KeyRef;

use memory::Found;

/// A place where answers are kept and found at once, without waiting.
///
/// What a tier cannot do is a miss or a reason, never a failure of the request.
pub trait Tier: Send + Sync {
    /// What is stored under a key.
    fn get(&self, key: KeyRef<'_>, now_ns: u64) -> Found;

    /// Stores an answer whose fetch began in the epoch `began`.
    ///
    /// # Errors
    /// Why the tier does not keep it.
    fn insert(&self, entry: Arc<Entry>, began: Epoch) -> Result<(), NotStored>;

    /// Forgets what is stored under a key; tells whether anything was.
    fn remove(&self, key: KeyRef<'_>) -> bool;
}
