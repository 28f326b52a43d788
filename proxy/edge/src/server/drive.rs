//! Takes a request on that has to wait: gets what the stages ask for, walks on, and delivers.
//!
//! One driver for every way in; what differs between them is behind `Downstream`.

use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::NotStored;

use super::accounts::{self, Account};
use super::bodies::{self, AtHand};
use super::breaking::BrokenOff;
use super::collapse;
use super::core::with;
use super::downstream::Downstream;
use super::invalidation;
use super::keeping::Keeper;
use super::objects;
use super::renewal::{self, Settled};
use crate::integration::http::{BodyEnd, BodyReader, Call, Started, call};
use crate::message::body::BodyLength;
use crate::message::body::RequestBody;
use crate::message::encode::Framing;
use crate::message::spare::Spare;
use crate::observe::metrics::Way;
use crate::plan::{HttpPlan, IntegrationPlan, Plan, StageCache};
use crate::stage::deliver::{self, Body};
use crate::stage::prepare;
use crate::stage::{Exchange, Fault, Need, Reply, Stop, dispatch, fail, throttle, walk};

/// A request on its way through the driver.
pub struct Trip {
    /// The request.
    pub exchange: Box<Exchange<'static>>,
    /// The plan that it was found in.
    pub plan: Arc<Plan>,
    /// The way in.
    pub way: Way,
    /// How its body is framed towards the endpoint.
    pub length: BodyLength,
}

/// How a trip ended for its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Another request may follow.
    Open,
    /// The connection ends with this answer.
    Close,
    /// The answer broke off: the connection ends, and must not look as if the answer were whole.
    Broken,
}

/// Gets what is needed and delivers the answer.
#[expect(clippy::manual_async_fn, reason = "an async function's state has its arguments twice")]
pub fn drive<D: Downstream>(mut trip: Trip, mut need: Need, down: &mut D) -> impl Future<Output = Arrival> + Send {
    async move {
        let Some(_lease) = trip.plan.in_flight.clone().try_enter() else {
            throttle::give_back(&trip.exchange, &trip.plan);
            trip.exchange.ledger.throttle = throttle::Verdict::InFlight;
            trip.fail(Fault::Throttled);
            return trip.deliver(None, down).await;
        };
        let mut body = None;
        loop {
            match need {
                Need::Disk => trip.read_disk().await,
                Need::Object => Box::pin(objects::open(&mut trip)).await,
                Need::Flight => match Box::pin(collapse::join(trip, down)).await {
                    Ok(arrival) => return arrival,
                    Err(alone) => trip = alone,
                },
                Need::Body(limit) => match Box::pin(bodies::read(down.body(), limit)).await {
                    Ok(body) => trip.keep_body(body),
                    Err(fault) => {
                        // The rest of the body is not read: nothing may follow it.
                        trip.exchange.head.close = true;
                        trip.fail(fault);
                        return trip.deliver(None, down).await;
                    }
                },
                Need::Endpoint => {
                    let answer = match trip.exchange.body {
                        Some(_) => Box::pin(trip.call_with_body_at_hand(down.body())).await,
                        None => trip.call(down.body()).await,
                    };
                    match answer {
                        Ok(answer) => body = Some(answer.body),
                        Err(()) => return trip.deliver(None, down).await,
                    }
                }
            }
            match trip.walk() {
                Stop::Answered => return trip.deliver(body, down).await,
                Stop::Waiting(next) => need = next,
            }
        }
    }
}

impl Trip {
    /// Walks on from where the exchange stands.
    pub fn walk(&mut self) -> Stop {
        let (exchange, plan) = (&mut self.exchange, &self.plan);
        with(|core| walk(exchange, &mut core.context(plan))).unwrap_or(Stop::Answered)
    }

    /// Ends the request with a gateway response.
    pub fn fail(&mut self, fault: Fault) {
        let (exchange, plan) = (&mut self.exchange, &self.plan);
        with(|core| fail(exchange, &mut core.context(plan), fault));
    }

    /// Waits for what is read from disk.
    async fn read_disk(&mut self) {
        let Some(reading) = self.exchange.disk.take() else { return };
        let Some(cache) = self.cache() else { return };
        self.exchange.disk.came(cache.disk.wait(reading).await);
    }

    /// The cache of the stage that it has reached.
    pub fn cache(&self) -> Option<&Arc<StageCache>> {
        self.plan.method(self.exchange.route?)?.1.cache.as_ref()
    }

    /// How long the endpoint's answer is, as far as that is known, bytes.
    pub const fn length_of_answer(&self) -> Option<u64> {
        match self.exchange.origin.framing {
            Some(Framing::Length(n)) => Some(n),
            Some(Framing::Bodiless) => Some(0),
            _ => None,
        }
    }

    fn keep_body(&mut self, body: Bytes) {
        self.length = BodyLength::Known(body.len() as u64);
        self.exchange.body = Some(body);
    }

