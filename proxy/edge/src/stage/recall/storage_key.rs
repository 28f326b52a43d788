//! What a fetch has to remember of its look-up, so that nothing is stored that something has overtaken since.

use sluice_cache::entry::Lifetime;
use sluice_cache::flight::Asked;
use sluice_cache::freshness::origin::Grace;
use sluice_cache::{Birth, Epoch, Fingerprint, KeyRef, Turn};

use super::variant::Varies;
use crate::plan::StageCache;

/// A key that outlives the look-up, for the store.
#[derive(Clone, Debug)]
pub struct StorageKey {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// The memory's epoch when it was looked up: a flush since then forbids the store.
    pub began: Epoch,
    /// The same of the disk.
    pub below: Epoch,
    /// The turn then: a refresh that a client has forced since forbids the store, too.
    pub turn: Turn,
    /// The purges then: one since then that covers the answer forbids the store, too.
    pub birth: Birth,
    /// What purges ask about, once the answer's head is known.
    pub notes: Box<[u8]>,
    /// Until when the answer may be served, where the origin says it.
    pub lifetime: Option<Lifetime>,
    /// Bytes of the key without what makes a variant of it.
    pub primary_len: usize,
    /// What the answer varies by, once that is known.
    pub varies: Option<Box<Varies>>,
    /// For how long after its end it may be, where the origin does not.
    pub grace: Grace,
}

impl StorageKey {
    /// For a fetch that begins now.
    pub(super) fn new(key: KeyRef<'_>, cache: &StageCache, turn: Turn) -> Self {
        let (began, below) = (cache.memory.epoch(), cache.disk.epoch());
        let birth = cache.memory.bans().birth();
        let KeyRef { fingerprint, bytes } = key;
        let primary_len = bytes.len();
        Self {
            fingerprint,
            bytes: bytes.into(),
            began,
            below,
            turn,
            birth,
            notes: Box::default(),
            lifetime: None,
            primary_len,
            varies: None,
            grace: Grace::default(),
        }
    }

    /// When the answer is asked for, in flushes and purges.
    pub fn asked(&self) -> Asked {
        Asked { epoch: self.began, born: self.birth.sequence() }
    }

    /// The key to look up and to store under.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { fingerprint: self.fingerprint, bytes: &self.bytes }
    }
}
