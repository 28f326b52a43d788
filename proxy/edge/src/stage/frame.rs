//! Stage 2, `frame`: is this one well-formed request, where does it end, and which way does it go?
//!
//! Strict where a lenient reading lets two parties disagree (RFC 9112 §11.2): bare line feeds, repeated or mixed
//! framing fields, doubtful hosts and dot segments are refused, so nothing doubtful reaches Pingora or an origin.
//! The way is chosen by framing alone: a request without a body goes through the lane, the rest to `ServerSession`.

mod plain;

use std::mem::MaybeUninit;
use std::net::Ipv6Addr;

use serde::Serialize;

use crate::config::Limits;
use crate::message::field::FieldKind;
use crate::message::head::{Field, Head, MAX_FIELDS, Span, Version};
use crate::message::{places, target};

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Answered by the HTTP/1.1 lane.
    Lane,
    /// HTTP/1.1 with a body, or something else for `ServerSession`.
    Session,
    /// A stream of an HTTP/2 connection.
    Http2,
    /// Not a request that may be served.
    Refused(Refusal),
}

/// Why a request is refused before anything is known of it. The connection is closed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not HTTP, or not well-formed.
    Malformed,
    /// `Content-Length` or `Transfer-Encoding` repeated, mixed, or wrong.
    BodyFraming,
    /// No Host, several, or one that is no host.
    Host,
    /// A bad escape, a dot segment, or no path at all.
    Target,
    /// Request line and fields together are too long.
    HeadTooLarge,
    /// Too many fields.
    TooManyFields,
    /// `Expect` wants something other than `100-continue`.
    Expectation,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// The head took too long.
    Timeout,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// Name of the TLS connection and Host differ although a client certificate was asked for.
    Misdirected,
}

impl Refusal {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::Malformed | Refusal::BodyFraming | Refusal::Host | Refusal::Target => 400,
            Refusal::Timeout => 408,
            Refusal::BodyTooLarge => 413,
            Refusal::Expectation => 417,
            Refusal::Misdirected => 421,
            Refusal::HeadTooLarge | Refusal::TooManyFields => 431,
            Refusal::TransferCoding => 501,
            Refusal::Version => 505,
        }
    }
}

/// What a buffer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// The beginning of a head.
    Partial,
    /// A request without a body, whose head has this many bytes.
    Lane(usize),
    /// A request for `ServerSession`.
    Session,
    /// Nothing that may be served.
    Refused(Refusal),
}

/// Reads one head from the start of `buf`, which `head` was made over.
#[inline]
pub fn read<'b>(buf: &'b [u8], limits: &Limits, head: &mut Head<'b>) -> Framed {
    match plain::read(buf, limits, head) {
        Some(len) => Framed::Lane(len),
        None => {
            head.clear();
            read_thoroughly(buf, limits, head)
        }
    }
}

/// Whatever the head is like.
fn read_thoroughly<'b>(buf: &'b [u8], limits: &Limits, head: &mut Head<'b>) -> Framed {
    let mut fields = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(buf, &mut fields) {
        Ok(httparse::Status::Complete(len)) if len <= limits.head_size => len,
        Ok(httparse::Status::Complete(_)) => return Framed::Refused(Refusal::HeadTooLarge),
        Ok(httparse::Status::Partial) if buf.len() > limits.head_size => return Framed::Refused(Refusal::HeadTooLarge),
        Ok(httparse::Status::Partial) => return Framed::Partial,
        Err(e) => return Framed::Refused(malformed(e)),
    };
    let read = buf.get(..len).unwrap_or_default();
    if !every_line_ends_whole(read, &request) && has_bare_line_feed(read) {
        return Framed::Refused(Refusal::Malformed);
    }
    if request.headers.len() > limits.header_count {
        return Framed::Refused(Refusal::TooManyFields);
    }
    head.version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    head.set_method(Span::within(buf, request.method.unwrap_or_default().as_bytes()));
    let target = request.path.unwrap_or_default().as_bytes();
    match collect(buf, request.headers, target, head) {
        Err(refusal) => Framed::Refused(refusal),
        Ok(true) => Framed::Session,
        Ok(false) => Framed::Lane(len),
    }
}

