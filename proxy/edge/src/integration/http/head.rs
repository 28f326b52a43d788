//! The head of an endpoint's answer, read strictly: what two readers could understand differently is an error.

use std::mem::MaybeUninit;

use bytes::Bytes;
use sluice_api::Verb;

use crate::message::field::FieldKind;

/// The most fields that an answer may have.
pub(super) const MAX_FIELDS: usize = 256;

/// The answer is not HTTP, or ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint's answer is not well-formed HTTP")]
pub struct Malformed;

/// How an answer's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// There is none: HEAD, 204, 304.
    Bodiless,
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection, which may have been cut: nobody can tell.
    Close,
    /// With the TLS session, whose end its peer states: a cut shows.
    CloseNotify,
    /// With its HTTP/2 stream.
    Stream,
}

/// The head of an endpoint's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// 100 to 599.
    pub status: u16,
    /// `Name: value\r\n` lines as they came.
    pub fields: Bytes,
    /// How the body ends.
    pub end: BodyEnd,
    /// `Content-Length` of an answer without a body: HEAD's.
    pub stated_length: Option<u64>,
    /// The connection can carry another call.
    pub keep_alive: bool,
}

/// A head at the start of `buf` and its length, or nothing yet.
pub fn parse(buf: &[u8], verb: Verb) -> Result<Option<(AnswerHead, usize)>, Malformed> {
    let mut fields = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut response, buf, &mut fields) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    if !ends_lines_with_crlf(buf.get(..len).unwrap_or_default()) {
        return Err(Malformed);
    }
    let status = response.code.filter(|c| (100..600).contains(c)).ok_or(Malformed)?;
    let framing = Framing::of(response.headers, response.version == Some(1))?;
    let end = framing.end(status, verb)?;
    let head = AnswerHead {
        status,
        fields: Bytes::copy_from_slice(lines(buf.get(..len).unwrap_or_default())),
        end,
        stated_length: framing.length,
        keep_alive: framing.keep_alive && end != BodyEnd::Close,
    };
    Ok(Some((head, len)))
}

/// The parser takes a bare line feed for a line's end, as long as all lines end so.
fn ends_lines_with_crlf(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|at| at.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r'))
}

/// The field lines of a head: behind the status line, before the empty line.
fn lines(head: &[u8]) -> &[u8] {
    let start = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let end = head.len().saturating_sub(2);
    head.get(start..end.max(start)).unwrap_or_default()
}

struct Framing {
    length: Option<u64>,
    chunked: bool,
    keep_alive: bool,
}

impl Framing {
    fn of(fields: &[httparse::Header<'_>], http11: bool) -> Result<Self, Malformed> {
        let mut framing = Self { length: None, chunked: false, keep_alive: http11 };
        for field in fields {
            match FieldKind::of(field.name.as_bytes()) {
                FieldKind::ContentLength => framing.set_length(field.value)?,
                FieldKind::TransferEncoding if field.value.eq_ignore_ascii_case(b"chunked") && !framing.chunked => {
                    framing.chunked = true;
                }
                FieldKind::TransferEncoding => return Err(Malformed),
                FieldKind::Connection => framing.connection(field.value),
                _ => {}
            }
        }
        match framing.chunked && (framing.length.is_some() || !http11) {
            true => Err(Malformed),
            false => Ok(framing),
        }
    }

    fn set_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        let length = text.and_then(|t| t.parse().ok()).ok_or(Malformed)?;
        match self.length.replace(length) {
            Some(before) if before != length => Err(Malformed),
            _ => Ok(()),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            if token.eq_ignore_ascii_case(b"close") {
                self.keep_alive = false;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
        }
    }

    fn end(&self, status: u16, verb: Verb) -> Result<BodyEnd, Malformed> {
        Ok(match (status, self.chunked, self.length) {
            (100..200 | 204 | 304, ..) => BodyEnd::Bodiless,
            _ if verb == Verb::Head => BodyEnd::Bodiless,
            (_, true, _) => BodyEnd::Chunked,
            (_, false, Some(n)) => BodyEnd::Length(n),
            (_, false, None) => BodyEnd::Close,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<(AnswerHead, usize)>, Malformed> {
        parse(text.as_bytes(), Verb::Get)
    }

    #[test]
    fn bodies_end_as_the_head_says() {
        let end = |t: &str| head(t).unwrap().unwrap().0;
        let h = end("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(
            (h.end, h.keep_alive, &h.fields[..]),
            (BodyEnd::Length(5), true, &b"A: b\r\nContent-Length: 5\r\n"[..])
        );
        assert_eq!(end("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").end, BodyEnd::Chunked);
        assert_eq!(end("HTTP/1.1 204 No\r\n\r\n").end, BodyEnd::Bodiless);
        let close = end("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((close.end, close.keep_alive), (BodyEnd::Close, false));
        assert!(!end("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
        assert!(!end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: a, Close\r\n\r\n").keep_alive);
        let (h, _) = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Verb::Head).unwrap().unwrap();
        assert_eq!((h.end, h.stated_length), (BodyEnd::Bodiless, Some(9)));
        assert_eq!(head("HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
    }

    #[test]
    fn ambiguous_answers_are_malformed() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 600 OK\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
            "SSH-2.0-OpenSSH\r\n",
        ] {
            assert_eq!(head(text), Err(Malformed), "{text:?}");
        }
    }
}
