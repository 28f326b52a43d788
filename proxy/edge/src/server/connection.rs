//! One connection from its acceptance to its end: PROXY header, TLS, then the lane or HTTP/2.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use pingora_core::server::ShutdownWatch;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connections::OpenConnection;
use super::core::with;
use super::drive::{Arrival, Trip, drive};
use super::lane::{Exit, Lane};
use super::lane_downstream::LaneDownstream;
use super::listeners::Listener;
use super::rewound::Rewound;
use super::session::After;
use super::stream::{EdgeStream, Transport};
use super::{http2, proxy_protocol, session};
use crate::message::body::BodyLength;
use crate::observe::metrics::{ListenerId, Way};
use crate::plan::Plan;
use crate::plan::host::domain_id;
use crate::stage::accept::{Connection, Verdict};
use crate::stage::{Exchange, Need};

/// Takes a connection in.
pub fn welcome(stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>, shutdown: &ShutdownWatch) {
    // Without it an answer in two packets would wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let shutdown = shutdown.clone();
    if listener.proxy_protocol || listener.tls.load().is_some() {
        tokio::spawn(prelude(stream, peer, listener.clone(), shutdown));
        return;
    }
    let Some(open) = Open::new(listener, peer) else { return };
    let connection = Connection { peer, listener: listener.place, verdict: Verdict::Plain, mutual: None };
    tokio::spawn(serve(EdgeStream::new(stream, peer, None), connection, shutdown, open));
}

/// PROXY header and TLS handshake, under one deadline; then the connection itself, in a task of its own so that this
/// one's memory is given back.
async fn prelude(mut stream: TcpStream, mut peer: SocketAddr, listener: Arc<Listener>, shutdown: ShutdownWatch) {
    let Some(limit) = with(|core| core.plan_ref().timeouts.handshake) else { return };
    let _entering = Entering::new();
    let deadline = tokio::time::Instant::now() + limit;
    if listener.proxy_protocol {
        match tokio::time::timeout_at(deadline, proxy_protocol::read_header(&mut stream)).await {
            Ok(Ok(source)) => peer = source.unwrap_or(peer),
            Ok(Err(error)) => return refused(&listener, &error),
            Err(error) => return refused(&listener, &error),
        }
    }
    let Some(open) = Open::new(&listener, peer) else { return };
    let Some(store) = listener.tls.load_full() else {
        let connection = Connection { peer, listener: listener.place, verdict: Verdict::Plain, mutual: None };
        tokio::spawn(serve(EdgeStream::new(stream, peer, None), connection, shutdown, open));
        return;
    };
    let handshaken = match tokio::time::timeout_at(deadline, store.accept(stream)).await {
        Ok(Ok(handshaken)) => handshaken,
        Ok(Err(error)) => return refused(&listener, &error),
        Err(error) => return refused(&listener, &error),
    };
    let domain = handshaken.domain;
    let mutual = domain.name().filter(|_| domain.is_mutual()).map(domain_id);
    let verdict = if mutual.is_some() { Verdict::MutualTls } else { Verdict::Tls };
    let connection = Connection { peer, listener: listener.place, verdict, mutual };
    let stream = EdgeStream::new(handshaken.stream, peer, Some(domain));
    if stream.is_http2() {
        tokio::spawn(serve_http2(stream, connection, shutdown, open));
    } else {
        tokio::spawn(serve(stream, connection, shutdown, open));
    }
}

fn refused(listener: &Listener, error: &dyn std::error::Error) {
    tracing::debug!(%error, address = %listener.address, "a connection was refused");
    with(|core| core.metrics().refused(listener.id));
}

/// The process does not end while a connection is about to become one.
struct Entering;

impl Entering {
    fn new() -> Self {
        with(|core| core.gateway.opened());
        Self
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        with(|core| core.gateway.closed());
    }
}

/// Counts a connection while it is open.
struct Open {
    id: ListenerId,
    _per_address: OpenConnection,
}

impl Open {
    fn new(listener: &Listener, peer: SocketAddr) -> Option<Self> {
        let counted = listener.per_address.try_open(peer.ip());
        with(|core| match &counted {
            Some(_) => {
                core.metrics().accepted(listener.id);
                core.gateway.opened();
            }
            None => core.metrics().refused(listener.id),
        });
        Some(Self { id: listener.id, _per_address: counted? })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        with(|core| {
            core.metrics().closed(self.id);
            core.gateway.closed();
        });
    }
}

