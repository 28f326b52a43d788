//! A request that waits for somebody else's fetch.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::board::{self, Flight, News, Seat, Ticket};
use super::growing::{Growing, Reader};
use super::leader::Leader;
use super::{Failure, Flights};

/// What became of waiting.
#[derive(Debug)]
pub enum Verdict {
    /// The leader is gone without a word and this request leads now.
    Lead(Leader),
    /// There is an answer to read.
    Read(Reader),
    /// Fetch by yourself, for yourself.
    Alone,
    /// There is no answer, for nobody who waited.
    Failed(Failure),
}

/// Waits for the leader's verdict. Dropping it ends the wait; had it just been chosen to lead, another follower is.
#[derive(Debug)]
#[must_use = "a follower waits only while it is polled"]
pub struct Follower {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    /// Gone once the verdict is known.
    ticket: Option<Ticket>,
}

impl Follower {
    pub(super) const fn new(flights: Arc<Flights>, flight: Arc<Flight>, ticket: Ticket) -> Self {
        Self { flights, flight, ticket: Some(ticket) }
    }

    /// The answer has begun, and is waited for until it is whole.
    #[must_use]
    pub fn is_promised(&self) -> bool {
        self.flight.has_begun()
    }

    fn verdict(&self, news: News) -> Verdict {
        match news {
            News::Lead => Verdict::Lead(Leader::new(Seat::new(Arc::clone(&self.flights), Arc::clone(&self.flight)))),
            News::Read(body) => Verdict::Read(Growing::reader(body)),
            News::Alone => Verdict::Alone,
            News::Failed(failure) => Verdict::Failed(failure),
        }
    }
}

impl Future for Follower {
    type Output = Verdict;

    /// Polled again after its verdict it says [`Verdict::Alone`].
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        let Some(ticket) = self.ticket else { return Poll::Ready(Verdict::Alone) };
        let news = std::task::ready!(self.flight.news(ticket, context.waker()));
        self.ticket = None;
        Poll::Ready(self.verdict(news))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            board::leave(&self.flights, &self.flight, ticket);
        }
    }
}