/// Checks a head that another parser has read, HTTP/2's or `ServerSession`'s: expectation, target and host.
pub fn check(head: &Head<'_>) -> Result<(), Refusal> {
    if !head.values(FieldKind::Expect).all(is_known_expectation) {
        return Err(Refusal::Expectation);
    }
    check_host(head.host())?;
    check_target(head)
}

fn malformed(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::Version => Refusal::Version,
        _ => Refusal::Malformed,
    }
}

/// Whether each part of the head begins right behind CRLF and the part before it, so that no byte is left that could be a
/// bare LF. `false` says nothing: there may be blanks behind a value.
#[inline]
fn every_line_ends_whole(head: &[u8], request: &httparse::Request<'_, '_>) -> bool {
    const VERSION: usize = " HTTP/1.1".len();
    let target = Span::within(head, request.path.unwrap_or_default().as_bytes());
    let mut at = target.end() + VERSION;
    for field in request.headers.iter() {
        let (name, value) = (Span::within(head, field.name.as_bytes()), Span::within(head, field.value));
        if !ends_line(head, at) || name.start() != at + 2 {
            return false;
        }
        at = value.end();
    }
    let starts_at_once = request.method.is_some_and(|m| m.as_ptr() == head.as_ptr());
    starts_at_once && ends_line(head, at) && ends_line(head, at + 2) && at + 4 == head.len()
}

#[inline]
fn ends_line(head: &[u8], at: usize) -> bool {
    head.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n"))
}

/// httparse takes a lone LF for a line's end; RFC 9112 §2.2 lets us refuse it, and smugglers live on it.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'))
}

/// Fields into `head`; `true` when `ServerSession` has to take the request.
#[inline]
fn collect(buf: &[u8], fields: &[httparse::Header<'_>], target: &[u8], head: &mut Head<'_>) -> Result<bool, Refusal> {
    let mut seen = Seen::default();
    for field in fields {
        let kind = FieldKind::of(field.name.as_bytes());
        if kind != FieldKind::Other {
            seen.note(kind, field.value, head)?;
        }
        let (name, value) = (Span::within(buf, field.name.as_bytes()), Span::within(buf, field.value));
        if !head.push(Field { kind, name, value }) {
            return Err(Refusal::TooManyFields);
        }
    }
    seen.body(head)?;
    let authority = set_target(buf, target, head)?;
    if seen.hosts != 1 && !(seen.hosts == 0 && head.version == Version::Http10) {
        return Err(Refusal::Host);
    }
    if let Some(host) = head.value(FieldKind::Host).map(|v| Span::within(head.bytes(), v)) {
        head.set_host(host);
    }
    if authority.is_some_and(|a| !a.eq_ignore_ascii_case(head.host())) {
        return Err(Refusal::Host);
    }
    if head.version == Version::Http11 || seen.hosts == 1 {
        check_host(head.host())?;
    }
    check_target(head)?;
    Ok(seen.session || head.has_body || head.version == Version::Http10)
}

/// What the fields that decide on framing have said so far.
#[derive(Default)]
struct Seen {
    hosts: u32,
    lengths: u32,
    codings: u32,
    length: u64,
    session: bool,
}

impl Seen {
    #[inline]
    fn note(&mut self, kind: FieldKind, value: &[u8], head: &mut Head<'_>) -> Result<(), Refusal> {
        match kind {
            FieldKind::Host => self.hosts += 1,
            FieldKind::Connection => self.connection(value, head),
            FieldKind::ContentLength => {
                self.lengths += 1;
                self.length = digits(value).ok_or(Refusal::BodyFraming)?;
            }
            FieldKind::TransferEncoding => {
                self.codings += 1;
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::TransferCoding);
                }
            }
            FieldKind::Expect if !is_known_expectation(value) => return Err(Refusal::Expectation),
            FieldKind::Expect | FieldKind::Upgrade => self.session = true,
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8], head: &mut Head<'_>) {
        for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            if token.eq_ignore_ascii_case(b"close") {
                head.close = true;
            } else if !token.eq_ignore_ascii_case(b"keep-alive") {
                self.session = true;
            }
        }
    }

    fn body(&self, head: &mut Head<'_>) -> Result<(), Refusal> {
        let mixed = self.lengths > 0 && self.codings > 0;
        let coded_1_0 = self.codings > 0 && head.version == Version::Http10;
        if self.lengths > 1 || self.codings > 1 || mixed || coded_1_0 {
            return Err(Refusal::BodyFraming);
        }
        head.has_body = self.lengths + self.codings > 0;
        Ok(())
    }
}

