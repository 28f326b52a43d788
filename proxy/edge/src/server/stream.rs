//! A client's connection, cleartext or TLS, as the lane and Pingora's sessions both use it.
//!
//! The lane knows the concrete type and writes straight through. Boxed, the same stream is Pingora's [`Stream`], and small
//! writes wait until a flush: the head leaves with its body, the frames of a batch leave together. A large body is not
//! copied; it leaves behind what waits in one vectored write.
//!
//! An idle connection owns no buffer: what waits is kept in a buffer of the thread's, given back once it is empty.
//!
//! It does not peek (Pingora must not be asked to look for the HTTP/2 preface), and it does not tell Pingora the peer's
//! address, which may have come with a PROXY header: [`EdgeStream::peer`] does.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use arrayvec::ArrayVec;
use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::server::TlsStream;

use super::at_once::AtOnce;
use super::body_watch::BodyWatch;
use super::core::with;
use super::farewell::{self, Seen, Sight};
use super::frame_budget::{Conduct, FrameBudget};
use super::tls::TlsDomain;
use super::trailers::Trailers;

/// What may wait for a flush, bytes: a head and a body of common size, or the frames of a batch. The `h2` crate flushes
/// after as much.
const WAITING: usize = 16 * 1024;
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

/// What an [`EdgeStream`] runs over.
pub trait Transport: AsyncRead + AsyncWrite + AtOnce + AsRawFd + Unpin + Send + Sync + 'static {
    /// The TLS session, if there is one.
    fn tls(&self) -> Option<&ServerConnection>;

    /// The socket, if there is one.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Transport for TcpStream {
    fn tls(&self) -> Option<&ServerConnection> {
        None
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl AtOnce for TlsStream<TcpStream> {}

impl Transport for TlsStream<TcpStream> {
    fn tls(&self) -> Option<&ServerConnection> {
        Some(self.get_ref().1)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
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
    /// Written but not sent; without capacity while empty, and never empty with it.
    waiting: Vec<u8>,
    /// How much of it was sent.
    sent: usize,
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
            waiting: Vec::new(),
            sent: 0,
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
        self.waiting.capacity() > 0
    }

    fn transport(&mut self) -> Pin<&mut S> {
        Pin::new(&mut self.transport)
    }

    fn unsent(&self) -> &[u8] {
        self.waiting.get(self.sent..).unwrap_or_default()
    }

    fn may_wait(&self, size: usize) -> bool {
        let is_small = size < LARGE || self.is_waiting();
        self.writing != Writing::Direct && is_small && self.waiting.len() + size <= WAITING
    }

    /// Keeps the pieces for later.
    fn hold(&mut self, pieces: &[IoSlice<'_>]) {
        if self.waiting.capacity() == 0 {
            self.waiting = buffers::take();
        }
        pieces.iter().for_each(|piece| self.waiting.extend_from_slice(piece));
    }

    /// Notes that `count` bytes of what waits, and perhaps of what came behind it, were sent. Gives the latter's number.
    fn note_sent(&mut self, count: usize) -> usize {
        let unsent = self.unsent().len();
        if count < unsent {
            self.sent += count;
            return 0;
        }
        self.sent = 0;
        buffers::give_back(std::mem::take(&mut self.waiting));
        count - unsent
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        if size == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.may_wait(size) {
            self.hold(pieces);
            return Poll::Ready(Ok(size));
        }
        while self.is_waiting() {
            let (transport, waiting) =
                (Pin::new(&mut self.transport), self.waiting.get(self.sent..).unwrap_or_default());
            let all = std::iter::once(IoSlice::new(waiting)).chain(pieces.iter().copied());
            let count = ready!(transport.poll_write_vectored(cx, &all.take(PIECES).collect::<ArrayVec<_, PIECES>>()))?;
            not_zero(count)?;
            let of_pieces = self.note_sent(count);
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
            let (transport, waiting) =
                (Pin::new(&mut self.transport), self.waiting.get(self.sent..).unwrap_or_default());
            let count = ready!(transport.poll_write(cx, waiting))?;
            not_zero(count)?;
            self.note_sent(count);
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
        out.field("peer", &self.peer).field("writing", &self.writing).field("waiting", &self.unsent().len());
        out.field("tls", &self.tls().is_some()).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Transport> Shutdown for EdgeStream<S> {
    async fn shutdown(&mut self) {
        // The peer may have gone already: nobody is left to be told.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl<S: Transport> UniqueID for EdgeStream<S> {
    fn id(&self) -> UniqueIDType {
        self.transport.as_raw_fd()
    }
}

impl<S: Transport> Ssl for EdgeStream<S> {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.is_http2().then_some(ALPN::H2)
    }
}

impl<S: Transport> GetTimingDigest for EdgeStream<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<S: Transport> GetProxyDigest for EdgeStream<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl<S: Transport> GetSocketDigest for EdgeStream<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

#[async_trait]
impl<S: Transport> Peek for EdgeStream<S> {}

/// Buffers of this thread, for the connections that have something waiting.
mod buffers {
    use std::cell::RefCell;

    use super::WAITING;

    /// Buffers kept for later; a connection seldom holds one beyond the poll that took it.
    const SPARE: usize = 8;

    thread_local! {
        static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn take() -> Vec<u8> {
        let spare = BUFFERS.try_with(|buffers| buffers.borrow_mut().pop());
        spare.ok().flatten().unwrap_or_else(|| Vec::with_capacity(WAITING))
    }

    pub(super) fn give_back(mut buffer: Vec<u8>) {
        buffer.clear();
        // While the thread ends there is no list any more, and the buffer is freed.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < SPARE {
                buffers.push(buffer);
            }
        });
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
