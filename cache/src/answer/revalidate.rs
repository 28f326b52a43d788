//! Asking the origin whether a stored answer still holds, and bringing it up to date with a 304 (RFC 9111 §4.3).

use super::Fields;

/// The validators of a stored answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validators<'a> {
    /// For If-None-Match.
    pub etag: Option<&'a [u8]>,
    /// For If-Modified-Since.
    pub last_modified: Option<&'a [u8]>,
}

impl<'a> Validators<'a> {
    /// Those of a stored answer; `None` if it has none, and the origin can only be asked for it anew.
    #[must_use]
    pub fn of(stored: Fields<'a>) -> Option<Self> {
        let validators = Self { etag: stored.single("etag"), last_modified: stored.single("last-modified") };
        (validators.etag.is_some() || validators.last_modified.is_some()).then_some(validators)
    }

    /// Writes them as field lines of a request.
    pub fn write(self, lines: &mut Vec<u8>) {
        let mut line = |name: &str, value: Option<&[u8]>| {
            if let Some(value) = value {
                [name.as_bytes(), b": ", value, b"\r\n"].iter().for_each(|part| lines.extend_from_slice(part));
            }
        };
        line("If-None-Match", self.etag);
        line("If-Modified-Since", self.last_modified);
    }
}

/// Whether a 304 with these fields speaks of the stored answer: one with another entity tag does not.
#[must_use]
pub fn speaks_of(update: Fields<'_>, stored: Fields<'_>) -> bool {
    let opaque = |tag: Option<&[u8]>| tag.map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec());
    match (opaque(update.single("etag")), opaque(stored.single("etag"))) {
        (Some(told), Some(held)) => told == held,
        _ => true,
    }
}

/// The stored field lines with those of a 304 in their place (RFC 9111 §3.2): what describes the stored bytes stays.
#[must_use]
pub fn updated(stored: Fields<'_>, update: Fields<'_>) -> Vec<u8> {
    let replaced = |name: &[u8]| !stays(name) && update.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let kept = stored.lines().filter(|(name, ..)| !replaced(name)).map(|(.., line)| line);
    let new = update.lines().filter(|(name, ..)| !stays(name)).map(|(.., line)| line);
    kept.chain(new).flatten().copied().collect()
}

/// A field that belongs to the body at hand, which a 304 has not brought.
fn stays(name: &[u8]) -> bool {
    const STAYING: [&str; 8] = [
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "digest",
        "content-digest",
        "repr-digest",
        "etag",
    ];
    STAYING.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &[u8] = b"ETag: \"a\"\r\nA: 1\r\nB: 1\r\nb: 2\r\nContent-Length: 5\r\nLast-Modified: x\r\n";

    #[test]
    fn validators_become_conditions() {
        let mut lines = Vec::new();
        Validators::of(Fields::of(STORED)).unwrap().write(&mut lines);
        assert_eq!(lines, b"If-None-Match: \"a\"\r\nIf-Modified-Since: x\r\n");
        assert_eq!(Validators::of(Fields::of(b"A: 1\r\n")), None);
    }

    #[test]
    fn a_304_replaces_what_it_names_and_adds_what_is_new() {
        let update = Fields::of(b"B: 3\r\nContent-Length: 0\r\nC: 4\r\nETag: \"a\"\r\n");
        let expected = b"ETag: \"a\"\r\nA: 1\r\nContent-Length: 5\r\nLast-Modified: x\r\nB: 3\r\nC: 4\r\n";
        assert_eq!(updated(Fields::of(STORED), update), expected);
    }

    #[test]
    fn a_304_of_another_answer_says_nothing_about_this_one() {
        let stored = Fields::of(STORED);
        assert!(speaks_of(Fields::of(b"ETag: W/\"a\"\r\n"), stored));
        assert!(speaks_of(Fields::of(b""), stored));
        assert!(!speaks_of(Fields::of(b"ETag: \"b\"\r\n"), stored));
    }
}
