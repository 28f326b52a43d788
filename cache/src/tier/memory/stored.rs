//! What the shards hold: entries as they are, or sealed.

use std::sync::Arc;

use crate::entry::Entry;
use crate::key::{KeyRef, Keyed};
use crate::seal::SealedEntry;

/// One of both; a tier holds only one kind.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    Plain(Arc<Entry>),
    Sealed(Arc<SealedEntry>),
}

impl Stored {
    pub(super) fn is_purged_softly(&self) -> bool {
        match self {
            Self::Plain(entry) => entry.is_purged_softly(),
            Self::Sealed(sealed) => sealed.judged().read().1,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Plain(entry) => entry.weight(),
            Self::Sealed(sealed) => sealed.weight(),
        }
    }
}

impl Keyed for Stored {
    /// Of what is sealed only the fingerprint is known.
    fn key(&self) -> KeyRef<'_> {
        match self {
            Self::Plain(entry) => entry.key(),
            Self::Sealed(sealed) => KeyRef { fingerprint: sealed.fingerprint(), bytes: b"" },
        }
    }

    /// What is sealed says so by its fingerprint; its key's bytes are compared once it is open.
    fn is_under(&self, key: KeyRef<'_>) -> bool {
        match self {
            Self::Plain(entry) => entry.key() == key,
            Self::Sealed(sealed) => sealed.fingerprint() == key.fingerprint,
        }
    }
}
