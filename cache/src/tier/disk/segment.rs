//! One file of the log: a start page that says which segment it is, batches of frames, and a footer once it is full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::buffer::{PAGE, PageBuffer};
use super::bytes::{put, u32_at, u64_at};
use super::files::FileIo;
use super::frame::seed;

const MAGIC: [u8; 6] = *b"SLUICE";
const VERSION: u8 = 1;
const SUM_AT: usize = 32;

/// A file in its present life.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) file: Arc<dyn FileIo>,
    /// What its frames' checksums are seeded with.
    pub(super) seed: u64,
    failed: AtomicBool,
}

impl Segment {
    pub(super) fn new(lineage: u64, number: u64, name: String, file: Arc<dyn FileIo>) -> Self {
        Self { number, name, file, seed: seed(lineage, number), failed: AtomicBool::new(false) }
    }

    /// A write to it failed: nothing more is written to it.
    pub(super) fn fail(&self) {
        self.failed.store(true, Relaxed);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }
}

/// What a segment's first page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// A segment of a store.
    Ours(StartPage),
    /// Never written to.
    Blank,
    /// Written by another version of Sluice.
    Version(u8),
    /// Something else, or damaged.
    Unknown,
}

/// Which segment a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StartPage {
    pub(super) lineage: u64,
    pub(super) number: u64,
    pub(super) segment_bytes: u32,
}

impl StartPage {
    /// Makes a file this segment, durably.
    pub(super) fn write(self, file: &dyn FileIo) -> io::Result<()> {
        let mut page = PageBuffer::zeroed(PAGE);
        put(page.as_mut_slice(), 0, &self.to_bytes());
        file.write_at(page.as_slice(), 0)?;
        file.sync()
    }

    fn to_bytes(self) -> [u8; SUM_AT + 8] {
        let mut bytes = [0; SUM_AT + 8];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 6, &[VERSION]);
        put(&mut bytes, 8, &self.lineage.to_le_bytes());
        put(&mut bytes, 16, &self.number.to_le_bytes());
        put(&mut bytes, 24, &self.segment_bytes.to_le_bytes());
        let sum = xxh3_64_with_seed(bytes.get(..SUM_AT).unwrap_or_default(), 0);
        put(&mut bytes, SUM_AT, &sum.to_le_bytes());
        bytes
    }
}

impl Start {
    pub(super) fn read(page: &[u8]) -> Self {
        if page.iter().all(|byte| *byte == 0) {
            return Self::Blank;
        }
        if !page.starts_with(&MAGIC) {
            return Self::Unknown;
        }
        match page.get(6) {
            Some(&VERSION) => Self::read_fields(page),
            Some(&other) => Self::Version(other),
            None => Self::Unknown,
        }
    }

    fn read_fields(page: &[u8]) -> Self {
        let (lineage, number) = (u64_at(page, 8), u64_at(page, 16));
        let start = StartPage { lineage, number, segment_bytes: u32_at(page, 24) };
        if page.starts_with(&start.to_bytes()) { Self::Ours(start) } else { Self::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_page_tells_segments_from_anything_else() {
        let start = StartPage { lineage: 1 << 60, number: 77, segment_bytes: 64 << 20 };
        let mut page = [0; PAGE];
        assert_eq!(Start::read(&page), Start::Blank);
        put(&mut page, 0, &start.to_bytes());
        assert_eq!(Start::read(&page), Start::Ours(start));
        page[17] ^= 1;
        assert_eq!(Start::read(&page), Start::Unknown);
        page[6] = 2;
        assert_eq!(Start::read(&page), Start::Version(2));
        page[0] = b'X';
        assert_eq!(Start::read(&page), Start::Unknown);
    }
}
