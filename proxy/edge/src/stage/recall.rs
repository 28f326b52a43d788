//! Stage 10, `recall`: the cache key, and what is stored under it.
//!
//! The key begins with the method's prefix (API, stage, namespace, verb, content hash) and names every part that the
//! rule asks for; an absent parameter is not an empty one, and one that is there twice has both values in the key, for
//! who can tell which one the origin reads. A hit needs the permit. `rest-caching` in `docs/parity.md`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use sluice_api::Verb;
use sluice_cache::flight::Asked;
use sluice_cache::key::KeyWriter;
use sluice_cache::{Birth, Entry, Epoch, Fingerprint, Found, KeyRef, Turn};

use super::authorize::Permit;
use super::prepare::{self, is_nominated};
use super::rescue::Fault;
use super::{Context, Exchange, Flow, Need, Reply};
use crate::message::encode::{CacheStatus, Forward};
use crate::message::field::FieldKind;
use crate::message::head::Head;
use crate::plan::{CachePlan, KeyPart, KeyRule, StageCache};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method, or this verb of it, is not cached.
    Off,
    /// Answered from memory.
    Hit {
        /// Seconds since it was stored.
        age: u32,
    },
    /// Nothing is stored under the key.
    Miss,
    /// What is stored is no longer fresh.
    Expired,
    /// What is stored was purged.
    Purged {
        /// Only expired by it.
        soft: bool,
    },
    /// Kept out: an `Authorization` that is not in the key would make one caller's answer another's.
    UnkeyedAuthorization,
    /// Kept out: a GET or HEAD with a body, which is not in the key and which the origin may answer by.
    UnkeyedBody,
    /// Kept out: a `Cookie`, by which the origin may tell one caller from another, and nobody said what the key is.
    UnkeyedCookie,
    /// The key is longer than a key may be.
    KeyTooLong,
    /// Waited for another request's fetch and got its answer.
    Followed,
}

impl Verdict {
    /// Counts as `CacheHitCount`.
    pub fn is_hit(self) -> bool {
        matches!(self, Verdict::Hit { .. } | Verdict::Followed)
    }

    /// Counts as `CacheMissCount`.
    pub fn is_miss(self) -> bool {
        matches!(self, Verdict::Miss | Verdict::Expired | Verdict::Purged { .. }) || self.is_bypass()
    }

    /// Kept out of the cache by something in the request.
    const fn is_bypass(self) -> bool {
        use Verdict::{KeyTooLong, UnkeyedAuthorization, UnkeyedBody, UnkeyedCookie};
        matches!(self, UnkeyedAuthorization | UnkeyedBody | UnkeyedCookie | KeyTooLong)
    }

    /// As the access log prints it; `None` where there is no cache.
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Verdict::None | Verdict::Off => return None,
            Verdict::Hit { .. } => "hit",
            Verdict::Miss => "miss",
            Verdict::Expired => "expired",
            Verdict::Purged { .. } => "purged",
            Verdict::Followed => "collapsed",
            Verdict::UnkeyedAuthorization | Verdict::UnkeyedBody | Verdict::UnkeyedCookie | Verdict::KeyTooLong => {
                "bypass"
            }
        })
    }
}

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
    match exchange.head.verb.filter(|v| rule.verbs & (1 << *v as u8) != 0) {
        Some(verb) => look_up(exchange, context, cache, rule, verb),
        None => {
            exchange.ledger.recall = Verdict::Off;
            Flow::Next
        }
    }
}

fn look_up(
    exchange: &mut Exchange<'_>,
    context: &mut Context<'_>,
    cache: &StageCache,
    rule: &CachePlan,
    verb: Verb,
) -> Flow {
    if let Some(verdict) = kept_out(rule, &exchange.head, verb) {
        return forward(exchange, rule, verdict);
    }
    let key = match key(exchange, context, rule, verb) {
        Ok(key) => key,
        Err(NoKey::TooLong) => return forward(exchange, rule, Verdict::KeyTooLong),
        Err(NoKey::Fault(fault)) => return Flow::Answer(Reply::Fault(fault)),
    };
    let verdict = match cache.memory.get(key, exchange.now.mono) {
        Found::Fresh(entry) => match exchange.permit.take() {
            Some(permit) => return hit(exchange, rule, entry, &permit),
            None => return Flow::Answer(Reply::Fault(Fault::Internal)),
        },
        Found::Expired(entry) if entry.is_purged_softly() => Verdict::Purged { soft: true },
        Found::Expired(_) => Verdict::Expired,
        Found::Purged => Verdict::Purged { soft: false },
        Found::Absent => Verdict::Miss,
    };
    exchange.key = Some(StorageKey::new(key, cache));
    let flow = forward(exchange, rule, verdict);
    // HEAD's answer has a length and no body: there is nothing to share.
    match rule.collapse && !exchange.head.has_body && verb != Verb::Head {
        true => Flow::Await(Need::Flight),
        false => flow,
    }
}

