//! Heads between our form and Pingora's, for the ways in that go through its sessions.

use bytes::Bytes;
use pingora_http::{RequestHeader, ResponseHeader};

use crate::message::encode::{FieldSink, ResponseHead, fields_of};
use crate::message::field::FieldKind;
use crate::message::head::{Head, Version};
use crate::stage::frame::Refusal;

/// A request head in our form.
pub fn request(header: &RequestHeader, version: Version) -> Result<Head<'static>, Refusal> {
    let authority = header.uri.authority().map(|a| a.as_str().as_bytes());
    let field_host = header.headers.get(http::header::HOST).map(|h| h.as_bytes());
    let host = match (authority, field_host) {
        (Some(a), Some(h)) if !a.eq_ignore_ascii_case(h) => return Err(Refusal::Host),
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => b"",
    };
    let fields = header.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let target = match header.uri.path_and_query() {
        Some(target) if authority.is_some() => target.as_str().as_bytes(),
        _ => header.raw_path(),
    };
    Head::flat(version, header.method.as_str().as_bytes(), target, host, fields).ok_or(Refusal::HeadTooLarge)
}

/// `Content-Length`, if there is one.
pub fn content_length(head: &Head<'_>) -> Option<u64> {
    std::str::from_utf8(head.value(FieldKind::ContentLength)?).ok()?.parse().ok()
}

/// An answer's head in Pingora's form. Names keep their case for HTTP/1.1 and lose it for HTTP/2.
pub fn response(head: &ResponseHead<'_>, http2: bool) -> pingora_core::Result<ResponseHeader> {
    let room = Some(16);
    let header = if http2 { ResponseHeader::build_no_case(head.status, room) } else { ResponseHeader::build(head.status, room) };
    let mut sink = Sink(header?);
    head.write_fields(&mut sink);
    Ok(sink.0)
}

struct Sink(ResponseHeader);

impl Sink {
    /// A field that Pingora does not take is one that no client would: it is left out.
    fn append(&mut self, name: &[u8], value: &[u8]) {
        let name = http::HeaderName::from_bytes(name);
        let value = http::HeaderValue::from_maybe_shared(Bytes::copy_from_slice(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            let _ = self.0.append_header(name, value);
        }
    }
}

impl FieldSink for Sink {
    fn lines(&mut self, lines: &[u8]) {
        fields_of(lines).for_each(|(name, value)| self.append(name, value));
    }

    fn field(&mut self, name: &'static str, value: &[u8]) {
        self.append(name.as_bytes(), value);
    }
}
