//! One fetch per storable key, however many wait (`cache/src/flight.rs` has the rules).
//!
//! The fetch is a task of its own, so its first client may be slow or leave. The client's trip goes into that task and
//! comes back with the head of the answer: with the growing body to read when it may be stored, with the endpoint's
//! connection when it may not.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use sluice_cache::answer::marker::Marker;
use sluice_cache::answer::vary::MARKER;
use sluice_cache::entry::Lifetime;
use sluice_cache::flight::{Broken, Follower, Head, Leader, Reader, Verdict};
use sluice_cache::freshness::Ttl;
use sluice_cache::invalidate::Coverage;
use sluice_cache::key::Keyed;
use sluice_cache::notes::Tags;
use sluice_cache::{Draft, Entry, Found, NotStored, Role};
use tokio::sync::oneshot;

use super::accounts;
use super::core::with;
use super::downstream::Downstream;
use super::drive::{Arrival, Trip, date, now};
use super::filling::{self, Beyond};
use super::keeping::{self, Terms};
use super::objects;
use crate::integration::http::Started;
use crate::message::body::{NoBody, RequestBody};
use crate::message::encode::{CacheStatus, Framing};
use crate::plan::{IntegrationPlan, StageCache};
use crate::stage::recall::StorageKey;
use crate::stage::recall::variant::Varies;
use crate::stage::{Fault, Need, RECALL, Reply, Stop, deliver, recall, store};

/// What a client goes on with.
enum Outcome {
    /// An answer that grows while it is read.
    Read(Reader),
    /// An answer for this client alone.
    Direct(Box<Started>),
    /// The answer stands in the exchange.
    Ready,
    /// The same, and lies on disk in chunks.
    OnDisk,
}

/// Joins those who want the same object. A trip that comes back goes on by itself.
pub async fn join<D: Downstream>(mut trip: Trip, down: &mut D) -> Result<Arrival, Trip> {
    let Some(role) = role(&trip) else { return Err(alone(trip)) };
    let leader = match role {
        Role::Uncollapsed => return Err(alone(trip)),
        Role::Lead(leader) => leader,
        Role::Follow(follower) => match wait(&trip, follower, down).await {
            None => return Ok(trip.leave()),
            Some(Verdict::Lead(leader)) => leader,
            Some(Verdict::Alone) => return Err(alone(trip)),
            Some(Verdict::Read(reader)) => {
                trip.exchange.ledger.recall = recall::Verdict::Followed;
                adopt(&mut trip, &reader, true);
                return Ok(read(trip, reader, down).await);
            }
        },
    };
    // The last leader may have stored the answer between the look-up and now.
    match trip.walk() {
        Stop::Answered => {
            leader.stand_down();
            return Ok(trip.deliver(None, down).await);
        }
        Stop::Waiting(Need::Object) => {
            leader.stand_down();
            return Err(trip);
        }
        Stop::Waiting(_) => {}
    }
    let (back, arrived) = oneshot::channel();
    tokio::spawn(fetch(alone(trip), leader, back));
    let arrived = tokio::select! {
        biased;
        arrived = arrived => arrived,
        // The fetch goes on for others, and settles the account.
        () = down.body().left() => return Ok(Arrival::Broken),
    };
    match arrived {
        Ok((trip, Outcome::Read(reader))) => Ok(read(trip, reader, down).await),
        Ok((trip, Outcome::Direct(started))) => Ok(trip.deliver(Some(started.body), down).await),
        Ok((trip, Outcome::Ready)) => Ok(trip.deliver(None, down).await),
        Ok((trip, Outcome::OnDisk)) => Err(trip),
        // The task is gone with its worker.
        Err(_) => Ok(Arrival::Broken),
    }
}

/// Fetches anew what was served, for the cache alone. Where somebody does so already, or no flight may begin, nothing is
/// done.
#[cold]
pub fn refetch(mut trip: Trip) {
    let Some(lease) = trip.plan.in_flight.clone().try_enter() else { return };
    let Some(Role::Lead(leader)) = role(&trip) else { return };
    let rule = trip.exchange.route.and_then(|r| trip.plan.method(r)).and_then(|(.., method)| method.cache.as_ref());
    let verb = trip.exchange.head.verb.zip(rule).map(|(verb, rule)| rule.keyed_verb(verb));
    let exchange = &mut trip.exchange;
    (exchange.at, exchange.head.verb, exchange.in_background) = (RECALL, verb, true);
    (exchange.reply, exchange.derived, exchange.refetches) = (Reply::None, None, false);
    exchange.cache_status = CacheStatus::Silent;
    let (back, _) = oneshot::channel();
    tokio::spawn(async move {
        fetch(alone(trip), leader, back).await;
        drop(lease);
    });
}

