//! Entries to fill a tier with.

use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::entry::{Draft, Lifetime};
use sluice_cache::key::SECRET_LEN;
use sluice_cache::{Entry, KeyHasher, Sequence};

/// Makes entries with bodies of one size.
pub(crate) struct Entries {
    hasher: KeyHasher,
    body: Bytes,
}

/// The bytes of a key.
pub(crate) const fn key(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

impl Entries {
    pub(crate) fn new(size: usize) -> Self {
        let mut state = 1_u64;
        let bytes = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        Self { hasher: KeyHasher::new([9; SECRET_LEN]), body: bytes.take(size).collect() }
    }

    pub(crate) const fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    pub(crate) fn entry(&self, number: u64) -> Arc<Entry> {
        let bytes = key(number);
        let (lifetime, born) = (Lifetime::until(0, u64::MAX), Sequence::default());
        let draft = Draft { key: self.hasher.key(&bytes), status: 200, notes: b"", head: b"", lifetime, born };
        Arc::new(Entry::new(draft, std::slice::from_ref(&self.body)).unwrap())
    }
}
