//! A body that grows at one end while any number of readers follow, each at its own pace.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use thiserror::Error;

use super::budget::Budget;

/// The head of an answer as followers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Field lines, as in an [`Entry`](crate::entry::Entry).
    pub fields: Bytes,
}

/// The body will not be whole: its fetch has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the fetch failed within the body")]
pub struct Broken;

/// A head and the part of a body that is there.
#[derive(Debug)]
pub(super) struct Growing {
    head: Head,
    length: Option<u64>,
    budget: Arc<Budget>,
    text: Mutex<Text>,
}

#[derive(Debug, Default)]
struct Text {
    pieces: VecDeque<Bytes>,
    /// Pieces that a window has let go of at the front.
    gone: usize,
    /// Not yet a piece: it grows until someone wants to read it or it is large enough.
    tail: BytesMut,
    written: u64,
    /// In pieces and tail, not yet read through a window.
    held: u64,
    reserved: u64,
    end: Option<End>,
    windowed: bool,
    readers: usize,
    next_reader: u64,
    waiting: BTreeMap<u64, Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

/// Bytes from which a tail becomes a piece.
const PIECE: usize = 16 * 1024;

/// What a flight takes beside its body, bytes.
const FIXED_COST: u64 = 1024;

impl Growing {
    /// One more reader, from the start.
    pub(super) fn reader(body: Arc<Self>) -> Reader {
        let mut text = body.text.lock();
        text.readers += 1;
        text.next_reader += 1;
        let id = text.next_reader;
        drop(text);
        Reader { body, id, next: 0 }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Text) -> T) -> T {
        let (result, waiting) = {
            let mut text = self.text.lock();
            (change(&mut text), std::mem::take(&mut text.waiting))
        };
        waiting.into_values().for_each(Waker::wake);
        result
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        self.budget.give_back(self.text.get_mut().reserved);
    }
}

impl Text {
    fn write(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        self.held += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        if self.tail.len() >= PIECE {
            self.cut();
        }
    }

    /// Makes the tail a piece.
    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }

    /// Takes each piece from `stored`, which has the same bytes. How many bytes of room that frees.
    fn stand_in(&mut self, stored: &Bytes) -> u64 {
        self.cut();
        if self.windowed || stored.len() as u64 != self.written {
            return 0;
        }
        let mut rest = stored.clone();
        self.pieces.iter_mut().for_each(|piece| *piece = rest.split_to(piece.len()));
        let freed = self.written.min(self.reserved);
        self.reserved -= freed;
        freed
    }

    fn piece(&mut self, at: usize) -> Option<Bytes> {
        let index = at.checked_sub(self.gone)?;
        if index >= self.pieces.len() {
            self.cut();
        }
        self.pieces.get(index).cloned()
    }

    /// In a window the pieces before the reader's next one are let go of; the writer may then go on.
    fn let_go(&mut self, next: usize) -> Option<Waker> {
        while self.windowed && self.gone < next {
            let piece = self.pieces.pop_front()?;
            self.gone += 1;
            self.held = self.held.saturating_sub(piece.len() as u64);
        }
        if self.windowed { self.writer.take() } else { None }
    }

    fn read(&mut self, reader: &Reader, context: &Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(piece) = self.piece(reader.next) {
            return Poll::Ready(Some(Ok(piece)));
        }
        match self.end {
            Some(End::Whole) => Poll::Ready(None),
            Some(End::Broken) => Poll::Ready(Some(Err(Broken))),
            None => {
                self.waiting.insert(reader.id, context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The one writer of a body. Dropped before the end, it leaves the body broken.
#[derive(Debug)]
pub(super) struct Pen {
    body: Arc<Growing>,
    len: u64,
}

impl Pen {
    /// A new body, its room reserved as far as its length is known; `None` if there is no room.
    pub(super) fn new(head: Head, length: Option<u64>, budget: &Arc<Budget>) -> Option<Self> {
        let reserved = FIXED_COST + head.fields.len() as u64 + length.unwrap_or(0);
        if !budget.take(reserved) {
            return None;
        }
        let room = usize::try_from(length.unwrap_or(0)).unwrap_or(PIECE).min(PIECE);
        let text = Text { reserved, tail: BytesMut::with_capacity(room), ..Text::default() };
        let body = Arc::new(Growing { head, length, budget: Arc::clone(budget), text: Mutex::new(text) });
        Some(Self { body, len: 0 })
    }

    pub(super) fn body(&self) -> Arc<Growing> {
        Arc::clone(&self.body)
    }

    pub(super) fn head(&self) -> &Head {
        &self.body.head
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.body.length
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn reserve(&self, bytes: u64) -> bool {
        let taken = self.body.budget.take(bytes);
        if taken {
            self.body.text.lock().reserved += bytes;
        }
        taken
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.body.change(|text| text.write(bytes));
    }

    /// All that was written.
    pub(super) fn pieces(&self) -> Vec<Bytes> {
        let mut text = self.body.text.lock();
        text.cut();
        text.pieces.iter().cloned().collect()
    }

    /// The body is whole. Where it is `stored`, readers get it from there, and it takes no room here any more.
    pub(super) fn complete(self, stored: Option<Bytes>) -> Arc<Growing> {
        if let Some(stored) = stored {
            let freed = self.body.text.lock().stand_in(&stored);
            self.body.budget.give_back(freed);
        }
        self.end(End::Whole);
        self.body()
    }

    /// From now on what the one reader has read is let go of. It is woken, to say how far it is.
    pub(super) fn open_window(&self) {
        self.body.change(|text| text.windowed = true);
    }

    /// Ready when less than `window` bytes are held; an error when nobody reads.
    pub(super) fn poll_room(&self, window: u64, context: &Context<'_>) -> Poll<Result<(), NobodyReads>> {
        let mut text = self.body.text.lock();
        if text.readers == 0 {
            return Poll::Ready(Err(NobodyReads));
        }
        if text.held < window {
            return Poll::Ready(Ok(()));
        }
        text.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn end(&self, end: End) {
        self.body.change(|text| {
            text.end.get_or_insert(end);
        });
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.end(End::Broken);
    }
}

/// There is no reader left to write for.
#[derive(Debug)]
pub(super) struct NobodyReads;

/// Reads an answer while it grows.
#[derive(Debug)]
pub struct Reader {
    body: Arc<Growing>,
    id: u64,
    next: usize,
}

impl Reader {
    /// Status and field lines.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.body.head
    }

    /// The body's length, bytes, if it is known by now.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        let whole = || {
            let text = self.body.text.lock();
            (text.end == Some(End::Whole)).then_some(text.written)
        };
        self.body.length.or_else(whole)
    }

    /// The next piece of the body; `None` after the last one of a whole body.
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let (read, writer) = {
            let mut text = self.body.text.lock();
            let read = text.read(self, context);
            self.next += usize::from(matches!(read, Poll::Ready(Some(Ok(_)))));
            (read, text.let_go(self.next))
        };
        writer.into_iter().for_each(Waker::wake);
        read
    }

    /// Waits for the next piece of the body; `None` after the last one of a whole body.
    pub async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        poll_fn(|context| self.poll_next(context)).await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let writer = {
            let mut text = self.body.text.lock();
            text.readers -= 1;
            text.waiting.remove(&self.id);
            if text.readers == 0 { text.writer.take() } else { None }
        };
        writer.into_iter().for_each(Waker::wake);
    }
}
