//! Heads and small answers of the demo origin, appended to what goes out with the next write.

use std::io::Write;

use super::pattern;
use super::wish::Wish;

/// Bytes of the usual body.
pub const BODY_SIZE: usize = 350;

/// The usual body, up to the text that fills it.
const JSON_START: &[u8] = br#"{"message":"Hello from the demo origin","try":["?delay=50ms","?size=10240","?status=503","?chunked=1","?close=1","?fail=reset","/echo","/_count"],"fill":""#;
const JSON_END: &[u8] = b"\"}\n";

/// How a body is sent, and how much of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Body {
    pub(super) size: u64,
    pub(super) chunked: bool,
    /// The usual JSON instead of the pattern.
    pub(super) json: bool,
}

/// Appends the head that `wish` asks for, and says which body belongs to it.
pub(super) fn head(out: &mut Vec<u8>, wish: &Wish, close: bool) -> Body {
    let bodiless = matches!(wish.status, 204 | 304);
    let json = wish.size.is_none();
    let size = if bodiless { 0 } else { wish.size.unwrap_or(BODY_SIZE as u64) };
    status(out, wish.status);
    let kind: &[u8] = if json { b"content-type: application/json\r\n" } else { b"content-type: text/plain\r\n" };
    out.extend_from_slice(kind);
    out.extend_from_slice(&wish.lines);
    match (bodiless, wish.chunked) {
        (true, _) => {}
        (false, true) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        (false, false) => length(out, size),
    }
    end(out, close);
    Body { size, chunked: wish.chunked && !bodiless, json }
}

/// Appends the usual JSON body.
pub(super) fn json_body(out: &mut Vec<u8>) {
    out.extend_from_slice(JSON_START);
    let fill = BODY_SIZE.saturating_sub(JSON_START.len() + JSON_END.len());
    out.extend_from_slice(pattern::piece(fill as u64));
    out.extend_from_slice(JSON_END);
}

/// Appends a whole answer with a text of its own.
pub(super) fn text(out: &mut Vec<u8>, code: u16, kind: &str, body: &str, head_only: bool, close: bool) {
    status(out, code);
    append(out, format_args!("content-type: {kind}\r\n"));
    length(out, body.len() as u64);
    end(out, close);
    if !head_only {
        out.extend_from_slice(body.as_bytes());
    }
}

/// Appends the line before a chunk of `size` bytes.
pub(super) fn chunk_size(out: &mut Vec<u8>, size: usize) {
    append(out, format_args!("{size:x}\r\n"));
}

fn status(out: &mut Vec<u8>, code: u16) {
    match code {
        200 => out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        other => append(out, format_args!("HTTP/1.1 {other} {}\r\n", reason(other))),
    }
}

fn length(out: &mut Vec<u8>, size: u64) {
    append(out, format_args!("content-length: {size}\r\n"));
}

fn end(out: &mut Vec<u8>, close: bool) {
    out.extend_from_slice(if close { b"connection: close\r\n\r\n" } else { b"\r\n" });
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

fn reason(code: u16) -> &'static str {
    http::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unnamed")
}
