//! A request head as the demo origin understands it.

use httparse::{EMPTY_HEADER, Header, Status};
use serde_json::{Value, json};

use super::wish::Wish;

/// Header fields that a request may have.
const FIELDS: usize = 128;

/// How the end of the request's body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// What the request wants done.
#[derive(Debug)]
pub(super) enum Errand {
    Answer(Wish),
    /// The request itself, without its body.
    Echo(Value),
    Count,
    Reset,
    /// 400 with this text.
    Bad(&'static str),
}

/// A request without its body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) errand: Errand,
    pub(super) framing: Framing,
    /// HEAD: the answer has no body.
    pub(super) head_only: bool,
    /// The client closes afterwards.
    pub(super) close: bool,
    /// The client waits for `100 Continue`.
    pub(super) expects: bool,
}

impl Request {
    /// Reads a head from the front of `input` and tells how long it is; none if more bytes are needed.
    ///
    /// # Errors
    /// What `httparse` finds wrong; a body whose end cannot be known is [`httparse::Error::HeaderValue`].
    pub(super) fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, httparse::Error> {
        let mut fields = [EMPTY_HEADER; FIELDS];
        let mut head = httparse::Request::new(&mut fields);
        let Status::Complete(length) = head.parse(input)? else { return Ok(None) };
        let method = head.method.unwrap_or_default();
        let mut request = Self {
            errand: errand(method, head.path.unwrap_or_default(), head.version, head.headers),
            framing: Framing::Length(0),
            head_only: method == "HEAD",
            close: head.version == Some(0),
            expects: false,
        };
        head.headers.iter().try_for_each(|field| request.take(field))?;
        Ok(Some((request, length)))
    }

    pub(super) fn has_body(&self) -> bool {
        self.framing != Framing::Length(0)
    }

    fn take(&mut self, field: &Header<'_>) -> Result<(), httparse::Error> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let says = |word: &[u8]| field.value.eq_ignore_ascii_case(word);
        match field.name.len() {
            6 if is("expect") => self.expects = says(b"100-continue"),
            10 if is("connection") => self.close |= says(b"close"),
            14 if is("content-length") && self.framing != Framing::Chunked => {
                self.framing = Framing::Length(number(field.value)?);
            }
            17 if is("transfer-encoding") && says(b"chunked") => self.framing = Framing::Chunked,
            17 if is("transfer-encoding") => return Err(httparse::Error::HeaderValue),
            _ => {}
        }
        Ok(())
    }
}

fn number(value: &[u8]) -> Result<u64, httparse::Error> {
    let text = std::str::from_utf8(value).map_err(|_| httparse::Error::HeaderValue)?;
    text.parse().map_err(|_| httparse::Error::HeaderValue)
}

fn errand(method: &str, target: &str, version: Option<u8>, fields: &[Header<'_>]) -> Errand {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/_count" => Errand::Count,
        "/_reset" => Errand::Reset,
        "/echo" => Errand::Echo(echo(method, target, version, fields)),
        _ => Wish::parse(path, query).map_or_else(Errand::Bad, Errand::Answer),
    }
}

fn echo(method: &str, target: &str, version: Option<u8>, fields: &[Header<'_>]) -> Value {
    let pair = |f: &Header<'_>| json!([f.name, String::from_utf8_lossy(f.value)]);
    json!({
        "request_line": format!("{method} {target} HTTP/1.{}", version.unwrap_or(1)),
        "method": method,
        "target": target,
        "headers": fields.iter().map(pair).collect::<Vec<_>>(),
    })
}
