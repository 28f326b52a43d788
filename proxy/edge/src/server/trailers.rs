//! Pseudo-fields in HTTP/2 trailers, which make a request malformed (RFC 9113 §8.1).
//!
//! The `h2` crate reads over them. It refuses pseudo-fields behind other fields, though: so the block of every trailers frame
//! is given a field of its own in front, before the crate reads it. What the crate then finds it answers as any malformed
//! request, and its table of fields stays the client's. The field goes the way of all trailers: nobody is sent any.
//!
//! Not done: a change of the table's size belongs in front of a block, so one in front of trailers ends the connection. No
//! encoder has a reason for one there, as the gateway never changes what it allows.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// The client's preface (RFC 9113 §3.4), bytes.
const PREFACE: u32 = 24;
/// A frame's header, bytes.
const HEADER: usize = 9;
/// The longest payload of a frame that the gateway takes (RFC 9113 §4.2), bytes.
const LONGEST: u32 = 16_384;
/// Read at once behind a header that came in two parts, bytes.
const PIECE: usize = 4 * 1024;

const HEADERS: u8 = 1;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// `accept-encoding: gzip, deflate`, by HPACK's static table: a field in one byte.
const FIELD: u8 = 0x90;

/// Follows a client's frames, and marks the blocks of its trailers.
#[derive(Debug)]
pub struct Trailers {
    /// Bytes of a payload, or of the preface, that are still to come.
    payload: u32,
    /// The highest stream with a head.
    last: u32,
    /// The begin of a frame that cannot be told yet: less than its header, padding length and priority.
    begun: Vec<u8>,
    /// Looked at and not delivered yet, the next byte last; at most what one read brought.
    ready: Vec<u8>,
}

impl Default for Trailers {
    /// For a connection from its first byte on.
    fn default() -> Self {
        Self { payload: PREFACE, last: 0, begun: Vec::new(), ready: Vec::new() }
    }
}

impl Trailers {
    /// Reads from `transport`; `look` sees what came as it came.
    pub fn poll_read(
        &mut self,
        transport: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut look: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.ready.is_empty() {
                self.deliver(buf);
                return Poll::Ready(Ok(()));
            }
            if !self.begun.is_empty() {
                ready!(self.poll_rest(transport, cx, &mut look))?;
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut *transport).poll_read(cx, buf))?;
            let bytes = buf.filled().get(before..).unwrap_or_default();
            look(bytes);
            let passed = self.pass(bytes);
            let (ended, rest) = (bytes.is_empty(), bytes.get(passed..).unwrap_or_default());
            if !rest.is_empty() {
                self.mark(rest);
                buf.set_filled(before + passed);
            }
            if ended || passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads on behind the begin of a frame.
    fn poll_rest(
        &mut self,
        transport: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        look: &mut impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        let mut scratch = [0; PIECE];
        let mut piece = ReadBuf::new(&mut scratch);
        ready!(Pin::new(transport).poll_read(cx, &mut piece))?;
        let mut bytes = std::mem::take(&mut self.begun);
        if piece.filled().is_empty() {
            // The end, in the middle of a frame. It is there for the next read again.
            bytes.reverse();
            self.ready = bytes;
            return Poll::Ready(Ok(()));
        }
        look(piece.filled());
        bytes.extend_from_slice(piece.filled());
        self.mark(&bytes);
        Poll::Ready(Ok(()))
    }

    fn deliver(&mut self, buf: &mut ReadBuf<'_>) {
        let at = self.ready.len().saturating_sub(buf.remaining());
        let mut now = self.ready.split_off(at);
        now.reverse();
        buf.put_slice(&now);
    }

    /// How many bytes need no change: up to trailers, or to a header that is not whole.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let skipped = (self.payload as usize).min(bytes.len() - at);
            self.payload -= skipped as u32;
            at += skipped;
            let Some(header) = bytes.get(at..).and_then(Header::read) else { return at };
            if header.kind == HEADERS && header.stream <= self.last {
                return at;
            }
            if header.kind == HEADERS {
                self.last = header.stream;
            }
            self.payload = header.length;
            at += HEADER;
        }
    }

    /// Takes what [`Self::pass`] has left, from the begin of a frame on.
    fn mark(&mut self, mut bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len() + 1);
        loop {
            let (passed, rest) = bytes.split_at_checked(self.pass(bytes)).unwrap_or((bytes, b""));
            out.extend_from_slice(passed);
            bytes = rest;
            let Some((header, block)) = trailers(bytes) else { break };
            let (begin, rest) = bytes.split_at_checked(block).unwrap_or((bytes, b""));
            header.marked(begin, &mut out);
            self.payload = header.length.saturating_sub((block - HEADER) as u32);
            bytes = rest;
        }
        self.begun = bytes.to_vec();
        out.reverse();
        self.ready = out;
    }
}

/// The header of trailers, and where their block begins; `None` if that is not there yet.
fn trailers(bytes: &[u8]) -> Option<(Header, usize)> {
    let header = Header::read(bytes)?;
    let block = HEADER + header.before_the_block();
    (bytes.len() >= block).then_some((header, block))
}

