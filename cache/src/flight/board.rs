//! One flight: who waits, what the leader has said, who leads next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use crate::key::{Fingerprint, KeyRef};

use super::growing::Growing;
use super::{Asked, Failure, Flights, Shard};

/// The fetch of one key.
#[derive(Debug)]
pub(super) struct Flight {
    fingerprint: Fingerprint,
    key: Box<[u8]>,
    asked: Asked,
    board: Mutex<Board>,
}

/// A follower's place among those who wait, in order of arrival.
pub(super) type Ticket = u64;

/// What a follower reads on the board.
#[derive(Debug)]
pub(super) enum News {
    Lead,
    Read(Arc<Growing>),
    Alone,
    Failed(Failure),
}

#[derive(Debug, Default)]
struct Board {
    said: Said,
    /// While nothing is said: the answer has begun, and may be stored once it is whole.
    begun: bool,
    /// While nothing is said: the follower that leads next, not yet told. It is in `waiting`.
    chosen: Option<Ticket>,
    waiting: BTreeMap<Ticket, Option<Waker>>,
    next_ticket: Ticket,
}

#[derive(Debug, Default)]
enum Said {
    #[default]
    Nothing,
    Readable(Arc<Growing>),
    Alone,
    Failed(Failure),
}

impl Flight {
    pub(super) fn new(key: KeyRef<'_>, asked: Asked) -> Self {
        Self { fingerprint: key.fingerprint, key: key.bytes.into(), asked, board: Mutex::default() }
    }

    pub(super) fn is_for(&self, key: KeyRef<'_>) -> bool {
        self.fingerprint == key.fingerprint && *self.key == *key.bytes
    }

    pub(super) const fn asked(&self) -> Asked {
        self.asked
    }

    pub(super) const fn digest(&self) -> u64 {
        self.fingerprint.low()
    }

    /// A place among those who wait, if there is one.
    pub(super) fn admit(&self, limit: usize) -> Option<Ticket> {
        let mut board = self.board.lock();
        (board.waiting.len() < limit).then(|| board.admit())
    }

    /// What the board says to the follower with this ticket, which leaves with the news or waits on.
    pub(super) fn news(&self, ticket: Ticket, waker: &Waker) -> Poll<News> {
        let mut board = self.board.lock();
        let news = board.news(ticket);
        match &news {
            Some(_) => drop(board.waiting.remove(&ticket)),
            None => board.wait(ticket, waker),
        }
        news.map_or(Poll::Pending, Poll::Ready)
    }

    /// The answer has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.board.lock().begun
    }

    fn say(&self, said: Said) {
        let wakers = {
            let mut board = self.board.lock();
            board.said = said;
            board.chosen = None;
            board.waiting.values_mut().filter_map(Option::take).collect::<Vec<_>>()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Board {
    fn admit(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, None);
        ticket
    }

    fn news(&mut self, ticket: Ticket) -> Option<News> {
        match &self.said {
            Said::Readable(body) => Some(News::Read(Arc::clone(body))),
            Said::Alone => Some(News::Alone),
            Said::Failed(failure) => Some(News::Failed(*failure)),
            Said::Nothing => self.chosen.take_if(|chosen| *chosen == ticket).map(|_| News::Lead),
        }
    }

    fn wait(&mut self, ticket: Ticket, waker: &Waker) {
        if let Some(place) = self.waiting.get_mut(&ticket) {
            match place {
                Some(known) => known.clone_from(waker),
                None => *place = Some(waker.clone()),
            }
        }
    }

    /// Chooses who leads next; `None` if nobody waits.
    fn choose(&mut self) -> Option<Option<Waker>> {
        let mut first = self.waiting.first_entry()?;
        self.chosen = Some(*first.key());
        Some(first.get_mut().take())
    }
}

/// The right and the duty to bring a flight to its end. Dropped before that, it goes to a follower.
#[derive(Debug)]
pub(super) struct Seat {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    over: bool,
}

impl Seat {
    pub(super) const fn new(flights: Arc<Flights>, flight: Arc<Flight>) -> Self {
        Self { flights, flight, over: false }
    }

    pub(super) fn flights(&self) -> &Flights {
        &self.flights
    }

    /// The answer has begun; followers wait until it is whole.
    pub(super) fn begin(&self) {
        self.flight.board.lock().begun = true;
    }

    /// Followers, now and to come, may read.
    pub(super) fn open(&self, body: &Arc<Growing>) {
        self.flight.say(Said::Readable(Arc::clone(body)));
    }

    /// The body is whole: those who wait read it, and nobody joins any more.
    pub(super) fn land(mut self, body: &Arc<Growing>) {
        self.end(|_, _| {});
        self.flight.say(Said::Readable(Arc::clone(body)));
    }

    /// Everybody goes alone, and if the time is given so does everybody who comes within a while.
    pub(super) fn disband(mut self, now_ns: Option<u64>) {
        self.end(|shard, seat| {
            if let Some(now_ns) = now_ns {
                shard.leave_alone(seat.flight.digest(), now_ns, &seat.flights.limits);
            }
        });
        self.flight.say(Said::Alone);
    }

    /// There will be no answer: those who wait are told so at once, and who comes after begins anew.
    pub(super) fn fail(mut self, failure: Failure) {
        self.end(|_, _| {});
        self.flight.say(Said::Failed(failure));
    }

    fn end(&mut self, also: impl FnOnce(&mut Shard, &Self)) {
        self.over = true;
        let mut shard = self.flights.shard(self.flight.digest()).lock();
        shard.remove(&self.flight);
        also(&mut shard, self);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.over {
            pass_on(&self.flights, &self.flight);
        }
    }
}

/// A follower leaves without news; had it been chosen, another is.
pub(super) fn leave(flights: &Flights, flight: &Arc<Flight>, ticket: Ticket) {
    let was_chosen = {
        let mut board = flight.board.lock();
        board.waiting.remove(&ticket);
        board.chosen.take_if(|chosen| *chosen == ticket).is_some()
    };
    if was_chosen {
        pass_on(flights, flight);
    }
}

/// The lead goes to the follower who has waited longest; without one the flight is over.
fn pass_on(flights: &Flights, flight: &Arc<Flight>) {
    let waker = {
        let mut shard = flights.shard(flight.digest()).lock();
        let mut board = flight.board.lock();
        (board.said, board.begun) = (Said::Nothing, false);
        let next = board.choose();
        if next.is_none() {
            shard.remove(flight);
        }
        next.flatten()
    };
    waker.into_iter().for_each(Waker::wake);
}
