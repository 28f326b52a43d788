//! Heads between our form and Pingora's, for the ways in that go through its sessions.

use std::borrow::Cow;

use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::message::encode::{FieldSink, OwnField, ResponseHead, fields_of};
use crate::message::field::FieldKind;
use crate::message::head::{Head, Version};
use crate::stage::frame::{self, Refusal};

/// A request head in our form.
pub fn request(header: &RequestHeader, version: Version) -> Result<Head<'static>, Refusal> {
    let (target, host) = (origin_form(target(header)), host(header)?);
    Head::flat(version, header.method.as_str().as_bytes(), &target, host, fields(header)).ok_or(Refusal::HeadTooLarge)
}

/// Reads a request head into `head`, which is new. Its bytes go to `buffer`.
pub fn read<'b>(header: &RequestHeader, buffer: &'b mut Vec<u8>, head: &mut Head<'b>) -> Result<(), Refusal> {
    let (target, host) = (target(header), host(header)?);
    let filled = head.fill(buffer, header.method.as_str().as_bytes(), target, host, fields(header));
    filled.ok_or(Refusal::HeadTooLarge)
}

fn host(header: &RequestHeader) -> Result<&[u8], Refusal> {
    // HTTP/2 states a scheme, HTTP/1.1 where the target is absolute. Others than these two are not served here.
    let served = |scheme: &str| ["http", "https"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    if header.uri.scheme_str().is_some_and(|scheme| !served(scheme)) {
        return Err(Refusal::Target);
    }
    let authority = header.uri.authority().map(|a| a.as_str().as_bytes());
    let field_host = header.headers.get(header::HOST).map(|h| h.as_bytes());
    match (authority, field_host) {
        (Some(a), Some(h)) if !a.eq_ignore_ascii_case(h) => Err(Refusal::Host),
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Ok(b""),
    }
}

fn target(header: &RequestHeader) -> &[u8] {
    match header.uri.path_and_query() {
        Some(target) if header.uri.authority().is_some() => target.as_str().as_bytes(),
        _ => header.raw_path(),
    }
}

/// Path and query. Pingora keeps an absolute target as it came, and the lane has held its authority against the host; an
/// empty path is `/` (RFC 9110 §4.2.3).
fn origin_form(target: &[u8]) -> Cow<'_, [u8]> {
    match frame::split_absolute(target) {
        Some((_, rest)) if rest.first() == Some(&b'/') => Cow::Borrowed(rest),
        Some((_, rest)) => Cow::Owned([b"/", rest].concat()),
        None => Cow::Borrowed(target),
    }
}

/// Names as the client wrote them. HTTP/2 has no case, and Pingora no names beside its own then.
fn fields(header: &RequestHeader) -> impl Iterator<Item = (&[u8], &[u8])> {
    let written = header.case_header_iter().map(|(name, value)| (name.as_slice(), value.as_bytes()));
    let lower = header.headers.iter().filter(|_| !header.has_case());
    written.chain(lower.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
}

/// `Content-Length`, if there is one.
pub fn content_length(head: &Head<'_>) -> Option<u64> {
    std::str::from_utf8(head.value(FieldKind::ContentLength)?).ok()?.parse().ok()
}

/// An answer's head in Pingora's form. Names keep their case for HTTP/1.1 and lose it for HTTP/2.
pub fn response(head: &ResponseHead<'_>, http2: bool) -> pingora_core::Result<ResponseHeader> {
    if http2 {
        return response_http2(head, &mut BytesMut::with_capacity(ROOM));
    }
    let mut sink = Cased(ResponseHeader::build(head.status, Some(16))?);
    head.write_fields(&mut sink);
    Ok(sink.0)
}

struct Cased(ResponseHeader);

impl Cased {
    /// A field that Pingora does not take is one that no client would: it is left out.
    fn append(&mut self, name: &[u8], value: &[u8]) {
        // A `HeaderName` would lose the case: bytes keep it.
        let name = Bytes::copy_from_slice(name);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            let _ = self.0.append_header(name, value);
        }
    }
}

impl FieldSink for Cased {
    fn lines(&mut self, lines: &[u8]) {
        fields_of(lines).for_each(|(name, value)| self.append(name, value));
    }

    fn field(&mut self, field: OwnField, value: &[u8]) {
        self.append(field.as_str().as_bytes(), value);
    }
}

/// Room for the values of one answer's fields, bytes; a longer head takes what it needs.
pub const ROOM: usize = 512;

/// An answer's head in HTTP/2's form; its values are parts of `room`.
pub fn response_http2(head: &ResponseHead<'_>, room: &mut BytesMut) -> pingora_core::Result<ResponseHeader> {
    let status = http::StatusCode::from_u16(head.status);
    let status = status.map_err(|_| pingora_core::Error::new_str("a status that HTTP does not have"))?;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers.reserve(FIELDS);
    let mut sink = Shared { room, lines: 0, own: ArrayVec::new() };
    head.write_fields(&mut sink);
    sink.finish(&mut parts.headers);
    Ok(parts.into())
}

/// Fields that most answers have at most, `Date` among them.
const FIELDS: usize = 12;

/// Writes all values behind each other, so that they share one allocation.
struct Shared<'a> {
    room: &'a mut BytesMut,
    /// Bytes of the ready-made lines.
    lines: usize,
    /// The encoder's own fields and where their values end.
    own: ArrayVec<(OwnField, usize), { OwnField::COUNT }>,
}

