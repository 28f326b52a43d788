//! How old an answer was when it came (RFC 9111 §4.2.3).

use super::super::control::number;
use super::Received;
use crate::answer::{Fields, date};
use crate::freshness::NS_PER_SECOND;

/// Nanoseconds between the answer's making and its coming, as far as it tells.
///
/// The larger of what caches on the way have counted, together with the time that the call took, and what Date says. An
/// Age that is no single number makes the answer as old as can be.
pub(super) fn initial_ns(fields: Fields<'_>, received: Received) -> u64 {
    let apparent = fields.single("date").and_then(date).map_or(0, |made| received.came_at.saturating_sub(made));
    let counted = match fields.has("age") {
        true => fields.single("age").and_then(number).map_or(u64::MAX, u64::from),
        false => 0,
    };
    let ns = |seconds: u64| seconds.saturating_mul(NS_PER_SECOND);
    let on_the_way = received.came_at_ns.saturating_sub(received.asked_at_ns);
    ns(counted).saturating_add(on_the_way).max(ns(apparent))
}