    /// Calls the endpoint with the body that was read before, if there is one.
    pub async fn call_with_body_at_hand(&mut self, client: &mut impl RequestBody) -> Result<Started, ()> {
        let mut body = AtHand::new(self.exchange.body.clone(), client);
        self.call(&mut body).await
    }

    /// Calls the endpoint; a failure becomes the answer.
    pub async fn call(&mut self, body: &mut impl RequestBody) -> Result<Started, ()> {
        let plan = self.plan.clone();
        let http = match self.exchange.route.and_then(|r| plan.method(r)) {
            Some((_, _, method)) => match &method.integration {
                IntegrationPlan::Http(http) => http,
                _ => return self.failed(None, Fault::Internal),
            },
            None => return self.failed(None, Fault::Internal),
        };
        if self.length != BodyLength::Empty && prepare::carries_no_body(&self.exchange, http) {
            // What is left of it is not read: nothing may follow.
            self.exchange.head.close |= self.exchange.body.is_none();
            self.length = BodyLength::Empty;
        }
        let begun = now();
        let mut head = Spare::take();
        prepare::write_head(&mut head, &self.exchange, &plan, http, self.length);
        let mut called = call(&self.request(http, &head, begun), body).await;
        if renewal::speaks_of_another(self, &called) {
            self.exchange.stored = None;
            head.clear();
            prepare::write_head(&mut head, &self.exchange, &plan, http, self.length);
            called = Box::pin(call(&self.request(http, &head, begun), body)).await;
        }
        drop(head);
        let (mut is_stored, mut replaces) = (false, None);
        if renewal::concerns(&called) {
            Settled { called, is_stored, replaces } = renewal::with_what_is_stored(self, called);
        }
        self.exchange.serves_stale = replaces.is_some();
        self.exchange.confirmed = if is_stored { objects::stored(self) } else { None };
        if let Ok(started) = &called
            && invalidation::concerns(self, started.head.status)
        {
            Box::pin(invalidation::after(self, started)).await;
        }
        match called {
            Ok(mut started) => {
                self.exchange.origin.came = now();
                self.exchange.origin.latency = self.exchange.origin.came.saturating_sub(begun);
                self.arrived(&mut started);
                if let Some(fault) = replaces {
                    self.exchange.ledger.dispatch = dispatch::Verdict::Failed(fault);
                }
                Ok(started)
            }
            Err(error) => {
                tracing::debug!(%error, origin = %http.uri.address, "the call failed");
                self.failed(Some(error.to_string()), Fault::from(&error))
            }
        }
    }

    fn request<'c>(&self, http: &'c HttpPlan, head: &'c [u8], now: u64) -> Call<'c> {
        Call { to: &http.endpoint, verb: prepare::verb(&self.exchange, http), head, length: self.length, now }
    }

    fn arrived(&mut self, started: &mut Started) {
        let origin = &mut self.exchange.origin;
        origin.status = started.head.status;
        origin.raw = std::mem::take(&mut started.head.fields);
        origin.may_be_cut = started.head.end == BodyEnd::Close;
        origin.framing = Some(match started.head.end {
            BodyEnd::Bodiless if self.exchange.head.is_head() => {
                started.head.stated_length.map_or(Framing::Bodiless, Framing::Length)
            }
            BodyEnd::Bodiless if matches!(started.head.status, 204 | 304) => Framing::Bodiless,
            // A request of another method was executed as HEAD.
            BodyEnd::Bodiless => Framing::Length(0),
            BodyEnd::Length(n) => Framing::Length(n),
            BodyEnd::Chunked | BodyEnd::Close | BodyEnd::CloseNotify | BodyEnd::Stream => Framing::Unknown,
        });
        self.exchange.ledger.dispatch =
            dispatch::Verdict::Endpoint { status: started.head.status, tries: started.tries, reused: started.reused };
        // The rest of the client's body is not read: nothing may follow it.
        self.exchange.head.close |= !started.request_complete;
    }

    fn failed(&mut self, error: Option<String>, fault: Fault) -> Result<Started, ()> {
        self.exchange.origin.error = error.map(Into::into);
        self.exchange.ledger.dispatch = dispatch::Verdict::Failed(fault);
        self.exchange.head.close |= self.length != BodyLength::Empty;
        self.fail(fault);
        Err(())
    }

    /// An answer that leaves while the process drains is its connection's last, whenever it was asked for.
    pub fn close_if_draining(&mut self) {
        self.exchange.head.close |= with(|core| core.gateway.is_draining()).unwrap_or(true);
    }

