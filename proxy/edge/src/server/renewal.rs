//! What the endpoint's word makes of an answer that is stored and may not be served as it is (RFC 9111 §4.3, RFC 5861).
//!
//! Either way it comes back as if the endpoint had sent all of it, so that everything behind it (fields, lifetime, those
//! who wait for the same) is the same as for a new one.

use bytes::Bytes;
use sluice_cache::Entry;
use sluice_cache::answer::Fields;
use sluice_cache::answer::revalidate::{speaks_of, updated};

use super::drive::{Trip, now};
use crate::integration::http::{AnswerHead, BodyEnd, BodyReader, CallError, Started};
use crate::stage::{Fault, prepare};

/// Whether the endpoint was asked about the stored answer, and says nothing about it.
pub(super) fn speaks_of_another(trip: &Trip, called: &Result<Started, CallError>) -> bool {
    let (Ok(started), Some(stored)) = (called, validated(trip)) else { return false };
    started.head.status == 304 && !speaks_of(Fields::of(&started.head.fields), Fields::of(stored.head()))
}

/// The stored answer, if the endpoint has confirmed it; if the endpoint has failed and it may be served nevertheless,
/// with the fault.
pub(super) fn with_what_is_stored(
    trip: &Trip,
    called: Result<Started, CallError>,
) -> (Result<Started, CallError>, Option<Fault>) {
    match called {
        Ok(started) if started.head.status == 304 => match validated(trip) {
            Some(stored) => (Ok(renewed(stored, started)), None),
            None => (Ok(started), None),
        },
        Ok(started) if matches!(started.head.status, 500 | 502 | 503 | 504) => match usable(trip) {
            Some(stored) => (Ok(as_it_is(stored)), Some(Fault::EndpointUnreachable)),
            None => (Ok(started), None),
        },
        Err(error) => match usable(trip).filter(|_| is_the_endpoints(error.fault())) {
            Some(stored) => (Ok(as_it_is(stored)), Some(error.fault())),
            None => (Err(error), None),
        },
        called => (called, None),
    }
}

fn validated(trip: &Trip) -> Option<&Entry> {
    prepare::validators(&trip.exchange, &trip.plan)?;
    trip.exchange.stored.as_deref()
}

/// It may be served where nothing better can be had.
fn usable(trip: &Trip) -> Option<&Entry> {
    let exchange = &trip.exchange;
    let stored = exchange.stored.as_deref().filter(|_| exchange.key.is_some() && !exchange.in_background)?;
    let lifetime = stored.lifetime();
    let has_grace = lifetime.error_until_ns > lifetime.fresh_until_ns;
    (has_grace && now() < lifetime.error_until_ns).then_some(stored)
}

const fn is_the_endpoints(fault: Fault) -> bool {
    matches!(fault, Fault::EndpointUnreachable | Fault::EndpointTimeout | Fault::EndpointMalformed)
}

fn renewed(stored: &Entry, by: Started) -> Started {
    let fields = updated(Fields::of(stored.head()), Fields::of(&by.head.fields));
    Started { tries: by.tries, reused: by.reused, ..held(stored, fields.into()) }
}

fn as_it_is(stored: &Entry) -> Started {
    held(stored, Bytes::copy_from_slice(stored.head()))
}

fn held(stored: &Entry, fields: Bytes) -> Started {
    let end = match stored.status() {
        204 => BodyEnd::Bodiless,
        _ => BodyEnd::Length(stored.body().len() as u64),
    };
    let head = AnswerHead { status: stored.status(), fields, end, stated_length: None, keep_alive: true };
    let body = BodyReader::held(stored.body().clone());
    Started { head, body, tries: 1, reused: false, request_complete: true }
}
