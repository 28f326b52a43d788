//! Memory that begins on a page boundary, as direct I/O asks.

/// What direct I/O reads and writes at once, and where every batch begins, bytes.
pub(super) const PAGE: usize = 4096;

/// Bytes in page-aligned memory that never moves: it is made with its capacity.
pub(super) struct PageBuffer {
    bytes: Vec<u8>,
    start: usize,
    capacity: usize,
}

impl PageBuffer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::<u8>::with_capacity(capacity + PAGE);
        let start = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        bytes.resize(start, 0);
        Self { bytes, start, capacity }
    }

    /// A buffer full of zeros, to be read into.
    pub(super) fn zeroed(length: usize) -> Self {
        let mut buffer = Self::with_capacity(length);
        buffer.bytes.resize(buffer.start + length, 0);
        buffer
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether `more` bytes still fit.
    pub(super) const fn fits(&self, more: usize) -> bool {
        more <= self.capacity - self.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }

    /// Appends bytes that fit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        debug_assert!(self.fits(bytes.len()), "a page buffer never grows");
        self.bytes.extend_from_slice(bytes);
    }

    /// Fills with zeros up to a multiple of `unit`.
    pub(super) fn pad(&mut self, unit: usize) {
        let padded = self.len().next_multiple_of(unit);
        debug_assert!(padded <= self.capacity, "a page buffer never grows");
        self.bytes.resize(self.start + padded, 0);
    }

    /// The vector that the bytes are in, to append what fits.
    pub(super) const fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_on_a_page_and_stays_there() {
        for capacity in [PAGE, 10 * PAGE, 100_000] {
            let mut buffer = PageBuffer::with_capacity(capacity);
            let place = buffer.as_slice().as_ptr();
            buffer.push(&vec![1; capacity - 5]);
            assert!(buffer.fits(5) && !buffer.fits(6));
            assert_eq!((buffer.as_slice().as_ptr(), place as usize % PAGE), (place, 0));
        }
    }

    #[test]
    fn padding_fills_to_the_unit() {
        let mut buffer = PageBuffer::with_capacity(PAGE);
        buffer.push(b"abc");
        buffer.pad(64);
        assert_eq!((buffer.len(), buffer.as_slice()[3]), (64, 0));
        buffer.pad(64);
        assert_eq!(buffer.len(), 64);
    }
}
