//! Whether the client holds a stored answer already: If-None-Match and If-Modified-Since (RFC 9110 §13.1, §13.2.2).

use super::{Fields, date, members};

/// What a client says that it holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// All values of If-None-Match; none if it was not sent.
    pub if_none_match: Option<&'a [u8]>,
    /// If-Modified-Since, where it was sent once.
    pub if_modified_since: Option<&'a [u8]>,
}

impl Conditions<'_> {
    /// Whether there is any.
    #[must_use]
    pub const fn any(self) -> bool {
        self.if_none_match.is_some() || self.if_modified_since.is_some()
    }

    /// Whether a 304 tells the client all that it needs. If-None-Match goes before If-Modified-Since. An answer without
    /// Last-Modified is as old as its Date, which `stored_at` (seconds since 1970) stands for where that is missing.
    #[must_use]
    pub fn are_met(self, stored: Fields<'_>, stored_at: u64) -> bool {
        match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => holds(tags, stored.single("etag")),
            (None, Some(since)) => date(since).is_some_and(|since| modified(stored, stored_at) <= since),
            (None, None) => false,
        }
    }
}

/// The fields that a 304 repeats (RFC 9110 §15.4.5).
#[must_use]
pub fn is_told_by_304(name: &[u8]) -> bool {
    const TOLD: [&str; 7] = ["cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"];
    TOLD.iter().any(|told| name.eq_ignore_ascii_case(told.as_bytes()))
}

fn modified(stored: Fields<'_>, stored_at: u64) -> u64 {
    let of = |name| stored.single(name).and_then(date);
    of("last-modified").or_else(|| of("date")).unwrap_or(stored_at)
}

/// Whether a list of entity tags has this one, weak or not; `*` has every one.
fn holds(tags: &[u8], tag: Option<&[u8]>) -> bool {
    let opaque = |tag: &'_ [u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    members(tags).any(|held| held == b"*" || tag.is_some_and(|tag| opaque(held) == opaque(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = b"Wed, 01 Jan 2020 00:00:00 GMT";
    const NEW: &[u8] = b"Thu, 02 Jan 2020 00:00:00 GMT";
    const OLD_SECONDS: u64 = 1_577_836_800;

    fn met(if_none_match: Option<&[u8]>, if_modified_since: Option<&[u8]>, stored: &str) -> bool {
        Conditions { if_none_match, if_modified_since }.are_met(Fields::of(stored.as_bytes()), OLD_SECONDS)
    }

    #[test]
    fn a_tag_is_compared_without_its_weakness() {
        let stored = "ETag: \"a,b\"\r\n";
        assert!(met(Some(b"\"x\", W/\"a,b\""), None, stored));
        assert!(met(Some(b"*"), None, stored));
        assert!(met(Some(b"\"a\""), None, "ETag: W/\"a\"\r\n"));
        assert!(!met(Some(b"\"a\", \"b\""), None, stored));
        assert!(!met(Some(b"\"a,b\""), None, ""));
        assert!(met(Some(b"*"), None, ""));
    }

    #[test]
    fn a_tag_goes_before_a_date() {
        let stored = "ETag: \"a\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\n";
        assert!(!met(Some(b"\"b\""), Some(NEW), stored));
        assert!(met(None, Some(OLD), stored));
    }

    #[test]
    fn what_is_not_newer_was_not_modified() {
        let stored = "Last-Modified: Thu, 02 Jan 2020 00:00:00 GMT\r\n";
        assert!(!met(None, Some(OLD), stored));
        assert!(met(None, Some(NEW), stored));
        assert!(met(None, Some(b"Thursday, 02-Jan-20 00:00:00 GMT"), stored));
        assert!(!met(None, Some(b"yesterday"), stored));
        assert!(met(None, Some(NEW), "Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n"));
        assert!(met(None, Some(OLD), ""));
    }

    #[test]
    fn a_304_tells_what_may_have_changed_and_no_more() {
        assert!(is_told_by_304(b"ETag"));
        assert!(!is_told_by_304(b"Content-Length"));
    }
}
