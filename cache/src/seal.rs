//! Who can read what the cache stores: keys, where they come from, and how they change.
//!
//! A [`Keyring`] has the operator's keys, one of them current. Each space of a store has a [`Salt`] of its own, and seals
//! its records under a key that is derived from both: dropping the salt makes all records of the space unreadable,
//! wherever copies of them lie. Records keep the id of their key, so a key that is no longer current still opens what it
//! sealed, until it leaves the ring.
//!
//! Each record is sealed under a key of its own, drawn by a random nonce of 192 bits (XAES-256-GCM). No counter has to
//! survive a crash or a copied machine, and no number of records is too many.
//!
//! Nothing here prints key material: not in errors, not by `Debug`. Keys are wiped when they are dropped.

mod command;
mod keyring;
mod memory;
mod secret;
mod source;
mod space;
mod xaes;

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

pub use keyring::{KEYS_LIMIT, KeyId, Keyring, KeyringError, Keys};
pub use memory::MemorySeal;
pub(crate) use memory::SealedEntry;
pub use secret::{Secret, SecretError};
pub use source::{Source, SourceError};
pub(crate) use space::{NotOpened, Space};
pub(crate) use xaes::{NONCE_LEN, TAG_LEN};

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system gives no random bytes")]
pub struct NoRandom;

/// Fills `bytes` with random ones.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), NoRandom> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| NoRandom)
}

/// What makes the keys of one space its own. Whoever forgets it forgets the space.
pub struct Salt(Zeroizing<[u8; Self::LEN]>);

impl Salt {
    /// Bytes of a salt.
    pub const LEN: usize = 32;

    /// A salt that nobody has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, NoRandom> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        random(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// A salt that was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes to keep, wiped when they are dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        self.0.clone()
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(secret)")
    }
}
