//! The 64 bytes before every record in the log.
//!
//! A frame's checksum is seeded by the store and the number of its segment: what a recycled file still holds of its
//! former life is no frame. The first [`BOUND`] bytes are proven together with the record, so a record is good in one
//! place only.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::bytes::{put, u32_at, u64_at, u128_at};
use crate::key::Fingerprint;

/// Bytes of a frame.
pub(super) const LEN: usize = 64;
/// Bytes of it that the record proves.
pub(super) const BOUND: usize = 48;
/// Frames begin at multiples of this.
pub(super) const UNIT: usize = 64;

/// Segments are numbered below this: more can not be told in a frame.
pub(super) const NUMBERS: u64 = 1 << (u64::BITS - Position::OFFSET_BITS);

const MAGIC: [u8; 3] = [b'S', b'L', 1];
const SUMMED: usize = LEN - 8;

/// What a frame stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record follows.
    Entry,
    /// Everything before it under its fingerprint is gone.
    Tombstone,
    /// The same tombstone once more, on another page: the position is the first one's.
    Echo,
    /// The batch before it is synced as a whole: what is missing of it was damaged, not torn.
    End,
}

/// Where something lies in the log. Their order is the log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The number of the segment.
    pub(super) segment: u64,
    /// Units of 64 bytes from its start.
    pub(super) offset: u32,
}

/// A frame's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) space: u32,
    pub(super) epoch: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) position: Position,
    /// From this second since 1970 on it is of no use.
    pub(super) expires: u32,
    /// Bytes of the record behind it.
    pub(super) payload: u32,
}

impl Kind {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Entry => 1,
            Self::Tombstone => 2,
            Self::Echo => 3,
            Self::End => 4,
        }
    }

    pub(super) const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Entry),
            2 => Some(Self::Tombstone),
            3 => Some(Self::Echo),
            4 => Some(Self::End),
            _ => None,
        }
    }
}

impl Position {
    const OFFSET_BITS: u32 = 20;

    const fn packed(self) -> u64 {
        self.segment << Self::OFFSET_BITS | self.offset as u64
    }

    const fn unpacked(packed: u64) -> Self {
        Self { segment: packed >> Self::OFFSET_BITS, offset: (packed & ((1 << Self::OFFSET_BITS) - 1)) as u32 }
    }
}

impl Frame {
    /// The part that the record proves.
    pub(super) fn bound(&self) -> [u8; BOUND] {
        let mut bytes = [0; BOUND];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 3, &[self.kind.code()]);
        put(&mut bytes, 4, &self.space.to_le_bytes());
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.fingerprint.0.to_le_bytes());
        put(&mut bytes, 32, &self.position.packed().to_le_bytes());
        put(&mut bytes, 40, &self.expires.to_le_bytes());
        put(&mut bytes, 44, &self.payload.to_le_bytes());
        bytes
    }

    /// The whole frame of a record with the checksum `sum`, in the segment that `seed` stands for.
    pub(super) fn to_bytes(self, sum: u64, seed: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        put(&mut bytes, 0, &self.bound());
        put(&mut bytes, BOUND, &sum.to_le_bytes());
        let own = frame_sum(&bytes, seed);
        put(&mut bytes, SUMMED, &own.to_le_bytes());
        bytes
    }

    /// Reads a frame and the checksum of its record; nothing if these bytes are none of that segment.
    pub(super) fn read(bytes: &[u8], seed: u64) -> Option<(Self, u64)> {
        let bytes: &[u8; LEN] = bytes.first_chunk()?;
        let whole = bytes.starts_with(&MAGIC) && frame_sum(bytes, seed) == u64_at(bytes, SUMMED);
        let frame = Self::fields(bytes)?;
        whole.then_some((frame, u64_at(bytes, BOUND)))
    }

    /// The segment that a frame claims to be in, before its checksum can be asked.
    pub(super) fn claimed_segment(bytes: &[u8]) -> Option<u64> {
        bytes.starts_with(&MAGIC).then(|| Position::unpacked(u64_at(bytes, 32)).segment)
    }

    /// Bytes that frame and record take in the log.
    pub(super) const fn stride(&self) -> usize {
        (LEN + self.payload as usize).next_multiple_of(UNIT)
    }

    fn fields(bytes: &[u8; LEN]) -> Option<Self> {
        Some(Self {
            kind: Kind::of(bytes[3])?,
            space: u32_at(bytes, 4),
            epoch: u64_at(bytes, 8),
            fingerprint: Fingerprint(u128_at(bytes, 16)),
            position: Position::unpacked(u64_at(bytes, 32)),
            expires: u32_at(bytes, 40),
            payload: u32_at(bytes, 44),
        })
    }
}

/// What the checksums in a segment are seeded with.
pub(super) fn seed(lineage: u64, segment: u64) -> u64 {
    xxh3_64_with_seed(&segment.to_le_bytes(), lineage)
}

fn frame_sum(bytes: &[u8; LEN], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes.get(..SUMMED).unwrap_or_default(), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        kind: Kind::Entry,
        space: 7,
        epoch: 1 << 40,
        fingerprint: Fingerprint(u128::MAX / 3),
        position: Position { segment: 1 << 30, offset: (1 << 20) - 1 },
        expires: u32::MAX,
        payload: 12_345,
    };

    #[test]
    fn a_frame_comes_back_with_its_sum() {
        let seed = seed(9, FRAME.position.segment);
        assert_eq!(Frame::read(&FRAME.to_bytes(77, seed), seed), Some((FRAME, 77)));
        assert_eq!(Frame::claimed_segment(&FRAME.to_bytes(77, seed)), Some(1 << 30));
    }

    #[test]
    fn no_flipped_bit_and_no_other_segment_gives_a_frame() {
        let right = seed(9, 5);
        let bytes = FRAME.to_bytes(77, right);
        for bit in 0..LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::read(&flipped, right), None, "bit {bit}");
        }
        assert_eq!(Frame::read(&bytes, seed(9, 6)), None);
        assert_eq!(Frame::read(&bytes, seed(8, 5)), None);
        assert_eq!(Frame::read(&bytes[..63], right), None);
    }
}
