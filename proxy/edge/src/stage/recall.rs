//! Stage 10, `recall`: the cache key, and what is stored under it.
//!
//! The key begins with the method's prefix (API, stage, namespace, verb, content hash) and names every part that the
//! rule asks for; an absent parameter is not an empty one, and one that is there twice has both values in the key, for
//! who can tell which one the origin reads. A hit needs the permit. A client may ask for a fresh answer in place of the
//! stored one (`refresh.rs`). `docs/caching.md` is the operator's side of it.

mod below;
mod choice;
mod hit;
mod key;
mod object;
mod refresh;
mod storage_key;
pub mod variant;
mod verdict;

use sluice_api::Verb;
use sluice_cache::key::KeyWriter;
use sluice_cache::{Found, KeyHasher, KeyRef, Sequence, Turn};

pub use below::OnDisk;
pub use key::{encoding_class, header_values, query_name, query_values};
pub use object::{Object, Opened, Opening};
pub use storage_key::StorageKey;
pub use verdict::{REASONS, Verdict};

use super::prepare;
use super::rescue::Fault;
use super::{Context, Exchange, Flow, Need, Reply};
use crate::message::encode::CacheStatus;
use crate::message::field::FieldKind;
use crate::message::head::Head;
use crate::plan::{CachePlan, KeyRule, Plan, StageCache, StagePlan};
use choice::Choice;
use hit::{hit_and_refetch, serve};
use refresh::Wish;

/// Looks the answer up.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((_, stage, method)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    if exchange.alone {
        return Flow::Next;
    }
    let (Some(cache), Some(rule)) = (stage.cache.as_deref(), method.cache.as_ref()) else {
        exchange.ledger.recall = Verdict::Off;
        return Flow::Next;
    };
    match exchange.head.verb.filter(|v| rule.caches(*v)) {
        Some(verb) => {
            let method = Cached { stage, cache, rule, verb };
            match refresh::wish(exchange, context.plan, &method) {
                Wish::Denied => return denied(exchange),
                Wish::Ignored { warns } => exchange.warns = warns,
                // Under RFC 9111 it asks for a validation, with others that may be asked for.
                Wish::Granted => exchange.refreshes |= rule.origin.is_none(),
                Wish::None => {}
            }
            look_up(exchange, context, &method)
        }
        None => forward(exchange, rule, Verdict::Method),
    }
}

/// What a request to a cached method has reached.
struct Cached<'p> {
    stage: &'p StagePlan,
    cache: &'p StageCache,
    rule: &'p CachePlan,
    verb: Verb,
}

/// How much of a body is waited for where the key or a mapping reads it, bytes: AWS's limit for a body, or less where
/// less is taken.
pub fn body_limit(plan: &Plan) -> u64 {
    plan.limits.body_size.min(BODY_LIMIT)
}

const BODY_LIMIT: u64 = 10 * 1024 * 1024;

fn denied(exchange: &mut Exchange<'_>) -> Flow {
    exchange.ledger.recall = Verdict::Denied;
    Flow::Answer(Reply::Fault(Fault::InvalidationDenied))
}

