//! The one encoder of response heads, for every way in.

use std::io::Write;

use super::gather::Gather;
use super::request_id::RequestId;

/// How the end of an answer's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The status has no body (204, 304) and no length is stated.
    Bodiless,
    /// `Content-Length`.
    Length(u64),
    /// Unknown beforehand.
    Unknown,
}

/// What the cache did, for `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    /// The method is not cached, or the profile says nothing about its cache.
    #[default]
    Silent,
    /// Answered from the cache.
    Hit {
        /// Seconds that it stays fresh.
        ttl: u32,
        /// It came from disk.
        disk: bool,
    },
    /// Answered from the cache with what is no longer fresh.
    Stale {
        /// Seconds since it was.
        over: u32,
    },
    /// Went forward.
    Forward {
        /// RFC 9211's `fwd`.
        reason: Forward,
        /// It is being stored.
        stored: bool,
        /// It waited for another request's fetch.
        collapsed: bool,
        /// What keeps it out of the cache, or why it is not stored.
        detail: Option<&'static str>,
    },
}

/// Why a request went forward: RFC 9211 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nothing stored under its key.
    UriMiss,
    /// What is stored is no longer fresh.
    Stale,
    /// The configuration or the request keeps it out of the cache.
    Bypass,
    /// The request asked for a fresh answer, and may.
    Request,
    /// The verb is not cached.
    Method,
}

impl Forward {
    /// RFC 9211's token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Forward::UriMiss => "uri-miss",
            Forward::Stale => "stale",
            Forward::Bypass => "bypass",
            Forward::Request => "request",
            Forward::Method => "method",
        }
    }
}

/// What differs from one answer to the next although the stored head is the same.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Of this request.
    pub request_id: RequestId,
    /// Seconds since the origin answered.
    pub age: Option<u32>,
    /// What the cache did.
    pub cache_status: CacheStatus,
    /// AWS's `x-amz-apigw-id` is sent as well.
    pub apigw_id: bool,
    /// The fields have a `Date` already: when the origin made the answer.
    pub dated: bool,
}

/// A response head to encode.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// 200 to 599.
    pub status: u16,
    /// `Name: value\r\n` lines without those that the encoder writes itself.
    pub fields: &'a [u8],
    /// Lines of this answer alone: an explanation for a caller who may have one.
    pub extra: &'a [u8],
    /// How its body ends.
    pub framing: Framing,
    /// The rest.
    pub variable: Variable,
}

/// A field that the encoder writes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnField {
    /// The body's length.
    ContentLength,
    /// The request's id.
    RequestId,
    /// AWS's extended request id.
    ApigwId,
    /// Seconds since the origin answered.
    Age,
    /// What the cache did.
    CacheStatus,
}

impl OwnField {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Its name as HTTP/1.1 writes it.
    #[inline]
    pub const fn as_str(self) -> &'static str {
        let start = self.as_line_start();
        start.split_at(start.len() - ": ".len()).0
    }

    /// Its name, colon and blank.
    #[inline]
    const fn as_line_start(self) -> &'static str {
        match self {
            OwnField::ContentLength => "Content-Length: ",
            OwnField::RequestId => "x-amzn-RequestId: ",
            OwnField::ApigwId => "x-amz-apigw-id: ",
            OwnField::Age => "Age: ",
            OwnField::CacheStatus => "Cache-Status: ",
        }
    }
}

/// Takes the fields of a head.
pub trait FieldSink {
    /// Ready-made lines.
    fn lines(&mut self, lines: &[u8]);
    /// One field.
    fn field(&mut self, field: OwnField, value: &[u8]);
}

impl FieldSink for Gather<'_> {
    #[inline(always)]
    fn lines(&mut self, lines: &[u8]) {
        self.push_long(lines);
    }

    #[inline(always)]
    fn field(&mut self, field: OwnField, value: &[u8]) {
        self.push(field.as_line_start().as_bytes());
        self.push(value);
        self.push(b"\r\n");
    }
}

impl ResponseHead<'_> {
    /// Writes all fields but those that belong to a protocol version: `Date`, `Connection`, `Transfer-Encoding`.
    #[inline(always)]
    pub fn write_fields(&self, sink: &mut impl FieldSink) {
        sink.lines(self.fields);
        if !self.extra.is_empty() {
            sink.lines(self.extra);
        }
        if let Framing::Length(n) = self.framing {
            let mut digits = [0; 20];
            sink.field(OwnField::ContentLength, decimal(n, &mut digits));
        }
        let id = self.variable.request_id;
        sink.field(OwnField::RequestId, &id.text());
        if self.variable.apigw_id {
            sink.field(OwnField::ApigwId, &id.extended());
        }
        if let Some(age) = self.variable.age {
            let mut digits = [0; 20];
            sink.field(OwnField::Age, decimal(u64::from(age), &mut digits));
        }
        if self.variable.cache_status != CacheStatus::Silent {
            let mut text = [0; 96];
            sink.field(OwnField::CacheStatus, self.variable.cache_status.write(&mut text));
        }
    }

    /// Writes the whole head in HTTP/1.1's form.
    #[inline]
    pub fn write_http1(&self, out: &mut Vec<u8>, date: &[u8; 29], close: bool, chunked: bool) {
        status_line(out, self.status);
        let mut gather = Gather::new(out);
        self.write_fields(&mut gather);
        if chunked {
            gather.push(b"Transfer-Encoding: chunked\r\n");
        }
        if !self.variable.dated {
            gather.push(b"Date: ");
            gather.push(date);
            gather.push(b"\r\n");
        }
        match close {
            true => gather.push(b"Connection: close\r\n\r\n"),
            false => gather.push(b"Connection: keep-alive\r\n\r\n"),
        }
        gather.finish();
    }
}

