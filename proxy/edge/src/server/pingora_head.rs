//! Heads between our form and Pingora's, for the ways in that go through its sessions.

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use crate::message::encode::{FieldSink, OwnField, ResponseHead, fields_of};
use crate::message::field::FieldKind;
use crate::message::head::{Head, Version};
use crate::stage::frame::Refusal;

/// A request head in our form.
pub fn request(header: &RequestHeader, version: Version) -> Result<Head<'static>, Refusal> {
    let (target, host) = (target(header), host(header)?);
    Head::flat(version, header.method.as_str().as_bytes(), target, host, fields(header)).ok_or(Refusal::HeadTooLarge)
}

/// Reads a request head into `head`, which is new. Its bytes go to `buffer`.
pub fn read<'b>(header: &RequestHeader, buffer: &'b mut Vec<u8>, head: &mut Head<'b>) -> Result<(), Refusal> {
    let (target, host) = (target(header), host(header)?);
    let filled = head.fill(buffer, header.method.as_str().as_bytes(), target, host, fields(header));
    filled.ok_or(Refusal::HeadTooLarge)
}

fn host(header: &RequestHeader) -> Result<&[u8], Refusal> {
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

fn fields(header: &RequestHeader) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
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
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(value));
        if let (Ok(name), Ok(value)) = (name, value) {
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
    head.write_fields(&mut Shared { fields: &mut parts.headers, room });
    Ok(parts.into())
}

/// Fields that most answers have at most, `Date` among them.
const FIELDS: usize = 12;

struct Shared<'a> {
    fields: &'a mut http::HeaderMap,
    room: &'a mut BytesMut,
}

impl Shared<'_> {
    fn share(&mut self, bytes: &[u8]) -> Bytes {
        self.room.extend_from_slice(bytes);
        self.room.split().freeze()
    }

    /// A field that is none for HTTP is none for any client: it is left out.
    fn append(&mut self, name: HeaderName, value: Bytes, differs: bool) {
        if let Ok(mut value) = HeaderValue::from_maybe_shared(value) {
            value.set_sensitive(differs);
            let _ = self.fields.try_append(name, value);
        }
    }
}

impl FieldSink for Shared<'_> {
    fn lines(&mut self, lines: &[u8]) {
        let shared = self.share(lines);
        for (name, value) in fields_of(&shared) {
            if let Ok(name) = HeaderName::from_bytes(name) {
                let value = shared.slice_ref(value);
                self.append(name, value, false);
            }
        }
    }

    fn field(&mut self, field: OwnField, value: &[u8]) {
        const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
        const APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
        const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
        // What is different in every answer must not enter HPACK's table: it is never found there again, drives out
        // what is, and each later answer's is compared with all of them.
        let (name, differs) = match field {
            OwnField::ContentLength => (header::CONTENT_LENGTH, false),
            OwnField::RequestId => (REQUEST_ID, true),
            OwnField::ApigwId => (APIGW_ID, true),
            OwnField::Age => (header::AGE, false),
            OwnField::CacheStatus => (CACHE_STATUS, false),
        };
        let value = self.share(value);
        self.append(name, value, differs);
    }
}
