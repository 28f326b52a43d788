//! Which fields of a request choose among several answers under one key (RFC 9111 §4.1).
//!
//! Values are compared in a form in which order of members, white space and, for languages, case make no difference:
//! what an origin cannot mean differently is not kept twice.

use super::members;
use crate::invalidate::Sequence;
use crate::key::VARIANT;

/// Names that an answer varies by, lower case, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vary(Box<[Box<str>]>);

/// More names than this are as good as `*`.
pub const NAMES_LIMIT: usize = 16;

/// An answer that no other request may get: it varies by `*`, or by what is no list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer varies by more than its request's fields")]
pub struct VariesByAnything;

impl Vary {
    /// Reads all values of Vary.
    ///
    /// # Errors
    /// One of them is `*` or no name, or there are more than [`NAMES_LIMIT`].
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, VariesByAnything> {
        let mut names = Vec::new();
        for member in values.into_iter().flat_map(members) {
            names.push(name(member).ok_or(VariesByAnything)?);
        }
        names.sort_unstable();
        names.dedup();
        if names.len() > NAMES_LIMIT { Err(VariesByAnything) } else { Ok(Self(names.into())) }
    }

    /// The names, lower case, in a fixed order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether the answer is the same for every request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The status of what stands under a key whose answers vary: no answer, but the names by which they do. No origin's answer
/// has it.
pub const MARKER: u16 = 999;

/// The key of the answer to requests with the same values of the fields that it varies by, below a marker of
/// `generation`. `values` gives a request's values of a field by its name in lower case.
#[must_use]
pub fn variant_key<'v>(
    primary: &[u8],
    generation: Sequence,
    names: &Vary,
    mut values: impl FnMut(&str) -> Vec<&'v [u8]>,
) -> Vec<u8> {
    let mut key = [primary, &[VARIANT], &generation.0.to_le_bytes()].concat();
    let mut part = |bytes: &[u8]| {
        // Names and values come out of heads, which are far shorter than 4 GiB.
        key.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        key.extend_from_slice(bytes);
    };
    for name in names.names() {
        let values = values(name);
        part(name.as_bytes());
        part(if values.is_empty() { b"" } else { b"+" });
        part(&normalised(name, values));
    }
    key
}

fn name(member: &[u8]) -> Option<Box<str>> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(byte);
    let text = member.iter().all(token).then(|| std::str::from_utf8(member).ok())??;
    Some(text.to_ascii_lowercase().into())
}

/// The form in which a request's values of the field `name` (lower case) are compared.
#[must_use]
pub fn normalised<'a>(name: &str, values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = values.into_iter().flat_map(members).map(without_blanks).collect();
    if name == "accept-language" {
        all.iter_mut().for_each(|member| member.make_ascii_lowercase());
        all.sort_unstable();
    }
    all.join(&b',')
}

/// A member without the blanks around its parameters; those inside of quotes stay.
fn without_blanks(member: &[u8]) -> Vec<u8> {
    let mut quoted = false;
    let kept = member.iter().filter(|byte| {
        quoted ^= **byte == b'"';
        quoted || !matches!(byte, b' ' | b'\t')
    });
    if member.contains(&b';') { kept.copied().collect() } else { member.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(values: &[&'static str]) -> Result<Vec<String>, VariesByAnything> {
        Vary::parse(values.iter().map(|v| v.as_bytes())).map(|vary| vary.names().map(String::from).collect())
    }

    #[test]
    fn names_are_sorted_and_once() {
        assert_eq!(names(&["Foo, bar", "foo,, BAZ"]).unwrap(), ["bar", "baz", "foo"]);
        assert!(names(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_star_in_any_place_varies_by_anything() {
        for value in ["*", "*, *", ", *", "*, Foo", "Foo, *", "Foo Bar"] {
            assert_eq!(names(&[value]), Err(VariesByAnything), "{value}");
        }
        assert_eq!(names(&["Foo", "*"]), Err(VariesByAnything));
        let many: Vec<String> = (0..=NAMES_LIMIT).map(|n| format!("x-{n}")).collect();
        assert!(Vary::parse(many.iter().map(|name| name.as_bytes())).is_err());
    }

    #[test]
    fn a_variant_is_its_names_and_values_and_an_absent_one_is_not_an_empty_one() {
        let vary = Vary::parse([&b"a, b"[..]]).unwrap();
        let of = |a: &'static [&'static [u8]], b: &'static [&'static [u8]]| {
            variant_key(b"k", Sequence(1), &vary, |name| if name == "a" { a.to_vec() } else { b.to_vec() })
        };
        assert_eq!(of(&[b"1"], &[]), of(&[b"1"], &[]));
        assert!(of(&[], &[]).starts_with(&[b'k', VARIANT]));
        let all = [of(&[], &[]), of(&[b""], &[]), of(&[], &[b""]), of(&[b"1"], &[]), of(&[], &[b"1"])];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_ne!(of(&[], &[]), variant_key(b"k", Sequence(2), &vary, |_| Vec::new()), "another generation");
    }

    #[test]
    fn what_means_the_same_compares_the_same() {
        let form = |name, values: &[&'static str]| normalised(name, values.iter().map(|v| v.as_bytes()));
        assert_eq!(form("foo", &["1, 2", "3"]), form("foo", &["1,2,  3"]));
        assert_ne!(form("foo", &["1, 2"]), form("foo", &["2, 1"]));
        assert_ne!(form("foo", &["a b"]), form("foo", &["ab"]));
        assert_eq!(form("accept-language", &["en; q=0.5, DE"]), form("accept-language", &["de,en;q=0.5"]));
        assert_ne!(form("foo", &["a=\"x, y\""]), form("foo", &["a=\"x,y\""]));
    }
}
