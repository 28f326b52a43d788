//! The body of an answer from an HTTP/2 stream. The peer may send on as the caller takes what has come.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;

use super::super::allowance::Allowance;
use super::super::head::BodyEnd;
use super::session::Slot;

/// Reads a stream to its end.
#[derive(Debug)]
pub(in super::super) struct Http2Body {
    stream: RecvStream,
    /// The call's place on its session, until the end.
    slot: Option<Slot>,
    /// What has come and was not done with.
    held: Bytes,
    /// The caller has seen it.
    lent: bool,
    /// Of a body whose length was stated.
    left: Option<u64>,
    pub(in super::super) allowance: Allowance,
}

impl Http2Body {
    pub(super) fn new(stream: RecvStream, slot: Slot, end: BodyEnd, idle: Duration) -> Self {
        let left = match end {
            BodyEnd::Bodiless => Some(0),
            BodyEnd::Length(n) => Some(n),
            BodyEnd::Chunked | BodyEnd::Close | BodyEnd::CloseNotify | BodyEnd::Stream => None,
        };
        let mut body =
            Self { stream, slot: Some(slot), held: Bytes::new(), lent: false, left, allowance: Allowance::each(idle) };
        if end == BodyEnd::Bodiless || body.stream.is_end_stream() {
            body.slot = None;
        }
        body
    }

    /// Looks at what has come so far: an error where nothing has, and nothing will.
    pub(in super::super) fn check(&mut self) -> io::Result<()> {
        match self.poll_fill(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(e)) => Err(e),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// All of the body has been handed out.
    pub(in super::super) fn is_done(&self) -> bool {
        self.slot.is_none() && (self.lent || self.held.is_empty())
    }

    /// The next piece of what has come.
    pub(in super::super) fn piece(&mut self) -> io::Result<Option<&[u8]>> {
        self.release();
        match self.poll_fill(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(e)) => Err(e),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(self.lend()),
        }
    }

    /// The next piece, waited for; `None` at the end.
    pub(in super::super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.release();
        self.read().await?;
        Ok(self.lend())
    }

    /// Waits for more, or for the end.
    pub(in super::super) async fn read(&mut self) -> io::Result<()> {
        self.release();
        let deadline = self.allowance.begin();
        let filled = tokio::time::timeout_at(deadline, poll_fn(|cx| self.poll_fill(cx))).await;
        self.allowance.end();
        filled.unwrap_or_else(|_| Err(self.allowance.over()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.is_empty() && self.slot.is_some() {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) => self.hold(piece)?,
                None if self.left.unwrap_or(0) == 0 => self.slot = None,
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                // All of it is there: what becomes of the stream does not matter any more.
                Some(Err(_)) if self.left == Some(0) => self.slot = None,
                Some(Err(e)) => return Poll::Ready(Err(super::broken(e))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn hold(&mut self, piece: Bytes) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
        }
        self.held = piece;
        if self.left.unwrap_or(0) == 0 && self.stream.is_end_stream() {
            self.slot = None;
        }
        Ok(())
    }

    fn lend(&mut self) -> Option<&[u8]> {
        self.lent = !self.held.is_empty();
        self.lent.then_some(&*self.held)
    }

    /// What the caller has seen makes room for more.
    fn release(&mut self) {
        if std::mem::take(&mut self.lent) {
            let count = std::mem::take(&mut self.held).len();
            // Only more than was received would be refused.
            let _ = self.stream.flow_control().release_capacity(count);
        }
    }
}