fn look_up(exchange: &mut Exchange<'_>, context: &mut Context<'_>, method: &Cached<'_>) -> Flow {
    let Cached { cache, rule, verb, .. } = *method;
    if let Some(verdict) = kept_out(rule, &exchange.head) {
        return forward(exchange, rule, verdict);
    }
    if rule.needs_body && exchange.lacks_body() {
        return Flow::Await(Need::Body(body_limit(context.plan)));
    }
    if exchange.refreshes && exchange.key.is_some() {
        // Whoever leads a flight asks once more whether there is an answer now: a refresh does not want it.
        return go_forward(exchange, method, Verdict::Refreshed);
    }
    let (plan, hasher) = (context.plan, context.hasher);
    let wanted = choice::wanted(exchange, plan, method);
    if wanted.is_some_and(|wish| wish.control.no_store) {
        return forward(exchange, rule, Verdict::Refreshed);
    }
    let key = match key(exchange, context, rule, rule.keyed_verb(verb)) {
        Ok(key) => key,
        Err(NoKey::TooLong) => return forward(exchange, rule, Verdict::KeyTooLong),
        Err(NoKey::Fault(fault)) => return Flow::Answer(Reply::Fault(fault)),
    };
    if exchange.refreshes {
        exchange.key = Some(StorageKey::new(key, cache, cache.turns.overtake(key.fingerprint)));
        return go_forward(exchange, method, Verdict::Refreshed);
    }
    // Before the look-up: a refresh that begins after it overtakes what is fetched now.
    let turn = cache.turns.now();
    let (primary, purges) = (key, cache.memory.bans().newest());
    let Some((found, variant)) = find(exchange, method, key, hasher) else { return Flow::Await(Need::Disk) };
    let key = variant.as_deref().map_or(key, |bytes| hasher.key(bytes));
    let looked = LookedUp { primary, key, purges };
    let (choice, entry) = choice::of(exchange, rule, wanted, key.fingerprint, found);
    let verdict = match (choice, entry) {
        (Choice::Serve, Some(entry)) => return serve(exchange, rule, entry),
        (Choice::ServeAndRefetch, Some(entry)) => {
            exchange.stored = Some(entry.clone());
            looked.keep(exchange, method, turn);
            return hit_and_refetch(exchange, rule, entry);
        }
        (Choice::Forward(verdict), entry) => {
            exchange.stored = entry.filter(|_| rule.derives || rule.grace.stale_if_error > 0);
            verdict
        }
        (_, None) => Verdict::Miss,
    };
    if wanted.is_some_and(|wish| wish.only_if_cached()) {
        exchange.ledger.recall = verdict;
        return Flow::Answer(Reply::Fault(Fault::NotCached));
    }
    if verdict == Verdict::Busy || !rule.is_for_all(&exchange.head) {
        exchange.stored = None;
        return forward(exchange, rule, verdict);
    }
    exchange.refreshes |= verdict == Verdict::Refreshed;
    let turn = if exchange.refreshes { cache.turns.overtake(key.fingerprint) } else { turn };
    looked.keep(exchange, method, turn);
    go_forward(exchange, method, verdict)
}

/// What was looked up.
struct LookedUp<'k> {
    /// The key that the request has.
    primary: KeyRef<'k>,
    /// The same, or that of a variant.
    key: KeyRef<'k>,
    /// The last purge before.
    purges: Sequence,
}

impl LookedUp<'_> {
    /// Keeps the key for the store. Had a purge come since the look-up, nothing that was found would count.
    fn keep(&self, exchange: &mut Exchange<'_>, method: &Cached<'_>, turn: Turn) {
        let Cached { cache, rule, .. } = *method;
        let mut key = StorageKey::new(self.key, cache, turn);
        if key.birth.sequence() != self.purges {
            exchange.stored = None;
            key = StorageKey::new(self.primary, cache, turn);
        }
        exchange.key = Some(StorageKey { grace: rule.grace, primary_len: self.primary.bytes.len(), ..key });
    }
}

/// What is stored for a request, and the bytes of the variant's key under which, where answers vary; `None`: the disk has
/// to be waited for.
fn find(
    exchange: &mut Exchange<'_>,
    method: &Cached<'_>,
    key: KeyRef<'_>,
    hasher: &KeyHasher,
) -> Option<(Found, Option<Vec<u8>>)> {
    let found = find_under(exchange, method.cache, key)?;
    match variant::of(exchange, method.rule, key, &found) {
        None => Some((found, None)),
        Some(bytes) => {
            let found = find_under(exchange, method.cache, hasher.key(&bytes))?;
            Some((found, Some(bytes)))
        }
    }
}

fn find_under(exchange: &mut Exchange<'_>, cache: &StageCache, key: KeyRef<'_>) -> Option<Found> {
    match cache.memory.get(key, exchange.now.mono) {
        Found::Absent => below::look(exchange, cache, key),
        found => Some(found),
    }
}

/// To the origin, alone or with all who want the same.
fn go_forward(exchange: &mut Exchange<'_>, method: &Cached<'_>, verdict: Verdict) -> Flow {
    let flow = forward(exchange, method.rule, verdict);
    // HEAD's answer has a length and no body: there is nothing to share.
    match method.rule.collapse && !exchange.lacks_body() && method.verb != Verb::Head {
        true => Flow::Await(Need::Flight),
        false => flow,
    }
}

/// Why a request has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// It is longer than a key may be.
    TooLong,
    /// Nothing that the request can help, or its body cannot be read as the rule asks.
    Fault(Fault),
}

