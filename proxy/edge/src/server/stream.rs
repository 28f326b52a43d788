//! A client's connection, cleartext or TLS, as the lane and Pingora's sessions both use it.
//!
//! The lane knows the concrete type and writes straight through. Boxed, the same stream is Pingora's [`Stream`], and small
//! writes wait until a flush: the head leaves with its body, the frames of a batch leave together. A large body is not
//! copied; it leaves behind what waits in one vectored write.
//!
//! An idle connection owns no buffer. What Pingora asks of a stream is in `pingora.rs`.

mod outbox;
mod pingora;
mod transport;

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use arrayvec::ArrayVec;
use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ServerConnection;

use self::outbox::Outbox;
pub use self::transport::Transport;

use super::at_once::AtOnce;
use super::body_watch::BodyWatch;
use super::core::with;
use super::farewell::{self, Seen, Sight};
use super::frame_budget::{Conduct, FrameBudget};
use super::tls::TlsDomain;
use super::trailers::Trailers;

/// What begins nothing that waits, bytes: a write of its own costs less than the copy.
const LARGE: usize = 4 * 1024;
/// What is dropped at most while a last answer is written, bytes.
const UNHEARD: usize = 16 * 1024 * 1024;
/// Pieces that leave in one vectored write, with what waits; any beyond are left to the next.
const PIECES: usize = 16;

/// How writes reach the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// At once: the writer joins what belongs together.
    #[default]
    Direct,
    /// Small pieces wait for a flush or for a large one.
    Http1,
    /// As for HTTP/1.1; and the stream says that it takes no vectored writes, because the `h2` crate would flush every one
    /// of them.
    Http2,
}

/// Follows what is read, where somebody has to.
enum Watch {
    Body(BodyWatch),
    Frames(FrameBudget, Trailers),
}

/// A client's connection. Without TLS, what the lane's reads and writes look at fills one cache line.
#[repr(C, align(64))]
pub struct EdgeStream<S> {
    transport: S,
    writing: Writing,
    /// Follows what is read.
    watch: Option<Box<Watch>>,
    outbox: Outbox,
    /// Bytes that are dropped while a write waits; 0 while what comes is for somebody.
    unheard: AtomicUsize,
    domain: Option<Arc<TlsDomain>>,
    peer: SocketAddr,
}

impl<S: Transport> EdgeStream<S> {
    /// `peer` is the client's address as far as it is known: from the PROXY header, else the socket's. `domain` is the one
    /// that the TLS handshake chose.
    pub const fn new(transport: S, peer: SocketAddr, domain: Option<Arc<TlsDomain>>) -> Self {
        Self {
            transport,
            writing: Writing::Direct,
            peer,
            domain,
            outbox: Outbox::new(),
            watch: None,
            unheard: AtomicUsize::new(0),
        }
    }

    /// Takes the connection back from Pingora; `None` if it is a stream of another kind.
    pub fn reclaim(stream: Stream) -> Option<Box<Self>> {
        stream.into_any().downcast().ok()
    }

    /// Transport, peer and domain. What waits is lost: flush first.
    pub fn into_parts(self) -> (S, SocketAddr, Option<Arc<TlsDomain>>) {
        (self.transport, self.peer, self.domain)
    }

    /// What is read from now on continues this body; reading fails where it is malformed.
    pub fn watch(&mut self, watch: BodyWatch) {
        self.watch = Some(Box::new(Watch::Body(watch)));
    }

    /// The connection is HTTP/2's from its first byte on, its frames are counted, and its end is lingered at.
    pub fn begin_http2(&mut self) -> Arc<Conduct> {
        let conduct = Arc::<Conduct>::default();
        self.writing = Writing::Http2;
        self.watch = Some(Box::new(Watch::Frames(FrameBudget::new(conduct.clone()), Trailers::default())));
        conduct
    }

    /// Nobody will read from now on. What still comes while a write waits is dropped, up to a bound: the client may read its
    /// answer only once it has sent everything.
    pub fn hear_no_more(&self) {
        self.unheard.store(UNHEARD, Relaxed);
    }

