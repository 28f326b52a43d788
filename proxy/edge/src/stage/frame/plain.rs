//! The usual head, read in one look: GET or HEAD of a plain target, fields without surprises, and no body.
//!
//! It refuses nothing and decides nothing that the thorough reader would decide otherwise: at the first byte that is not as
//! usual, if only a second blank, it leaves the whole head to that one. Most heads never get so far.

use sluice_api::Verb;

use super::{check_host, ends_line};
use crate::config::Limits;
use crate::message::field::FieldKind;
use crate::message::head::{Field, Head, Span};
use crate::message::places::{PATH, TARGET, TOKEN, is};

/// Behind the target of every request that is read here.
const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// Fields that say that the request is for `ServerSession`, or may be refused.
const NOT_PLAIN: u64 = FieldKind::ContentLength.bit()
    | FieldKind::TransferEncoding.bit()
    | FieldKind::Expect.bit()
    | FieldKind::Upgrade.bit();

/// Reads a head into `head`, which is new, and tells its length; `None` is for the thorough reader, and `head` is then
/// half filled.
#[inline]
pub(super) fn read(buf: &[u8], limits: &Limits, head: &mut Head<'_>) -> Option<usize> {
    let mut at = line(buf, head)?;
    let mut host = None;
    while !ends_line(buf, at) {
        let field = field(buf, at)?;
        at = field.value.end() + 2;
        match field.kind {
            FieldKind::Host if host.is_some() => return None,
            FieldKind::Host => host = Some(field.value),
            FieldKind::Connection => head.close |= closes(field.value.of(buf))?,
            kind if kind.bit() & NOT_PLAIN != 0 => return None,
            _ => {}
        }
        if !head.push(field) {
            return None;
        }
    }
    let host = host?;
    check_host(host.of(buf)).ok()?;
    head.set_host(host);
    let len = at + 2;
    (len <= limits.head_size && head.field_count() <= limits.header_count).then_some(len)
}

/// The request line; the place of the first field comes back.
#[inline]
fn line(buf: &[u8], head: &mut Head<'_>) -> Option<usize> {
    let (verb, start) = match buf {
        [b'G', b'E', b'T', b' ', b'/', ..] => (Verb::Get, 4),
        [b'H', b'E', b'A', b'D', b' ', b'/', ..] => (Verb::Head, 5),
        _ => return None,
    };
    let (mut end, mut before) = (start, 0);
    let byte = loop {
        let byte = *buf.get(end)?;
        if !is(PATH, byte) || (before == b'/' && byte == b'.') {
            break byte;
        }
        before = byte;
        end += 1;
    };
    let path = Span::new(start, end);
    let query = match byte {
        b'?' => {
            let from = end + 1;
            let rest = buf.get(from..)?;
            end = from + rest.iter().position(|byte| !is(TARGET, *byte))?;
            Some(Span::new(from, end))
        }
        _ => None,
    };
    head.set_line(verb, Span::new(0, start - 1), path, query);
    buf.get(end..)?.starts_with(VERSION).then_some(end + VERSION.len())
}

/// `Name: value`, with one blank between them and CRLF behind.
#[inline]
fn field(buf: &[u8], at: usize) -> Option<Field> {
    let rest = buf.get(at..)?;
    let name_len = rest.iter().position(|byte| !is(TOKEN, *byte)).filter(|len| *len > 0)?;
    let (name, rest) = rest.split_at_checked(name_len)?;
    let rest = rest.strip_prefix(b": ")?;
    let value_len = before_control(rest)?;
    let value = rest.get(..value_len)?;
    let whole = ends_line(rest, value_len) && value.first() != Some(&b' ') && value.last().is_some_and(|b| *b != b' ');
    let start = at + name_len + 2;
    whole.then(|| Field {
        kind: FieldKind::of(name),
        name: Span::new(at, at + name_len),
        value: Span::new(start, start + value_len),
    })
}

/// Whether the connection is to be closed, where that is all that is said of it.
fn closes(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        return Some(false);
    }
    value.eq_ignore_ascii_case(b"close").then_some(true)
}

/// How many bytes stand before the first control character, looked at eight at a time; `None` where there is none.
#[inline]
fn before_control(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            return Some(place * 8 + controls.trailing_zeros() as usize / 8);
        }
    }
    let behind = rest.iter().position(u8::is_ascii_control)?;
    Some(words.len() * 8 + behind)
}

/// The high bit of the first byte that is a control character, and perhaps of bytes behind it.
#[inline]
const fn controls(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below_blank = word.wrapping_sub(0x20 * ONES) & !word;
    let delete = word ^ (0x7f * ONES);
    let is_delete = delete.wrapping_sub(ONES) & !delete;
    (below_blank | is_delete) & (0x80 * ONES)
}
