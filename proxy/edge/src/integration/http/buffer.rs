//! Buffers for calls under way: taken when there is something to read, given back when all of it was consumed, so that
//! neither an idle connection nor a call that waits for its endpoint holds one.

use std::cell::RefCell;

/// Bytes of a buffer.
pub(super) const SIZE: usize = 64 * 1024;
/// Spare buffers that a worker keeps.
const SPARE: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with a filled part in the middle.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Without length while nothing is in it.
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// What was read and not consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Room behind it; what is filled is moved to the front when there is none.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            let spare = POOL.with_borrow_mut(Vec::pop);
            self.bytes = spare.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes of the room were filled.
    #[inline]
    pub fn fill(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// `count` filled bytes are done with.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl Buffer {
    /// Nothing is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Gives the memory back; what was filled is lost.
    pub fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        (self.start, self.end) = (0, 0);
        if bytes.len() != SIZE {
            return;
        }
        // The thread may be ending, and its pool with it.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < SPARE {
                pool.push(bytes);
            }
        });
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}
