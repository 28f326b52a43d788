//! The operator's keys: several, with ids, one of them current.
//!
//! [`Keyring::replace`] waits for records that are just being sealed, so that once it has returned no record is sealed
//! under a key that is not current any more. Records that wait in a store's buffers are the store's to write out.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};
use thiserror::Error;

use super::secret::Secret;
use super::source::{Source, SourceError};

/// The most keys in a ring.
pub const KEYS_LIMIT: usize = 16;

/// What the operator calls a key. It is written in clear into each record that the key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why keys make no ring.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// A key cannot be read.
    #[error("key {0}: {1}")]
    Source(KeyId, #[source] SourceError),
    /// Two keys have the same id.
    #[error("two keys have the id {0}")]
    Twice(KeyId),
    /// The current key is none of the keys.
    #[error("there is no key {0}, which should be the current one")]
    NoCurrent(KeyId),
    /// An id stands for other bytes than it did: what it sealed could not be opened any more.
    #[error(
        "key {0} is not the key that it was; give a new key a new id, and keep the old one until its records are gone"
    )]
    Changed(KeyId),
    /// More than [`KEYS_LIMIT`].
    #[error("there are {0} keys, and a ring holds {KEYS_LIMIT}")]
    TooMany(usize),
}

/// Keys that can make a ring.
pub struct Keys {
    current: KeyId,
    all: Vec<(KeyId, Secret)>,
}

impl Keys {
    /// Checks that ids are unique and that the current one is among them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(all: Vec<(KeyId, Secret)>, current: KeyId) -> Result<Self, KeyringError> {
        let mut ids: Vec<_> = all.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.chunk_by(PartialEq::eq).find(|same| same.len() > 1).and_then(<[_]>::first) {
            return Err(KeyringError::Twice(*twice));
        }
        if ids.binary_search(&current).is_err() {
            return Err(KeyringError::NoCurrent(current));
        }
        if all.len() > KEYS_LIMIT {
            return Err(KeyringError::TooMany(all.len()));
        }
        Ok(Self { current, all })
    }

    /// Reads all keys, one after the other.
    ///
    /// # Errors
    /// The first that cannot be read, or what is wrong with all of them together.
    pub fn load(sources: &[(KeyId, Source)], current: KeyId) -> Result<Self, KeyringError> {
        let load = |(id, source): &(KeyId, Source)| match source.load() {
            Ok(secret) => Ok((*id, secret)),
            Err(error) => Err(KeyringError::Source(*id, error)),
        };
        Self::new(sources.iter().map(load).collect::<Result<_, _>>()?, current)
    }

    /// The key that seals.
    #[must_use]
    pub const fn current(&self) -> KeyId {
        self.current
    }

    pub(super) fn all(&self) -> &[(KeyId, Secret)] {
        &self.all
    }

    fn get(&self, id: KeyId) -> Option<&Secret> {
        self.all.iter().find(|(known, _)| *known == id).map(|(_, secret)| secret)
    }

    /// An id in both that does not stand for the same key in both.
    fn changed(&self, other: &Self) -> Option<KeyId> {
        let changed = |(id, secret): &&(KeyId, Secret)| other.get(*id).is_some_and(|other| !other.is(secret));
        self.all.iter().find(changed).map(|(id, _)| *id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.all.iter().map(|(id, _)| id.0).collect();
        write!(f, "Keys({ids:?}, current {})", self.current)
    }
}

/// The keys of the moment, for all spaces of a node.
pub struct Keyring {
    keys: RwLock<Keys>,
    /// Counts the replacements; changed only under the lock.
    generation: AtomicU64,
}

impl Keyring {
    /// A ring of these keys.
    #[must_use]
    pub const fn new(keys: Keys) -> Self {
        Self { keys: RwLock::new(keys), generation: AtomicU64::new(0) }
    }

    /// Puts other keys in place of all. From its return on nothing is sealed under a key that is not their current one,
    /// and nothing opens that needs a key which is not among them. The keys before, which may be put back the same way.
    ///
    /// # Errors
    /// [`KeyringError::Changed`]; the ring stays as it was.
    pub fn replace(&self, keys: Keys) -> Result<Keys, KeyringError> {
        let mut held = self.keys.write();
        if let Some(id) = held.changed(&keys) {
            return Err(KeyringError::Changed(id));
        }
        let before = std::mem::replace(&mut *held, keys);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(before)
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.keys.read().current
    }

    /// All ids, in the order of their configuration.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys.read().all.iter().map(|(id, _)| *id).collect()
    }

    /// The keys, which stay as they are until the guard is dropped.
    pub(super) fn hold(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read()
    }

    /// Changes with each replacement.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({:?})", self.keys.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[(u32, u8)], current: u32) -> Result<Keys, KeyringError> {
        let key = |&(id, byte): &(u32, u8)| (KeyId(id), Secret::from_bytes([byte; 32]));
        Keys::new(all.iter().map(key).collect(), KeyId(current))
    }

    #[test]
    fn keys_that_make_no_ring_say_why() {
        assert!(matches!(keys(&[(1, 1), (2, 2), (1, 3)], 2), Err(KeyringError::Twice(KeyId(1)))));
        assert!(matches!(keys(&[(1, 1)], 2), Err(KeyringError::NoCurrent(KeyId(2)))));
        assert!(matches!(keys(&[], 0), Err(KeyringError::NoCurrent(KeyId(0)))));
        let many: Vec<_> = (0..17).map(|id| (id, 1)).collect();
        assert!(matches!(keys(&many, 0), Err(KeyringError::TooMany(17))));
    }

    #[test]
    fn an_id_keeps_its_key() {
        let ring = Keyring::new(keys(&[(1, 1), (2, 2)], 1).unwrap());
        let changed = ring.replace(keys(&[(2, 3), (3, 3)], 3).unwrap());
        assert!(matches!(changed, Err(KeyringError::Changed(KeyId(2)))));
        assert_eq!((ring.current(), ring.ids()), (KeyId(1), vec![KeyId(1), KeyId(2)]));
        let before = ring.replace(keys(&[(2, 2), (3, 3)], 3).unwrap()).unwrap();
        assert_eq!((ring.current(), ring.ids()), (KeyId(3), vec![KeyId(2), KeyId(3)]));
        ring.replace(before).unwrap();
        assert_eq!((ring.current(), ring.ids()), (KeyId(1), vec![KeyId(1), KeyId(2)]));
    }

    #[test]
    fn an_error_names_the_key_that_cannot_be_read() {
        let missing = Source::Variable("SLUICE_TEST_NO_SUCH_VARIABLE".into());
        let error = Keys::load(&[(KeyId(4), missing)], KeyId(4)).unwrap_err();
        let expected = "key 4: the environment variable SLUICE_TEST_NO_SUCH_VARIABLE is not set, or is no text";
        assert_eq!(error.to_string(), expected);
    }
}
