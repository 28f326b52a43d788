//! Sends large objects from disk, chunk by chunk, at the client's pace.

use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use sluice_api::Verb;
use sluice_cache::key::Keyed;
use sluice_cache::tier::disk::{HEAD, Lost, ObjectReader};
use tokio::time::timeout;

use super::breaking::BrokenOff;
use super::downstream::Downstream;
use super::drive::{Trip, date, now};
use super::storing::Answer;
use crate::stage::recall::{Object, OnDisk, Opened, Opening};
use crate::stage::{OriginAnswer, RECALL, Reply, deliver};
use crate::storage::SendSeat;

/// A disk that takes longer than this for the first bytes is slower than most origins.
const FIRST: Duration = Duration::from_millis(500);

/// Once an answer has begun there is nothing else to send: more is waited for.
const LATER: Duration = Duration::from_secs(10);

/// What is written at once: a client that is so slow that it takes none of it in its time is given up.
const PIECE: usize = 64 * 1024;

/// Reads the first bytes of the object that the trip is to be answered with. Where that fails the trip goes back to its
/// look-up, which finds nothing this time.
pub(super) async fn open(trip: &mut Trip) {
    renew(trip);
    let opening = match wanted(trip) {
        None => Opening::HeadOnly,
        Some(bytes) => first(trip, bytes).await,
    };
    let failed = !opening.is_done();
    trip.exchange.opening = opening;
    if failed {
        go_back(trip);
    }
}

/// The large object that is stored, if it is one.
pub(super) fn stored(trip: &Trip) -> Option<Box<Object>> {
    let object = Object::of(trip.exchange.stored.clone()?).ok()?;
    Some(Box::new(Object { renewed: true, to_store: true, ..*object }))
}

/// Stores the head of an object that the endpoint has confirmed anew. Its chunks stay as they are.
pub(super) fn renew(trip: &mut Trip) {
    let Reply::Object(object) = &mut trip.exchange.reply else { return };
    let due = std::mem::take(&mut object.to_store);
    let Reply::Object(object) = &trip.exchange.reply else { return };
    let (Some(cache), Some(key)) = (trip.cache(), &trip.exchange.key) else { return };
    let Some(ttl) = trip.exchange.ledger.store.storing().filter(|_| due) else { return };
    let (head, body) = (&trip.exchange.origin.fields, [object.manifest.to_bytes()]);
    Answer { ttl, status: HEAD, head, body: &body }.store(cache, key, now());
}

/// Which bytes of the body are to be sent.
fn wanted(trip: &Trip) -> Option<Range<u64>> {
    let exchange = &trip.exchange;
    let Reply::Object(object) = &exchange.reply else { return None };
    match &exchange.derived {
        _ if exchange.head.verb == Some(Verb::Head) => None,
        Some(derived) => derived.part.clone(),
        None => Some(0..object.manifest.length()),
    }
}

async fn first(trip: &Trip, bytes: Range<u64>) -> Opening {
    let Some(seat) = SendSeat::take() else { return Opening::Busy };
    let (Reply::Object(object), Some(cache)) = (&trip.exchange.reply, trip.cache()) else { return Opening::Lost };
    let reader = cache.disk.space().ok_or(Lost);
    let reader = reader.and_then(|space| space.read_object(&object.manifest, bytes, trip.exchange.now.mono));
    let read = match reader {
        Ok(mut rest) => timeout(FIRST, rest.next()).await.map(|first| first.map(|first| (first, rest))),
        Err(lost) => Ok(Err(lost)),
    };
    match read {
        Ok(Ok((first, rest))) => Opening::Open(Box::new(Opened { first: first.unwrap_or_default(), rest, seat })),
        Ok(Err(Lost)) => {
            forget(trip);
            Opening::Lost
        }
        Err(_) => {
            cache.disk.count_late();
            Opening::Lost
        }
    }
}

/// What is left of it is no use to anybody. Should there be a new one by now, it is fetched once more.
fn forget(trip: &Trip) {
    let (Reply::Object(object), Some(cache)) = (&trip.exchange.reply, trip.cache()) else { return };
    let key = object.head.key();
    cache.memory.remove(key);
    drop(cache.disk.remove(key));
    cache.disk.count_lost();
}

/// To the look-up, as if it had not been there.
fn go_back(trip: &mut Trip) {
    let exchange = &mut trip.exchange;
    (exchange.at, exchange.reply, exchange.disk) = (RECALL, Reply::None, OnDisk::Asked);
    (exchange.derived, exchange.age, exchange.key, exchange.stored) = (None, None, None, None);
    (exchange.refetches, exchange.dated, exchange.serves_stale, exchange.alone) = (false, false, false, false);
    exchange.origin = OriginAnswer::default();
}

/// Sends the object that was opened. Bytes that were sent, and whether the connection ends with them.
pub(super) async fn send<D: Downstream>(trip: &mut Trip, down: &mut D) -> Result<(u64, bool), BrokenOff> {
    let opened = match std::mem::take(&mut trip.exchange.opening) {
        Opening::Open(opened) => Some(*opened),
        _ => None,
    };
    let mut none = Vec::new();
    let answer = deliver::outgoing(&trip.exchange, &trip.plan, &mut none);
    let close = answer.close;
    down.begin(&answer.head, &date(), close).await.map_err(BrokenOff::client(0))?;
    let sent = match opened {
        Some(opened) => body(opened, down).await,
        None => Ok(0),
    };
    let sent = sent.inspect_err(|broken| {
        if broken.error.get_ref().is_some_and(|inner| inner.is::<Lost>()) {
            forget(trip);
        }
    })?;
    down.finish().await.map_err(BrokenOff::client(sent))?;
    Ok((sent, close))
}

async fn body<D: Downstream>(opened: Opened, down: &mut D) -> Result<u64, BrokenOff> {
    let Opened { first, mut rest, seat: _seat } = opened;
    let (mut chunk, mut sent) = (Some(first), 0);
    while let Some(mut left) = chunk.take() {
        while !left.is_empty() {
            let piece = left.split_to(left.len().min(PIECE));
            down.send_shared(&piece).await.map_err(BrokenOff::client(sent))?;
            sent += piece.len() as u64;
        }
        down.flush().await.map_err(BrokenOff::client(sent))?;
        chunk = next(&mut rest).await.map_err(BrokenOff::disk(sent))?;
    }
    Ok(sent)
}

async fn next(rest: &mut ObjectReader) -> io::Result<Option<Bytes>> {
    match timeout(LATER, rest.next()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(lost)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, lost)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
