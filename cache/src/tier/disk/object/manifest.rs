//! What an object's head says of its body: how long it is, and where its chunks are.

use std::ops::Range;

use bytes::Bytes;

use super::{HEAD, ObjectId};
use crate::entry::Entry;

/// Bytes of each chunk but the last.
pub const CHUNK_BYTES: u32 = 256 * 1024;

const VERSION: u8 = 1;
const LEN: usize = 1 + 2 + 8 + 4 + 16;

/// What stands in a head in place of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    pub(in super::super) object: ObjectId,
    pub(super) chunk_bytes: u32,
    length: u64,
    status: u16,
}

impl Manifest {
    pub(in super::super) const fn new(object: ObjectId, chunk_bytes: u32, length: u64) -> Self {
        Self { object, chunk_bytes, length, status: 200 }
    }

    /// What an entry says of its object; nothing if it is an answer as it stands.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        if entry.status() == HEAD { Self::read(entry.body()) } else { None }
    }

    /// The same with the answer's status, 200 to 599.
    #[must_use]
    pub const fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The answer's status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body's length, bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The body of the head's entry.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.status.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.chunk_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.object.0);
        Bytes::from(bytes)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (status, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (chunk_bytes, object) = rest.split_first_chunk()?;
        let read = Self {
            status: u16::from_le_bytes(*status),
            length: u64::from_le_bytes(*length),
            chunk_bytes: u32::from_le_bytes(*chunk_bytes),
            object: ObjectId(object.try_into().ok()?),
        };
        read.is_sound().then_some(read)
    }

    fn is_sound(&self) -> bool {
        let countable = self.chunk_bytes > 0 && self.length.div_ceil(self.chunk_bytes.into()) <= u32::MAX.into();
        countable && (200..600).contains(&self.status)
    }

    /// The chunk in which a byte lies, and its place there.
    pub(super) const fn chunk_at(&self, byte: u64) -> (u32, usize) {
        let chunk = self.chunk_bytes as u64;
        ((byte / chunk) as u32, (byte % chunk) as usize)
    }

    /// Bytes of a chunk.
    pub(super) fn bytes_of(&self, number: u32) -> usize {
        let start = u64::from(number) * u64::from(self.chunk_bytes);
        self.length.saturating_sub(start).min(self.chunk_bytes.into()) as usize
    }

    /// How many chunks there are.
    pub(in super::super) fn chunks(&self) -> u32 {
        self.chunks_of(&(0..self.length)).end
    }

    /// The chunks in which some bytes lie.
    pub(super) fn chunks_of(&self, bytes: &Range<u64>) -> Range<u32> {
        let end = bytes.end.min(self.length);
        let last = end.div_ceil(self.chunk_bytes.into()) as u32;
        self.chunk_at(bytes.start).0.min(last)..last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: Manifest = Manifest { object: ObjectId([7; 16]), chunk_bytes: 10, length: 25, status: 203 };

    #[test]
    fn it_comes_back_and_nothing_else_is_one() {
        let bytes = MANIFEST.to_bytes();
        assert_eq!(Manifest::read(&bytes), Some(MANIFEST));
        assert!((0..bytes.len()).all(|cut| Manifest::read(&bytes[..cut]).is_none()));
        assert_eq!(Manifest::read(&[&bytes[..], b"x"].concat()), None);
        assert_eq!(Manifest::read(&[&[2], &bytes[1..]].concat()), None);
        for unsound in [
            Manifest { chunk_bytes: 0, ..MANIFEST },
            Manifest { length: u64::MAX, ..MANIFEST },
            Manifest { status: 998, ..MANIFEST },
        ] {
            assert_eq!(Manifest::read(&unsound.to_bytes()), None, "{unsound:?}");
        }
    }

    #[test]
    fn the_last_chunk_is_as_long_as_what_is_left() {
        assert_eq!([0, 1, 2, 3].map(|number| MANIFEST.bytes_of(number)), [10, 10, 5, 0]);
        assert_eq!((MANIFEST.chunk_at(9), MANIFEST.chunk_at(10)), ((0, 9), (1, 0)));
        assert_eq!((MANIFEST.chunks_of(&(0..25)), MANIFEST.chunks_of(&(9..11))), (0..3, 0..2));
        assert_eq!((MANIFEST.chunks_of(&(20..25)), MANIFEST.chunks_of(&(3..3))), (2..3, 0..1));
    }
}
