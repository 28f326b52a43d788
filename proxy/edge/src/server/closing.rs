//! The end of a listening socket: who is connected already is let in, and nobody else.
//!
//! A listening socket that is closed resets the connections in its queue, though their clients know that they are connected
//! and may have sent a request. So first no new ones begin: what asks for one is dropped as if it were lost on its way, and
//! refused when it is sent again. Connections that are being made get a moment, and the queue is emptied.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

/// For connections that are being made: most take one round trip.
const MOMENT: Duration = Duration::from_millis(100);

/// `SYN` and `ACK` in byte 13 of TCP's header (RFC 9293 §3.1).
const FLAGS: u32 = 13;
const SYN: u32 = 0x02;
const SYN_AND_ACK: u32 = 0x12;

/// A classic BPF program over TCP's header: drops what asks for a connection, and nothing else.
const NO_NEWCOMERS: [SockFilter; 5] = [
    // Load a byte; keep two bits; equal, go on, else skip one; drop; take.
    SockFilter::new(0x30, 0, 0, FLAGS),
    SockFilter::new(0x54, 0, 0, SYN_AND_ACK),
    SockFilter::new(0x15, 0, 1, SYN),
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// Hands everybody who is connected to `welcome`, then closes. Not for a socket that another process goes on with.
pub async fn let_in(socket: TcpListener, mut welcome: impl FnMut(TcpStream, SocketAddr)) {
    if let Err(error) = SockRef::from(&socket).attach_filter(&NO_NEWCOMERS) {
        tracing::debug!(%error, "connections that begin while the socket closes will be reset");
    }
    let deadline = Instant::now() + MOMENT;
    while let Ok(Ok((stream, peer))) = timeout_at(deadline, socket.accept()).await {
        welcome(stream, peer);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    async fn listen() -> (TcpListener, SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn who_waits_is_let_in() {
        let (socket, address) = listen().await;
        let waiting: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut welcomed = Vec::new();
        let_in(socket, |_, peer| welcomed.push(peer)).await;
        let expected: Vec<_> = waiting.iter().map(|stream| stream.local_addr().unwrap()).collect();
        assert_eq!(welcomed, expected);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn nobody_gets_into_a_queue_that_ends() {
        let (socket, address) = listen().await;
        let mut welcomed = 0;
        // Begins once the filter is there, is not answered, and asks again when the socket has gone.
        let late = async {
            tokio::task::yield_now().await;
            TcpStream::connect(address).await
        };
        let (late, ()) = tokio::join!(biased; late, let_in(socket, |_, _| welcomed += 1));
        assert_eq!((late.unwrap_err().kind(), welcomed), (ErrorKind::ConnectionRefused, 0));
    }
}