/// RFC 9110 §10.1.1 has one.
fn is_known_expectation(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"100-continue")
}

/// Path and query into `head`; the authority of an absolute-form target comes back.
#[inline]
fn set_target<'t>(buf: &[u8], target: &'t [u8], head: &mut Head<'_>) -> Result<Option<&'t [u8]>, Refusal> {
    if target.first() == Some(&b'/') {
        head.set_target(Span::within(buf, target));
        return Ok(None);
    }
    let (authority, path) = split_absolute(target).ok_or(Refusal::Target)?;
    if path.first() == Some(&b'/') {
        head.set_target(Span::within(buf, path));
        return Ok(Some(authority));
    }
    // An empty path is `/` (RFC 9110 §4.2.3): one of the scheme's slashes stands for it.
    let slash = target.iter().position(|b| *b == b'/').and_then(|at| target.get(at..=at)).ok_or(Refusal::Target)?;
    let query = path.get(1..).map(|query| Span::within(buf, query));
    head.set_root(Span::within(buf, slash), query);
    Ok(Some(authority))
}

/// Authority and the rest of a target in absolute form.
pub fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = strip_scheme(target)?;
    rest.split_at_checked(memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len()))
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    let lower = |n: usize| target.get(..n).map(<[u8]>::to_ascii_lowercase);
    match (lower(7).as_deref(), lower(8).as_deref()) {
        (Some(b"http://"), _) => target.get(7..),
        (_, Some(b"https://")) => target.get(8..),
        _ => None,
    }
}

/// A name or address, perhaps with a port (RFC 9110 §7.2).
#[inline]
fn check_host(host: &[u8]) -> Result<(), Refusal> {
    let name = host.iter().position(|byte| !places::is(places::NAME, *byte)).unwrap_or(host.len());
    let good = match host.split_at_checked(name) {
        Some((b"", rest)) => is_literal_with_port(rest),
        Some((_, b"")) => true,
        Some((_, rest)) => is_port(rest),
        None => false,
    };
    if good && host.len() <= 255 { Ok(()) } else { Err(Refusal::Host) }
}

/// `[::1]` and what may stand behind it.
#[cold]
fn is_literal_with_port(host: &[u8]) -> bool {
    let Some((address, port)) = host.strip_prefix(b"[").and_then(|rest| split_once(rest, b']')) else { return false };
    let address = std::str::from_utf8(address).ok().and_then(|a| a.parse::<Ipv6Addr>().ok());
    address.is_some() && (port.is_empty() || is_port(port))
}

/// `:` and a port; RFC 3986 §3.2.3 allows to leave its digits out.
fn is_port(text: &[u8]) -> bool {
    match text.strip_prefix(b":") {
        Some(b"") => true,
        Some(port) => digits(port).is_some_and(|port| port <= u64::from(u16::MAX)),
        None => false,
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(at, text)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

#[inline]
fn check_target(head: &Head<'_>) -> Result<(), Refusal> {
    if target::is_plain(head.path(), head.query()) { Ok(()) } else { Err(Refusal::Target) }
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |n, b| {
        let digit = u64::from(b.wrapping_sub(b'0'));
        if digit > 9 { None } else { n.checked_mul(10)?.checked_add(digit) }
    })
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
