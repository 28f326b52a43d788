//! Freshness as the origin says it: RFC 9111, with RFC 5861's stale directives.
//!
//! [`judge`] reads an answer's fields when it comes: may a shared cache store it, and until when may it be served.
//! [`Wish::allows`] reads a request's Cache-Control against what is stored.

mod age;
mod wish;

pub use wish::{Allowed, Wish};

use super::{CacheControl, NS_PER_SECOND, NotStored};
use crate::answer::{Fields, date};
use crate::entry::Lifetime;

/// When an answer was asked for and came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// When the request left, nanoseconds of the clock that lifetimes are counted on.
    pub asked_at_ns: u64,
    /// When the answer's head came, by the same clock.
    pub came_at_ns: u64,
    /// The same moment by the wall clock, seconds since 1970.
    pub came_at: u64,
}

/// An answer that a shared cache asks about.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub fields: Fields<'a>,
    /// The request carried an Authorization that is not part of the key.
    pub unkeyed_authorization: bool,
}

/// What the operator adds to what the origin says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grace {
    /// For how long after its end an answer may be served while a new one is fetched, seconds, where the origin does not
    /// say.
    pub stale_while_revalidate: u32,
    /// The same where no new one can be had.
    pub stale_if_error: u32,
}

/// For how long an answer may be kept after its end only to be asked about, seconds: its validators save a body.
const KEPT_FOR_VALIDATION: u64 = 24 * 3600;

/// How an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Until when it may be served, and how.
    pub lifetime: Lifetime,
    /// It may be served only after the origin was asked.
    pub always_validate: bool,
    /// Until then it is worth keeping for its validators, nanoseconds.
    pub kept_until_ns: u64,
}

/// Whether and how a shared cache may store an answer (RFC 9111 §3, §4.2).
///
/// # Errors
/// Why it may not.
pub fn judge(answer: &Answer<'_>, received: Received, grace: Grace) -> Result<Terms, NotStored> {
    let control = CacheControl::parse(answer.fields.values("cache-control"));
    storable(answer, control)?;
    let fresh_for = explicit(answer, control, received).or_else(|| heuristic(answer, control, received));
    let can_be_asked_about = answer.fields.has("etag") || answer.fields.has("last-modified");
    // Without a lifetime there is no leave to store statuses that nobody expects to last.
    if fresh_for.is_none() && !(can_be_asked_about && lasts(answer.status, control)) {
        return Err(NotStored::NoLifetime);
    }
    let terms = terms(control, fresh_for.unwrap_or(0), age::initial_ns(answer.fields, received), received, grace);
    let Lifetime { error_until_ns, revalidate_until_ns, .. } = terms.lifetime;
    match error_until_ns.max(revalidate_until_ns) > received.came_at_ns || can_be_asked_about {
        true => Ok(terms),
        false => Err(NotStored::NoLifetime),
    }
}

fn storable(answer: &Answer<'_>, control: CacheControl) -> Result<(), NotStored> {
    // A part of a body, or a statement about a body elsewhere, is no answer to the next request.
    let understood = is_understood(answer.status) || !control.must_understand;
    if matches!(answer.status, ..200 | 206 | 304) || !understood {
        return Err(NotStored::Status);
    }
    if control.no_store && !control.must_understand {
        return Err(NotStored::NoStore);
    }
    if control.private {
        return Err(NotStored::Private);
    }
    let leave = control.public || control.must_revalidate || control.s_maxage.is_some();
    if answer.unkeyed_authorization && !leave { Err(NotStored::Authorization) } else { Ok(()) }
}

fn terms(control: CacheControl, fresh_for: u64, age_ns: u64, received: Received, grace: Grace) -> Terms {
    let ns = |seconds: u64| seconds.saturating_mul(NS_PER_SECOND);
    let stored_at_ns = received.came_at_ns.saturating_sub(age_ns);
    let fresh_until_ns = match control.no_cache {
        true => stored_at_ns,
        false => stored_at_ns.saturating_add(ns(fresh_for)),
    };
    // A shared cache may serve nothing expired where any of these is said (RFC 9111 §4.2.4).
    let never_stale = control.must_revalidate || control.no_cache || control.s_maxage.is_some();
    let until = |told: Option<u32>, granted: u32| match never_stale {
        true => fresh_until_ns,
        false => fresh_until_ns.saturating_add(ns(u64::from(told.unwrap_or(granted)))),
    };
    let lifetime = Lifetime {
        stored_at_ns,
        fresh_until_ns,
        revalidate_until_ns: until(control.stale_while_revalidate, grace.stale_while_revalidate),
        error_until_ns: until(control.stale_if_error, grace.stale_if_error),
    };
    let last = lifetime.error_until_ns.max(lifetime.revalidate_until_ns).max(received.came_at_ns);
    let kept_until_ns = last.saturating_add(ns(KEPT_FOR_VALIDATION));
    Terms { lifetime, always_validate: control.no_cache, kept_until_ns }
}

/// Seconds from the answer's making to its end, as the origin says (RFC 9111 §4.2.1).
fn explicit(answer: &Answer<'_>, control: CacheControl, received: Received) -> Option<u64> {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(u64::from(seconds));
    }
    if !answer.fields.has("expires") {
        return None;
    }
    let expires = answer.fields.single("expires").and_then(date).unwrap_or(0);
    Some(expires.saturating_sub(made_at(answer.fields, received)))
}

/// A tenth of the time for which it has not changed, a day at most (RFC 9111 §4.2.2).
fn heuristic(answer: &Answer<'_>, control: CacheControl, received: Received) -> Option<u64> {
    const DAY: u64 = 24 * 3600;
    let modified = answer.fields.single("last-modified").and_then(date)?;
    let unchanged = made_at(answer.fields, received).saturating_sub(modified);
    lasts(answer.status, control).then_some((unchanged / 10).min(DAY))
}

/// Date, or when it came.
fn made_at(fields: Fields<'_>, received: Received) -> u64 {
    fields.single("date").and_then(date).unwrap_or(received.came_at)
}

/// A status that may be stored without a lifetime (RFC 9110 §15.1), or an answer that is said to be for all.
fn lasts(status: u16, control: CacheControl) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501) || control.public
}

/// A final status of RFC 9110.
const fn is_understood(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

#[cfg(test)]
mod tests;
