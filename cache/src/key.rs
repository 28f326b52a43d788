//! The parts of a request become injective bytes and a 128-bit fingerprint.
//!
//! Every part is written with a marker and its length, so two different lists of parts never have the same bytes: an
//! absent parameter differs from an empty one, and one value with a separator in it from two values. The fingerprint
//! only finds the place; stored entries keep the bytes and compare them, so a collision is a miss and never another
//! key's answer.
//!
//! Which parts a method's key has is the caller's rule. The [`Scope`] of a method is known when its plan is made and is
//! written once into a [`KeyPrefix`]; a request copies that and adds its parameters, without allocating once its buffer
//! has grown.

use std::fmt;
use std::hash::{Hash, Hasher};

use equivalent::Equivalent;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128_with_secret;

mod parts;
mod prehashed;

pub use parts::{Part, Parts, Values};
pub(crate) use prehashed::Prehashed;

/// The longest key, bytes. A request with a longer one is answered without the cache.
pub const KEY_LIMIT: usize = 16 * 1024;

/// Bytes of the secret that a [`KeyHasher`] needs.
pub const SECRET_LEN: usize = 192;

const ABSENT: u8 = 0;
const VALUE: u8 = 1;
const VALUES: u8 = 2;
/// Begins what tells the variants of one key apart. No key has a part that begins so.
pub(crate) const VARIANT: u8 = 3;

/// A key longer than [`KEY_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the cache key is longer than {KEY_LIMIT} bytes")]
pub struct KeyTooLong;

/// The parts that all keys of one method share.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The API's id.
    pub api: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// The cache namespace, by default the resource's id.
    pub namespace: &'a str,
    /// The verb as it is executed.
    pub verb: &'a str,
    /// What shapes the answer: a content hash, or the deployment's id under AWS's profile.
    pub content: &'a [u8],
}

/// The bytes with which all keys of one method begin; made once per plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(Box<[u8]>);

impl KeyPrefix {
    /// Parts that [`Scope`] writes; the parameters follow them in [`Parts`].
    pub const PARTS: usize = 5;

    /// Writes a method's scope.
    ///
    /// # Errors
    /// The names alone are longer than a key may be.
    pub fn new(scope: Scope<'_>) -> Result<Self, KeyTooLong> {
        let mut buffer = Vec::new();
        let mut writer = KeyWriter { buffer: &mut buffer, too_long: false };
        for name in [scope.api, scope.stage, scope.namespace, scope.verb] {
            writer.value(name.as_bytes());
        }
        writer.value(scope.content);
        writer.end()?;
        Ok(Self(buffer.into_boxed_slice()))
    }

    /// The bytes as they stand at the start of each key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes one request's key into the caller's buffer.
#[derive(Debug)]
pub struct KeyWriter<'a> {
    buffer: &'a mut Vec<u8>,
    too_long: bool,
}

impl<'a> KeyWriter<'a> {
    /// Empties `buffer` and starts a key of the method that `prefix` stands for.
    #[inline]
    pub fn start(buffer: &'a mut Vec<u8>, prefix: &KeyPrefix) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&prefix.0);
        Self { buffer, too_long: false }
    }