/// The key of a request that was located, in the context's room.
#[inline]
pub fn key<'k>(
    exchange: &Exchange<'_>,
    context: &'k mut Context<'_>,
    rule: &CachePlan,
    verb: Verb,
) -> Result<KeyRef<'k>, NoKey> {
    let prefix = rule.prefixes.get(verb as usize).ok_or(NoKey::Fault(Fault::Internal))?;
    let mut writer = KeyWriter::start(context.key, prefix);
    if rule.keys_host {
        writer.value(exchange.head.host());
    }
    // An origin that sends plain HTTP to https would send everybody there, for as long as its answer is fresh.
    if rule.keys_host && !rule.is_aws() {
        writer.value(prepare::told_scheme(exchange, context.plan));
        writer.value(prepare::told_host(exchange, context.plan));
    }
    key::write_parts(&mut writer, &rule.rule, exchange, context.plan).map_err(NoKey::Fault)?;
    writer.finish(context.hasher).map_err(|_| NoKey::TooLong)
}

/// Why neither the answer may come from the cache nor go into it.
fn kept_out(rule: &CachePlan, head: &Head<'_>) -> Option<Verdict> {
    // Under RFC 9111 the origin says whom an answer is for.
    if !rule.stores_authorized
        && rule.origin.is_none()
        && head.has(FieldKind::Authorization)
        && !rule.keys_authorization
    {
        return Some(Verdict::UnkeyedAuthorization);
    }
    let says_nothing = matches!(rule.rule, KeyRule::PathAndQuery) && rule.origin.is_none();
    if says_nothing && !rule.is_aws() && head.has(FieldKind::Cookie) {
        return Some(Verdict::UnkeyedCookie);
    }
    let has_unkeyed_body = head.has_body && !rule.needs_body;
    (has_unkeyed_body && !rule.is_aws()).then_some(Verdict::UnkeyedBody)
}

fn forward(exchange: &mut Exchange<'_>, rule: &CachePlan, verdict: Verdict) -> Flow {
    exchange.ledger.recall = verdict;
    if rule.shows_status {
        let (reason, detail) = verdict.forward();
        exchange.cache_status = CacheStatus::Forward { reason, stored: false, collapsed: false, detail };
    }
    Flow::Next
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use sluice_api::VerbSet;
    use sluice_cache::freshness::origin::Grace;
    use sluice_cache::freshness::{Profile, StoreRule};

    use super::*;
    use crate::message::head::Version;

    #[test]
    fn a_cookie_is_kept_out_unless_the_key_was_stated() {
        let cookie = [(&b"Cookie"[..], &b"s=1"[..])];
        let head = Head::flat(Version::Http11, b"GET", b"/a", b"a", cookie.into_iter()).unwrap();
        assert_eq!(kept_out(&rule(Profile::Edge), &head), Some(Verdict::UnkeyedCookie));
        let stated = CachePlan { rule: KeyRule::Parameters(Vec::new()), ..rule(Profile::Edge) };
        assert_eq!(kept_out(&stated, &head), None);
    }

    #[test]
    fn a_body_that_the_key_does_not_know_is_kept_out_of_the_edges_cache() {
        let mut head = Head::flat(Version::Http11, b"GET", b"/a", b"a", std::iter::empty()).unwrap();
        assert_eq!(kept_out(&rule(Profile::Edge), &head), None);
        head.has_body = true;
        assert_eq!(kept_out(&rule(Profile::Edge), &head), Some(Verdict::UnkeyedBody));
        let keyed = CachePlan { needs_body: true, ..rule(Profile::Edge) };
        assert_eq!(kept_out(&keyed, &head), None, "the key knows of it");
        assert_eq!(kept_out(&rule(Profile::Aws), &head), None);
    }

    fn rule(profile: Profile) -> CachePlan {
        CachePlan {
            verbs: VerbSet::EMPTY,
            prefixes: Vec::new(),
            rule: KeyRule::PathAndQuery,
            passes: None,
            keys_host: true,
            keys_authorization: false,
            stores_authorized: false,
            collapse: true,
            shows_status: true,
            tags: Arc::new([]),
            store: StoreRule { profile, ..StoreRule::default() },
            needs_body: false,
            unauthorized: None,
            origin: None,
            grace: Grace::default(),
            early_ns: 0,
            derives: true,
        }
    }
}
