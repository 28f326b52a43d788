//! Tables of names from the configuration: path segments, hosts, API ids.
//!
//! Their keys are the operator's, so no stranger can fill a bucket; a stranger only looks up. So the hash needs no
//! secret, and each name is hashed in one go: XXH3's streaming form costs a hit as much as the rest of the routing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Values by name.
pub type Names<K, V> = HashMap<Box<K>, V, BuildHasherDefault<NameHasher>>;

/// XXH3 of whole pieces, each seeded by what came before.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The end of a text, which a length before it or the table's comparison tells as well.
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(byte);
    }

    /// A length: the piece's own hash has it.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_spread() {
        let mut names = Names::<[u8], usize>::default();
        let name = |n: usize| format!("{}{n}", "n".repeat(n % 300)).into_bytes();
        for n in 0..3_000 {
            names.insert(name(n).into(), n);
        }
        assert!((0..3_000).all(|n| names.get(name(n).as_slice()) == Some(&n)));
        let hash = |name: &[u8]| {
            let mut hasher = NameHasher::default();
            hasher.write(name);
            hasher.finish() % 256
        };
        let buckets: std::collections::BTreeSet<u64> = (0..3_000).map(|n| hash(&name(n))).collect();
        assert_eq!(buckets.len(), 256, "every one of 256 buckets is met by 3,000 names");
    }
}
