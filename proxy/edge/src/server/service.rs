//! One worker: a thread with its own socket on every listening address and its own event loop.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::closing;
use super::connection;
use super::core::{Core, with};
use super::gateway::Gateway;
use super::listeners::Listener;
use super::socket::{adopt, fd_key};

/// A worker.
pub struct Worker {
    /// Its name, and its thread's.
    pub name: String,
    /// Its number.
    pub core: usize,
    /// What all workers share.
    pub gateway: Arc<Gateway>,
    /// Its sockets, in the order of the listeners: bound ones, or none where the process before has them.
    pub sockets: Vec<Option<StdListener>>,
}

#[async_trait]
impl Service for Worker {
    async fn start_service(&mut self, fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        Core::install(&self.gateway);
        let listeners = self.gateway.listeners.all.clone();
        let mut doors = JoinSet::new();
        for (listener, bound) in listeners.into_iter().zip(std::mem::take(&mut self.sockets)) {
            match self.socket(fds.as_ref(), &listener, bound) {
                Ok(socket) => {
                    let accept = Accept { listener, shutdown: shutdown.clone() };
                    doors.spawn(accept.run(socket));
                }
                Err(error) => tracing::error!(%error, address = %listener.address, "a worker cannot listen"),
            }
        }
        self.gateway.worker_ready();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        while !*shutdown.borrow() {
            tokio::select! {
                _ = second.tick() => { with(Core::tick); }
                _ = shutdown.changed() => {}
            }
        }
        self.gateway.drain();
        doors.join_all().await;
        while self.gateway.open_connections() > 0 {
            second.tick().await;
            with(Core::tick);
        }
        with(Core::tick);
        self.gateway.worker_done();
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(self.gateway.listeners.all.iter().map(|l| fd_key(l.address, self.core)).collect())
    }
}

impl Worker {
    /// The socket of the process before, or the one that was bound; either way it is noted for the process after.
    fn socket(
        &self,
        fds: Option<&ListenFds>,
        listener: &Listener,
        bound: Option<StdListener>,
    ) -> io::Result<TcpListener> {
        let key = fd_key(listener.address, self.core);
        let inherited = fds.and_then(|fds| fds.lock().get(&key).copied());
        let socket = match (inherited, bound) {
            (Some(descriptor), _) => adopt(descriptor, listener.address)?,
            (None, Some(bound)) => bound,
            (None, None) => super::socket::bind(listener.address, super::BACKLOG)?,
        };
        if let Some(fds) = fds {
            fds.lock().add(key, socket.as_raw_fd());
        }
        TcpListener::from_std(socket)
    }
}

/// The accept loop of one socket.
struct Accept {
    listener: Arc<Listener>,
    shutdown: ShutdownWatch,
}

impl Accept {
    async fn run(mut self, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = self.shutdown.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer),
                Err(error) => {
                    // Out of descriptors, most likely: others have to end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        // At an upgrade the next process goes on with the socket, and with those who wait at it.
        if with(|core| core.gateway.is_stopping()).unwrap_or_default() {
            closing::let_in(socket, |stream, peer| self.welcome(stream, peer)).await;
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        connection::welcome(stream, peer, &self.listener, &self.shutdown);
    }
}