fn alone(mut trip: Trip) -> Trip {
    trip.exchange.alone = true;
    trip
}

fn role(trip: &Trip) -> Option<Role> {
    let (_, stage, method) = trip.exchange.route.and_then(|r| trip.plan.method(r))?;
    let (cache, key) = (stage.cache.as_ref()?, trip.exchange.key.as_ref()?);
    let now = trip.exchange.now.mono;
    if trip.exchange.refreshes {
        // No flight that began before the wish for a fresh answer may fulfil it.
        return Some(cache.flights.overtake(key.as_ref(), key.asked(), now));
    }
    let is_purged = |born| {
        let notes = store::notes(&trip.exchange, method, &Tags::default());
        cache.memory.bans().may_cover(key.as_ref(), &notes, born)
    };
    Some(cache.flights.join(key.as_ref(), key.asked(), now, is_purged))
}

/// Waits for the leader as long as an endpoint may take to answer, then goes alone; `None` when the client leaves.
async fn wait<D: Downstream>(trip: &Trip, follower: Follower, down: &mut D) -> Option<Verdict> {
    let method = trip.exchange.route.and_then(|r| trip.plan.method(r));
    let deadline = match method.map(|(_, _, m)| &m.integration) {
        Some(IntegrationPlan::Http(http)) => http.endpoint.timeout,
        _ => return Some(Verdict::Alone),
    };
    tokio::select! {
        biased;
        verdict = tokio::time::timeout(deadline, follower) => Some(verdict.unwrap_or(Verdict::Alone)),
        () = down.body().left() => None,
    }
}

/// Fetches for all. Whoever waits for `back` may have left; what may be stored is fetched to its end all the same.
async fn fetch(mut trip: Trip, leader: Leader, back: oneshot::Sender<(Trip, Outcome)>) {
    let started = match trip.walk() {
        Stop::Answered => {
            leader.stand_down();
            return hand_back(back, trip, Outcome::Ready);
        }
        Stop::Waiting(_) => trip.call_with_body_at_hand(&mut NoBody).await,
    };
    // Dropped without a word, the leader has failed, and a follower leads next.
    let Ok(started) = started else { return hand_back(back, trip, Outcome::Ready) };
    trip.walk();
    let ttl = trip.exchange.ledger.store.storing();
    if matches!(trip.exchange.reply, Reply::Object(_)) {
        // A large object that the endpoint has confirmed. Nobody may be left to open it.
        objects::renew(&mut trip);
        leader.stand_down();
        return hand_back(back, trip, Outcome::OnDisk);
    }
    if ttl.is_none() && !trip.exchange.serves_stale {
        leader.not_storable(now());
        return hand_back(back, trip, Outcome::Direct(Box::new(started)));
    }
    if trip.exchange.key.as_ref().is_some_and(StorageKey::has_moved) {
        // Its followers may be of other variants.
        leader.stand_down();
        return hand_back(back, trip, Outcome::Direct(Box::new(started)));
    }
    if keeping::is_large(&trip) {
        // Who waits would wait until all of it is on disk.
        leader.stand_down();
        return match trip.exchange.in_background {
            true => filling::fill_aside(&trip, started.body).await,
            false => hand_back(back, trip, Outcome::Direct(Box::new(started))),
        };
    }
    let (origin, length) = (&trip.exchange.origin, trip.length_of_answer());
    let large = if length.is_none() { Terms::of(&trip) } else { None };
    let head = Head { status: origin.status, fields: Bytes::copy_from_slice(&origin.fields) };
    let (body, reader) = match leader.storable(head, length) {
        Ok(both) => both,
        Err(reason) => {
            refuse(&mut trip, reason);
            return hand_back(back, trip, Outcome::Direct(Box::new(started)));
        }
    };
    let (plan, route, key) = (trip.plan.clone(), trip.exchange.route, trip.exchange.key.clone());
    let beyond = Beyond { large, aside: trip.exchange.in_background };
    hand_back(back, trip, Outcome::Read(reader));
    let method = route.and_then(|r| plan.method(r));
    let Some(((_, stage, _), key)) = method.zip(key) else { return };
    let Some(cache) = &stage.cache else { return };
    let keep = |head: &Head, body: &[Bytes]| {
        // What nothing better was had for is stored already.
        let Some(ttl) = ttl else { return };
        Answer { ttl, status: head.status, head: &head.fields, body }.store(cache, &key, now());
    };
    filling::fill(started.body, body, keep, beyond).await;
}

