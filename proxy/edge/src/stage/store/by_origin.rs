//! The same where the origin says what is stored, and for how long: RFC 9111.

use sluice_cache::answer::Fields;
use sluice_cache::entry::Lifetime;
use sluice_cache::freshness::Ttl;
use sluice_cache::freshness::origin::{self, Received};
use sluice_cache::{KeyHasher, NotStored};

use super::super::Exchange;
use super::super::recall::variant;
use super::{Verdict, is_name_keyed};
use crate::message::date::imf_fixdate;
use crate::message::encode::Framing;
use crate::message::field::FieldKind;
use crate::plan::{CachePlan, OriginRule};

const SECOND: u64 = 1_000_000_000;

/// Decides, and leaves the lifetime in the key. What is stored tells when it was made, and not how old it was.
pub(super) fn judge(exchange: &mut Exchange<'_>, hasher: &KeyHasher, rule: &CachePlan, by: OriginRule) -> Verdict {
    let lifetime = match lifetime(exchange, rule) {
        Ok(lifetime) => capped(lifetime, by),
        Err(reason) => return Verdict::Refused(reason),
    };
    let is_keyed = |name: &str| is_name_keyed(name.as_bytes(), &rule.rule);
    if let Err(reason) = variant::place(exchange, hasher, is_keyed) {
        return Verdict::Refused(reason);
    }
    let came = exchange.origin.came;
    let was_aged = Fields::of(&exchange.origin.fields).has("age");
    exchange.origin.fields = to_store(&exchange.origin.fields, came_at(exchange));
    let seconds = |until: u64| until.saturating_sub(came) / SECOND;
    exchange.age = was_aged.then(|| (came.saturating_sub(lifetime.stored_at_ns) / SECOND) as u32);
    if let Some(key) = &mut exchange.key {
        key.lifetime = Some(lifetime);
    }
    Verdict::Storing { ttl: seconds(lifetime.fresh_until_ns).min(u64::from(Ttl::MAX.seconds())) as u16 }
}

fn lifetime(exchange: &Exchange<'_>, rule: &CachePlan) -> Result<Lifetime, NotStored> {
    let from = &exchange.origin;
    let fields = Fields::of(&from.fields);
    let answer = origin::Answer {
        status: from.status,
        fields,
        unkeyed_authorization: exchange.head.has(FieldKind::Authorization) && !rule.keys_authorization,
    };
    let asked_at_ns = from.came.saturating_sub(from.latency);
    let received = Received { asked_at_ns, came_at_ns: from.came, came_at: came_at(exchange) };
    let terms = origin::judge(&answer, received, rule.grace)?;
    match from.framing {
        Some(Framing::Length(n)) if n > rule.store.longest() => Err(NotStored::TooLarge),
        // A part of a body would be served as the whole for as long as it lives.
        _ if from.may_be_cut => Err(NotStored::CloseDelimited),
        _ => Ok(terms.lifetime),
    }
}

/// When the answer came by the wall clock, seconds since 1970.
fn came_at(exchange: &Exchange<'_>) -> u64 {
    let waited = exchange.origin.came.saturating_sub(exchange.now.mono) / 1_000;
    (exchange.now.wall_micros + waited) / 1_000_000
}

fn capped(lifetime: Lifetime, by: OriginRule) -> Lifetime {
    let Some(cap) = by.cap_ns else { return lifetime };
    let fresh_until_ns = lifetime.fresh_until_ns.min(lifetime.stored_at_ns.saturating_add(cap));
    let earlier = lifetime.fresh_until_ns - fresh_until_ns;
    Lifetime {
        fresh_until_ns,
        revalidate_until_ns: lifetime.revalidate_until_ns.saturating_sub(earlier),
        error_until_ns: lifetime.error_until_ns.saturating_sub(earlier),
        ..lifetime
    }
}

/// The fields without Age, and with the Date that every age is counted from (RFC 9110 §6.6.1).
fn to_store(fields: &[u8], came_at: u64) -> Vec<u8> {
    let fields = Fields::of(fields);
    let kept = fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"age"));
    let mut lines: Vec<u8> = kept.flat_map(|(name, value)| [name, b": ", value, b"\r\n"].concat()).collect();
    if !fields.has("date") {
        [&b"Date: "[..], &imf_fixdate(came_at), b"\r\n"].iter().for_each(|part| lines.extend_from_slice(part));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_has_a_date_and_no_age() {
        let stored = to_store(b"A: b\r\nAge: 7\r\n", 0);
        assert_eq!(stored, b"A: b\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
        assert_eq!(to_store(b"Date: d\r\n", 9), b"Date: d\r\n");
    }

    #[test]
    fn the_cap_moves_every_end() {
        let lifetime = Lifetime { stored_at_ns: 0, fresh_until_ns: 100, revalidate_until_ns: 110, error_until_ns: 120 };
        let capped = capped(lifetime, OriginRule { cap_ns: Some(60) });
        assert_eq!((capped.fresh_until_ns, capped.revalidate_until_ns, capped.error_until_ns), (60, 70, 80));
        assert_eq!(super::capped(lifetime, OriginRule { cap_ns: Some(200) }), lifetime);
    }
}
