//! A client that sends HTTP/2 frames as it is told, without compression. It tells 200 from any other status and does not
//! read header fields otherwise.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;

use super::Client;
use super::wire::End;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// `:status: 200` in HPACK's static table.
const OK: u8 = 0x88;

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an answer: was it 200, and its body.
    Answered(bool, Vec<u8>),
    /// It, or the connection, was given up.
    Refused,
}

/// A connection without TLS, by prior knowledge.
pub struct Http2 {
    client: Client,
}

impl Http2 {
    /// Connects and sends the preface.
    pub fn connect(address: SocketAddr) -> Self {
        let mut client = Client::connect(address);
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut http2 = Self { client };
        http2.frame(SETTINGS, 0, 0, &[]);
        http2
    }

    /// A frame.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.client.send(bytes);
        self
    }

    /// A request's head, its fields in this order.
    pub fn head(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) -> &mut Self {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            text(&mut block, name.as_bytes());
            text(&mut block, value.as_bytes());
        }
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.frame(HEADERS, flags, stream, &block)
    }

    /// A piece of its body.
    pub fn data(&mut self, stream: u32, piece: impl AsRef<[u8]>, ends: bool) -> &mut Self {
        self.frame(DATA, if ends { END_STREAM } else { 0 }, stream, piece.as_ref())
    }

    /// The client gives the stream up.
    pub fn reset(&mut self, stream: u32) -> &mut Self {
        self.frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())
    }

    /// Reads until the stream has ended.
    pub fn ending(&mut self, stream: u32) -> Ending {
        match self.until_ended(stream) {
            (Some(ok), body, true) => Ending::Answered(ok, body),
            (None, body, true) => Ending::Answered(false, body),
            (_, _, false) => Ending::Refused,
        }
    }

    /// The same: whether its answer was 200, the body so far, and whether that was all of it.
    pub fn until_ended(&mut self, stream: u32) -> (Option<bool>, Vec<u8>, bool) {
        let (mut ok, mut body) = (None, Vec::new());
        loop {
            let Some((kind, flags, on, payload)) = self.read() else { return (ok, body, false) };
            match kind {
                SETTINGS if flags & ACK == 0 => {
                    self.frame(SETTINGS, ACK, 0, &[]);
                }
                RST_STREAM if on == stream => return (ok, body, false),
                GOAWAY => return (ok, body, false),
                HEADERS if on == stream && ok.is_none() => ok = Some(payload.first() == Some(&OK)),
                DATA if on == stream => {
                    body.extend_from_slice(&payload);
                    if !payload.is_empty() {
                        let more = (payload.len() as u32).to_be_bytes();
                        self.frame(WINDOW_UPDATE, 0, 0, &more).frame(WINDOW_UPDATE, 0, stream, &more);
                    }
                }
                _ => {}
            }
            if on == stream && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return (ok, body, true);
            }
        }
    }

    /// Reads frames up to the first of an answer.
    pub fn until_begun(&mut self) {
        while self.read().is_some_and(|(kind, ..)| kind != HEADERS) {}
    }

    fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let head = self.exactly(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some((head[3], head[4], stream, self.exactly(length)?))
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.client.reader().body(End::Length(length), &mut bytes) {
            Ok(()) => Some(bytes),
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
            Err(e) => panic!("{e}"),
        }
    }
}

/// A literal: its length with a prefix of 7 bits, then its bytes as they are.
fn text(block: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        length @ 0..127 => block.push(length as u8),
        length => {
            block.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                block.push((rest % 128 + 128) as u8);
                rest /= 128;
            }
            block.push(rest as u8);
        }
    }
    block.write_all(bytes).unwrap();
}
