//! What was written and waits for a flush, in a buffer of the thread's that is given back once it is empty.

use std::cell::RefCell;
use std::io::IoSlice;

/// What may wait for a flush, bytes: a head and a body of common size, or the frames of a batch. The `h2` crate flushes
/// after as much.
pub(super) const WAITING: usize = 16 * 1024;

/// Written but not sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Without capacity while empty, and never empty with it.
    waiting: Vec<u8>,
    /// How much of it was sent.
    sent: usize,
}

impl Outbox {
    /// With nothing in it.
    pub(super) const fn new() -> Self {
        Self { waiting: Vec::new(), sent: 0 }
    }

    /// Whether something waits.
    #[inline]
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.capacity() > 0
    }

    /// What is still to be sent.
    #[inline]
    pub(super) fn unsent(&self) -> &[u8] {
        self.waiting.get(self.sent..).unwrap_or_default()
    }

    /// Whether so many bytes more may wait.
    pub(super) const fn has_room(&self, size: usize) -> bool {
        self.waiting.len() + size <= WAITING
    }

    /// Keeps the pieces for later.
    pub(super) fn hold(&mut self, pieces: &[IoSlice<'_>]) {
        if self.waiting.capacity() == 0 {
            self.waiting = take();
        }
        pieces.iter().for_each(|piece| self.waiting.extend_from_slice(piece));
    }

    /// Notes that `count` bytes of what waits, and perhaps of what came behind it, were sent. Gives the latter's number.
    pub(super) fn note_sent(&mut self, count: usize) -> usize {
        let unsent = self.unsent().len();
        if count < unsent {
            self.sent += count;
            return 0;
        }
        self.sent = 0;
        give_back(std::mem::take(&mut self.waiting));
        count - unsent
    }
}

/// Buffers kept for later; a connection seldom holds one beyond the poll that took it.
const SPARE: usize = 8;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn take() -> Vec<u8> {
    let spare = BUFFERS.try_with(|buffers| buffers.borrow_mut().pop());
    spare.ok().flatten().unwrap_or_else(|| Vec::with_capacity(WAITING))
}

fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    // While the thread ends there is no list any more, and the buffer is freed.
    let _ = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.borrow_mut();
        if buffers.len() < SPARE {
            buffers.push(buffer);
        }
    });
}