    /// Adds a parameter, which may be absent.
    #[inline]
    pub fn part(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.value(value),
            None => self.absent(),
        }
    }

    /// Adds a parameter that the request does not have.
    pub fn absent(&mut self) {
        self.mark(ABSENT, 0);
    }

    /// Adds a parameter with one value, which may be empty.
    #[inline]
    pub fn value(&mut self, value: &[u8]) {
        if self.fits(5 + value.len()) {
            // What fits is far shorter than that.
            let [a, b, c, d] = (value.len() as u32).to_le_bytes();
            self.buffer.reserve(5 + value.len());
            self.buffer.extend_from_slice(&[VALUE, a, b, c, d]);
            self.buffer.extend_from_slice(value);
        }
    }

    /// Adds a parameter with all of its values, in their order. No value at all differs from absence.
    pub fn values<'v>(&mut self, values: impl ExactSizeIterator<Item = &'v [u8]>) {
        self.mark(VALUES, 4);
        self.length(values.len());
        values.for_each(|value| self.counted(value));
    }

    /// Ends the key, which stays in the buffer.
    ///
    /// # Errors
    /// The key is longer than [`KEY_LIMIT`].
    #[inline]
    pub fn finish(self, hasher: &KeyHasher) -> Result<KeyRef<'a>, KeyTooLong> {
        self.end()?;
        let bytes: &'a [u8] = self.buffer;
        Ok(hasher.key(bytes))
    }

    fn end(&self) -> Result<(), KeyTooLong> {
        if self.too_long { Err(KeyTooLong) } else { Ok(()) }
    }

    fn mark(&mut self, marker: u8, following: usize) {
        if self.fits(1 + following) {
            self.buffer.push(marker);
        }
    }

    fn counted(&mut self, value: &[u8]) {
        if self.fits(4 + value.len()) {
            self.length(value.len());
            self.buffer.extend_from_slice(value);
        }
    }

    fn length(&mut self, length: usize) {
        match u32::try_from(length) {
            Ok(length) if self.fits(4) => self.buffer.extend_from_slice(&length.to_le_bytes()),
            _ => self.too_long = true,
        }
    }

    /// Whether `more` bytes still fit; once they did not, nothing is written any more.
    #[inline]
    fn fits(&mut self, more: usize) -> bool {
        self.too_long |= more > KEY_LIMIT.saturating_sub(self.buffer.len());
        !self.too_long
    }
}

/// A 128-bit digest of a key's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The half that hash tables use.
    #[must_use]
    pub const fn low(self) -> u64 {
        self.0 as u64
    }

    /// The half that chooses a shard, independent of [`Fingerprint::low`].
    #[must_use]
    pub const fn high(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Makes fingerprints that a stranger cannot aim: XXH3-128 with a secret.
pub struct KeyHasher(Box<[u8; SECRET_LEN]>);

impl KeyHasher {
    /// The secret should be random. Fingerprints are the same wherever it is the same, so keep it where they are kept.
    #[must_use]
    pub fn new(secret: [u8; SECRET_LEN]) -> Self {
        Self(Box::new(secret))
    }

    /// The fingerprint of a key's bytes.
    #[must_use]
    pub fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        Fingerprint(xxh3_128_with_secret(bytes, self.0.as_slice()))
    }

    /// A key for look-ups over bytes that a [`KeyWriter`] wrote.
    #[must_use]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> KeyRef<'a> {
        KeyRef { fingerprint: self.fingerprint(bytes), bytes }
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher(secret)")
    }
}

/// A borrowed key: what a look-up needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRef<'a> {
    /// The digest of `bytes`.
    pub fingerprint: Fingerprint,
    /// All parts, as written by [`KeyWriter`].
    pub bytes: &'a [u8],
}

impl<'a> KeyRef<'a> {
    /// The parts again, for explaining: first the five of [`Scope`], then the parameters.
    #[must_use]
    pub fn parts(self) -> Parts<'a> {
        Parts::new(self.bytes)
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint.low());
    }
}

/// Whatever is stored under a key and keeps its bytes.
pub trait Keyed {
    /// The key under which this is stored.
    fn key(&self) -> KeyRef<'_>;

    /// Whether that key is this one.
    fn is_under(&self, key: KeyRef<'_>) -> bool {
        self.key() == key
    }
}

/// Something keyed that hashes and compares by its key alone, for the tables that look it up by a [`KeyRef`].
#[derive(Debug, Clone)]
pub struct ByKey<T>(pub T);

impl<T: Keyed> PartialEq for ByKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl<T: Keyed> Eq for ByKey<T> {}

impl<T: Keyed> Hash for ByKey<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}

impl<T: Keyed> Equivalent<ByKey<T>> for KeyRef<'_> {
    fn equivalent(&self, stored: &ByKey<T>) -> bool {
        stored.0.is_under(*self)
    }
}

/// Stands for whatever is stored under a fingerprint, in tables of [`ByKey`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByFingerprint(pub(crate) Fingerprint);

impl Hash for ByFingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { fingerprint: self.0, bytes: b"" }.hash(state);
    }
}

impl<T: Keyed> Equivalent<ByKey<T>> for ByFingerprint {
    fn equivalent(&self, stored: &ByKey<T>) -> bool {
        stored.0.key().fingerprint == self.0
    }
}

#[cfg(test)]
mod tests;