    /// Sends the answer and settles the account.
    pub fn deliver<D: Downstream>(
        mut self,
        body: Option<BodyReader>,
        down: &mut D,
    ) -> impl Future<Output = Arrival> + Send {
        self.close_if_draining();
        let body = self.check(body);
        async move {
            if matches!(self.exchange.reply, Reply::Fault(Fault::ClientLeft)) {
                self.settle(0);
                return Arrival::Broken;
            }
            let sent = match (&self.exchange.reply, body) {
                (Reply::Origin, Some(body)) => self.stream(body, down).await,
                (Reply::Object(_), _) => Box::pin(objects::send(&mut self, down)).await,
                _ => self.send_at_hand(down).await,
            };
            let (bytes_out, arrival) = match sent {
                Ok((bytes, true)) => (bytes, Arrival::Close),
                Ok((bytes, false)) => (bytes, Arrival::Open),
                Err(broken) => Box::pin(self.break_off(broken, down)).await,
            };
            self.settle(bytes_out);
            if self.exchange.refetches {
                collapse::refetch(self);
            }
            arrival
        }
    }

    /// The client has left: there is nobody to deliver to.
    pub fn leave(mut self) -> Arrival {
        self.fail(Fault::ClientLeft);
        self.settle(0);
        Arrival::Broken
    }

    /// Counts and logs the request.
    pub fn settle(&self, bytes_out: u64) {
        with(|core| {
            let parts = core.parts();
            let status = deliver::status(&self.exchange, &self.plan);
            let account = Account { status, bytes_out, way: self.way, done: parts.clock.now().mono };
            let mut desk = parts.desk;
            accounts::settle(&mut desk, &self.plan, &self.exchange, account);
        });
    }

    /// While nothing has left, the client can still be told that what came of the body ends too early.
    fn check(&mut self, mut body: Option<BodyReader>) -> Option<BodyReader> {
        let streams = matches!(self.exchange.reply, Reply::Origin);
        let failed = body.as_mut().filter(|_| streams).and_then(|body| body.check().err());
        if let Some(error) = failed {
            body = None;
            if self.exchange.ledger.store.storing().is_some() {
                collapse::refuse(self, NotStored::Incomplete);
            }
            let _ =
                self.failed(Some(format!("the answer broke off before its body: {error}")), Fault::EndpointMalformed);
        }
        body
    }

    async fn send_at_hand<D: Downstream>(&self, down: &mut D) -> Result<(u64, bool), BrokenOff> {
        let mut fields = Vec::new();
        let answer = deliver::outgoing(&self.exchange, &self.plan, &mut fields);
        let send = async {
            down.begin(&answer.head, &date(), answer.close).await?;
            let sent = match &answer.body {
                Body::Shared(body) => down.send_shared(body).await.map(|()| body.len()),
                Body::Text(text) => down.send(text.as_bytes()).await.map(|()| text.len()),
                Body::Stream => Ok(0),
            }?;
            down.finish().await.map(|()| sent as u64)
        };
        send.await.map(|sent| (sent, answer.close)).map_err(BrokenOff::client(0))
    }

    /// Passes the endpoint's body on, and collects it where it is to be stored.
    async fn stream<D: Downstream>(&mut self, mut body: BodyReader, down: &mut D) -> Result<(u64, bool), BrokenOff> {
        let mut sent = 0;
        let mut keeper = Keeper::new(self).unwrap_or_else(|reason| {
            collapse::refuse(self, reason);
            None
        });
        let close = {
            let mut none = Vec::new();
            let answer = deliver::outgoing(&self.exchange, &self.plan, &mut none);
            down.begin(&answer.head, &date(), answer.close).await.map_err(BrokenOff::client(0))?;
            answer.close
        };
        loop {
            if let Some(piece) = body.piece().map_err(BrokenOff::endpoint(sent))? {
                keeper = keeper.and_then(|keeper| keeper.push(piece, self));
                // Whoever has the last byte may ask again at once.
                if self.length_of_answer() == Some(sent + piece.len() as u64)
                    && let Some(keeper) = keeper.take()
                {
                    keeper.finish(self);
                }
                down.send(piece).await.map_err(BrokenOff::client(sent))?;
                sent += piece.len() as u64;
                if let Some(keeper) = &mut keeper {
                    keeper.catch_up().await;
                }
                continue;
            }
            if body.is_done() {
                break;
            }
            down.flush().await.map_err(BrokenOff::client(sent))?;
            body.read().await.map_err(BrokenOff::endpoint(sent))?;
        }
        down.finish().await.map_err(BrokenOff::client(sent))?;
        if let Some(keeper) = keeper {
            keeper.finish(self);
        }
        Ok((sent, close))
    }
}

/// The monotonic clock.
pub fn now() -> u64 {
    with(|core| core.clock.now().mono).unwrap_or_default()
}

/// The `Date` field's value as of the worker's last look at the clock: one at each event, and at least one a second.
pub fn date() -> [u8; 29] {
    with(|core| *core.clock.date()).unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;
    use crate::server::lane_downstream::LaneDownstream;
    use crate::server::stream::EdgeStream;

    fn size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_call_takes_little_from_the_allocator() {
        let size = size(drive::<LaneDownstream<'static, EdgeStream<TcpStream>>>);
        assert!(size <= 1024, "{size} B: what is larger is not found in the allocator's lists of small blocks");
    }
}
