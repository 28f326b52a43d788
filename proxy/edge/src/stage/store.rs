//! Stage 14, `store`: may the endpoint's answer be stored, and for how long?
//!
//! Decided on the head; a body that turns out too long is dropped while it streams. Under `aws` every status is stored
//! as AWS does; under `edge` only what is safe to repeat to somebody else.

mod by_origin;

use serde::Serialize;
use sluice_cache::NotStored;
use sluice_cache::freshness::{CacheControl, Candidate, Ttl};
use sluice_cache::notes::{Notes, Tags};
use sluice_mapping::Expression;

use super::rescue::Fault;
use super::{Context, Exchange, Flow, Reply};
use crate::message::encode::{CacheStatus, Framing, fields_of};
use crate::message::field::FieldKind;
use crate::plan::{CachePlan, KeyPart, KeyRule, MethodPlan};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method is not cached.
    Off,
    /// Is being stored.
    Storing {
        /// For how long, seconds.
        ttl: u16,
    },
    /// Is not stored, for this reason.
    Refused(#[serde(serialize_with = "reason")] NotStored),
}

impl Verdict {
    /// How long it is stored, if it is.
    pub fn storing(self) -> Option<Ttl> {
        match self {
            Verdict::Storing { ttl } => Ttl::new(ttl.into()).ok(),
            _ => None,
        }
    }
}

fn reason<S: serde::Serializer>(reason: &NotStored, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(reason.as_str())
}

/// Decides, and lets the answer go to the client.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((_, stage, method)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    let verdict = match (&method.cache, &exchange.key) {
        (Some(_), Some(_)) if exchange.serves_stale => stale(exchange),
        (Some(rule), Some(_)) => note(exchange, method, rule).unwrap_or_else(|| match &rule.origin {
            None => judge(exchange, rule),
            Some(origin) => by_origin::judge(exchange, context.hasher, rule, *origin),
        }),
        _ => Verdict::Off,
    };
    let verdict = match (&exchange.key, &stage.cache) {
        (Some(key), Some(cache)) if !key.has_room(cache, exchange.now.mono) => Verdict::Refused(NotStored::Vary),
        _ => verdict,
    };
    if let CacheStatus::Forward { stored, detail, .. } = &mut exchange.cache_status {
        *stored = verdict.storing().is_some();
        if let Verdict::Refused(reason) = verdict {
            *detail = Some(reason.as_str());
        }
    }
    exchange.ledger.store = verdict;
    Flow::Answer(Reply::Origin)
}

/// Notes what purges will ask about. An answer whose tags cannot all be noted is not stored: a purge would miss it.
fn note(exchange: &mut Exchange<'_>, method: &MethodPlan, rule: &CachePlan) -> Option<Verdict> {
    let tags = |(name, value)| {
        let header = rule.tags.iter().find(|tag| tag.name.as_bytes().eq_ignore_ascii_case(name));
        header.map(|tag| (tag.separator, value))
    };
    let Ok(tags) = Tags::collect(fields_of(&exchange.origin.fields).filter_map(tags)) else {
        return Some(Verdict::Refused(NotStored::Tags));
    };
    let notes = notes(exchange, method, &tags);
    if let Some(key) = &mut exchange.key {
        key.notes = notes.into();
    }
    None
}

/// What is noted of the answer to a request.
pub fn notes(exchange: &Exchange<'_>, method: &MethodPlan, tags: &Tags) -> Vec<u8> {
    let verb = exchange.head.verb.map_or("", |verb| verb.as_str());
    let mut notes = Vec::with_capacity(64);
    Notes { verb, resource: &method.path, path: exchange.routed_path(), tags }.encode(&mut notes);
    notes
}

/// Served because nothing better could be had: it is stored already.
fn stale(exchange: &mut Exchange<'_>) -> Verdict {
    if let CacheStatus::Forward { detail, .. } = &mut exchange.cache_status {
        *detail = Some("stale-if-error");
    }
    let stored_at = exchange.stored.as_ref().map(|entry| entry.lifetime().stored_at_ns);
    let age = stored_at.map(|at| (exchange.origin.came.saturating_sub(at) / 1_000_000_000) as u32);
    exchange.age = age.filter(|_| exchange.cache_status != CacheStatus::Silent);
    Verdict::Off
}

fn judge(exchange: &Exchange<'_>, rule: &CachePlan) -> Verdict {
    let origin = &exchange.origin;
    let length = match origin.framing {
        Some(Framing::Length(n)) => Some(n),
        Some(Framing::Bodiless) => Some(0),
        _ => None,
    };
    let values = |kind| fields_of(&origin.fields).filter(move |(n, _)| FieldKind::of(n) == kind).map(|(_, v)| v);
    let candidate = Candidate {
        status: origin.status,
        set_cookie: values(FieldKind::SetCookie).next().is_some(),
        cache_control: CacheControl::parse(values(FieldKind::CacheControl)),
        unkeyed_authorization: exchange.head.has(FieldKind::Authorization) && !rule.keys_authorization,
        unkeyed_vary: values(FieldKind::Vary).any(|v| !is_keyed(v, &rule.rule)),
        length,
    };
    match rule.store.judge(&candidate) {
        // A part of a body would be served as the whole for as long as it lives.
        Ok(_) if origin.may_be_cut => Verdict::Refused(NotStored::CloseDelimited),
        Ok(ttl) => Verdict::Storing { ttl: ttl.seconds() },
        Err(reason) => Verdict::Refused(reason),
    }
}

/// Every field that the answer varies by is in the key.
fn is_keyed(vary: &[u8], rule: &KeyRule) -> bool {
    let mut names = vary.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|n| !n.is_empty());
    names.all(|name| is_name_keyed(name, rule))
}

/// The coding always is under `edge`, the others where they are named.
fn is_name_keyed(name: &[u8], rule: &KeyRule) -> bool {
    let is = |part: &KeyPart| match part {
        KeyPart::Header(n) | KeyPart::Mapped(Expression::MultivalueHeader(n)) => {
            n.as_bytes().eq_ignore_ascii_case(name)
        }
        _ => false,
    };
    name.eq_ignore_ascii_case(b"accept-encoding") || rule.parts().iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_varies_by_has_to_be_in_the_key() {
        let named = KeyRule::Parameters(vec![KeyPart::Header("x-lang".into()), KeyPart::AcceptEncoding]);
        assert!(is_keyed(b"Accept-Encoding", &KeyRule::PathAndQuery));
        assert!(!is_keyed(b"Accept-Encoding, X-Lang", &KeyRule::PathAndQuery));
        assert!(is_keyed(b"accept-encoding, X-Lang", &named));
        assert!(!is_keyed(b"X-Lang, Cookie", &named));
        assert!(!is_keyed(b"*", &named));
    }
}