/// Why a request has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// It is longer than a key may be.
    TooLong,
    /// Nothing that the request can help.
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
    write_parts(&mut writer, &rule.rule, exchange);
    writer.finish(context.hasher).map_err(|_| NoKey::TooLong)
}

/// Why neither the answer may come from the cache nor go into it.
fn kept_out(rule: &CachePlan, head: &Head<'_>, verb: Verb) -> Option<Verdict> {
    if !rule.stores_authorized && head.has(FieldKind::Authorization) && !rule.keys_authorization {
        return Some(Verdict::UnkeyedAuthorization);
    }
    let says_nothing = matches!(rule.rule, KeyRule::PathAndQuery);
    if says_nothing && !rule.is_aws() && head.has(FieldKind::Cookie) {
        return Some(Verdict::UnkeyedCookie);
    }
    let means_nothing = head.has_body && matches!(verb, Verb::Get | Verb::Head);
    (means_nothing && !rule.is_aws()).then_some(Verdict::UnkeyedBody)
}

/// Serves what is stored: only with a permit.
fn hit(exchange: &mut Exchange<'_>, rule: &CachePlan, entry: Arc<Entry>, _: &Permit) -> Flow {
    let lifetime = entry.lifetime();
    let seconds = |ns: u64| (ns / 1_000_000_000) as u32;
    let age = seconds(exchange.now.mono.saturating_sub(lifetime.stored_at_ns));
    exchange.ledger.recall = Verdict::Hit { age };
    if rule.shows_status {
        exchange.age = Some(age);
        let ttl = seconds(lifetime.fresh_until_ns.saturating_sub(exchange.now.mono));
        exchange.cache_status = CacheStatus::Hit { ttl };
    }
    Flow::Answer(Reply::Entry(entry))
}

fn forward(exchange: &mut Exchange<'_>, rule: &CachePlan, verdict: Verdict) -> Flow {
    exchange.ledger.recall = verdict;
    if rule.shows_status {
        let reason = match verdict {
            Verdict::Expired | Verdict::Purged { soft: true } => Forward::Stale,
            verdict if verdict.is_bypass() => Forward::Bypass,
            _ => Forward::UriMiss,
        };
        let detail = matches!(verdict, Verdict::Purged { .. }).then_some("purged");
        exchange.cache_status = CacheStatus::Forward { reason, stored: false, collapsed: false, detail };
    }
    Flow::Next
}

/// Writes what the rule asks for behind the prefix.
#[inline]
fn write_parts(writer: &mut KeyWriter<'_>, rule: &KeyRule, exchange: &Exchange<'_>) {
    match rule {
        KeyRule::PathAndQuery => {
            writer.value(exchange.routed_path());
            writer.part(exchange.head.query());
            writer.value(encoding_class(exchange));
        }
        KeyRule::Parameters(parts) => parts.iter().for_each(|part| write_part(writer, part, exchange)),
    }
}

fn write_part(writer: &mut KeyWriter<'_>, part: &KeyPart, exchange: &Exchange<'_>) {
    match part {
        KeyPart::Path(place) => writer.part(exchange.captures.get(*place).map(|s| s.of(exchange.head.bytes()))),
        KeyPart::Header(name) => write_values(writer, || header_values(exchange, name.as_bytes())),
        KeyPart::Query(name) => {
            let query = exchange.head.query().unwrap_or_default();
            write_values(writer, || query_values(query, name.as_bytes()));
        }
        KeyPart::AcceptEncoding => writer.value(encoding_class(exchange)),
    }
}

/// None, the one, or all of them; `values` is asked anew to see how many there are.
fn write_values<'v, V: AsRef<[u8]> + 'v, I: Iterator<Item = V>>(writer: &mut KeyWriter<'_>, values: impl Fn() -> I) {
    let mut some = values();
    match (some.next(), some.next()) {
        (None, _) => writer.absent(),
        (Some(value), None) => writer.value(value.as_ref()),
        _ => {
            let all: Vec<V> = values().collect();
            writer.values(all.iter().map(AsRef::as_ref));
        }
    }
}

/// The values of a field as the origin will get them: a field that `Connection` names stays behind.
fn header_values<'e>(exchange: &'e Exchange<'_>, name: &'e [u8]) -> impl Iterator<Item = &'e [u8]> {
    let passed = !is_nominated(exchange, name);
    let fields = exchange.head.fields().filter(move |(_, n, _)| passed && n.eq_ignore_ascii_case(name));
    fields.map(|(_, _, value)| value)
}

/// A key that outlives the look-up, for the store.
#[derive(Clone, Debug)]
pub struct StorageKey {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// The cache's epoch when it was looked up: a flush since then forbids the store.
    pub began: Epoch,
    /// The turn then: a refresh that a client has forced since forbids the store, too.
    pub turn: Turn,
    /// The purges then: one since then that covers the answer forbids the store, too.
    pub birth: Birth,
    /// What purges ask about, once the answer's head is known.
    pub notes: Box<[u8]>,
}

