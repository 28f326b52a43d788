//! Answers of the HTTP/1.1 lane that take time, written straight to the connection.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::downstream::Downstream;
use super::farewell::{self, Seen};
use crate::message::body::RequestBody;
use crate::message::encode::{Framing, ResponseHead};
use crate::message::spare::Spare;
use crate::patience::within_polls;

/// Small pieces wait until this much has come together.
const CORK: usize = 16 * 1024;

/// Writes one answer in HTTP/1.1's form.
#[derive(Debug)]
pub struct LaneDownstream<'s, S> {
    stream: &'s mut S,
    /// Whether the client has left shows at the stream.
    watched: bool,
    /// What waits: head, small pieces, chunk framing.
    waiting: Spare,
    chunked: bool,
    /// The body is not sent: HEAD.
    silent: bool,
    stall: Duration,
}

impl<'s, S: AsyncRead + AsyncWrite + Seen + Unpin + Send + Sync> LaneDownstream<'s, S> {
    /// For a request without a body; `stall` bounds each wait for the client.
    pub fn new(stream: &'s mut S, is_head: bool, stall: Duration) -> Self {
        Self { stream, watched: true, waiting: Spare::default(), chunked: false, silent: is_head, stall }
    }

    /// The client has asked for more already, so it is there still.
    pub fn unwatched_if(self, asked: bool) -> Self {
        Self { watched: !asked, ..self }
    }

    async fn write(&mut self, piece: &[u8], tail: &[u8]) -> io::Result<()> {
        let (stream, waiting) = (&mut *self.stream, &self.waiting);
        let mut parts = [waiting.as_slice(), piece, tail];
        let done = within_polls(self.stall, |cx| poll_write_all(&mut *stream, cx, &mut parts)).await;
        self.waiting.clear();
        done
    }
}

impl<S: AsyncRead + AsyncWrite + Seen + Unpin + Send + Sync> RequestBody for LaneDownstream<'_, S> {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        Ok(None)
    }

    async fn left(&mut self) {
        match self.watched {
            true => farewell::left(&*self.stream).await,
            false => std::future::pending().await,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Seen + Unpin + Send + Sync> Downstream for LaneDownstream<'_, S> {
    type Body = Self;

    fn body(&mut self) -> &mut Self {
        self
    }

    async fn begin(&mut self, head: &ResponseHead<'_>, date: &[u8; 29], close: bool) -> io::Result<()> {
        self.chunked = head.framing == Framing::Unknown;
        self.silent |= head.framing == Framing::Bodiless;
        self.waiting.ensure();
        head.write_http1(&mut self.waiting, date, close, self.chunked);
        Ok(())
    }

    async fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.silent || piece.is_empty() {
            return Ok(());
        }
        if self.chunked {
            // Writing to a Vec cannot fail.
            let _ = write!(self.waiting, "{:x}\r\n", piece.len());
        }
        let tail: &[u8] = if self.chunked { b"\r\n" } else { b"" };
        if self.waiting.len() + piece.len() > CORK {
            return self.write(piece, tail).await;
        }
        self.waiting.extend_from_slice(piece);
        self.waiting.extend_from_slice(tail);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.write(&[], &[]).await }
    }

    async fn finish(&mut self) -> io::Result<()> {
        if self.chunked && !self.silent {
            self.waiting.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await
    }
}

/// Writes three parts in as few calls as the peer takes, and flushes what TLS holds back.
fn poll_write_all<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    parts: &mut [&[u8]; 3],
) -> Poll<io::Result<()>> {
    while parts.iter().any(|p| !p.is_empty()) {
        let written = match parts {
            [only, [], []] => ready!(Pin::new(&mut *stream).poll_write(cx, only))?,
            _ => ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &parts.map(IoSlice::new)))?,
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let mut rest = written;
        for part in parts.iter_mut() {
            let n = rest.min(part.len());
            *part = part.get(n..).unwrap_or_default();
            rest -= n;
        }
    }
    Pin::new(stream).poll_flush(cx)
}

#[cfg(test)]
impl Seen for tokio::io::DuplexStream {
    fn sight(&self) -> Option<farewell::Sight<'_>> {
        None
    }
}
