//! What leaves in one write: small parts are copied into one buffer, large bodies are referenced.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Bodies up to this size are copied behind their head: cheaper than one more piece in a `writev`.
const COPY_MAX: usize = 4 * 1024;
/// A worker answers no further pipelined request before this much has been written.
const FULL: usize = 128 * 1024;
/// Pieces in one `writev`.
const PIECES: usize = 32;
/// The most that one write hands over: for 100 KB in one piece the kernel takes half as long again as for two of half that.
const WRITE: usize = 56 * 1024;
/// While more than this waits, a write hands over all of it: the socket takes what it has room for, and small pieces would
/// only wake the peer more often.
const LARGE: usize = 256 * 1024;
/// Room that is kept between events.
const KEEP: usize = 256 * 1024;

/// The output of one readiness event, owned by a worker; by a connection only while its peer reads slowly.
#[derive(Debug, Default)]
pub struct Out {
    buf: Vec<u8>,
    /// End of what `pieces` already name.
    sealed: usize,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    /// Of `buf`.
    Copied(usize, usize),
    Shared(Bytes),
}

impl Out {
    /// Where heads and small bodies are appended.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// Appends a body: a copy when small, a reference when not.
    #[inline]
    pub fn body(&mut self, body: &Bytes) {
        if body.len() <= COPY_MAX {
            self.buf.extend_from_slice(body);
        } else {
            self.seal();
            self.pieces.push(Piece::Shared(body.clone()));
        }
    }

    /// Nothing waits to be written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.sealed == self.buf.len()
    }

    /// Enough for now.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.buf.len() > FULL || self.pieces.len() > PIECES / 2
    }

    /// Forgets everything; keeps a modest buffer.
    #[inline]
    pub fn clear(&mut self) {
        self.buf.clear();
        self.buf.shrink_to(KEEP);
        self.pieces.clear();
        self.sealed = 0;
    }

    /// Writes until all is gone or the peer takes no more.
    #[inline]
    pub fn poll_write<S: AsyncWrite + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = match self.pieces.is_empty() {
                true => ready!(Pin::new(&mut *io).poll_write(cx, cut(self.tail(), WRITE)))?,
                false => ready!(self.poll_write_pieces(io, cx))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.clear();
        Poll::Ready(Ok(()))
    }

    /// The same with `write`, which waits for nothing, where all of it is one piece; whether all is gone.
    #[inline]
    pub fn write_at_once(&mut self, write: impl FnOnce(&[u8]) -> Option<usize>) -> bool {
        if !self.pieces.is_empty() {
            return false;
        }
        self.sealed += write(self.tail()).unwrap_or_default();
        let gone = self.is_empty();
        if gone {
            self.clear();
        }
        gone
    }

    /// Bytes that wait to be written.
    pub fn remaining(&self) -> usize {
        let piece = |p: &Piece| match p {
            Piece::Copied(start, end) => end - start,
            Piece::Shared(b) => b.len(),
        };
        self.pieces.iter().map(piece).sum::<usize>() + self.tail().len()
    }

    /// Moves what is left into a value of its own.
    pub fn take_rest(&mut self) -> Out {
        self.seal();
        let mut rest = Out::default();
        for piece in self.pieces.drain(..) {
            match piece {
                Piece::Shared(b) => rest.pieces.push(Piece::Shared(b)),
                Piece::Copied(start, end) => {
                    let from = rest.buf.len();
                    rest.buf.extend_from_slice(self.buf.get(start..end).unwrap_or_default());
                    rest.pieces.push(Piece::Copied(from, rest.buf.len()));
                }
            }
        }
        rest.sealed = rest.buf.len();
        self.clear();
        rest
    }

    fn tail(&self) -> &[u8] {
        self.buf.get(self.sealed..).unwrap_or_default()
    }

    fn seal(&mut self) {
        if self.sealed < self.buf.len() {
            self.pieces.push(Piece::Copied(self.sealed, self.buf.len()));
            self.sealed = self.buf.len();
        }
    }

    fn poll_write_pieces<S: AsyncWrite + Unpin>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.seal();
        let mut slices = arrayvec::ArrayVec::<IoSlice<'_>, PIECES>::new();
        let mut room = if self.remaining() > LARGE { usize::MAX } else { WRITE };
        for piece in self.pieces.iter().take(PIECES) {
            let bytes = match piece {
                Piece::Copied(start, end) => self.buf.get(*start..*end).unwrap_or_default(),
                Piece::Shared(b) => b,
            };
            let bytes = cut(bytes, room);
            room -= bytes.len();
            slices.push(IoSlice::new(bytes));
            if room == 0 {
                break;
            }
        }
        Pin::new(io).poll_write_vectored(cx, &slices)
    }

    fn advance(&mut self, mut written: usize) {
        if self.pieces.is_empty() {
            self.sealed += written;
            return;
        }
        let mut done = 0;
        for piece in &mut self.pieces {
            let len = match piece {
                Piece::Copied(start, end) => *end - *start,
                Piece::Shared(b) => b.len(),
            };
            if written < len {
                match piece {
                    Piece::Copied(start, _) => *start += written,
                    Piece::Shared(b) => b.advance(written),
                }
                break;
            }
            written -= len;
            done += 1;
        }
        self.pieces.drain(..done);
    }
}

/// The first `most` of `bytes`.
#[inline]
fn cut(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes a few bytes at a time and says "not now" in between.
    struct Miser {
        got: Vec<u8>,
        step: usize,
        tired: bool,
    }

    impl AsyncWrite for Miser {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.tired = !self.tired;
            if self.tired {
                return Poll::Pending;
            }
            assert!(buf.len() <= WRITE, "{} bytes at once", buf.len());
            let n = buf.len().min(self.step);
            self.got.extend_from_slice(&buf[..n]);
            Poll::Ready(Ok(n))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.tired = !self.tired;
            if self.tired {
                return Poll::Pending;
            }
            let size: usize = bufs.iter().map(|b| b.len()).sum();
            assert!(size <= WRITE || size > LARGE, "{size} bytes at once");
            let n = size.min(self.step);
            self.got.extend(bufs.iter().flat_map(|b| b.iter().copied()).take(n));
            Poll::Ready(Ok(n))
        }
        fn is_write_vectored(&self) -> bool {
            true
        }
    }

    #[test]
    fn nothing_is_lost_or_doubled_however_slowly_it_leaves() {
        for step in [1, 3, 1_000, 5_000, 100_000] {
            let (mut out, mut want) = (Out::default(), Vec::new());
            let sizes = [10, 9_000, 0, 4_097, 1, 2 * WRITE, 2 * LARGE];
            for (head, len) in ["a", "bb", "ccc", "dddd", "e", "f", "g"].into_iter().zip(sizes) {
                let body = Bytes::from(vec![head.as_bytes()[0]; len]);
                out.buffer().extend_from_slice(head.as_bytes());
                out.body(&body);
                want.extend_from_slice(head.as_bytes());
                want.extend_from_slice(&body);
            }
            let mut io = Miser { got: Vec::new(), step, tired: false };
            let mut cx = Context::from_waker(Waker::noop());
            while out.poll_write(&mut io, &mut cx).is_pending() {
                out = out.take_rest();
            }
            assert_eq!(io.got, want, "step {step}");
            assert!(out.is_empty());
        }
    }
}
