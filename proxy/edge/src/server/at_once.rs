//! What a socket does without being waited for: a read of what is known to be there, a write of what it has room for.
//!
//! tokio's polls count every call against the task's budget and prepare to wait. A task that has just been woken need do
//! neither for its first read, nor for the short answer to it: whoever does more goes on with polls, which see to it that
//! others have their turn.

use std::io;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The most that is written at once, bytes: an answer beside others, no transfer.
const SHORT: usize = 16 * 1024;

/// Reads and writes that are tried and not waited for. By default nothing is tried.
pub trait AtOnce {
    /// Reads what is known to be there: how many bytes, never 0. `None` where only a poll can tell more.
    fn read_at_once(&self, _into: &mut [u8]) -> Option<usize> {
        None
    }

    /// Writes a short piece: how many bytes were taken, never 0. `None` where only a poll can tell more.
    fn write_at_once(&self, _bytes: &[u8]) -> Option<usize> {
        None
    }
}

impl AtOnce for TcpStream {
    #[inline]
    fn read_at_once(&self, into: &mut [u8]) -> Option<usize> {
        let room = into.len();
        let mut count = 0;
        // A read that has room to spare has emptied the socket, and tokio waits for the next event once it is told so.
        let _ = self.try_io(Interest::READABLE, || {
            count = recv(self, &mut *into, RecvFlags::empty())?.0;
            if 0 < count && count < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        // An end or an error shows again when it is polled for.
        (count > 0).then_some(count)
    }

    #[inline]
    fn write_at_once(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() > SHORT {
            return None;
        }
        let written = self.try_io(Interest::WRITABLE, || Ok(send(self, bytes, SendFlags::NOSIGNAL)?));
        written.ok().filter(|count| *count > 0)
    }
}
