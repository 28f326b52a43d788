//! How an entry becomes bytes that outlive the process, and an entry again.
//!
//! A record is a clear front (version, form, key id), the fixed fields, the entry's block as it lies in memory (key,
//! notes, head, body) and a proof. In a plain record the proof is a 64-bit checksum, against accidents; a sealed one has
//! a nonce behind its front, is encrypted from there on, and its proof is the cipher's tag. The proof covers the front,
//! the fingerprint and whatever the store binds to it (its frame header) as well, so a record that is found in another
//! place than its own is refused.
//!
//! Whatever is wrong with a record is an error value; reading one never allocates, it takes over the caller's buffer.
//! Numbers are little-endian. What the store must do with a refused record (a miss) is not decided here.

mod fields;
mod front;
mod plain;
mod sealed;

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::entry::Entry;
use crate::key::Fingerprint;
use crate::seal::{KeyId, Keyring, Salt, Space};

use fields::Fields;
use front::Front;

/// The longest `bound`, bytes.
pub const BOUND_LIMIT: usize = 128;

/// Why an entry could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// More than [`BOUND_LIMIT`] bytes should be bound to the record.
    #[error("more than {BOUND_LIMIT} bytes should be bound to the record")]
    BoundTooLong,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
    /// The entry is longer than the cipher takes at once (64 GiB), or the library refuses the key.
    #[error("the cipher refuses the entry")]
    Cipher,
}

/// Why a record is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Shorter than the shortest record.
    #[error("the record is too short")]
    Short,
    /// Written by another version of Sluice, or no record.
    #[error("the record has version {0}, not {VERSION}", VERSION = front::VERSION)]
    Version(u8),
    /// Plain where it should be sealed, or sealed where it should be plain.
    #[error("the record is not in the form that its space has")]
    Form,
    /// Sealed under a key that the ring does not have.
    #[error("the record is sealed under key {0}, which is not in the ring")]
    UnknownKey(KeyId),
    /// Not as it was written, or not where it was written.
    #[error("the record is damaged or not in its place")]
    Damaged,
    /// Its fields contradict each other.
    #[error("the record's fields contradict each other")]
    Fields,
}

/// How the entries of one space (a stage's part of a store) become bytes and entries again.
#[derive(Debug)]
pub struct Codec(Kind);

#[derive(Debug)]
enum Kind {
    Plain,
    Sealed(Space),
}

impl Codec {
    /// Records that anybody can read who can read the store.
    #[must_use]
    pub const fn plain() -> Self {
        Self(Kind::Plain)
    }

    /// Records that only the ring's keys open, and only with this salt. They are sealed under the ring's current key.
    #[must_use]
    pub fn sealed(keyring: Arc<Keyring>, salt: Salt) -> Self {
        Self(Kind::Sealed(Space::new(keyring, salt)))
    }

    /// The exact length of an entry's record, bytes.
    #[must_use]
    pub fn encoded_len(&self, entry: &Entry) -> usize {
        let around = match self.0 {
            Kind::Plain => plain::AROUND,
            Kind::Sealed(_) => sealed::AROUND,
        };
        around + fields::LEN + entry.block().len()
    }

    /// Appends an entry's record to `out`. `bound` is the store's frame header, proven with the record but not part of
    /// it.
    ///
    /// # Errors
    /// The record could not be made; `out` is as it was.
    pub fn encode(&self, entry: &Entry, bound: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if bound.len() > BOUND_LIMIT {
            return Err(SealError::BoundTooLong);
        }
        out.reserve(self.encoded_len(entry));
        match &self.0 {
            Kind::Plain => plain::encode(entry, bound, out),
            Kind::Sealed(space) => sealed::encode(space, entry, bound, out)?,
        }
        Ok(())
    }

    /// Reads a record that was written for `fingerprint` with the same `bound`. Takes over the buffer: the entry's block
    /// is a slice of it.
    ///
    /// # Errors
    /// Why this is not such a record.
    pub fn decode(&self, fingerprint: Fingerprint, bound: &[u8], record: Vec<u8>) -> Result<Entry, RecordError> {
        if bound.len() > BOUND_LIMIT {
            return Err(RecordError::Damaged);
        }
        match (&self.0, Front::read(&record)?) {
            (Kind::Plain, Front::Plain) => plain::decode(fingerprint, bound, record),
            (Kind::Sealed(space), Front::Sealed(key)) => sealed::decode(space, key, fingerprint, bound, record),
            // A sealed space with plain records would take them from anybody who can write to the store.
            (Kind::Plain, Front::Sealed(_)) | (Kind::Sealed(_), Front::Plain) => Err(RecordError::Form),
        }
    }
}

fn write_content(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(&Fields::of(entry).to_bytes());
    out.extend_from_slice(entry.block());
}

/// The entry in a proven record, clear between `front` bytes at its start and `trailer` bytes at its end.
fn entry(fingerprint: Fingerprint, record: Vec<u8>, front: usize, trailer: usize) -> Result<Entry, RecordError> {
    let content_end = record.len().checked_sub(trailer).ok_or(RecordError::Short)?;
    let content = record.get(front..content_end).ok_or(RecordError::Short)?;
    let (fields, block) = Fields::read(content)?;
    let ends = fields.ends(block.len()).ok_or(RecordError::Fields)?;
    let held = record.capacity();
    let block = Bytes::from(record).slice(front + fields::LEN..content_end);
    Ok(Entry::from_record(fingerprint, block, ends, fields.meta(), held))
}

#[cfg(test)]
pub(crate) mod tests;
