//! The end of a connection after its last answer.
//!
//! A socket that is closed with bytes unread is reset, and a reset overtakes what the client has not read yet. So the
//! gateway ends its own direction, and reads what still comes away until the client ends the other.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

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
