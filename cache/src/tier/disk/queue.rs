//! What waits to be put in the log, in its order.
//!
//! Bounded three ways: entries by their bytes, marks and orders by their number. Whoever is refused is told at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::in_flight::InFlight;
use super::index::Slot;
use super::journal::AckPromise;
use super::space::SpaceCore;
use crate::entry::Entry;
use crate::record::Codec;

/// Marks that may wait.
pub(super) const MARKS_LIMIT: usize = 65_536;
/// Orders that may wait.
const ORDERS_LIMIT: usize = 1024;
/// What an entry that waits takes beside its record, bytes at most: itself, its allocations' rounding, its place here.
const BESIDE: usize = 512;
/// Places that an empty queue keeps.
const KEPT_PLACES: usize = 4096;

/// An entry for the log.
pub(super) struct Insert {
    pub(super) space: Arc<SpaceCore>,
    pub(super) entry: Arc<Entry>,
    pub(super) codec: Arc<Codec>,
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    /// Bytes of its frame and record.
    pub(super) bytes: usize,
    /// Its place in the queue's order.
    pub(super) sequence: u32,
    pub(super) promise: Option<AckPromise>,
    /// The promise is of the device, and not only of being found.
    pub(super) durable: bool,
}

/// A tombstone for the log.
pub(super) struct Mark {
    pub(super) space: u32,
    pub(super) slot: Slot,
    pub(super) promise: Option<AckPromise>,
}

/// Something else to do when all before it is done.
pub(super) enum Order {
    /// All before it onto the device.
    Commit(AckPromise),
    /// Another capacity, bytes.
    Resize(u64, AckPromise),
}

pub(super) enum Op {
    Insert(Insert),
    Mark(Mark),
    Order(Order),
}

/// Why the queue takes no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Full {
    Full,
    Closed,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    Some,
    /// Nothing, until the deadline, or somebody called.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

pub(super) struct Queue {
    state: Mutex<State>,
    called: Condvar,
    bytes_limit: usize,
}

#[derive(Default)]
struct State {
    ops: VecDeque<Op>,
    bytes: usize,
    marks: usize,
    orders: usize,
    sequence: u32,
    closed: bool,
    woken: bool,
}

impl Queue {
    pub(super) fn new(bytes_limit: usize) -> Self {
        Self { state: Mutex::default(), called: Condvar::new(), bytes_limit }
    }

    /// Queues an entry; an empty queue takes one of any size.
    pub(super) fn insert(&self, mut insert: Insert, in_flight: &InFlight) -> Result<(), (Full, Insert)> {
        let mut state = self.state.lock();
        if state.closed {
            return Err((Full::Closed, insert));
        }
        if state.bytes > 0 && state.bytes + held(&insert) > self.bytes_limit {
            return Err((Full::Full, insert));
        }
        state.bytes += held(&insert);
        insert.sequence = state.next_sequence();
        in_flight.enter(insert.slot);
        self.push(state, Op::Insert(insert));
        Ok(())
    }

    /// Queues a tombstone: what is queued before it will not be found any more.
    pub(super) fn mark(&self, mark: Mark, in_flight: &InFlight) -> Result<(), (Full, Mark)> {
        let mut state = self.state.lock();
        if state.closed || state.marks >= MARKS_LIMIT {
            return Err((if state.closed { Full::Closed } else { Full::Full }, mark));
        }
        state.marks += 1;
        in_flight.enter(mark.slot);
        in_flight.mark(mark.slot, state.next_sequence());
        self.push(state, Op::Mark(mark));
        Ok(())
    }

    pub(super) fn order(&self, order: Order) -> Result<(), (Full, Order)> {
        let mut state = self.state.lock();
        if state.closed || state.orders >= ORDERS_LIMIT {
            return Err((if state.closed { Full::Closed } else { Full::Full }, order));
        }
        state.orders += 1;
        self.push(state, Op::Order(order));
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Op> {
        let mut state = self.state.lock();
        let op = state.ops.pop_front()?;
        match &op {
            Op::Insert(insert) => state.bytes -= held(insert),
            Op::Mark(_) => state.marks -= 1,
            Op::Order(_) => state.orders -= 1,
        }
        // What a long wait of many small entries has made it is given back.
        if state.ops.is_empty() && state.ops.capacity() > KEPT_PLACES {
            state.ops.shrink_to(KEPT_PLACES);
        }
        Some(op)
    }

    /// Waits until there is something, somebody calls [`Queue::wake`], or the deadline is over.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Waited {
        let mut state = self.state.lock();
        loop {
            if !state.ops.is_empty() {
                return Waited::Some;
            }
            if state.closed {
                return Waited::Closed;
            }
            if std::mem::take(&mut state.woken) || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Waited::Nothing;
            }
            match deadline {
                Some(deadline) => drop(self.called.wait_until(&mut state, deadline)),
                None => self.called.wait(&mut state),
            }
        }
    }

    pub(super) fn wake(&self) {
        self.state.lock().woken = true;
        self.called.notify_one();
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.called.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// What a version that is written again is as old as.
    pub(super) fn sequence(&self) -> u32 {
        self.state.lock().sequence
    }

    /// Bytes that entries take while they wait, and number of marks.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.bytes, state.marks)
    }

    fn push(&self, mut state: parking_lot::MutexGuard<'_, State>, op: Op) {
        let first = state.ops.is_empty();
        state.ops.push_back(op);
        drop(state);
        if first {
            self.called.notify_one();
        }
    }
}

impl State {
    const fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

/// Memory that an entry takes while it waits, bytes.
const fn held(insert: &Insert) -> usize {
    insert.bytes + BESIDE
}
