//! The request that fetches for all, before and after it knows the head.

use bytes::Bytes;
use thiserror::Error;

use crate::freshness::NotStored;

use super::Failure;
use super::board::Seat;
use super::growing::{Growing, Head, Pen, Reader};
use super::window::Window;

/// Fetches a key, its answer yet unknown. Dropped, it is gone and a follower leads.
#[derive(Debug)]
#[must_use = "in place of a dropped leader another one fetches"]
pub struct Leader {
    seat: Seat,
}

impl Leader {
    pub(super) const fn new(seat: Seat) -> Self {
        Self { seat }
    }

    /// The answer may not be stored: every follower goes by itself, and nobody follows on this key for a while.
    pub fn not_storable(self, now_ns: u64) {
        self.seat.disband(Some(now_ns));
    }

    /// The answer is in the tier already, or this request needs no fetch after all: followers go by themselves, and
    /// find it.
    pub fn stand_down(self) {
        self.seat.disband(None);
    }

    /// The endpoint gives no answer: all who wait get that for theirs. Had one of them to try next, the last of them would
    /// wait for as many failures as there are clients.
    pub fn fail(self, failure: Failure) {
        self.seat.fail(failure);
    }

    /// The answer may be stored. The reader is for the leader's own client.
    ///
    /// # Errors
    /// The body is larger than an object may be, or all room for bodies is taken: every follower goes by itself, and
    /// the answer is the leader's client's alone.
    pub fn storable(self, head: Head, length: Option<u64>) -> Result<(Filling, Reader), NotStored> {
        match self.pen(head, length) {
            Ok(pen) => Ok(self.fill(pen)),
            Err(reason) => {
                self.seat.disband(None);
                Err(reason)
            }
        }
    }

    fn pen(&self, head: Head, length: Option<u64>) -> Result<Pen, NotStored> {
        let flights = self.seat.flights();
        if length.is_some_and(|length| length > flights.limits.object_bytes) {
            return Err(NotStored::TooLarge);
        }
        Pen::new(head, length, &flights.budget).ok_or(NotStored::NoRoom)
    }

    fn fill(self, pen: Pen) -> (Filling, Reader) {
        let reader = Growing::reader(pen.body());
        match pen.length() {
            Some(_) => self.seat.open(&pen.body()),
            None => self.seat.begin(),
        }
        (Filling { seat: self.seat, pen }, reader)
    }
}

/// Why a piece of a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Excess {
    /// The body outgrows the object limit, or the room for bodies. Go on with [`Filling::overflow`].
    #[error("the body is larger than an object may be")]
    TooLarge,
    /// The body is longer than it was declared to be. The fetch has failed.
    #[error("the body is longer than declared")]
    BeyondLength,
}

/// The body ended before its declared length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body is shorter than declared")]
pub struct Incomplete;

/// Collects the body of a storable answer. Dropped before its end, it is gone: who reads sees a broken body, who still
/// waits leads next or waits on.
#[derive(Debug)]
#[must_use = "in place of a dropped filling another one fetches"]
pub struct Filling {
    seat: Seat,
    pen: Pen,
}

impl Filling {
    /// Adds the next bytes of the body, all or none. Never waits: what is collected is bounded by the object limit.
    ///
    /// # Errors
    /// Why they were not taken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        self.admit(bytes.len() as u64)?;
        self.pen.write(bytes);
        Ok(())
    }

    fn admit(&self, more: u64) -> Result<(), Excess> {
        let total = self.pen.len() + more;
        match self.pen.length() {
            Some(length) if total > length => Err(Excess::BeyondLength),
            Some(_) => Ok(()),
            None if total > self.seat.flights().limits.object_bytes => Err(Excess::TooLarge),
            None if !self.pen.reserve(more) => Err(Excess::TooLarge),
            None => Ok(()),
        }
    }

    /// The body is whole. `keep` stores it and is called before the flight ends, so that whoever comes after finds it
    /// in the tier. It returns the body as it is stored, if it is: slow readers hold that, and no room for bodies.
    ///
    /// # Errors
    /// It is shorter than declared; the fetch has failed and nothing is kept.
    pub fn finish(self, keep: impl FnOnce(&Head, &[Bytes]) -> Option<Bytes>) -> Result<(), Incomplete> {
        if self.pen.length().is_some_and(|length| length != self.pen.len()) {
            self.fail();
            return Err(Incomplete);
        }
        let stored = keep(self.pen.head(), &self.pen.pieces());
        let body = self.pen.complete(stored);
        self.seat.land(&body);
        Ok(())
    }

    /// The body has broken off: who reads sees that, and who still waits gets it for an answer.
    pub fn fail(self) {
        self.seat.fail(Failure::Malformed);
    }

    /// All that was added so far.
    #[must_use]
    pub fn pieces(&self) -> Vec<Bytes> {
        self.pen.pieces()
    }

    /// The body has outgrown the object limit: followers go by themselves, as does everybody on this key for a while,
    /// and the leader's client gets the rest through a window.
    pub fn overflow(self, now_ns: u64) -> Window {
        self.seat.disband(Some(now_ns));
        Window::new(self.pen)
    }
}
