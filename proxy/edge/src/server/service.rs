//! One worker: a thread with its own socket on every listening address, its own event loop, and all that its
//! connections need.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::core::{Core, with};
use super::drive::{Arrival, Trip, drive};
use super::gateway::Gateway;
use super::lane::{Exit, Lane};
use super::lane_downstream::LaneDownstream;
use crate::observe::metrics::{ListenerId, Way};
use crate::stage::accept::{Connection, Verdict};
use crate::stage::prepare::BodyLength;

/// A worker.
pub struct Worker {
    /// Its name, and its thread's.
    pub name: String,
    /// What all workers share.
    pub gateway: Arc<Gateway>,
    /// Its sockets.
    pub sockets: Vec<Socket>,
}

/// One listening socket of a worker.
pub struct Socket {
    /// The listener's place in the configuration.
    pub place: u16,
    /// For the metrics.
    pub id: ListenerId,
    /// Its address.
    pub address: SocketAddr,
    /// The key under which it is handed to the next process.
    pub key: String,
    /// Bound, until the worker starts.
    pub listener: Option<StdListener>,
}

#[async_trait]
impl Service for Worker {
    async fn start_service(&mut self, _fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        Core::install(&self.gateway);
        for socket in &mut self.sockets {
            let Some(listener) = socket.listener.take() else { continue };
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let accept = Accept { place: socket.place, id: socket.id, shutdown: shutdown.clone() };
                    tokio::spawn(accept.run(listener));
                }
                Err(error) => tracing::error!(%error, address = %socket.address, "the worker cannot listen"),
            }
        }
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = second.tick() => { with(Core::tick); }
                _ = shutdown.changed() => break,
            }
        }
        self.gateway.drain();
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(self.sockets.iter().map(|s| s.key.clone()).collect())
    }
}

/// The accept loop of one socket.
struct Accept {
    place: u16,
    id: ListenerId,
    shutdown: ShutdownWatch,
}

impl Accept {
    async fn run(mut self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.shutdown.changed() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer),
                Err(error) => self.rest(&error).await,
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        // Without it an answer in two packets would wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let connection = Connection { peer, listener: self.place, verdict: Verdict::Plain };
        let open = Open::new(self.id);
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            serve(stream, connection, shutdown).await;
            drop(open);
        });
    }

    /// Out of descriptors, most likely: others have to end first.
    async fn rest(&self, error: &io::Error) {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Counts a connection while it is open.
struct Open(ListenerId);

impl Open {
    fn new(id: ListenerId) -> Self {
        with(|core| core.metrics().accepted(id));
        Self(id)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        with(|core| core.metrics().closed(self.0));
    }
}

/// Serves one connection to its end.
async fn serve<S>(mut stream: S, connection: Connection, mut shutdown: ShutdownWatch)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(mut lane) = with(|core| {
        let timeouts = core.plan_ref().timeouts;
        Lane::new(connection, timeouts, core.clock.mono())
    }) else {
        return;
    };
    loop {
        match next(&mut lane, &mut stream, &mut shutdown).await {
            Exit::Closed => break,
            Exit::Wait(exchange, need) => {
                let Some(plan) = with(Core::plan) else { break };
                let is_head = exchange.head.verb == Some(sluice_api::Verb::Head);
                let stall = plan.timeouts.body;
                let trip = Trip { exchange, plan, way: Way::Lane, length: BodyLength::Empty };
                let mut down = LaneDownstream::new(&mut stream, is_head, stall);
                if Box::pin(drive(trip, need, &mut down)).await == Arrival::Close {
                    break;
                }
                lane.resume(&[]);
            }
            Exit::Session(_) | Exit::Http2(_) => break,
        }
    }
    // A half-closed connection lets the last answer arrive; an error here changes nothing.
    let _ = stream.shutdown().await;
}

/// Runs the lane until it gives the connection up. The shutdown signal is listened to once, and costs nothing per
/// request: it only wakes the connection, and the lane looks whether the process drains when it has nothing to read.
async fn next<S: AsyncRead + AsyncWrite + Unpin>(lane: &mut Lane, stream: &mut S, shutdown: &mut ShutdownWatch) -> Exit {
    let mut signal = pin!(shutdown.changed());
    let mut listening = false;
    poll_fn(|cx| {
        if !listening {
            listening = true;
            if let Poll::Ready(_) = signal.as_mut().poll(cx) {
                with(|core| core.gateway.drain());
            }
        }
        lane.poll(stream, cx)
    })
    .await
}
