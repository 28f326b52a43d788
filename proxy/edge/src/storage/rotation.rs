//! A change of keys that may still be taken back.
//!
//! The new keys have to seal before anybody can wait for the last of what the old ones sealed, and that wait can fail, as
//! can the rest of the reload. Then the old ones come back. What was sealed in between is a miss until its key is listed
//! again: nothing is lost but the time that it takes to fetch it.

use std::sync::Arc;

use sluice_cache::seal::{KeyId, Keyring, KeyringError, Keys};

/// A change of keys; taken back when it is dropped.
#[must_use = "it is taken back unless it is kept"]
#[derive(Debug)]
pub struct Rotation<'r>(Option<(&'r Arc<Keyring>, Keys)>);

impl<'r> Rotation<'r> {
    /// Nothing changes.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// From now on these seal.
    pub(super) fn begin(keyring: &'r Arc<Keyring>, keys: Keys) -> Result<Self, KeyringError> {
        Ok(Self(Some((keyring, keyring.replace(keys)?))))
    }

    /// The key that sealed before, if it does not any more.
    pub(super) fn replaced(&self) -> Option<KeyId> {
        let (keyring, before) = self.0.as_ref()?;
        Some(before.current()).filter(|before| *before != keyring.current())
    }

    /// It holds.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Rotation<'_> {
    fn drop(&mut self) {
        if let Some((keyring, before)) = self.0.take()
            && let Err(error) = keyring.replace(before)
        {
            // They agreed about every id when they were replaced.
            tracing::error!(%error, "the keys before are not back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_cache::seal::Secret;

    fn keys(ids: &[u32]) -> Keys {
        let key = |id: &u32| (KeyId(*id), Secret::from_bytes([*id as u8; 32]));
        Keys::new(ids.iter().map(key).collect(), KeyId(*ids.last().unwrap())).unwrap()
    }

    #[test]
    fn what_is_not_kept_is_taken_back() {
        let ring = Arc::new(Keyring::new(keys(&[1])));
        let rotation = Rotation::begin(&ring, keys(&[1, 2])).unwrap();
        assert_eq!((rotation.replaced(), ring.current()), (Some(KeyId(1)), KeyId(2)));
        drop(rotation);
        assert_eq!((ring.current(), ring.ids()), (KeyId(1), vec![KeyId(1)]));
        let rotation = Rotation::begin(&ring, keys(&[2, 1])).unwrap();
        assert_eq!(rotation.replaced(), None, "another key to read with is no rotation");
        rotation.keep();
        assert_eq!(ring.ids(), [KeyId(2), KeyId(1)]);
    }
}