impl CacheStatus {
    #[inline]
    fn write(self, text: &mut [u8; 96]) -> &[u8] {
        match self {
            CacheStatus::Hit { ttl, disk: false } => write_hit(ttl, text),
            _ => self.write_formatted(text),
        }
    }

    #[cold]
    fn write_formatted(self, text: &mut [u8; 96]) -> &[u8] {
        let mut rest = text.as_mut_slice();
        // A closed set of short texts: it fits, and a cut one would still be a valid list.
        let _ = match self {
            CacheStatus::Silent => Ok(()),
            CacheStatus::Hit { ttl, .. } => write!(rest, "Sluice; hit; ttl={ttl}; detail=disk"),
            CacheStatus::Stale { over } => write!(rest, "Sluice; hit; ttl=-{over}; detail=stale"),
            CacheStatus::Forward { reason, stored, collapsed, detail } => {
                let reason = reason.as_str();
                let stored = if stored { "; stored" } else { "" };
                let collapsed = if collapsed { "; collapsed" } else { "" };
                let (sep, detail) = detail.map_or(("", ""), |d| ("; detail=", d));
                write!(rest, "Sluice; fwd={reason}{stored}{collapsed}{sep}{detail}")
            }
        };
        let left = rest.len();
        text.get(..96 - left).unwrap_or_default()
    }
}

/// What every hit says, without the formatting machinery.
#[inline]
fn write_hit(ttl: u32, text: &mut [u8; 96]) -> &[u8] {
    const START: &[u8; 17] = b"Sluice; hit; ttl=";
    let mut digits = [0; 20];
    let digits = decimal(u64::from(ttl), &mut digits);
    let end = START.len() + digits.len();
    if let Some((start, rest)) = text.split_first_chunk_mut::<{ START.len() }>() {
        *start = *START;
        rest.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
    }
    text.get(..end).unwrap_or_default()
}

/// Decimal digits of `value`.
#[inline]
pub fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(to) = digits.get_mut(at) {
            *to = b'0' + (value % 10) as u8;
        }
        value /= 10;
        if value == 0 || at == 0 {
            return digits.get(at..).unwrap_or_default();
        }
    }
}

/// Splits ready-made lines into names and values.
pub fn fields_of(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, tail) = rest.split_at_checked(end)?;
            rest = tail.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some((name, value)) = memchr::memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) {
                return Some((name, value.get(1..).unwrap_or_default().trim_ascii()));
            }
        }
        None
    })
}

#[inline]
fn status_line(out: &mut Vec<u8>, status: u16) {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let reason = http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Unknown");
    let mut digits = [0; 20];
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(decimal(u64::from(status), &mut digits));
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, framing: Framing, cache_status: CacheStatus) -> String {
        let variable = Variable { request_id: RequestId(0), age: Some(7), cache_status, apigw_id: false, dated: false };
        let head = ResponseHead { status, fields: b"Content-Type: text/plain\r\n", extra: b"", framing, variable };
        let mut out = Vec::new();
        head.write_http1(&mut out, b"Thu, 01 Jan 1970 00:00:00 GMT", false, framing == Framing::Unknown);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_hit_in_full() {
        assert_eq!(
            head(200, Framing::Length(350), CacheStatus::Hit { ttl: 293, disk: false }),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 350\r\n\
             x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\nAge: 7\r\nCache-Status: Sluice; hit; ttl=293\r\n\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn framings_and_statuses() {
        let text = head(404, Framing::Unknown, CacheStatus::Silent);
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert!(text.contains("\r\nTransfer-Encoding: chunked\r\n") && !text.contains("Content-Length"));
        let text = head(204, Framing::Bodiless, CacheStatus::Silent);
        assert!(!text.contains("Content-Length") && !text.contains("chunked"));
        assert!(head(599, Framing::Length(0), CacheStatus::Silent).starts_with("HTTP/1.1 599 Unknown\r\n"));
    }

    #[test]
    fn forwards_name_their_reason() {
        let status =
            CacheStatus::Forward { reason: Forward::Stale, stored: false, collapsed: true, detail: Some("set-cookie") };
        assert!(head(200, Framing::Length(0), status).contains("Sluice; fwd=stale; collapsed; detail=set-cookie\r\n"));
    }

    #[test]
    fn numbers() {
        for n in [0, 9, 10, 1_048_576, u64::MAX] {
            assert_eq!(decimal(n, &mut [0; 20]), n.to_string().as_bytes());
        }
    }

    #[test]
    fn lines_come_apart_again() {
        let got: Vec<_> = fields_of(b"A: b\r\nC:d\r\n").collect();
        assert_eq!(got, [(&b"A"[..], &b"b"[..]), (b"C", b"d")]);
    }
}
