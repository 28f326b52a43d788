//! The end of a connection: seen from here, after its last answer, and seen from there, before its client has one.
//!
//! A socket that is closed with bytes unread is reset, and a reset overtakes what the client has not read yet. So the
//! gateway ends its own direction, and reads what still comes away until the client ends the other.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::core::with;

/// Without a byte from the client.
const QUIET: Duration = Duration::from_secs(1);
/// In all.
const TOTAL: Duration = Duration::from_secs(10);
/// Bytes that are read away.
const BYTES: usize = 16 * 1024 * 1024;

/// Reads until the client ends the connection, within bounds. Its own direction has been ended.
pub async fn linger(tcp: &TcpStream) {
    // Whatever happens now, nobody waits for it.
    let _ = timeout(TOTAL, read_away(tcp)).await;
}

async fn read_away(tcp: &TcpStream) {
    let mut rest = BYTES;
    while let Ok(Ok(())) = timeout(QUIET, tcp.readable()).await {
        match with(|core| tcp.try_read(&mut core.scratch)) {
            Some(Ok(count)) if count > 0 && count < rest => rest -= count,
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

/// How often a client is looked at that has sent something behind its request.
const LOOK: Duration = Duration::from_millis(500);
/// The longest `close_notify` of TLS, bytes: a record's head, nonce, alert and tag. No request is as short.
const CLOSE_NOTIFY: u64 = 40;

/// What shows whether a client has left.
#[derive(Debug)]
pub struct Sight<'s> {
    /// Its connection.
    pub tcp: &'s TcpStream,
    /// TLS runs over it.
    pub tls: bool,
    /// Bytes of the request's own body that nobody has read yet, as far as that is known; 0 under TLS.
    pub own: u64,
}

impl Sight<'_> {
    /// Waits until the client has ended the connection, or its direction of it, and nothing else has come: who has asked for
    /// more still wants it. Reads nothing; no system call unless something happens.
    pub async fn left(&self) {
        // The socket's own place for a reader costs less than one in the list of those who wait for it.
        while poll_fn(|cx| self.tcp.poll_read_ready(cx)).await.is_ok() {
            if Box::pin(self.looks_left()).await {
                return;
            }
        }
    }

    /// Something has happened: whether it is the end. If it is not, it is looked at again after a while.
    async fn looks_left(&self) -> bool {
        let Ok(ready) = self.tcp.ready(Interest::READABLE).await else { return true };
        if !ready.is_read_closed() {
            sleep(LOOK).await;
            return false;
        }
        if self.unread() {
            std::future::pending::<()>().await;
        }
        true
    }

    /// More than a farewell, or the rest of the request, has come and was not read.
    fn unread(&self) -> bool {
        let expected = if self.tls { CLOSE_NOTIFY } else { self.own };
        rustix::io::ioctl_fionread(self.tcp).is_ok_and(|count| count > expected)
    }
}

/// Something that a client may be seen to leave.
pub trait Seen {
    /// Where that shows, if it does.
    fn sight(&self) -> Option<Sight<'_>>;
}

/// Waits until the client has left, as far as that shows.
pub async fn left(seen: &(impl Seen + Sync)) {
    match seen.sight() {
        Some(sight) => sight.left().await,
        None => std::future::pending().await,
    }
}
