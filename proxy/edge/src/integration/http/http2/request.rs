//! A request's head in HTTP/2's form, from the one that `stage::prepare` writes for HTTP/1.1: the rules are in one place.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::message::encode::fields_of;
use crate::message::field::{FieldKind, HOP_BY_HOP};

/// What the request line and HTTP/2's own framing say instead.
const DROPPED: u64 = HOP_BY_HOP | FieldKind::Host.bit() | FieldKind::TransferEncoding.bit();

/// The head has no form in HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsendable;

/// The request. `Host` becomes `:authority`; without one, the authority is `address`.
pub(super) fn request(head: &[u8], scheme: &'static str, address: &str) -> Result<Request<()>, Unsendable> {
    let line = memchr::memchr(b'\n', head).ok_or(Unsendable)?;
    let (line, lines) = head.split_at_checked(line + 1).ok_or(Unsendable)?;
    let mut words = line.split(|b| *b == b' ');
    let (method, target) = words.next().zip(words.next()).ok_or(Unsendable)?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method).map_err(|_| Unsendable)?;
    let mut host: &[u8] = b"";
    for (name, value) in fields_of(lines) {
        let kind = FieldKind::of(name);
        if kind == FieldKind::Host {
            host = value;
        }
        if DROPPED & kind.bit() == 0 {
            let name = HeaderName::from_bytes(name).map_err(|_| Unsendable)?;
            let value = HeaderValue::from_bytes(value).map_err(|_| Unsendable)?;
            request.headers_mut().try_append(name, value).map_err(|_| Unsendable)?;
        }
    }
    let authority = if host.is_empty() { address.as_bytes() } else { host };
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::try_from(scheme).map_err(|_| Unsendable)?);
    uri.authority = Some(Authority::try_from(authority).map_err(|_| Unsendable)?);
    uri.path_and_query = Some(path(target)?);
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| Unsendable)?;
    Ok(request)
}

/// The target as it is; bytes that HTTP/1.1 carries although no URI has them (RFC 3986) are encoded.
fn path(target: &[u8]) -> Result<PathAndQuery, Unsendable> {
    let whole = |path: &PathAndQuery, of: &[u8]| path.as_str().len() == of.len();
    if let Some(path) = PathAndQuery::try_from(target).ok().filter(|p| whole(p, target)) {
        return Ok(path);
    }
    let mut encoded = Vec::with_capacity(target.len() + 16);
    for byte in target {
        match byte {
            0x21 | 0x24..=0x3B | 0x3D | 0x3F..=0x5B | 0x5D | 0x5F | 0x61..=0x7A | 0x7E => encoded.push(*byte),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    let path = PathAndQuery::try_from(encoded.as_slice()).map_err(|_| Unsendable)?;
    if whole(&path, &encoded) { Ok(path) } else { Err(Unsendable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(head: &str) -> Request<()> {
        request(head.as_bytes(), "http", "127.0.0.1:80").unwrap()
    }

    #[test]
    fn the_head_changes_its_form_only() {
        let request = made(concat!(
            "POST /a/b%2Fc?d=e&f HTTP/1.1\r\nHost: Example.test:8080\r\nA: b\r\nA: c\r\nCookie: x=y; z\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/a/b%2Fc"));
        assert_eq!(request.uri(), "http://Example.test:8080/a/b%2Fc?d=e&f");
        let fields: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(fields, [("a", "b"), ("a", "c"), ("cookie", "x=y; z"), ("content-length", "7")]);
    }

    #[test]
    fn the_address_stands_in_for_a_missing_host() {
        assert_eq!(made("GET / HTTP/1.1\r\nHost: \r\n\r\n").uri(), "http://127.0.0.1:80/");
    }

    #[test]
    fn what_no_uri_has_is_encoded() {
        assert_eq!(made("GET /<a>?\"b\" HTTP/1.1\r\nHost: a\r\n\r\n").uri(), "http://a/%3Ca%3E?%22b%22");
        assert_eq!(made("GET /a?b|c{d} HTTP/1.1\r\nHost: a\r\n\r\n").uri(), "http://a/a?b|c{d}");
        assert_eq!(made("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n").uri(), "http://a/a%23b");
    }

    #[test]
    fn what_has_no_form_is_refused() {
        for head in ["", "GET\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nB: \0\r\n\r\n"]
        {
            assert_eq!(request(head.as_bytes(), "http", "a").err(), Some(Unsendable), "{head:?}");
        }
    }
}
