//! One worker: a thread with its own socket on every listening address and its own event loop.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ceiling::Ceiling;
use super::closing;
use super::connection;
use super::core::{Core, with};
use super::gateway::Gateway;
use super::listeners::Listener;
use super::socket::{Waiting, socket_name};

/// A worker.
pub struct Worker {
    /// Its name, and its thread's.
    pub name: String,
    /// Its number.
    pub core: usize,
    /// What all workers share.
    pub gateway: Arc<Gateway>,
    /// Its sockets, in the order of the listeners.
    pub sockets: Vec<Waiting>,
}

#[async_trait]
impl Service for Worker {
    async fn start_service(&mut self, _: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        Core::install(&self.gateway);
        let accepts = self.accept(&shutdown);
        self.gateway.worker_ready();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        while !*shutdown.borrow() {
            tokio::select! {
                _ = second.tick() => { with(Core::tick); }
                _ = shutdown.changed() => {}
            }
        }
        self.gateway.drain();
        for accept in accepts {
            // What waited to be accepted is a connection by now.
            let _ = accept.await;
        }
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
        Some(Vec::new())
    }
}

impl Worker {
    /// Starts to accept on every socket.
    fn accept(&mut self, shutdown: &ShutdownWatch) -> Vec<JoinHandle<()>> {
        let listeners = self.gateway.listeners.all.iter().cloned();
        let begins = *self.gateway.life.accepting().borrow();
        let start = |(listener, waiting): (Arc<Listener>, Waiting)| {
            let name = socket_name(listener.address, self.core);
            let mut accept = Accept { listener, name, gateway: self.gateway.clone(), shutdown: shutdown.clone() };
            accept.keep(&waiting);
            if begins {
                // Should that fail, it fails again where it is reported.
                let _ = waiting.listen(super::BACKLOG);
            }
            tokio::spawn(async move {
                if let Err(error) = accept.run(waiting).await {
                    tracing::error!(%error, address = %accept.listener.address, "a worker cannot listen");
                }
            })
        };
        listeners.zip(std::mem::take(&mut self.sockets)).map(start).collect()
    }
}

/// How long nothing is accepted after that has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A failure is reported at once, and then so often, with their number: they come twenty times a second.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Which of many failures of one kind are reported.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    times: u64,
}

impl Complaints {
    /// How many failures there were since the last report, if another one is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.times += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < COMPLAIN_EVERY) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

/// The accept loop of one socket.
struct Accept {
    listener: Arc<Listener>,
    name: String,
    gateway: Arc<Gateway>,
    shutdown: ShutdownWatch,
}

impl Accept {
    /// Notes a copy for the process after this one.
    fn keep(&self, waiting: &Waiting) {
        match waiting.as_fd().try_clone_to_owned() {
            Ok(copy) => self.gateway.life.keep_socket(self.name.clone(), copy),
            Err(error) => tracing::warn!(%error, "an upgrade will not have the socket {}", self.name),
        }
    }

    async fn run(&mut self, waiting: Waiting) -> io::Result<()> {
        let mut accepting = self.gateway.life.accepting();
        if !self.may_accept(&mut accepting).await {
            return Ok(());
        }
        waiting.listen(super::BACKLOG)?;
        let socket = TcpListener::from_std(waiting.into())?;
        let (ceiling, mut complaints) = (Ceiling::of_process(), Complaints::default());
        while self.may_accept(&mut accepting).await {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = accepting.changed() => continue,
                _ = self.shutdown.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let is_last = ceiling.is_reached_by(&stream);
                    self.welcome(stream, peer);
                    if is_last {
                        self.wait_for_room(ceiling, &socket, &mut complaints).await;
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: others have to end first.
                    if let Some(times) = complaints.due(Instant::now()) {
                        tracing::warn!(%error, times, address = %self.listener.address, "no connection could be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // At an upgrade the next process goes on with the socket, and with those who wait at it.
        if !self.gateway.life.is_handed_over(&self.name) {
            closing::let_in(socket, |stream, peer| self.welcome(stream, peer)).await;
        }
        Ok(())
    }

    /// Waits until connections have ended, for the last descriptors are not for them.
    async fn wait_for_room(&self, ceiling: Ceiling, socket: &TcpListener, complaints: &mut Complaints) {
        while !*self.shutdown.borrow() && !ceiling.has_room(socket) {
            if let Some(times) = complaints.due(Instant::now()) {
                let address = self.listener.address;
                tracing::warn!(times, %address, "too few descriptors are left: connections wait until others end");
            }
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    /// Waits while another process may be about to accept; false if this one ends.
    async fn may_accept(&mut self, accepting: &mut watch::Receiver<bool>) -> bool {
        while !*self.shutdown.borrow() {
            if *accepting.borrow_and_update() {
                return true;
            }
            tokio::select! {
                _ = accepting.changed() => {}
                _ = self.shutdown.changed() => {}
            }
        }
        false
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        connection::welcome(stream, peer, &self.listener, &self.shutdown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_failures_are_few_lines() {
        let begun = Instant::now();
        let mut complaints = Complaints::default();
        let told: Vec<_> = (0..1_000).filter_map(|i| complaints.due(begun + i * ACCEPT_PAUSE)).collect();
        assert_eq!(told, [1, 200, 200, 200, 200]);
    }
}