/// A frame's header.
#[derive(Clone, Copy)]
struct Header {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s @ ..] = *bytes.first_chunk::<HEADER>()?;
        let stream = u32::from_be_bytes(s) & 0x7fff_ffff;
        Some(Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream })
    }

    /// Length of padding, and priority. A frame too short for what it says is left to those who refuse it.
    fn before_the_block(self) -> usize {
        let padded = usize::from(self.flags & PADDED != 0);
        let priority = if self.flags & PRIORITY != 0 { 5 } else { 0 };
        (padded + priority).min(self.length as usize)
    }

    /// The frame up to its block, and the field in front of that. Where there is no room for it the stream does not end with
    /// the frame, which is as malformed.
    fn marked(self, begin: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(begin);
        let room = self.length < LONGEST;
        let [_, length @ ..] = (self.length + u32::from(room)).to_be_bytes();
        let flags = if room { self.flags } else { self.flags & !END_STREAM };
        let changed = length.into_iter().chain([self.kind, flags]);
        out.iter_mut().skip(at).zip(changed).for_each(|(byte, new)| *byte = new);
        out.extend(room.then_some(FIELD));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives its pieces one after the other, then the end.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let Some(mut piece) = self.0.pop_front() else { return Poll::Ready(Ok(())) };
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Poll::Ready(Ok(()))
        }
    }

    /// What is read of these bytes, which come in pieces of one size and are read with so much room.
    fn read(bytes: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let mut pieces = Pieces(bytes.chunks(piece).map(<[u8]>::to_vec).collect());
        let (mut trailers, mut out, mut seen) = (Trailers::default(), Vec::new(), Vec::new());
        loop {
            let mut memory = vec![0; room];
            let mut buf = ReadBuf::new(&mut memory);
            let look = |bytes: &[u8]| seen.extend_from_slice(bytes);
            let polled =
                trailers.poll_read(&mut pieces, &mut Context::from_waker(std::task::Waker::noop()), &mut buf, look);
            assert!(matches!(polled, Poll::Ready(Ok(()))));
            if buf.filled().is_empty() {
                assert_eq!(seen, bytes, "all is looked at, once and as it came");
                return out;
            }
            out.extend_from_slice(buf.filled());
        }
    }

    fn becomes(frames: &[Vec<u8>], expected: &[Vec<u8>]) {
        let whole = |frames: &[Vec<u8>]| [vec![b'p'; PREFACE as usize], frames.concat()].concat();
        let (bytes, expected) = (whole(frames), whole(expected));
        for piece in [1, 2, 7, 9, 10, 31, 100_000] {
            for room in [1, 5, 20, 100_000] {
                assert!(read(&bytes, piece, room) == expected, "in {piece}s, room for {room}");
            }
        }
    }

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, stream]);
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn heads_and_bodies_are_as_they_came() {
        let frames = [
            frame(4, 0, 0, &[]),
            frame(HEADERS, 4, 1, b"head"),
            frame(0, 0, 1, &[7; 100]),
            frame(HEADERS, 0, 3, b"head"),
            frame(9, 4, 3, b"continued"),
            frame(0, END_STREAM, 1, &[]),
            frame(8, 0, 0, &[0, 0, 0, 1]),
        ];
        becomes(&frames, &frames);
        becomes(&[frame(HEADERS, 4, 1, b"head"), vec![0, 0, 3]], &[frame(HEADERS, 4, 1, b"head"), vec![0, 0, 3]]);
    }

    #[test]
    fn trailers_begin_with_a_field() {
        let (one, three) = (frame(HEADERS, 4, 1, b"head"), frame(HEADERS, 4, 3, b"head"));
        let data = frame(0, 0, 1, b"data");
        let frames = [
            one.clone(),
            three.clone(),
            data.clone(),
            frame(HEADERS, 5, 1, b"late"),
            frame(HEADERS, 5 | PADDED | PRIORITY, 3, b"\x02\0\0\0\0\0late\0\0"),
            data.clone(),
            frame(HEADERS, 5, 1, b""),
        ];
        let expected = [
            one,
            three,
            data.clone(),
            frame(HEADERS, 5, 1, b"\x90late"),
            frame(HEADERS, 5 | PADDED | PRIORITY, 3, b"\x02\0\0\0\0\0\x90late\0\0"),
            data,
            frame(HEADERS, 5, 1, b"\x90"),
        ];
        becomes(&frames, &expected);
    }

    #[test]
    fn trailers_without_room_do_not_end_the_stream() {
        let (one, long) = (frame(HEADERS, 4, 1, b"head"), vec![7; LONGEST as usize]);
        becomes(&[one.clone(), frame(HEADERS, 5, 1, &long)], &[one.clone(), frame(HEADERS, 4, 1, &long)]);
        let almost = &long[1..];
        becomes(
            &[one.clone(), frame(HEADERS, 5, 1, almost)],
            &[one, frame(HEADERS, 5, 1, &[&[FIELD], almost].concat())],
        );
    }
}
