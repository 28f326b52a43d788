//! What a client's conditions make of a whole answer: 304 where it has it already, 206 or 416 for a range of it.
//!
//! RFC 9110 §13.2.2 and §14: a condition on what was changed goes before a range, a range is answered from a complete 200
//! alone, and `If-Range` turns it into the whole where the client's part is of another answer.

use std::ops::Range;

use bytes::Bytes;
use sluice_api::Verb;
use sluice_cache::answer::Fields;
use sluice_cache::answer::conditional::{Conditions, is_told_by_304};
use sluice_cache::answer::range::{Part, is_of};

use super::Exchange;
use crate::message::encode::Framing;
use crate::message::field::FieldKind;
use crate::message::head::Head;

/// An answer in place of the whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// 304, 206 or 416.
    pub status: u16,
    /// Its field lines.
    pub fields: Vec<u8>,
    /// Its body, where the whole one is at hand.
    pub body: Bytes,
    /// Which part of the whole one it is.
    pub part: Option<Range<u64>>,
    /// How that ends.
    pub framing: Framing,
}

/// A whole answer that a request's conditions are asked about.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// Its status.
    pub status: u16,
    /// Its field lines.
    pub fields: &'a [u8],
    /// Its body, where that is stored.
    pub body: Option<Content<'a>>,
    /// When it came, seconds since 1970.
    pub stored_at: u64,
}

/// Where a stored body is.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// At hand.
    Here(&'a Bytes),
    /// So many bytes on disk.
    OnDisk(u64),
}

impl Content<'_> {
    const fn len(self) -> u64 {
        match self {
            Self::Here(body) => body.len() as u64,
            Self::OnDisk(length) => length,
        }
    }

    fn part(self, part: &Range<u64>) -> Option<Bytes> {
        match self {
            Self::Here(body) => Some(body.slice(usize::try_from(part.start).ok()?..usize::try_from(part.end).ok()?)),
            Self::OnDisk(_) => Some(Bytes::new()),
        }
    }
}

/// What the request's conditions make of the answer; `None`: it is sent as it is.
#[cold]
pub fn derive(exchange: &Exchange<'_>, whole: Whole<'_>) -> Option<Box<Derived>> {
    let head = &exchange.head;
    if whole.status != 200 || !matches!(head.verb, Some(Verb::Get | Verb::Head)) {
        return None;
    }
    let fields = Fields::of(whole.fields);
    let tags = joined(head, FieldKind::IfNoneMatch);
    let conditions =
        Conditions { if_none_match: tags.as_deref(), if_modified_since: single(head, FieldKind::IfModifiedSince) };
    if conditions.any() {
        return conditions.are_met(fields, whole.stored_at).then(|| Box::new(not_modified(fields)));
    }
    let range = single(head, FieldKind::Range).filter(|_| head.verb == Some(Verb::Get))?;
    let is_meant = single(head, FieldKind::IfRange).is_none_or(|held| is_of(held, fields));
    part(range, whole.body.filter(|_| is_meant)?, whole.fields).map(Box::new)
}

fn not_modified(stored: Fields<'_>) -> Derived {
    let told = stored.iter().filter(|(name, _)| is_told_by_304(name));
    let fields = told.flat_map(|(name, value)| [name, b": ", value, b"\r\n"].concat()).collect();
    Derived { status: 304, fields, body: Bytes::new(), part: None, framing: Framing::Bodiless }
}

fn part(range: &[u8], body: Content<'_>, fields: &[u8]) -> Option<Derived> {
    let length = body.len();
    match Part::of(range, length) {
        Part::Whole => None,
        Part::Bytes { start, end } => {
            let text = format!("Content-Range: bytes {start}-{}/{length}\r\n", end - 1);
            let fields = [fields, text.as_bytes()].concat();
            let body = body.part(&(start..end))?;
            Some(Derived { status: 206, fields, body, part: Some(start..end), framing: Framing::Length(end - start) })
        }
        Part::Unsatisfiable => {
            let fields = format!("Content-Range: bytes */{length}\r\n").into_bytes();
            Some(Derived { status: 416, fields, body: Bytes::new(), part: None, framing: Framing::Length(0) })
        }
    }
}

/// A field that may be sent in several lines.
fn joined(head: &Head<'_>, kind: FieldKind) -> Option<Vec<u8>> {
    head.has(kind).then(|| head.values(kind).collect::<Vec<_>>().join(&b", "[..]))
}

/// A field that means something where it was sent once.
fn single<'h>(head: &'h Head<'_>, kind: FieldKind) -> Option<&'h [u8]> {
    let mut values = head.values(kind);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_body_with_its_place() {
        let body = Bytes::from_static(b"0123456789");
        let derived = part(b"bytes=2-4", Content::Here(&body), b"ETag: \"a\"\r\n").unwrap();
        assert_eq!((derived.status, &derived.body[..], derived.framing), (206, &b"234"[..], Framing::Length(3)));
        assert_eq!(derived.fields, b"ETag: \"a\"\r\nContent-Range: bytes 2-4/10\r\n");
        let beyond = part(b"bytes=10-", Content::OnDisk(10), b"ETag: \"a\"\r\n").unwrap();
        assert_eq!((beyond.status, &beyond.fields[..]), (416, &b"Content-Range: bytes */10\r\n"[..]));
        assert_eq!(part(b"bytes=0-1,3-4", Content::Here(&body), b""), None);
    }

    #[test]
    fn a_304_has_no_field_of_the_body() {
        let derived = not_modified(Fields::of(b"ETag: \"a\"\r\nContent-Type: x\r\nDate: d\r\n"));
        assert_eq!((derived.status, &derived.fields[..]), (304, &b"ETag: \"a\"\r\nDate: d\r\n"[..]));
    }
}
