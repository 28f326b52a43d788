//! One fetch per storable key, however many wait (`cache/src/flight.rs` has the rules).
//!
//! The fetch is a task of its own, so its first client may be slow or leave. The client's trip goes into that task and
//! comes back with the head of the answer: with the growing body to read when it may be stored, with the endpoint's
//! connection when it may not.

use bytes::Bytes;
use sluice_cache::flight::{Head, Leader, Reader, Verdict};
use sluice_cache::notes::Tags;
use sluice_cache::{NotStored, Role};
use tokio::sync::oneshot;

use super::accounts;
use super::core::with;
use super::downstream::Downstream;
use super::drive::{Arrival, Trip, now};
use super::filling::{self, Beyond};
use super::following;
use super::growing::read;
use super::keeping::{self, Terms};
use super::objects;
use super::storing::Answer;
use crate::integration::http::Started;
use crate::message::body::{NoBody, RequestBody};
use crate::message::encode::{CacheStatus, Framing};
use crate::stage::recall::StorageKey;
use crate::stage::{Need, RECALL, Reply, Stop, deliver, recall, store};

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
        Role::Follow(follower) => match following::wait(&trip, follower, down).await {
            None => return Ok(trip.leave()),
            Some(Verdict::Lead(leader)) => leader,
            Some(Verdict::Alone) => return Err(alone(trip)),
            Some(Verdict::Failed(failure)) => return Ok(following::answer(trip, failure, down).await),
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

/// Fetches for all. Whoever waits for `back` may have left; what may be stored is fetched to its end all the same.
async fn fetch(mut trip: Trip, leader: Leader, back: oneshot::Sender<(Trip, Outcome)>) {
    let started = match trip.walk() {
        Stop::Answered => {
            leader.stand_down();
            return hand_back(back, trip, Outcome::Ready);
        }
        Stop::Waiting(_) => trip.call_with_body_at_hand(&mut NoBody).await,
    };
    let Ok(started) = started else {
        following::tell(&trip, leader);
        return hand_back(back, trip, Outcome::Ready);
    };
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
        let ttl = ttl?;
        Answer { ttl, status: head.status, head: &head.fields, body }.store(cache, &key, now())
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