    /// A write that waits lets input be dropped, if nobody wants it.
    #[inline]
    fn unless_deaf<T>(&mut self, polled: Poll<T>, cx: &mut Context<'_>) -> Poll<T> {
        if polled.is_pending() && self.unheard.load(Relaxed) > 0 {
            self.drop_input(cx);
        }
        polled
    }

    #[cold]
    fn drop_input(&mut self, cx: &mut Context<'_>) {
        let mut scratch = [0; 4 * 1024];
        while self.unheard.load(Relaxed) > 0 {
            let mut piece = ReadBuf::new(&mut scratch);
            let polled = Pin::new(&mut self.transport).poll_read(cx, &mut piece);
            let rest = match (polled, piece.filled().len()) {
                (Poll::Pending, _) => return,
                (Poll::Ready(Ok(())), count) if count > 0 => self.unheard.load(Relaxed).saturating_sub(count),
                _ => 0,
            };
            self.unheard.store(rest, Relaxed);
        }
    }

    #[inline(never)]
    fn poll_read_watched(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if matches!(self.watch.as_deref(), Some(Watch::Frames(budget, _)) if budget.conduct().is_overspent()) {
            // Its owner ends the connection; nothing that still comes makes a difference.
            return Poll::Pending;
        }
        if let Some(Watch::Frames(budget, trailers)) = self.watch.as_deref_mut() {
            return trailers.poll_read(&mut self.transport, cx, buf, |bytes| budget.follow(bytes, mono));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        if let Some(Watch::Body(watch)) = self.watch.as_deref_mut() {
            let bytes = buf.filled().get(before..).unwrap_or_default();
            watch.follow(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until the client has seen the end that it was told, or has had the time for it. What it still sends is read away:
    /// left unread, it would become a reset that takes the last answer from under the client's eyes.
    pub async fn linger(&self) {
        if let Some(tcp) = self.transport.tcp() {
            farewell::linger(tcp).await;
        }
    }

    /// The connection will end with a reset, which no client takes for the end of an answer.
    pub fn break_off(&self) {
        if let Some(tcp) = self.transport.tcp() {
            // A socket that is closed already needs no reset.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Changes how writes reach the socket; what waits still goes first.
    pub const fn set_writing(&mut self, writing: Writing) {
        self.writing = writing;
    }

    /// The lane's again: nothing is watched.
    pub fn end_session(&mut self) {
        self.writing = Writing::Direct;
        self.watch = None;
    }

    /// The client's address.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The domain whose certificate was shown; `None` without TLS.
    pub const fn domain(&self) -> Option<&Arc<TlsDomain>> {
        self.domain.as_ref()
    }

    /// The TLS session: version, cipher suite, and what else rustls tells.
    pub fn tls(&self) -> Option<&ServerConnection> {
        self.transport.tls()
    }

    /// The server name that the client asked for, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.tls()?.server_name()
    }

    /// Whether HTTP/2 was agreed on in the handshake.
    pub fn is_http2(&self) -> bool {
        self.tls().and_then(|tls| tls.alpn_protocol()) == Some(b"h2".as_slice())
    }

    /// The client's own certificate, DER, verified; `None` without mutual TLS.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        self.tls()?.peer_certificates()?.first().map(AsRef::as_ref)
    }

    /// Whether bytes wait for a flush.
    pub const fn is_waiting(&self) -> bool {
        self.outbox.is_waiting()
    }

    fn transport(&mut self) -> Pin<&mut S> {
        Pin::new(&mut self.transport)
    }

    fn may_wait(&self, size: usize) -> bool {
        let is_small = size < LARGE || self.is_waiting();
        self.writing != Writing::Direct && is_small && self.outbox.has_room(size)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        if size == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.may_wait(size) {
            self.outbox.hold(pieces);
            return Poll::Ready(Ok(size));
        }
        while self.is_waiting() {
            let transport = Pin::new(&mut self.transport);
            let all = std::iter::once(IoSlice::new(self.outbox.unsent())).chain(pieces.iter().copied());
            let count = ready!(transport.poll_write_vectored(cx, &all.take(PIECES).collect::<ArrayVec<_, PIECES>>()))?;
            not_zero(count)?;
            let of_pieces = self.outbox.note_sent(count);
            if of_pieces > 0 {
                return Poll::Ready(Ok(of_pieces));
            }
        }
        match pieces {
            [piece] => self.transport().poll_write(cx, piece),
            _ => self.transport().poll_write_vectored(cx, pieces),
        }
    }

    /// What is sent over HTTP/2 may be followed by window updates.
    #[inline]
    fn note_taken(&mut self, polled: &Poll<io::Result<usize>>) {
        if let (Some(Watch::Frames(budget, _)), Poll::Ready(Ok(count))) = (self.watch.as_deref_mut(), polled) {
            budget.sent(*count);
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_waiting() {
            let count = ready!(Pin::new(&mut self.transport).poll_write(cx, self.outbox.unsent()))?;
            not_zero(count)?;
            self.outbox.note_sent(count);
        }
        Poll::Ready(Ok(()))
    }
}

fn mono() -> u64 {
    with(|core| core.clock.mono()).unwrap_or_default()
}

fn not_zero(count: usize) -> io::Result<()> {
    if count == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
}

impl<S: Transport> AtOnce for EdgeStream<S> {
    #[inline]
    fn read_at_once(&self, into: &mut [u8]) -> Option<usize> {
        match self.watch {
            None => self.transport.read_at_once(into),
            Some(_) => None,
        }
    }

    #[inline]
    fn write_at_once(&self, bytes: &[u8]) -> Option<usize> {
        if self.writing == Writing::Direct && !self.is_waiting() { self.transport.write_at_once(bytes) } else { None }
    }
}

impl<S: Transport> AsyncRead for EdgeStream<S> {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.watch {
            None => self.transport().poll_read(cx, buf),
            Some(_) => self.poll_read_watched(cx, buf),
        }
    }
}

impl<S: Transport> AsyncWrite for EdgeStream<S> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.writing == Writing::Direct && !self.is_waiting() {
            return self.transport().poll_write(cx, buf);
        }
        let polled = self.poll_send(cx, &[IoSlice::new(buf)]);
        self.note_taken(&polled);
        self.unless_deaf(polled, cx)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.writing == Writing::Direct && !self.is_waiting() {
            return self.transport().poll_write_vectored(cx, bufs);
        }
        let polled = self.poll_send(cx, bufs);
        self.note_taken(&polled);
        self.unless_deaf(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.writing != Writing::Http2 && self.transport.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_drain(cx);
        ready!(self.unless_deaf(polled, cx))?;
        let polled = self.transport().poll_flush(cx);
        self.unless_deaf(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        let Some(Watch::Frames(budget, _)) = self.watch.as_deref() else { return self.transport().poll_shutdown(cx) };
        let conduct = budget.conduct().clone();
        if !conduct.is_ended() {
            ready!(self.transport().poll_shutdown(cx))?;
            conduct.end();
            self.hear_no_more();
        }
        // Left unread, it would become a reset that takes the goodbye from under the client's eyes.
        self.drop_input(cx);
        if self.unheard.load(Relaxed) > 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<S: Transport> Seen for EdgeStream<S> {
    fn sight(&self) -> Option<Sight<'_>> {
        let own = match self.watch.as_deref() {
            Some(Watch::Body(watch)) if watch.is_beyond() => return None,
            Some(Watch::Body(watch)) => watch.rest(),
            _ => 0,
        };
        let tls = self.tls().is_some();
        self.transport.tcp().map(|tcp| Sight { tcp, tls, own: if tls { 0 } else { own } })
    }
}

impl<S: Transport> fmt::Debug for EdgeStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("EdgeStream");
        out.field("peer", &self.peer).field("writing", &self.writing).field("waiting", &self.outbox.unsent().len());
        out.field("tls", &self.tls().is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
