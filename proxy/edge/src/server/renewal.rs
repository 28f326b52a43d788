//! What the endpoint's word makes of an answer that is stored and may not be served as it is (RFC 9111 §4.3, RFC 5861).
//!
//! Either way it comes back as if the endpoint had sent all of it, so that everything behind it (fields, lifetime, those
//! who wait for the same) is the same as for a new one.

use bytes::Bytes;
use sluice_cache::Entry;
use sluice_cache::answer::Fields;
use sluice_cache::answer::revalidate::{speaks_of, updated};
use sluice_cache::tier::disk::Manifest;

use super::drive::{Trip, now};
use crate::integration::http::{AnswerHead, BodyEnd, BodyReader, CallError, Started};
use crate::stage::{Fault, prepare};

/// Whether the endpoint was asked about the stored answer, and says nothing about it.
pub(super) fn speaks_of_another(trip: &Trip, called: &Result<Started, CallError>) -> bool {
    let (Ok(started), Some(stored)) = (called, validated(trip)) else { return false };
    started.head.status == 304 && !speaks_of(Fields::of(&started.head.fields), Fields::of(stored.head()))
}

/// Whether something else may take this answer's place.
pub(super) fn concerns(called: &Result<Started, CallError>) -> bool {
    called.as_ref().map_or(true, |started| matches!(started.head.status, 304 | 500 | 502 | 503 | 504))
}

/// What the endpoint's word has come to.
pub(super) struct Settled {
    /// Its answer, or the stored one.
    pub(super) called: Result<Started, CallError>,
    /// It is the stored one.
    pub(super) is_stored: bool,
    /// The endpoint has failed, and that is served nevertheless.
    pub(super) replaces: Option<Fault>,
}

impl Settled {
    const fn by_endpoint(called: Result<Started, CallError>) -> Self {
        Self { called, is_stored: false, replaces: None }
    }

    const fn by_stored(started: Started, replaces: Option<Fault>) -> Self {
        Self { called: Ok(started), is_stored: true, replaces }
    }
}

/// The stored answer, if the endpoint has confirmed it; if the endpoint has failed and it may be served nevertheless,
/// with the fault.
pub(super) fn with_what_is_stored(trip: &Trip, called: Result<Started, CallError>) -> Settled {
    match called {
        Ok(started) if started.head.status == 304 => match validated(trip) {
            Some(stored) => Settled::by_stored(renewed(stored, started), None),
            None => Settled::by_endpoint(Ok(started)),
        },
        Ok(started) if matches!(started.head.status, 500 | 502 | 503 | 504) => match usable(trip) {
            Some(stored) => Settled::by_stored(as_it_is(stored), Some(Fault::EndpointUnreachable)),
            None => Settled::by_endpoint(Ok(started)),
        },
        Err(error) => match usable(trip).filter(|_| is_the_endpoints(Fault::from(&error))) {
            Some(stored) => Settled::by_stored(as_it_is(stored), Some(Fault::from(&error))),
            None => Settled::by_endpoint(Err(error)),
        },
        called => Settled::by_endpoint(called),
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
    // What lies in chunks is not read through here: `confirmed` says where it is.
    let (status, length, body) = match Manifest::of(stored) {
        Some(manifest) => (manifest.status(), manifest.length(), Bytes::new()),
        None => (stored.status(), stored.body().len() as u64, stored.body().clone()),
    };
    let end = if status == 204 { BodyEnd::Bodiless } else { BodyEnd::Length(length) };
    let head = AnswerHead { status, fields, end, stated_length: None, keep_alive: true };
    let body = BodyReader::held(body);
    Started { head, body, tries: 1, reused: false, request_complete: true }
}
