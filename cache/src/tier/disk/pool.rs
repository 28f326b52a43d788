//! A few threads for the reads that block: all of a store with direct reads, and of a buffered one those that are not in
//! the page cache.
//!
//! A store that closes answers nothing new, but what is being sent from it is read to its end: the threads stay until the
//! last reader has gone, and the segments stay open as long. What is read is proven as ever: where the next owner of the
//! directory has written something else, there is nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use parking_lot::{Condvar, Mutex};

use super::index::Slot;
use super::promise::{Later, Promise, Unkept, promise};
use super::reader::{self, Wanted};
use super::shared::Shared;
use super::space::SpaceCore;
use crate::entry::Entry;

/// What a read will have found: nothing if there is nothing that may be served.
pub type Pending = Later<Option<Arc<Entry>>>;

impl Unkept for Option<Arc<Entry>> {
    fn unkept() -> Self {
        None
    }
}

/// What depends on a read.
#[derive(Clone, Copy)]
pub(super) enum Urgency {
    /// Whether a request is a hit.
    Usual,
    /// The rest of an answer that was begun.
    Begun,
}

/// Reads that answers in progress depend on may wait where so many times as many wait already.
const BEGUN_ROOM: usize = 2;

/// Reads that wait for a thread.
pub(super) struct ReadQueue {
    state: Mutex<State>,
    called: Condvar,
    limit: usize,
}

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    /// Objects that are being sent.
    readers: usize,
    closed: bool,
}

/// Keeps the threads for somebody who reads an object.
pub(super) struct Reading {
    shared: Arc<Shared>,
    space: Arc<SpaceCore>,
}

struct Read {
    wanted: Wanted,
    slot: Slot,
    urgency: Urgency,
    promise: Promise<Option<Arc<Entry>>>,
}

impl ReadQueue {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), called: Condvar::new(), limit }
    }

    /// Nothing if too many wait already.
    pub(super) fn push(&self, wanted: Wanted, slot: Slot, urgency: Urgency) -> Option<Pending> {
        let mut state = self.state.lock();
        let room = match urgency {
            Urgency::Usual => self.limit,
            Urgency::Begun => self.limit * BEGUN_ROOM,
        };
        let refused = state.closed && matches!(urgency, Urgency::Usual);
        if refused || state.reads.len() >= room {
            return None;
        }
        let (promise, pending) = promise();
        state.reads.push_back(Read { wanted, slot, urgency, promise });
        drop(state);
        self.called.notify_one();
        Some(pending)
    }

    /// What waits is answered with nothing, but for what was begun. The threads end, at once or with the last reader of
    /// an object: whether there is one.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state.lock();
        state.closed = true;
        let (begun, waiting) = std::mem::take(&mut state.reads).into_iter().partition(Read::is_begun);
        state.reads = begun;
        let is_read = state.readers > 0;
        drop(state);
        let _answered: VecDeque<Read> = waiting;
        self.called.notify_all();
        is_read
    }

    fn enter(&self) -> bool {
        let mut state = self.state.lock();
        state.readers += usize::from(!state.closed);
        !state.closed
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.readers -= 1;
        if state.closed && state.readers == 0 {
            self.called.notify_all();
        }
    }

    fn pop(&self) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            if state.closed && state.readers == 0 {
                return None;
            }
            match state.reads.pop_front() {
                Some(read) => return Some(read),
                None => self.called.wait(&mut state),
            }
        }
    }
}

impl Read {
    const fn is_begun(&self) -> bool {
        matches!(self.urgency, Urgency::Begun)
    }
}

impl Reading {
    /// Nothing once the store closes.
    pub(super) fn begin(shared: &Arc<Shared>, space: &Arc<SpaceCore>) -> Option<Self> {
        shared.reads.enter().then(|| {
            space.readers.fetch_add(1, SeqCst);
            Self { shared: Arc::clone(shared), space: Arc::clone(space) }
        })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.space.readers.fetch_sub(1, SeqCst);
        self.shared.reads.leave();
    }
}

/// One thread of the pool.
pub(super) fn run(shared: &Shared) {
    while let Some(Read { wanted, slot, promise, .. }) = shared.reads.pop() {
        promise.resolve(find(shared, wanted, slot));
    }
}

/// Reads it where it is: it may have been written again meanwhile. What was dropped is not handed out.
fn find(shared: &Shared, mut wanted: Wanted, slot: Slot) -> Option<Arc<Entry>> {
    for _ in 0..TRIES {
        let found = reader::read(shared, &wanted);
        let place = shared.index.get(slot)?;
        if place == wanted.place {
            return found;
        }
        wanted.segment = shared.segments.find(place.segment)?;
        wanted.place = place;
    }
    None
}

/// Places at which one thing is looked for, one after the other: it does not move that often.
const TRIES: usize = 3;
