//! The disk under the stages' caches: which stores there are, which stage has which part of one, and who looks after
//! them.
//!
//! `cache/src/tier/disk` is the store itself. Small stages share one, a stage from [`OWN_STORE`](crate::config::OWN_STORE)
//! on has its own; whoever has something on disk stays where it lies. All lie under one directory, which also holds the
//! secret that the keys' fingerprints are made with: without it nothing that an earlier process stored could be found
//! again.
//!
//! A store that cannot be opened (another process has it, its disk is away) is tried again, less and less often; until
//! then its stages serve from memory. What a stage has stays for a while when the stage is taken out of the
//! configuration.

mod attempts;
mod disks;
mod events;
mod leftovers;
mod objects;
mod opened;
mod owed;
mod rotation;
mod secret;
mod shelf;
mod stage_disk;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sluice_cache::invalidate::Bans;
use sluice_cache::key::SECRET_LEN;
use sluice_cache::seal::{KeyId, Keyring, KeyringError, Keys, MemorySeal};
use sluice_cache::tier::disk::NotDurable;
use sluice_cache::{MemoryTier, Sequence};
use thiserror::Error;

use crate::config::CacheBudget;
use crate::message::date::Epoch;

pub use disks::{Disks, NotShredded, Wanted};
pub use objects::{Fill, FillSeat, SendSeat};
pub use rotation::Rotation;
use secret::{SecretError, key_secret};
pub use shelf::{Shelf, Shelved, Shelves};
pub use stage_disk::{Looked, StageDisk};

/// What lies below the caches' memory, and how memory itself is kept.
#[derive(Debug, Default)]
pub struct Storage {
    /// The stores, where the node has a disk for them.
    pub disks: Option<Disks>,
    keyring: Option<Arc<Keyring>>,
    /// Memory is sealed too.
    everywhere: bool,
    closing: AtomicBool,
}

/// Why the gateway has no caches to start with.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The fingerprints' secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// No randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(std::io::Error),
    /// The keys of encryption at rest.
    #[error("[cache.encryption]: {0}")]
    Keys(#[from] KeyringError),
    /// What the key before has sealed may still be written after this, so that key stays.
    #[error(
        "[cache.encryption]: the disk cache '{store}' has not written all that key {from} sealed, which stays in use: {error}"
    )]
    NotRotated {
        /// The key that sealed it.
        from: KeyId,
        /// The store.
        store: String,
        /// Why.
        error: NotDurable,
    },
}

impl Storage {
    /// As the configuration says. Nothing is opened yet.
    ///
    /// # Errors
    /// The keys cannot be had.
    pub fn new(cache: &CacheBudget, clock: Epoch) -> Result<Self, StorageError> {
        let keyring = cache.encryption.as_ref().map(|e| Keys::load(&e.sources, e.current)).transpose()?;
        let keyring = keyring.map(|keys| Arc::new(Keyring::new(keys)));
        let disks = cache.disk.as_ref().map(|disk| Disks::new(&disk.directory, disk.reads, keyring.clone(), clock));
        let everywhere = cache.encryption.as_ref().is_some_and(|encryption| encryption.everywhere);
        Ok(Self { disks, keyring, everywhere, closing: AtomicBool::new(false) })
    }

    /// The secret of the keys' fingerprints: kept beside a disk, or `new`.
    ///
    /// # Errors
    /// It cannot be read, kept or made.
    pub fn key_secret(
        cache: &CacheBudget,
        new: impl FnOnce() -> std::io::Result<[u8; SECRET_LEN]>,
    ) -> Result<[u8; SECRET_LEN], StorageError> {
        match &cache.disk {
            Some(disk) => Ok(key_secret(&disk.directory, new)?),
            None => new().map_err(StorageError::Random),
        }
    }

    /// Reads the keys again: new entries are sealed with the current one from now on, and what was sealed with another is
    /// on the device. It holds once the caller keeps it.
    ///
    /// # Errors
    /// They cannot be had, or the device has not all that it should; the keys that there were stay.
    pub fn rotate(&self, cache: &CacheBudget) -> Result<Rotation<'_>, StorageError> {
        let (Some(keyring), Some(encryption)) = (&self.keyring, &cache.encryption) else {
            return Ok(Rotation::none());
        };
        let keys = Keys::load(&encryption.sources, encryption.current)?;
        let rotation = Rotation::begin(keyring, keys)?;
        if let (Some(from), Some(disks)) = (rotation.replaced(), &self.disks) {
            disks.commit().map_err(|(store, error)| StorageError::NotRotated { from, store, error })?;
        }
        Ok(rotation)
    }

    /// Whether what is written to disk is sealed.
    pub const fn is_sealed(&self) -> bool {
        self.keyring.is_some()
    }

    /// A memory tier for entries that may have come from an earlier process: its purges are numbered on from `now_ns`.
    pub fn memory(&self, capacity: u64, object_limit: u64, now_ns: u64) -> MemoryTier {
        let bans = Arc::new(Bans::starting_at(Sequence(now_ns)));
        let seal = self.everywhere.then(MemorySeal::random);
        match seal {
            Some(Ok(seal)) => MemoryTier::sealed(seal, bans, capacity, object_limit),
            // Without randomness nothing is kept rather than kept in the clear.
            Some(Err(error)) => {
                tracing::error!(%error, "no random bytes for a key: a cache keeps nothing until a restart");
                MemoryTier::under(bans, 0, 0)
            }
            None => MemoryTier::under(bans, capacity, object_limit),
        }
    }

    /// Begins to close, while requests go on from memory.
    pub fn close_aside(self: &Arc<Self>) {
        if self.disks.is_none() || self.closing.swap(true, Relaxed) {
            return;
        }
        let storage = Arc::clone(self);
        let close = move || storage.close();
        // Should there be no thread, the end of the process closes them.
        let _ = std::thread::Builder::new().name("disk-close".into()).spawn(close);
    }

    /// Writes what is queued and gives the directories up. Blocks until that is done.
    pub fn close(&self) {
        if let Some(disks) = &self.disks {
            disks.close();
        }
    }
}