impl StorageKey {
    /// For a fetch that begins now.
    fn new(key: KeyRef<'_>, cache: &StageCache) -> Self {
        let (began, turn, birth) = (cache.memory.epoch(), cache.turns.now(), cache.memory.bans().birth());
        let KeyRef { fingerprint, bytes } = key;
        Self { fingerprint, bytes: bytes.into(), began, turn, birth, notes: Box::default() }
    }

    /// When the answer is asked for, in flushes and purges.
    pub fn asked(&self) -> Asked {
        Asked { epoch: self.began, born: self.birth.sequence() }
    }

    /// The key to look up and to store under.
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { fingerprint: self.fingerprint, bytes: &self.bytes }
    }
}

/// `br`, `gzip` or nothing: what `prepare` asks the origin for, so that codings are kept apart by it.
pub fn encoding_class(exchange: &Exchange<'_>) -> &'static [u8] {
    let Some(accepted) = exchange.head.value(FieldKind::AcceptEncoding) else { return b"" };
    let wants = |coding: &[u8]| accepted.split(|b| *b == b',').any(|item| accepts(item, coding));
    if wants(b"br") {
        b"br"
    } else if wants(b"gzip") {
        b"gzip"
    } else {
        b""
    }
}

fn accepts(item: &[u8], coding: &[u8]) -> bool {
    let mut parts = item.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
    let refused = |p: &[u8]| p.strip_prefix(b"q=").is_some_and(|q| q.iter().all(|b| matches!(b, b'0' | b'.')));
    named && !parts.any(refused)
}

/// The values of a query parameter, decoded: `+` is a blank, `%xx` a byte.
pub fn query_values<'q>(query: &'q [u8], name: &'q [u8]) -> impl Iterator<Item = Cow<'q, [u8]>> {
    let pairs = query.split(|b| *b == b'&').map(|pair| match memchr::memchr(b'=', pair) {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &b""[..]),
    });
    pairs.filter(move |(n, _)| *decoded(n) == *name).map(|(_, value)| decoded(value))
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8);
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(b) = text.get(at) {
        let escape = (*b == b'%').then(|| Some(hex(text.get(at + 1))? << 4 | hex(text.get(at + 2))?)).flatten();
        out.push(escape.unwrap_or(if *b == b'+' { b' ' } else { *b }));
        at += if escape.is_some() { 3 } else { 1 };
    }
    Cow::Owned(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use sluice_cache::freshness::{Profile, StoreRule};

    use super::*;
    use crate::message::head::Version;

    #[test]
    fn all_values_are_found_and_decoded() {
        let values = |query: &'static str| -> Vec<String> {
            query_values(query.as_bytes(), b"a").map(|v| String::from_utf8_lossy(&v).into_owned()).collect()
        };
        assert_eq!(values("a=1&b=2&a=3"), ["1", "3"]);
        assert_eq!(values("a=x%20y+z&b"), ["x y z"]);
        assert_eq!(values("%61=1"), ["1"]);
        assert_eq!(values("a"), [""]);
        assert_eq!(values("ab=1&&="), [""; 0]);
        assert_eq!(values("a=%zz"), ["%zz"]);
    }

    #[test]
    fn a_cookie_is_kept_out_unless_the_key_was_stated() {
        let cookie = [(&b"Cookie"[..], &b"s=1"[..])];
        let head = Head::flat(Version::Http11, b"GET", b"/a", b"a", cookie.into_iter()).unwrap();
        assert_eq!(kept_out(&rule(Profile::Edge), &head, Verb::Get), Some(Verdict::UnkeyedCookie));
        let stated = CachePlan { rule: KeyRule::Parameters(Vec::new()), ..rule(Profile::Edge) };
        assert_eq!(kept_out(&stated, &head, Verb::Get), None);
    }

    #[test]
    fn a_get_with_a_body_is_kept_out_of_the_edges_cache() {
        let mut head = Head::flat(Version::Http11, b"GET", b"/a", b"a", std::iter::empty()).unwrap();
        assert_eq!(kept_out(&rule(Profile::Edge), &head, Verb::Get), None);
        head.has_body = true;
        assert_eq!(kept_out(&rule(Profile::Edge), &head, Verb::Get), Some(Verdict::UnkeyedBody));
        assert_eq!(kept_out(&rule(Profile::Edge), &head, Verb::Post), None, "whoever caches POST has asked for it");
        assert_eq!(kept_out(&rule(Profile::Aws), &head, Verb::Get), None);
    }

    fn rule(profile: Profile) -> CachePlan {
        CachePlan {
            verbs: 0,
            prefixes: Vec::new(),
            rule: KeyRule::PathAndQuery,
            keys_host: true,
            keys_authorization: false,
            stores_authorized: false,
            collapse: true,
            shows_status: true,
            tags: Arc::new([]),
            store: StoreRule { profile, ..StoreRule::default() },
        }
    }

    #[test]
    fn codings_with_weight_zero_are_refused() {
        assert!(accepts(b" gzip;q=0.5", b"gzip"));
        assert!(!accepts(b"gzip;q=0", b"gzip"));
        assert!(!accepts(b"gzip; q=0.0", b"gzip"));
        assert!(!accepts(b"xgzip", b"gzip"));
    }
}
