//! Serves what is stored: an entry, or the head of an object on disk. Only with a permit.

use std::sync::Arc;

use sluice_cache::Entry;
use sluice_cache::answer::Fields;
use sluice_cache::tier::disk::HEAD;

use super::{Object, Verdict};
use crate::message::encode::CacheStatus;
use crate::plan::CachePlan;
use crate::stage::authorize::Permit;
use crate::stage::{Exchange, Fault, Flow, Reply};

/// With the permit, which stays where the answer is an object: should that turn out not to be whole, the origin is asked.
pub(super) fn serve(exchange: &mut Exchange<'_>, rule: &CachePlan, entry: Arc<Entry>) -> Flow {
    let Some(permit) = exchange.permit.take() else { return Flow::Answer(Reply::Fault(Fault::Internal)) };
    let flow = hit(exchange, rule, entry, &permit);
    exchange.permit = matches!(flow, Flow::Answer(Reply::Object(_))).then_some(permit);
    flow
}

/// Serves what is stored: only with a permit.
fn hit(exchange: &mut Exchange<'_>, rule: &CachePlan, entry: Arc<Entry>, _: &Permit) -> Flow {
    let lifetime = entry.lifetime();
    let seconds = |ns: u64| ns / 1_000_000_000;
    let now = exchange.now.mono;
    let age = seconds(now.saturating_sub(lifetime.stored_at_ns)) as u32;
    let disk = exchange.disk.has_found();
    let stale = now >= lifetime.fresh_until_ns || (exchange.refetches && entry.is_purged_softly());
    exchange.ledger.recall = if stale { Verdict::Stale { age } } else { Verdict::Hit { age, disk } };
    if rule.shows_status {
        exchange.age = Some(age);
        let left = |from: u64, to: u64| seconds(to.saturating_sub(from)) as u32;
        exchange.cache_status = match stale {
            false => CacheStatus::Hit { ttl: left(now, lifetime.fresh_until_ns), disk },
            true => CacheStatus::Stale { over: left(lifetime.fresh_until_ns, now) },
        };
    }
    if rule.origin.is_some() {
        exchange.dated = Fields::of(entry.head()).has("date");
    }
    Flow::Answer(reply(exchange, entry))
}

#[inline]
fn reply(exchange: &mut Exchange<'_>, entry: Arc<Entry>) -> Reply {
    match entry.status() {
        HEAD => object(exchange, entry),
        _ => Reply::Entry(entry),
    }
}

/// Its body is on disk, wherever its head was.
#[cold]
fn object(exchange: &mut Exchange<'_>, entry: Arc<Entry>) -> Reply {
    if let Verdict::Hit { disk, .. } = &mut exchange.ledger.recall {
        *disk = true;
    }
    if let CacheStatus::Hit { disk, .. } = &mut exchange.cache_status {
        *disk = true;
    }
    // A head that says nothing of its object is of another version's.
    Object::of(entry).map_or_else(|_| Reply::Fault(Fault::Internal), Reply::Object)
}

/// Serves it, and leaves what is needed to fetch it anew afterwards.
#[cold]
pub(super) fn hit_and_refetch(exchange: &mut Exchange<'_>, rule: &CachePlan, entry: Arc<Entry>) -> Flow {
    let Some(permit) = exchange.permit.take() else { return Flow::Answer(Reply::Fault(Fault::Internal)) };
    exchange.refetches = true;
    let flow = hit(exchange, rule, entry, &permit);
    exchange.permit = Some(permit);
    flow
}
