//! The demo origin: a small, fast HTTP/1.1 server for first steps, tests and load tests.
//!
//! What it answers is asked for in the query of the request:
//!
//! | parameter | effect |
//! |---|---|
//! | `delay=50ms` | waits before the answer (`us`, `ms`, `s`; at most an hour) |
//! | `size=10240` | a body of that many bytes, always the same ones |
//! | `status=503` | that status, 200 to 599 |
//! | `chunked=1` | `Transfer-Encoding: chunked` instead of `Content-Length` |
//! | `close=1` | closes the connection after the answer |
//! | `header=Name:value` | one more header field; may be repeated |
//! | `fail=reset` | resets the connection instead of an answer |
//! | `fail=garbage` | sends what is not HTTP, and closes |
//! | `fail=truncate` | closes after half of the body |
//!
//! `/sN` is short for a body of N bytes that caches may keep for an hour. `/echo` returns the request as JSON.
//! `/_count` says how many requests were served since the start or the last `/_reset`; both are left out of it.
//! Everything else is 200 with [`BODY_SIZE`] bytes of JSON. It does not judge what it is sent: no limits but
//! those on its own memory, no deadlines, one thread.

mod answer;
mod connection;
mod counter;
mod pattern;
mod request;
#[cfg(test)]
mod tests;
mod wish;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

pub use self::answer::BODY_SIZE;
use self::counter::Counter;

/// A running demo origin on a thread of its own; it stops, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    counter: Arc<Counter>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Where it listens; with the port that was chosen if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests served since the start or the last `/_reset`.
    pub fn count(&self) -> u64 {
        self.counter.count()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported on standard error already.
            let _ = thread.join();
        }
    }
}

/// Binds `address` at once, then serves it on a thread of its own.
///
/// # Errors
/// What the operating system says about the socket, the thread or the event queue.
pub fn serve(address: SocketAddr) -> io::Result<Demo> {
    serve_while(bind(address)?, watch::channel(true).1)
}

/// Serves `listener` on a thread of its own, and takes in new connections while `accepting` is true; at an upgrade they
/// are another process's.
///
/// # Errors
/// What the operating system says about the socket, the thread or the event queue.
pub fn serve_while(listener: TcpListener, accepting: watch::Receiver<bool>) -> io::Result<Demo> {
    let address = listener.local_addr()?;
    let counter = Arc::new(Counter::default());
    let (stop, stopped) = oneshot::channel();
    let (runtime, shared) = (runtime()?, counter.clone());
    let thread = std::thread::Builder::new().name("demo-origin".to_owned()).spawn(move || {
        let served = runtime.block_on(async {
            tokio::select! {
                result = accept(listener, shared, accepting) => result,
                _ = stopped => Ok(()),
            }
        });
        if let Err(error) = served {
            tracing::error!(%error, "the demo origin stopped");
        }
    })?;
    Ok(Demo { address, counter, stop: Some(stop), thread: Some(thread) })
}

/// Serves `listener` on this thread until the process ends.
///
/// # Errors
/// What the operating system says about the event queue or the listening socket.
pub fn run(listener: TcpListener) -> io::Result<()> {
    runtime()?.block_on(accept(listener, Arc::default(), watch::channel(true).1))
}

/// A listening socket with a backlog that a load test fits in.
///
/// # Errors
/// What the operating system says about the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    const BACKLOG: i32 = 8_192;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

/// How long no connection is accepted after that has failed.
const BREATH: Duration = Duration::from_millis(10);

async fn accept(listener: TcpListener, counter: Arc<Counter>, mut accepting: watch::Receiver<bool>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // Where nobody is left to change it, it stays as it is.
        if accepting.wait_for(|accepting| *accepting).await.is_err() && !*accepting.borrow() {
            return Ok(());
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Ok(()) = accepting.changed() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                stream.set_nodelay(true).ok();
                tokio::spawn(connection::serve(stream, counter.clone()));
            }
            // Out of descriptors, or the client has left already: let the others go on.
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}
