//! From start to end: what the process is doing, and who is told when that changes.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::net::listen;
use tokio::sync::{Notify, watch};

use crate::observe::admin::AdminServer;
use crate::unix_socket::SocketFile;

/// How long the end waits for the last words to other processes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The life of the process.
#[derive(Debug)]
pub struct Life {
    /// Since when, in nanoseconds of the process's monotonic time; 0 while it does not.
    draining: AtomicU64,
    open: AtomicUsize,
    workers: usize,
    ready: AtomicUsize,
    accepting: watch::Sender<bool>,
    left: Notify,
    /// Names of the sockets with which another process goes on; none while this one serves, or simply stops.
    handed: Mutex<BTreeSet<String>>,
    /// Copies of the listening sockets, for the next process; by name, one per worker and listener.
    sockets: Mutex<Vec<(String, OwnedFd)>>,
    /// The admin listener and the upgrade socket's file, while they are this process's.
    belongings: Mutex<(Option<AdminServer>, Option<SocketFile>)>,
    talks: Mutex<Talks>,
    changed: Condvar,
}

/// Talks with other processes over the upgrade socket.
#[derive(Debug, Default)]
struct Talks {
    under_way: usize,
    ending: bool,
}

impl Life {
    /// A process with so many workers, which accept at once or wait until [`Self::accept`].
    pub fn new(workers: usize, accepting: bool) -> Self {
        Self {
            draining: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            workers,
            ready: AtomicUsize::new(0),
            accepting: watch::Sender::new(accepting),
            left: Notify::new(),
            handed: Mutex::default(),
            sockets: Mutex::default(),
            belongings: Mutex::default(),
            talks: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The process is ending: connections close when they have answered.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.draining_since() != 0
    }

    /// Since when it is ending, in nanoseconds of the process's monotonic time; 0 if it is not.
    #[inline]
    pub fn draining_since(&self) -> u64 {
        self.draining.load(Relaxed)
    }

    /// From now on connections close when they have answered.
    pub fn drain(&self, now: u64) {
        // The first one counts.
        let _ = self.draining.compare_exchange(0, now, Relaxed, Relaxed);
        // What still listened through these copies would have connections wait for nobody.
        self.sockets.lock().clear();
    }

    /// Another process goes on with the socket of this name.
    pub fn is_handed_over(&self, name: &str) -> bool {
        self.handed.lock().contains(name)
    }

    /// A connection was accepted.
    pub fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Connections of all workers.
    pub fn open_connections(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Whether connections are accepted, now and whenever that changes.
    pub fn accepting(&self) -> watch::Receiver<bool> {
        self.accepting.subscribe()
    }

    /// Connections are accepted, or wait in the system's queue. All sockets listen when this returns, those too that no
    /// process had before: who is told next that this one serves may come at once.
    pub fn accept(&self, accept: bool) {
        if accept {
            // Should that fail, it fails again where its worker reports it.
            self.with_sockets(|sockets| {
                for (_, socket) in sockets {
                    let _ = listen(socket, super::BACKLOG);
                }
            });
        }
        self.accepting.send_replace(accept);
    }

    /// A worker has its sockets; true for the last one.
    pub fn worker_ready(&self) -> bool {
        self.ready.fetch_add(1, Relaxed) + 1 == self.workers
    }

    /// A worker has ended; true for the last one.
    pub fn worker_done(&self) -> bool {
        self.ready.fetch_sub(1, Relaxed) == 1
    }

    /// Every worker accepts and none is ending.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed) >= self.workers && *self.accepting.borrow() && !self.is_draining()
    }

    /// Notes a copy of a listening socket for the next process.
    pub fn keep_socket(&self, name: String, socket: OwnedFd) {
        self.sockets.lock().push((name, socket));
    }

    /// Looks at the listening sockets.
    pub fn with_sockets<R>(&self, look: impl FnOnce(&[(String, OwnedFd)]) -> R) -> R {
        look(&self.sockets.lock())
    }

    /// The admin listener ends when another process has taken over.
    pub fn keep_admin(&self, admin: AdminServer) {
        self.belongings.lock().0 = Some(admin);
    }

    /// The upgrade socket's file goes with the process.
    pub(super) fn keep_upgrade_socket(&self, file: SocketFile) {
        self.belongings.lock().1 = Some(file);
    }

    /// Another process serves, with the sockets of these names: this one drains, and everything that only one may have
    /// is given up.
    pub fn leave(&self, sockets: Vec<String>, now: u64) {
        self.handed.lock().extend(sockets);
        self.drain(now);
        self.left.notify_one();
        let (_admin, upgrade_socket) = std::mem::take(&mut *self.belongings.lock());
        if let Some(file) = upgrade_socket {
            file.leave();
        }
    }

    /// Waits until another process serves.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// Another process is talked to, unless so many are already.
    pub fn begin_talk(&self, most: usize) -> bool {
        let mut talks = self.talks.lock();
        let room = talks.under_way < most;
        talks.under_way += usize::from(room);
        room
    }

    /// Nothing more is said to it.
    pub fn end_talk(&self) {
        let mut talks = self.talks.lock();
        talks.under_way = talks.under_way.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Waits for so long, or until the process ends; true if it does.
    pub fn ends_within(&self, pause: Duration) -> bool {
        let mut talks = self.talks.lock();
        self.changed.wait_while_for(&mut talks, |talks| !talks.ending, pause);
        talks.ending
    }

    /// The process ends: lets the last words be said, and removes what it has put into the file system.
    pub fn end(&self) {
        let mut talks = self.talks.lock();
        talks.ending = true;
        self.changed.notify_all();
        self.changed.wait_while_for(&mut talks, |talks| talks.under_way > 0, LAST_WORDS);
        drop(talks);
        drop(std::mem::take(&mut *self.belongings.lock()));
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::server::socket::Waiting;

    #[test]
    fn sockets_listen_before_anybody_is_told_that_the_process_serves() {
        let life = Life::new(1, false);
        let socket = Waiting::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (copy, bound) = (rustix::io::dup(&socket).unwrap(), std::net::TcpListener::from(socket));
        let address = bound.local_addr().unwrap();
        life.keep_socket("new#0".into(), copy);
        life.accept(false);
        assert!(TcpStream::connect(address).is_err(), "it listens before its process serves");

        life.accept(true);
        assert!(TcpStream::connect(address).is_ok(), "nobody listens yet");
    }
}
