//! What stands under a key whose answers vary: by what they do (its head), and which there are (its body).
//!
//! The answers themselves stand under longer keys, which name the marker's generation: the number of the last purge when
//! it was made. A marker that is made after a purge has another one, so what the purge may have missed because its own
//! marker was evicted is never found again.

use super::vary::MARKER;
use crate::entry::Entry;
use crate::invalidate::Sequence;
use crate::key::{Fingerprint, VARIANT};

/// Variants of one key.
pub const VARIANTS: usize = 64;

const GENERATION: usize = size_of::<u64>();

/// The body of a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    generation: Sequence,
    variants: Vec<Fingerprint>,
}

impl Marker {
    /// One without variants.
    #[must_use]
    pub const fn new(generation: Sequence) -> Self {
        Self { generation, variants: Vec::new() }
    }

    /// Of an entry that is one.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        if entry.status() != MARKER {
            return None;
        }
        let (generation, list) = entry.body().split_first_chunk::<GENERATION>()?;
        let variants = list.as_chunks().0.iter().map(|bytes| Fingerprint(u128::from_le_bytes(*bytes))).collect();
        Some(Self { generation: Sequence(u64::from_le_bytes(*generation)), variants })
    }

    /// The same with one more variant; `None` if there are too many.
    #[must_use]
    pub fn with(mut self, variant: Fingerprint) -> Option<Self> {
        if !self.variants.contains(&variant) {
            if self.variants.len() >= VARIANTS {
                return None;
            }
            self.variants.push(variant);
        }
        Some(self)
    }

    /// What its variants' keys name.
    #[must_use]
    pub const fn generation(&self) -> Sequence {
        self.generation
    }

    /// Its variants.
    #[must_use]
    pub fn variants(&self) -> &[Fingerprint] {
        &self.variants
    }

    /// As an entry's body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.generation.0.to_le_bytes().to_vec();
        self.variants.iter().for_each(|variant| body.extend_from_slice(&variant.0.to_le_bytes()));
        body
    }
}

/// The generation that a variant's key names, behind the key's first `primary` bytes; `None` if it is no variant's.
#[must_use]
pub fn generation_of(key: &[u8], primary: usize) -> Option<Sequence> {
    let rest = key.get(primary..)?.strip_prefix(&[VARIANT])?;
    rest.first_chunk().map(|bytes| Sequence(u64::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::entry::{Draft, Lifetime};
    use crate::key::{KeyHasher, SECRET_LEN};

    fn entry(status: u16, body: Vec<u8>) -> Entry {
        let key = KeyHasher::new([1; SECRET_LEN]).key(b"k");
        let (lifetime, born) = (Lifetime::until(0, 9), Sequence(0));
        Entry::new(Draft { key, status, notes: b"", head: b"", lifetime, born }, &[Bytes::from(body)]).unwrap()
    }

    #[test]
    fn a_key_has_so_many_variants_and_no_more() {
        let mut marker = Marker::new(Sequence(7));
        for n in 0..VARIANTS as u128 {
            marker = marker.with(Fingerprint(n)).unwrap();
        }
        assert_eq!(marker.clone().with(Fingerprint(3)), Some(marker.clone()));
        assert_eq!(Marker::of(&entry(MARKER, marker.encode())), Some(marker.clone()));
        assert_eq!(marker.with(Fingerprint(VARIANTS as u128)), None);
    }

    #[test]
    fn what_is_no_marker_is_none() {
        assert_eq!(Marker::of(&entry(200, Marker::new(Sequence(7)).encode())), None);
        assert_eq!(Marker::of(&entry(MARKER, vec![0; GENERATION - 1])), None);
        assert_eq!(generation_of(b"key", 3), None);
        assert_eq!(generation_of(b"key\x03\x09\0\0\0\0\0\0\0+", 3), Some(Sequence(9)));
        assert_eq!(generation_of(b"key\x03\x09\0", 3), None);
    }
}
