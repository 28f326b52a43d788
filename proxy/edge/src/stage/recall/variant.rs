//! Answers that vary by fields which the key does not have: several under one key (RFC 9111 §4.1).
//!
//! Under the key itself stands a marker with the names; each answer stands under the key with the request's values of
//! them behind it. A purge of the key takes them all. Only under RFC 9111 mode, and `Accept-Encoding` is in the key always.

use sluice_cache::answer::Fields;
use sluice_cache::answer::marker::{Marker, generation_of};
use sluice_cache::answer::vary::{MARKER, Vary, variant_key};
use sluice_cache::{Entry, Fingerprint, Found, KeyHasher, KeyRef, NotStored, Sequence};

use super::super::Exchange;
use super::{StorageKey, header_values};
use crate::plan::{CachePlan, StageCache};

/// What is known of an answer that varies.
#[derive(Clone, Debug)]
pub struct Varies {
    /// The marker's place.
    pub primary: Fingerprint,
    /// The marker's generation.
    pub generation: Sequence,
    /// The marker's field line: the names.
    pub line: Box<[u8]>,
    /// Its variant is another than the one that was looked up: who waits for that one waits for something else.
    pub moved: bool,
}

/// The variant to look up, where the key has a marker.
#[inline]
pub(super) fn of(exchange: &Exchange<'_>, rule: &CachePlan, key: KeyRef<'_>, found: &Found) -> Option<Vec<u8>> {
    match found {
        Found::Fresh(entry) | Found::Expired(entry) if rule.origin.is_some() && entry.status() == MARKER => {
            named(exchange, key.bytes, entry)
        }
        _ => None,
    }
}

#[cold]
fn named(exchange: &Exchange<'_>, primary: &[u8], marker: &Entry) -> Option<Vec<u8>> {
    let names = Vary::parse(Fields::of(marker.head()).values("vary")).ok()?;
    Some(variant(exchange, primary, Marker::of(marker)?.generation(), &names))
}

fn variant(exchange: &Exchange<'_>, primary: &[u8], generation: Sequence, names: &Vary) -> Vec<u8> {
    variant_key(primary, generation, names, |name| header_values(exchange, name.as_bytes()).collect())
}

/// Puts the key where the answer to this request belongs if it varies so.
///
/// # Errors
/// It varies by what nobody can tell from the request's fields.
pub fn place(
    exchange: &mut Exchange<'_>,
    hasher: &KeyHasher,
    is_keyed: impl Fn(&str) -> bool,
) -> Result<(), NotStored> {
    let all = Vary::parse(Fields::of(&exchange.origin.fields).values("vary")).map_err(|_| NotStored::Vary)?;
    let unkeyed: Vec<&str> = all.names().filter(|name| !is_keyed(name)).collect();
    if unkeyed.is_empty() {
        return Ok(());
    }
    let list = unkeyed.join(",");
    let names = Vary::parse([list.as_bytes()]).map_err(|_| NotStored::Vary)?;
    let Some(key) = &exchange.key else { return Ok(()) };
    let primary = key.bytes.get(..key.primary_len).unwrap_or_default();
    // A marker that was not found may have been purged: what stood under it is not found again either.
    let generation = generation_of(&key.bytes, key.primary_len).unwrap_or_else(|| key.birth.sequence());
    let bytes = variant(exchange, primary, generation, &names);
    let line = [b"Vary: ", list.as_bytes(), b"\r\n"].concat().into();
    let primary = hasher.key(primary).fingerprint;
    let varies = Varies { primary, generation, line, moved: *bytes != *key.bytes };
    let fingerprint = hasher.key(&bytes).fingerprint;
    if let Some(key) = &mut exchange.key {
        (key.bytes, key.fingerprint, key.varies) = (bytes.into(), fingerprint, Some(Box::new(varies)));
    }
    Ok(())
}

impl StorageKey {
    /// The answer is another variant than the one that those who joined its fetch wait for.
    pub fn has_moved(&self) -> bool {
        self.varies.as_ref().is_some_and(|varies| varies.moved)
    }

    /// Whether the marker in memory has room for the answer, if that is one of several.
    pub fn has_room(&self, cache: &StageCache, now: u64) -> bool {
        let Some(varies) = &self.varies else { return true };
        let marker = match cache.memory.get(self.primary(varies), now) {
            Found::Fresh(entry) | Found::Expired(entry) => Marker::of(&entry),
            _ => None,
        };
        let known = marker.filter(|marker| marker.generation() == varies.generation);
        known.is_none_or(|marker| marker.with(self.fingerprint).is_some())
    }

    /// Where the marker stands.
    pub fn primary(&self, varies: &Varies) -> KeyRef<'_> {
        KeyRef { fingerprint: varies.primary, bytes: self.bytes.get(..self.primary_len).unwrap_or_default() }
    }
}
