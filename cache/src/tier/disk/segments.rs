//! The live segments, oldest first.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;

use super::index::SEGMENT_NUMBERS;
use super::segment::Segment;

#[derive(Default)]
pub(super) struct Segments(RwLock<VecDeque<Arc<Segment>>>);

impl Segments {
    /// The live segment that a slot means.
    pub(super) fn find(&self, low: u32) -> Option<Arc<Segment>> {
        let segments = self.0.read();
        let number = full_number(segments.front()?.number, low);
        let at = segments.binary_search_by_key(&number, |segment| segment.number).ok()?;
        segments.get(at).cloned()
    }

    /// The number that a slot means, given the oldest.
    pub(super) fn number(&self, low: u32) -> Option<u64> {
        Some(full_number(self.0.read().front()?.number, low))
    }

    /// The oldest live segment that has at least this number, and how many live ones are older.
    pub(super) fn from(&self, number: u64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.0.read();
        let at = segments.partition_point(|segment| segment.number < number);
        Some((segments.get(at).cloned()?, at as u64))
    }

    pub(super) fn push(&self, segment: Arc<Segment>) {
        self.0.write().push_back(segment);
    }

    pub(super) fn oldest(&self) -> Option<Arc<Segment>> {
        self.0.read().front().cloned()
    }

    pub(super) fn pop_oldest(&self) -> Option<Arc<Segment>> {
        self.0.write().pop_front()
    }

    pub(super) fn len(&self) -> u64 {
        self.0.read().len() as u64
    }
}

const fn full_number(oldest: u64, low: u32) -> u64 {
    oldest + (low as u64).wrapping_sub(oldest) % SEGMENT_NUMBERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        let wrap = SEGMENT_NUMBERS;
        assert_eq!(full_number(5, 5), 5);
        assert_eq!(full_number(5, 9), 9);
        assert_eq!(full_number(wrap - 1, 1), wrap + 1);
        assert_eq!(full_number(7 * wrap + 3, 2), 8 * wrap + 2);
    }
}
