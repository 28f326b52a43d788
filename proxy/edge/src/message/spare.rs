//! Buffers that a worker lends to one call after the other: for the head that goes to an endpoint, and for what waits to
//! go to a client.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Buffers that a worker keeps for later.
const SPARE: usize = 64;
/// Bytes of a new one.
const ROOM: usize = 2 * 1024;
/// A buffer that has grown beyond this is not kept, bytes.
const KEEP: usize = 32 * 1024;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room, given back when it is dropped. By default it has none.
#[derive(Debug, Default)]
pub struct Spare(Vec<u8>);

impl Spare {
    /// One with room.
    #[inline]
    pub fn take() -> Self {
        Self(BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(ROOM)))
    }

    /// Makes room where there is none.
    #[inline]
    pub fn ensure(&mut self) {
        if self.0.capacity() == 0 {
            *self = Self::take();
        }
    }
}

impl Deref for Spare {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Spare {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() == 0 || buffer.capacity() > KEEP {
            return;
        }
        buffer.clear();
        // The thread may be ending, and its buffers with it.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < SPARE {
                buffers.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_one_that_has_grown_too_far_does_not() {
        let mut first = Spare::take();
        first.extend_from_slice(&[1; 3 * ROOM]);
        let room = first.capacity();
        drop(first);
        let again = Spare::take();
        assert!(again.is_empty());
        assert_eq!(again.capacity(), room);
        let mut large = Spare::take();
        large.resize(KEEP + 1, 0);
        drop(large);
        assert!(Spare::take().capacity() < KEEP);
    }

    #[test]
    fn without_room_until_it_is_asked_for() {
        let mut spare = Spare::default();
        assert_eq!(spare.capacity(), 0);
        spare.ensure();
        assert!(spare.capacity() >= ROOM);
    }
}
