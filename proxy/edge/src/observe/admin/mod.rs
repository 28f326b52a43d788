//! The admin listener: a small HTTP/1.1 server on loopback or a UNIX socket, on a thread of its own.
//!
//! It is for operators and scrapers, not for the public: plain HTTP/1.1, whole requests and answers, strict limits, no
//! chunked bodies. It knows nothing of what it shows; the program registers its handlers. Who may ask is decided in
//! `guard`.

mod connection;
mod guard;
mod head;
mod message;
mod routes;
mod socket;
#[cfg(test)]
mod tests;
mod waiting;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::connection::Service;
use self::guard::Guard;
pub use self::guard::Token;
pub use self::message::{AdminRequest, AdminResponse, percent_encode};
pub use self::routes::{Handler, Routes};
use self::socket::Socket;
use self::waiting::Turn;
use crate::config::AdminEndpoint;

/// Handlers that run at once; more wait.
const HANDLERS: usize = 4;

/// How long a stop waits for answers on their way.
const GRACE: Duration = Duration::from_secs(1);

/// How long to pause when the system has no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the listener behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What callers must show; without one everyone who reaches the listener is served.
    pub token: Option<Token>,
    /// Another process may come and listen on the same TCP address for a while, as in an upgrade.
    pub shared: bool,
    /// This process is that other one. On TCP both must be `shared`; on a UNIX socket the newer replaces the older.
    pub successor: bool,
    /// Sizes and deadlines.
    pub limits: Limits,
}

/// Sizes and deadlines of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; one more takes the place of one that asks for nothing, or is closed.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_size: usize,
    /// Bytes of a request's body.
    pub body_size: usize,
    /// Between two requests.
    pub idle: Duration,
    /// For a whole head, from its first byte.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// For a whole answer to be taken.
    pub write: Duration,
    /// For a refused peer to read why.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_size: 8 * 1024,
            body_size: 1024 * 1024,
            idle: Duration::from_secs(75),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(1),
        }
    }
}

/// The running listener; it stops when this is dropped.
#[derive(Debug)]
pub struct AdminServer {
    address: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AdminServer {
    /// Listens and serves until it is dropped.
    ///
    /// # Errors
    /// The address or path is in use or not allowed, or there is no thread to be had.
    pub fn start(endpoint: &AdminEndpoint, routes: Routes, options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(HANDLERS)
            .thread_name("admin-handler")
            .build()?;
        let socket = bind(&runtime, endpoint, &options)?;
        let address = match &socket {
            Socket::Tcp(listener) => Some(listener.local_addr()?),
            Socket::Unix { .. } => None,
        };
        let guard = Guard { token: options.token, is_network: address.is_some() };
        let service = Arc::new(Service { routes, guard, limits: options.limits, waiting: Arc::default() });
        let (stop, stopped) = oneshot::channel();
        let thread =
            thread::Builder::new().name("admin".into()).spawn(move || run(runtime, &socket, &service, stopped))?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, if that is not a UNIX socket; the port is the real one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn bind(runtime: &Runtime, endpoint: &AdminEndpoint, options: &Options) -> io::Result<Socket> {
    let _entered = runtime.enter();
    match endpoint {
        AdminEndpoint::Tcp(address) => socket::tcp(*address, options.shared, options.successor),
        AdminEndpoint::Unix(path) => socket::unix(path, options.successor),
    }
}

fn run(runtime: Runtime, socket: &Socket, service: &Arc<Service>, mut stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            _ = &mut stopped => {}
            () = accept(socket, service) => {}
        }
    });
    runtime.shutdown_timeout(GRACE);
}

async fn accept(socket: &Socket, service: &Arc<Service>) {
    let places = Arc::new(Semaphore::new(service.limits.connections));
    loop {
        let accepted = match socket {
            Socket::Tcp(listener) => listener.accept().await.map(|(stream, _)| welcome(stream, &places, service)),
            Socket::Unix { listener, .. } => {
                listener.accept().await.map(|(stream, _)| welcome(stream, &places, service))
            }
        };
        if let Err(error) = accepted {
            tracing::debug!(%error, "the admin listener cannot accept");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Serves a connection if there is a place for it, or one that can be made; else closes it.
fn welcome<S>(stream: S, places: &Arc<Semaphore>, service: &Arc<Service>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let place = Arc::clone(places).try_acquire_owned().ok();
    // Each that has to wait for a place has sent one away, so there are never more of them than places.
    if place.is_some() || service.waiting.send_oldest_away() {
        let turn = service.waiting.enter();
        tokio::spawn(serve_in(place, Arc::clone(places), stream, turn, Arc::clone(service)));
    }
}

async fn serve_in<S: AsyncRead + AsyncWrite + Unpin>(
    place: Option<OwnedSemaphorePermit>,
    places: Arc<Semaphore>,
    stream: S,
    turn: Turn,
    service: Arc<Service>,
) {
    let place = match place {
        None => turn.unless_sent_away(places.acquire_owned()).await.and_then(Result::ok),
        place => place,
    };
    if place.is_some() {
        connection::serve(stream, turn, service).await;
    }
    drop(place);
}
