//! How an entry becomes bytes that outlive the process, and an entry again.
//!
//! A record is a clear front (version, form, key id), the fixed fields, the entry's block as it lies in memory (key,
//! notes, head, body) and a proof. In a plain record the proof is a 64-bit checksum, against accidents. The proof covers
//! the front, the fingerprint and whatever the store binds to it (its frame header) as well, so a record that is found
//! in another place than its own is refused.
//!
//! Whatever is wrong with a record is an error value; reading one never allocates, it takes over the caller's buffer.
//! Numbers are little-endian. What the store must do with a refused record (a miss) is not decided here.

mod fields;
mod front;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::entry::Entry;
use crate::key::{Fingerprint, Keyed};

use fields::Fields;
use front::{Form, Front};

/// Bytes of a checksum.
const SUM_LEN: usize = 8;

/// The longest `bound`, bytes.
pub const BOUND_LIMIT: usize = 128;

/// Why an entry could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// More than [`BOUND_LIMIT`] bytes should be bound to the record.
    #[error("more than {BOUND_LIMIT} bytes should be bound to the record")]
    BoundTooLong,
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
}

impl Codec {
    /// Records that anybody can read who can read the store.
    #[must_use]
    pub const fn plain() -> Self {
        Self(Kind::Plain)
    }

    /// The exact length of an entry's record, bytes.
    #[must_use]
    pub const fn encoded_len(&self, entry: &Entry) -> usize {
        let around = match self.0 {
            Kind::Plain => front::LEN + SUM_LEN,
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
        match self.0 {
            Kind::Plain => encode_plain(entry, bound, out),
        }
        Ok(())
    }

    /// Reads a record that was written for `fingerprint` with the same `bound`. Takes over the buffer: the entry's block
    /// is a slice of it.
    ///
    /// # Errors
    /// Why this is not such a record.
    pub fn decode(&self, fingerprint: Fingerprint, bound: &[u8], record: Vec<u8>) -> Result<Entry, RecordError> {
        let front = Front::read(&record)?;
        match (&self.0, front.form) {
            (Kind::Plain, Form::Plain) => decode_plain(fingerprint, bound, record),
        }
    }
}

fn encode_plain(entry: &Entry, bound: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&Front { form: Form::Plain }.to_bytes());
    write_content(entry, out);
    let sum = sum(entry.key().fingerprint, bound, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
}

fn decode_plain(fingerprint: Fingerprint, bound: &[u8], record: Vec<u8>) -> Result<Entry, RecordError> {
    let (summed, stored) = record.split_last_chunk::<SUM_LEN>().ok_or(RecordError::Short)?;
    if sum(fingerprint, bound, summed) != u64::from_le_bytes(*stored) {
        return Err(RecordError::Damaged);
    }
    entry(fingerprint, record, front::LEN, SUM_LEN)
}

/// The record's checksum, seeded by what is proven with it.
fn sum(fingerprint: Fingerprint, bound: &[u8], record: &[u8]) -> u64 {
    let place = xxh3_64_with_seed(bound, xxh3_64(&fingerprint.0.to_le_bytes()));
    xxh3_64_with_seed(record, place)
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
mod tests;
