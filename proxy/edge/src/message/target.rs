//! What the target of a request may look like: one that every origin reads as the same path.
//!
//! Clients are held to it when their head is read, configured URIs when they are checked, and mapped paths when they are
//! put together.

use super::places::{TARGET, is};

/// Whole escapes only, no fragment, and no dot segments: an origin that resolves them would see a path that no rule was
/// asked about.
#[inline]
pub fn is_plain(path: &[u8], query: Option<&[u8]>) -> bool {
    let (mut plain, mut dots) = (true, false);
    let mut before = 0;
    for b in path {
        plain &= is(TARGET, *b);
        dots |= *b == b'.' && before == b'/';
        before = *b;
    }
    let query = query.unwrap_or_default();
    let fine = plain && query.iter().all(|b| is(TARGET, *b));
    fine && !dots && path.first() == Some(&b'/') || is_plain_at_a_closer_look(path, query)
}

#[cold]
fn is_plain_at_a_closer_look(path: &[u8], query: &[u8]) -> bool {
    // No URI has these (RFC 3986 §2), and Pingora's reader refuses them: so does every way in.
    let visible = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'<' | b'>' | b'`');
    let whole = path.first() == Some(&b'/') && path.iter().chain(query).all(visible) && !path.contains(&b'\\');
    whole && escapes_are_whole(path) && escapes_are_whole(query) && !has_dot_segment(path)
}

fn escapes_are_whole(text: &[u8]) -> bool {
    let hex = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    memchr::memchr_iter(b'%', text).all(|at| hex(at + 1) && hex(at + 2))
}

/// `.` or `..` as a segment of the path, dots and slashes perhaps escaped, parameters (`;a=b`) perhaps behind: some origin
/// takes each of these for one.
fn has_dot_segment(path: &[u8]) -> bool {
    let (mut plain, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match rest {
            [b'%', b'2', b'e' | b'E', after @ ..] => (b'.', after),
            [b'%', b'2', b'f' | b'F', after @ ..] | [b'%', b'5', b'c' | b'C', after @ ..] => (b'/', after),
            _ => (*first, after),
        };
        plain.push(byte);
        rest = after;
    }
    let name = |segment: &[u8]| segment.split(|b| *b == b';').next().is_some_and(|n| n == b"." || n == b"..");
    plain.split(|b| *b == b'/').any(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_origin_reads_alike_is_plain() {
        for path in ["/", "/a/b", "/a..b/.c", "/a%20b", "/;x=1", "/..."] {
            assert!(is_plain(path.as_bytes(), Some(b"d=..&e=%2e/./")), "{path}");
        }
    }

    #[test]
    fn what_origins_may_read_otherwise_is_not() {
        for path in
            ["", "a", "/a b", "/%2", "/%zz", "/#a", "/a\\b", "/.", "/a/../b", "/%2E%2e/", "/a%2f..", "/a%5C..;v"]
        {
            assert!(!is_plain(path.as_bytes(), None), "{path}");
        }
        assert!(!is_plain(b"/a", Some(b"b=%4")));
    }
}