pub(super) fn refuse(trip: &mut Trip, reason: NotStored) {
    trip.exchange.ledger.store = store::Verdict::Refused(reason);
    if let CacheStatus::Forward { stored, detail, .. } = &mut trip.exchange.cache_status {
        (*stored, *detail) = (false, Some(reason.as_str()));
    }
}

/// A client that has left gets its account settled here. What nobody waits for has none: only that it is not stored is
/// counted.
fn hand_back(back: oneshot::Sender<(Trip, Outcome)>, trip: Trip, outcome: Outcome) {
    let Err((trip, _)) = back.send((trip, outcome)) else { return };
    match trip.exchange.ledger.store {
        _ if !trip.exchange.in_background => drop(trip.leave()),
        store::Verdict::Refused(reason) => accounts::note_not_stored(reason),
        _ => {}
    }
}

/// The answer's head becomes that of the growing entry.
fn adopt(trip: &mut Trip, reader: &Reader, collapsed: bool) {
    let exchange = &mut trip.exchange;
    exchange.origin.status = reader.head().status;
    exchange.origin.fields = reader.head().fields.to_vec();
    exchange.origin.framing = Some(match reader.length() {
        _ if matches!(reader.head().status, 204 | 304) => Framing::Bodiless,
        Some(n) => Framing::Length(n),
        None => Framing::Unknown,
    });
    if let CacheStatus::Forward { collapsed: told, .. } = &mut exchange.cache_status {
        *told = collapsed;
    }
    exchange.reply = Reply::Origin;
    let (exchange, plan) = (&mut trip.exchange, &trip.plan);
    with(|core| deliver::advance(exchange, &mut core.context(plan)));
}

/// Sends what grows. While nothing has left, the client can still be told that it broke off.
async fn read<D: Downstream>(mut trip: Trip, mut reader: Reader, down: &mut D) -> Arrival {
    trip.close_if_draining();
    let first = at_hand(pin!(reader.next())).await;
    if let Poll::Ready(Some(Err(_))) = first {
        refuse(&mut trip, NotStored::Incomplete);
        trip.fail(Fault::EndpointMalformed);
        return trip.deliver(None, down).await;
    }
    let (sent, result) = send(&trip, first, &mut reader, down).await;
    trip.settle(sent);
    match result {
        Ok(false) => Arrival::Open,
        Ok(true) => Arrival::Close,
        Err(_) => Arrival::Broken,
    }
}

/// A piece that grows, or the end.
type Piece = Option<Result<Bytes, Broken>>;

async fn send<D: Downstream>(
    trip: &Trip,
    first: Poll<Piece>,
    reader: &mut Reader,
    down: &mut D,
) -> (u64, io::Result<bool>) {
    let (mut sent, mut first) = (0, Some(first));
    let run = async {
        let mut none = Vec::new();
        let answer = deliver::outgoing(&trip.exchange, &trip.plan, &mut none);
        down.begin(&answer.head, &date(), answer.close).await?;
        // A client that has it already waits for none of it.
        if answer.head.framing == Framing::Bodiless {
            return down.finish().await.map(|()| answer.close);
        }
        loop {
            let piece = match first.take() {
                Some(Poll::Ready(piece)) => piece,
                _ => flushed_while(reader.next(), down).await?,
            };
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|_| io::ErrorKind::UnexpectedEof)?;
            down.send_shared(&piece).await?;
            sent += piece.len() as u64;
        }
        down.finish().await.map(|()| answer.close)
    };
    let result = run.await;
    (sent, result)
}

/// What comes next. If it has to be waited for, all that came so far leaves first.
async fn flushed_while<T, D: Downstream>(next: impl Future<Output = T>, down: &mut D) -> io::Result<T> {
    let mut next = pin!(next);
    if let Poll::Ready(piece) = at_hand(next.as_mut()).await {
        return Ok(piece);
    }
    down.flush().await?;
    Ok(next.await)
}