async fn serve_http2<S: Transport>(
    mut stream: EdgeStream<S>,
    connection: Connection,
    shutdown: ShutdownWatch,
    _open: Open,
) {
    let conduct = stream.begin_http2();
    Box::pin(http2::serve(Box::new(stream), connection, shutdown, conduct)).await;
}

/// Serves one HTTP/1.1 connection to its end. An idle connection's memory is mostly this.
#[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice")]
fn serve<S: Transport>(
    mut stream: EdgeStream<S>,
    connection: Connection,
    shutdown: ShutdownWatch,
    open: Open,
) -> impl Future<Output = ()> + Send {
    async move {
        let Some(mut lane) = with(|core| Lane::new(connection, core.plan_ref().timeouts, core.clock.mono())) else {
            return;
        };
        let mut watched = shutdown.clone();
        // Boxed: in place it would take what an idle connection is beyond the allocator's small blocks.
        let mut signal = Box::pin(async move { watched.changed().await.is_ok() });
        // Asked once, it wakes the connection whenever it comes, and costs nothing per request.
        poll_fn(|cx| Poll::Ready(signal.as_mut().poll(cx).is_ready())).await;
        loop {
            heed(&shutdown);
            match poll_fn(|cx| lane.poll(&mut stream, cx)).await {
                // The peer may have gone already; then nobody is left to be told.
                Exit::Closed => return drop(stream.shutdown().await),
                Exit::Answered => break,
                Exit::Wait(exchange, plan, need) => match onward(&lane, &mut stream, exchange, plan, need).await {
                    Arrival::Open => lane.resume(&[]),
                    Arrival::Close => break,
                    Arrival::Broken => return,
                },
                Exit::Session(bytes) => {
                    let closing = lane.is_closing();
                    match Box::pin(session::serve(stream, &bytes, connection, closing)).await {
                        After::Open(back, rest) => {
                            stream = back;
                            lane.resume(&rest.unwrap_or_else(BytesMut::new));
                        }
                        After::Answered(back) => {
                            stream = back;
                            break;
                        }
                        After::Broken => return,
                    }
                }
                Exit::Http2(bytes) => return switch_to_http2(stream, bytes, connection, shutdown, open).await,
            }
        }
        if stream.shutdown().await.is_ok() {
            Box::pin(stream.linger()).await;
        }
    }
}

/// What a request waits for, and its answer. Boxed: an idle connection has no place for it.
fn onward<'s, S: Transport>(
    lane: &Lane,
    stream: &'s mut EdgeStream<S>,
    exchange: Box<Exchange<'static>>,
    plan: Arc<Plan>,
    need: Need,
) -> Pin<Box<dyn Future<Output = Arrival> + Send + 's>> {
    let (is_head, stall) = (exchange.head.is_head(), plan.timeouts.body);
    let trip = Trip { exchange, plan, way: Way::Lane, length: BodyLength::Empty };
    let mut down = LaneDownstream::new(stream, is_head, stall).unwatched_if(lane.has_more());
    Box::pin(async move { drive(trip, need, &mut down).await })
}

/// HTTP/2 by prior knowledge; its first bytes have been read.
fn switch_to_http2<S: Transport>(
    stream: EdgeStream<S>,
    bytes: Vec<u8>,
    connection: Connection,
    shutdown: ShutdownWatch,
    open: Open,
) -> Pin<Box<impl Future<Output = ()> + Send>> {
    let (transport, peer, domain) = stream.into_parts();
    let stream = EdgeStream::new(Rewound::new(bytes, transport), peer, domain);
    Box::pin(serve_http2(stream, connection, shutdown, open))
}

/// What the signal said is known to the lane before it may rest: it looks only whether the process drains.
fn heed(shutdown: &ShutdownWatch) {
    if shutdown.has_changed().unwrap_or(true) {
        with(|core| (!core.gateway.is_draining()).then(|| core.gateway.drain()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_holds_little() {
        // With what the runtime adds, 1 KiB.
        let size = size(serve::<TcpStream>);
        assert!(size <= 704, "{size} B: what is larger is not found in the allocator's lists of small blocks");
    }
}
