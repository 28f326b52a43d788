//! One HTTP/2 connection of a worker, and the calls' places on it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::SendStream;
use h2::client::{self, ResponseFuture, SendRequest};
use sluice_api::Address;

use super::super::buffer::SIZE;
use super::super::connection::{Connection, Socket};
use super::super::origin::ConnectError;
use super::super::pool::IDLE;

/// Calls on one connection at a time, where the peer allows as many.
const STREAMS: usize = 100;
/// What an answer may send ahead of its reader, bytes.
const WINDOW: u32 = 256 * 1024;
/// Room for all streams' windows: a reader that stops cannot stop the others. This bounds what a connection holds.
const ALL_WINDOWS: u32 = WINDOW * STREAMS as u32;
/// What a request's body may lie ahead of the socket, bytes.
const SEND_BUFFER: usize = 256 * 1024;

/// Tells sessions apart; later ones are greater. The default is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct SessionId(u64);

/// An open connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    address: SocketAddr,
    requests: SendRequest<Bytes>,
    streams: Arc<AtomicUsize>,
    /// When a call last began.
    used: Instant,
}

/// A call's place on a session, free again when it is dropped.
#[derive(Debug)]
pub(in super::super) struct Slot {
    pub(in super::super) session: SessionId,
    pub(in super::super) address: SocketAddr,
    requests: SendRequest<Bytes>,
    streams: Arc<AtomicUsize>,
}

impl Session {
    /// Opens HTTP/2 on a connection and waits for the peer's SETTINGS: it speaks HTTP/2, and how many streams it allows
    /// is known before the first one. A task of the worker moves the frames from then on.
    pub(super) async fn open(connection: Connection, limit: Duration) -> Result<Self, ConnectError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let address = connection.address;
        let shaken = tokio::time::timeout(limit, shake_hands(connection.into_socket())).await;
        let shaken = shaken.map_err(|_| ConnectError::Timeout(named(address)))?;
        let (requests, connection) = shaken.map_err(|e| not_opened(address, e))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "an HTTP/2 connection ended");
            }
        });
        let id = SessionId(NEXT.fetch_add(1, Relaxed));
        Ok(Self { id, address, requests, streams: Arc::default(), used: Instant::now() })
    }

    /// New calls can begin: neither side is ending it.
    pub(super) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !matches!(self.requests.poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// No call has used it for a long time.
    pub(super) fn is_idle(&self) -> bool {
        self.streams() == 0 && self.used.elapsed() >= IDLE
    }

    /// Another call would not have to wait for the peer.
    pub(super) fn has_room(&self) -> bool {
        self.streams() < STREAMS.min(self.requests.current_max_send_streams())
    }

    /// Calls at present.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// A place for one more call.
    pub(super) fn slot(&mut self) -> Slot {
        self.streams.fetch_add(1, Relaxed);
        self.used = Instant::now();
        Slot { session: self.id, address: self.address, requests: self.requests.clone(), streams: self.streams.clone() }
    }
}

impl Slot {
    /// Sends a request's head.
    pub(super) fn send(
        &mut self,
        request: http::Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.requests.send_request(request, end)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Relaxed);
    }
}

type Http2Connection = client::Connection<Socket, Bytes>;

/// `None` for an error is a connection that ended in order, although too early.
async fn shake_hands(socket: Socket) -> Result<(SendRequest<Bytes>, Http2Connection), Option<h2::Error>> {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(ALL_WINDOWS)
        .max_header_list_size(SIZE as u32)
        .max_send_buffer_size(SEND_BUFFER)
        // The peer's SETTINGS, which must come first, raise it.
        .initial_max_send_streams(0);
    let (requests, mut connection) = builder.handshake(socket).await?;
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Err(ended.err())),
        Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    Ok((requests, connection))
}

fn not_opened(address: SocketAddr, error: Option<h2::Error>) -> ConnectError {
    let error = match error {
        Some(e) if e.is_io() => super::broken(e),
        Some(e) => return ConnectError::NotHttp2(address, e.to_string().into()),
        None => io::ErrorKind::UnexpectedEof.into(),
    };
    ConnectError::Connect(named(address), Arc::new(error))
}

fn named(address: SocketAddr) -> Address {
    Address { host: address.ip().to_string().into(), port: address.port() }
}
