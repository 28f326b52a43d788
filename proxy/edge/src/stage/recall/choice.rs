//! What is done with an answer that was found: served, served while a new one is fetched, or put behind the origin's.
//!
//! Under RFC 9111 a request may want less than what is stored (§5.2.1). What would put load on the origin is heard only
//! from callers who may have entries replaced.

use std::sync::Arc;

use sluice_cache::answer::Fields;
use sluice_cache::freshness::CacheControl;
use sluice_cache::freshness::origin::{Allowed, Wish};
use sluice_cache::{Entry, Fingerprint, Found};

use super::super::Exchange;
use super::refresh;
use super::{Cached, Verdict};
use crate::message::field::FieldKind;
use crate::plan::{CachePlan, Plan};

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is served.
    Serve,
    /// It is served, and fetched anew.
    ServeAndRefetch,
    /// The origin is asked.
    Forward(Verdict),
}

const DIRECTIVES: u64 = FieldKind::CacheControl.bit() | FieldKind::Pragma.bit();

/// What the request wants of a stored answer, where that is heard at all.
#[inline]
pub(super) fn wanted(exchange: &Exchange<'_>, plan: &Plan, method: &Cached<'_>) -> Option<Wish> {
    let heard = method.rule.origin.is_some() && exchange.head.has_any(DIRECTIVES);
    heard.then(|| read(exchange, plan, method))
}

#[cold]
fn read(exchange: &Exchange<'_>, plan: &Plan, method: &Cached<'_>) -> Wish {
    let control = CacheControl::parse(exchange.head.values(FieldKind::CacheControl));
    let mut pragma = exchange.head.values(FieldKind::Pragma).flat_map(|value| value.split(|b| *b == b','));
    let pragma_no_cache = pragma.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-cache"));
    match refresh::may(exchange, plan, method) {
        true => Wish { control, pragma_no_cache },
        false => Wish { control: without_load(control), pragma_no_cache: false },
    }
}

/// What costs the origin nothing.
fn without_load(control: CacheControl) -> CacheControl {
    let CacheControl { max_stale, only_if_cached, .. } = control;
    CacheControl { max_stale, only_if_cached, ..CacheControl::default() }
}

/// What becomes of what was found, and the entry.
#[inline]
pub(super) fn of(
    exchange: &Exchange<'_>,
    rule: &CachePlan,
    wanted: Option<Wish>,
    key: Fingerprint,
    found: Found,
) -> (Choice, Option<Arc<Entry>>) {
    match found {
        found if let Some(verdict) = exchange.opening.refuses(&found) => (Choice::Forward(verdict), None),
        Found::Fresh(entry) => (of_fresh(exchange, rule, wanted, key, &entry), Some(entry)),
        Found::Expired(entry) => (of_expired(exchange, wanted, &entry), Some(entry)),
        Found::Purged => (Choice::Forward(Verdict::Purged { soft: false }), None),
        Found::Absent => (Choice::Forward(Verdict::Miss), None),
    }
}

/// Of an answer that is fresh.
#[inline]
fn of_fresh(
    exchange: &Exchange<'_>,
    rule: &CachePlan,
    wanted: Option<Wish>,
    key: Fingerprint,
    entry: &Entry,
) -> Choice {
    if let Some(wish) = wanted
        && wish.allows(entry.lifetime(), false, exchange.now.mono) == Allowed::Validate
    {
        return Choice::Forward(Verdict::Refreshed);
    }
    match rule.early_ns != 0 && is_early(rule.early_ns, key, entry, exchange.now.mono) {
        true => Choice::ServeAndRefetch,
        false => Choice::Serve,
    }
}

/// Within the last part of its time, from a moment on that is different for every key and every answer under it.
#[cold]
fn is_early(early_ns: u64, key: Fingerprint, entry: &Entry, now: u64) -> bool {
    let lifetime = entry.lifetime();
    let span = early_ns.min(lifetime.fresh_until_ns.saturating_sub(lifetime.stored_at_ns) / 2);
    let chance = (key.low() ^ lifetime.stored_at_ns).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let before = ((u128::from(span) * u128::from(chance)) >> 32) as u64;
    now >= lifetime.fresh_until_ns.saturating_sub(before)
}

/// Of one that has expired, by itself or by a soft purge.
#[cold]
fn of_expired(exchange: &Exchange<'_>, wanted: Option<Wish>, entry: &Entry) -> Choice {
    let (lifetime, now) = (entry.lifetime(), exchange.now.mono);
    let is_purged = entry.is_purged_softly();
    if let Some(wish) = wanted {
        let allowed = wish.allows(lifetime, never_stale(entry), now);
        if allowed == Allowed::ServeStale && !is_purged {
            return Choice::Serve;
        }
        if wants_news(wish) {
            return Choice::Forward(Verdict::Refreshed);
        }
    }
    let has_grace = lifetime.revalidate_until_ns > lifetime.fresh_until_ns;
    match is_purged {
        _ if has_grace && now < lifetime.revalidate_until_ns => Choice::ServeAndRefetch,
        true => Choice::Forward(Verdict::Purged { soft: true }),
        false => Choice::Forward(Verdict::Expired),
    }
}

/// Nothing that is stale will do.
fn wants_news(wish: Wish) -> bool {
    let control = wish.control;
    control.no_cache || wish.pragma_no_cache || control.max_age.is_some() || control.min_fresh.is_some()
}

/// The answer itself says that it must not be served once it has expired.
fn never_stale(entry: &Entry) -> bool {
    let control = CacheControl::parse(Fields::of(entry.head()).values("cache-control"));
    control.must_revalidate || control.no_cache || control.s_maxage.is_some()
}
