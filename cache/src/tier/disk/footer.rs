//! The table at the end of a sealed segment: what lies in it, so that a start need not read all of it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::buffer::{PAGE, PageBuffer};
use super::bytes::{put, u32_at, u64_at};
use super::frame::{Frame, Kind, Position, UNIT};
use super::index::{Place, Slot};

const ROW: usize = 32;
const TRAILER: usize = 64;
const MAGIC: [u8; 4] = [b'S', b'L', 1, b'F'];

/// One frame as a start and an eviction need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) slot: Slot,
    pub(super) kind: Kind,
    pub(super) space: u32,
    /// The low half of its epoch.
    pub(super) epoch: u32,
    /// Units of 64 bytes from the segment's start; of an echo, where its tombstone lies.
    pub(super) offset: u32,
    /// Units of 64 bytes.
    pub(super) length: u32,
    pub(super) expires: u32,
}

/// What a sealed segment says of itself in its last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) lineage: u64,
    pub(super) segment: u64,
    rows: u32,
    rows_sum: u64,
}

impl Row {
    pub(super) fn of(frame: &Frame) -> Self {
        Self {
            slot: Slot::of(frame.space, frame.fingerprint),
            kind: frame.kind,
            space: frame.space,
            epoch: frame.epoch as u32,
            offset: frame.position.offset,
            length: (frame.stride() / UNIT) as u32,
            expires: frame.expires,
        }
    }

    pub(super) fn place(&self, segment: u64) -> Place {
        Place::new(self.position(segment), self.length as usize * UNIT)
    }

    pub(super) const fn position(&self, segment: u64) -> Position {
        Position { segment, offset: self.offset }
    }

    fn to_bytes(self) -> [u8; ROW] {
        let mut bytes = [0; ROW];
        put(&mut bytes, 0, &self.slot.0.to_le_bytes());
        put(&mut bytes, 8, &self.space.to_le_bytes());
        put(&mut bytes, 12, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.offset.to_le_bytes());
        put(&mut bytes, 20, &self.length.to_le_bytes());
        put(&mut bytes, 24, &self.expires.to_le_bytes());
        put(&mut bytes, 28, &[self.kind.code()]);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            slot: Slot(u64_at(bytes, 0)),
            kind: Kind::of(*bytes.get(28)?)?,
            space: u32_at(bytes, 8),
            epoch: u32_at(bytes, 12),
            offset: u32_at(bytes, 16),
            length: u32_at(bytes, 20),
            expires: u32_at(bytes, 24),
        })
    }
}

/// Bytes that a footer of so many rows takes.
pub(super) const fn footer_len(rows: usize) -> usize {
    (rows * ROW + TRAILER).next_multiple_of(PAGE)
}

/// The footer of a segment: rows first, the trailer at its end.
pub(super) fn footer(lineage: u64, segment: u64, rows: &[Row]) -> PageBuffer {
    let length = footer_len(rows.len());
    let mut buffer = PageBuffer::zeroed(length);
    let bytes = buffer.as_mut_slice();
    for (number, row) in rows.iter().enumerate() {
        put(bytes, number * ROW, &row.to_bytes());
    }
    let rows_sum = xxh3_64_with_seed(bytes.get(..rows.len() * ROW).unwrap_or_default(), lineage);
    let trailer = Trailer { lineage, segment, rows: rows.len() as u32, rows_sum };
    put(bytes, length - TRAILER, &trailer.to_bytes());
    buffer
}

impl Trailer {
    /// Reads the trailer at the end of a segment's last page.
    pub(super) fn read(last_page: &[u8]) -> Option<Self> {
        let bytes = last_page.last_chunk::<TRAILER>()?;
        let trailer = Self {
            lineage: u64_at(bytes, 8),
            segment: u64_at(bytes, 16),
            rows: u32_at(bytes, 4),
            rows_sum: u64_at(bytes, 24),
        };
        (trailer.to_bytes() == *bytes).then_some(trailer)
    }

    /// Bytes of the whole footer.
    pub(super) const fn footer_len(&self) -> usize {
        footer_len(self.rows as usize)
    }

    /// The rows in the footer, if they are as they were written.
    pub(super) fn rows(&self, footer: &[u8]) -> Option<Vec<Row>> {
        let rows = footer.get(..self.rows as usize * ROW)?;
        if xxh3_64_with_seed(rows, self.lineage) != self.rows_sum {
            return None;
        }
        rows.chunks_exact(ROW).map(Row::read).collect()
    }

    fn to_bytes(self) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 4, &self.rows.to_le_bytes());
        put(&mut bytes, 8, &self.lineage.to_le_bytes());
        put(&mut bytes, 16, &self.segment.to_le_bytes());
        put(&mut bytes, 24, &self.rows_sum.to_le_bytes());
        let sum = xxh3_64_with_seed(bytes.get(..TRAILER - 8).unwrap_or_default(), 0);
        put(&mut bytes, TRAILER - 8, &sum.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u32) -> Vec<Row> {
        let row = |number| Row {
            slot: Slot(u64::from(number) << 33),
            kind: if number % 3 == 0 { Kind::Tombstone } else { Kind::Entry },
            space: number,
            epoch: 4,
            offset: number * 2,
            length: 2,
            expires: u32::MAX - number,
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn rows_come_back() {
        for count in [0, 1, 126, 127, 5000] {
            let footer = footer(8, 9, &rows(count));
            assert_eq!(footer.len(), footer_len(count as usize));
            let trailer = Trailer::read(footer.as_slice()).unwrap();
            assert_eq!((trailer.lineage, trailer.segment, trailer.footer_len()), (8, 9, footer.len()));
            assert_eq!(trailer.rows(footer.as_slice()), Some(rows(count)));
        }
    }

    #[test]
    fn no_flipped_bit_gives_rows() {
        let good = footer(8, 9, &rows(3));
        for at in (0..3 * ROW).chain(PAGE - TRAILER..PAGE) {
            let mut bytes = good.as_slice().to_vec();
            bytes[at] ^= 0x10;
            let rows = Trailer::read(&bytes).and_then(|trailer| trailer.rows(&bytes));
            assert_eq!(rows, None, "byte {at}");
        }
    }
}