/// What there is without waiting.
async fn at_hand<T>(mut next: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await
}

/// A whole answer that may be stored.
pub struct Answer<'a> {
    /// For how long.
    pub ttl: Ttl,
    /// Its status.
    pub status: u16,
    /// Its field lines.
    pub head: &'a [u8],
    /// Its body in pieces.
    pub body: &'a [Bytes],
}

impl Answer<'_> {
    /// Stores it, unless something has come between since its fetch began.
    pub fn store(&self, cache: &StageCache, key: &StorageKey, now: u64) {
        let lifetime = key.lifetime.unwrap_or_else(|| self.ttl.with(key.grace, now));
        let born = key.birth.sequence();
        let draft =
            Draft { key: key.as_ref(), status: self.status, notes: &key.notes, head: self.head, lifetime, born };
        let stored = Entry::new(draft, self.body).map(Arc::new);
        let insert = |entry| cache.turns.keep(key.fingerprint, key.turn, || keep(cache, key, &entry, now));
        let marked = key.varies.as_ref().map_or(Ok(()), |varies| self.mark(cache, key, varies, lifetime, now));
        if let Err(reason) = marked.and(stored).and_then(insert) {
            accounts::note_not_stored(reason);
        }
    }

    /// Notes under the key itself by which fields its answers vary, and this one of them.
    fn mark(
        &self,
        cache: &StageCache,
        key: &StorageKey,
        by: &Varies,
        lifetime: Lifetime,
        now: u64,
    ) -> Result<(), NotStored> {
        // One after the other: none is forgotten.
        cache.turns.keep(by.primary, key.turn, || {
            let (primary, born) = (key.primary(by), key.birth.sequence());
            let known = match cache.memory.get(primary, now) {
                Found::Fresh(entry) | Found::Expired(entry) => {
                    Marker::of(&entry).map(|marker| (marker, lifetime.or_longer(entry.lifetime())))
                }
                _ => None,
            };
            let known = known.filter(|(marker, _)| marker.generation() == by.generation);
            let (marker, lifetime) = known.unwrap_or_else(|| (Marker::new(by.generation), lifetime));
            let body = Bytes::from(marker.with(key.fingerprint).ok_or(NotStored::Vary)?.encode());
            let draft = Draft { key: primary, status: MARKER, notes: &key.notes, head: &by.line, lifetime, born };
            let marker = Entry::new(draft, &[body]).map(Arc::new)?;
            keep(cache, key, &marker, now)
        })
    }
}

/// In memory, and on disk unless it must be nowhere.
fn keep(cache: &StageCache, key: &StorageKey, entry: &Arc<Entry>, now: u64) -> Result<(), NotStored> {
    let kept = cache.memory.insert(Arc::clone(entry), key.began);
    let may_lie_below = matches!(kept, Ok(()) | Err(NotStored::TooLarge | NotStored::Flushing));
    // While the key is held no later ban goes away: what one covers by now would outlive it below.
    let is_clear = || cache.memory.bans().judge(entry) == Coverage::Clear;
    if may_lie_below && is_clear() {
        cache.disk.insert(entry, key.below, now);
        if !is_clear() {
            drop(cache.disk.remove(entry.key()));
        }
    }
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::server::lane_downstream::LaneDownstream;

    #[tokio::test]
    async fn what_came_leaves_while_the_rest_is_waited_for() {
        let (mut here, mut client) = tokio::io::duplex(1024);
        let mut down = LaneDownstream::new(&mut here, false, Duration::from_secs(60));
        down.send(b"a first piece").await.unwrap();
        let mut seen = [0; 13];
        tokio::select! {
            _ = flushed_while(pending::<()>(), &mut down) => unreachable!("nothing follows"),
            read = client.read_exact(&mut seen) => assert_eq!(read.unwrap(), 13),
        }
        assert_eq!(&seen, b"a first piece");
    }

    #[tokio::test]
    async fn what_is_at_hand_waits_for_more() {
        let (mut here, mut client) = tokio::io::duplex(1024);
        let mut down = LaneDownstream::new(&mut here, false, Duration::from_secs(60));
        down.send(b"a first piece").await.unwrap();
        assert_eq!(flushed_while(std::future::ready(7), &mut down).await.unwrap(), 7);
        drop(here);
        assert_eq!(client.read(&mut [0; 13]).await.unwrap(), 0);
    }
}