impl Shared<'_> {
    fn finish(self, fields: &mut HeaderMap) {
        let mut rest = self.room.split().freeze();
        let lines = rest.split_to(self.lines);
        for (name, value) in fields_of(&lines) {
            if let Ok(name) = HeaderName::from_bytes(name) {
                append(fields, name, lines.slice_ref(value), false);
            }
        }
        let mut start = self.lines;
        for (field, end) in self.own {
            let value = rest.split_to(end - start);
            start = end;
            let (name, differs) = http2_name(field);
            append(fields, name, value, differs);
        }
    }
}

impl FieldSink for Shared<'_> {
    fn lines(&mut self, lines: &[u8]) {
        self.room.extend_from_slice(lines);
        self.lines = self.room.len();
    }

    fn field(&mut self, field: OwnField, value: &[u8]) {
        self.room.extend_from_slice(value);
        // Each is written once at most.
        let _ = self.own.try_push((field, self.room.len()));
    }
}

/// A field that is none for HTTP is none for any client: it is left out.
fn append(fields: &mut HeaderMap, name: HeaderName, value: Bytes, differs: bool) {
    if let Ok(mut value) = HeaderValue::from_maybe_shared(value) {
        value.set_sensitive(differs);
        let _ = fields.try_append(name, value);
    }
}

/// The name of a field, and whether its value is another in each answer. Such a one must not enter HPACK's table: it is
/// never found there again, drives out what is, and each later answer's is compared with all of them.
fn http2_name(field: OwnField) -> (HeaderName, bool) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    const APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
    const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
    match field {
        OwnField::ContentLength => (header::CONTENT_LENGTH, false),
        OwnField::RequestId => (REQUEST_ID, true),
        OwnField::ApigwId => (APIGW_ID, true),
        OwnField::Age => (header::AGE, false),
        OwnField::CacheStatus => (CACHE_STATUS, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::encode::{CacheStatus, Framing, Variable};
    use crate::message::request_id::RequestId;

    const HIT: CacheStatus = CacheStatus::Hit { ttl: 9, disk: false };

    fn head(fields: &[u8]) -> ResponseHead<'_> {
        let variable =
            Variable { request_id: RequestId(0), age: Some(7), cache_status: HIT, apigw_id: true, dated: false };
        ResponseHead { status: 203, fields, extra: b"X-Extra: e\r\n", framing: Framing::Length(12), variable }
    }

    fn lines(header: &ResponseHeader) -> Vec<(&str, &str)> {
        header.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect()
    }

    #[test]
    fn both_protocols_get_the_same_fields() {
        let head = head(b"Content-Type: text/plain\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\nbad name: x\r\nBad: \x01\r\n");
        let (one, two) = (response(&head, false).unwrap(), response(&head, true).unwrap());
        assert_eq!(lines(&one), lines(&two));
        let mut wire = Vec::new();
        one.header_to_h1_wire(&mut wire);
        let wire = String::from_utf8(wire).unwrap();
        for line in ["Content-Type: text/plain", "X-A: 1", "x-a: 2", "x-amzn-RequestId: 0", "Cache-Status: S"] {
            assert!(wire.contains(line), "{line} as it was written: {wire}");
        }
        assert_eq!(two.status, 203);
        let values = |name| two.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(values("x-a"), ["1", "2"]);
        assert_eq!((values("empty"), values("bad").len()), (vec![""], 0));
        assert_eq!((values("age"), values("content-length")), (vec!["7"], vec!["12"]));
        assert_eq!((values("cache-status"), values("x-extra")), (vec!["Sluice; hit; ttl=9"], vec!["e"]));
    }

    #[test]
    fn only_what_differs_each_time_is_kept_out_of_the_table() {
        let header = response(&head(b"ETag: x\r\n"), true).unwrap();
        let sensitive = header.headers.iter().filter(|(_, v)| v.is_sensitive());
        assert_eq!(sensitive.map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["x-amzn-requestid", "x-amz-apigw-id"]);
    }

    #[test]
    fn answers_that_share_room_keep_their_values() {
        let mut room = BytesMut::with_capacity(64);
        let texts: Vec<_> = (0..20).map(|n| format!("X-N: {n}\r\n")).collect();
        let headers: Vec<_> = texts.iter().map(|t| response_http2(&head(t.as_bytes()), &mut room).unwrap()).collect();
        for (n, header) in headers.iter().enumerate() {
            assert_eq!(header.headers.get("x-n").unwrap(), n.to_string().as_str());
            assert_eq!(header.headers.get("content-length").unwrap(), "12");
        }
    }

    #[test]
    fn a_request_is_read_the_same_way_into_a_buffer() {
        let mut header = RequestHeader::build("GET", b"/a?b", None).unwrap();
        header.append_header("Host", "h").unwrap();
        header.append_header("Content-Length", "3").unwrap();
        let (mut buffer, owned) = (b"left over".to_vec(), request(&header, Version::Http2).unwrap());
        let mut head = Head::new(std::borrow::Cow::Borrowed(&[]), Version::Http2);
        read(&header, &mut buffer, &mut head).unwrap();
        assert_eq!(
            (head.method(), head.path(), head.query(), head.host()),
            (&b"GET"[..], &b"/a"[..], Some(&b"b"[..]), &b"h"[..])
        );
        assert_eq!((head.bytes(), content_length(&head)), (owned.bytes(), Some(3)));
        assert!(head.fields().any(|(_, name, _)| name == b"Content-Length"), "as the client wrote it");
        assert_eq!(head.field_count(), owned.field_count());
    }

    #[test]
    fn too_many_fields_are_refused() {
        let mut header = RequestHeader::build("GET", b"/", None).unwrap();
        (0..=crate::message::head::MAX_FIELDS).for_each(|_| {
            header.append_header("a", "b").unwrap();
        });
        assert_eq!(request(&header, Version::Http2).unwrap_err(), Refusal::HeadTooLarge);
    }
}
