//! A part of a stored answer: Range and If-Range (RFC 9110 §13.1.5, §14).
//!
//! One range is answered by 206. Several at once, other units and what is malformed get the whole answer, as RFC 9110
//! §14.2 allows.

use super::{Fields, date};

/// What a request's Range makes of a stored body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The whole of it.
    Whole,
    /// These bytes: from `start` up to and without `end`; never empty.
    Bytes {
        /// The first byte's place.
        start: u64,
        /// The place behind the last.
        end: u64,
    },
    /// 416: nothing of it was asked for.
    Unsatisfiable,
}

impl Part {
    /// What `range` asks of a body of `length` bytes.
    #[must_use]
    pub fn of(range: &[u8], length: u64) -> Self {
        let Some(spec) = strip_unit(range).filter(|spec| !spec.contains(&b',')) else { return Self::Whole };
        let Some(dash) = spec.iter().position(|byte| *byte == b'-') else { return Self::Whole };
        let (first, last) = (spec.get(..dash).unwrap_or_default(), spec.get(dash + 1..).unwrap_or_default());
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Self::between(first, last.saturating_add(1).min(length)),
            (Some(first), None) if last.is_empty() => Self::between(first, length),
            (None, Some(suffix)) if first.is_empty() => Self::between(length.saturating_sub(suffix), length),
            _ => Self::Whole,
        }
    }

    const fn between(start: u64, end: u64) -> Self {
        if start < end { Self::Bytes { start, end } } else { Self::Unsatisfiable }
    }
}

/// Whether the part that the client has is of this very answer, so that a range may be added to it: a strong entity tag
/// or the exact date (RFC 9110 §13.1.5). Otherwise it gets the whole.
#[must_use]
pub fn is_of(if_range: &[u8], stored: Fields<'_>) -> bool {
    match if_range.first() {
        Some(b'"') => stored.single("etag").is_some_and(|tag| tag == if_range),
        _ => date(if_range).is_some_and(|held| stored.single("last-modified").and_then(date) == Some(held)),
    }
}

fn strip_unit(range: &[u8]) -> Option<&[u8]> {
    let (unit, spec) = range.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then(|| spec.trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0_u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn bytes(start: u64, end: u64) -> Part {
        Part::Bytes { start, end }
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(Part::of(b"bytes=0-1", 10), bytes(0, 2));
        assert_eq!(Part::of(b"bytes=2-", 10), bytes(2, 10));
        assert_eq!(Part::of(b"bytes=-3", 10), bytes(7, 10));
        assert_eq!(Part::of(b"Bytes=0-99999999999999999999999", 10), bytes(0, 10));
        assert_eq!(Part::of(b"bytes=-30", 10), bytes(0, 10));
    }

    #[test]
    fn beyond_the_end_is_unsatisfiable() {
        assert_eq!(Part::of(b"bytes=10-", 10), Part::Unsatisfiable);
        assert_eq!(Part::of(b"bytes=-0", 10), Part::Unsatisfiable);
        assert_eq!(Part::of(b"bytes=0-", 0), Part::Unsatisfiable);
    }

    #[test]
    fn what_is_not_one_range_is_the_whole() {
        for range in ["bytes=0-1,3-4", "bytes=3-1", "bytes=-", "bytes=", "lines=0-1", "bytes=a-b", "bytes=1", "0-1", ""]
        {
            assert_eq!(Part::of(range.as_bytes(), 10), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_part_is_added_to_the_same_answer_only() {
        let stored = Fields::of(b"ETag: \"a\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\n");
        assert!(is_of(b"\"a\"", stored));
        assert!(is_of(b"Wed, 01 Jan 2020 00:00:00 GMT", stored));
        for other in ["\"b\"", "W/\"a\"", "Thu, 02 Jan 2020 00:00:00 GMT", ""] {
            assert!(!is_of(other.as_bytes(), stored), "{other}");
        }
        assert!(!is_of(b"W/\"a\"", Fields::of(b"ETag: W/\"a\"\r\n")));
    }

    proptest! {
        #[test]
        fn no_range_reaches_beyond_the_body(range in proptest::collection::vec(any::<u8>(), 0..32), length in 0_u64..100) {
            let forms = [range.clone(), [&b"bytes="[..], &range].concat()];
            for form in forms {
                if let Part::Bytes { start, end } = Part::of(&form, length) {
                    prop_assert!(start < end && end <= length);
                }
            }
        }
    }
}
