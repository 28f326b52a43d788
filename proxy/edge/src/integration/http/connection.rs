//! One connection to an endpoint, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::buffer::Buffer;
use crate::patience::Alarm;

/// The stream under a connection.
#[derive(Debug)]
pub enum Socket {
    /// Cleartext.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection to one address of an origin.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    /// Where it leads.
    pub address: SocketAddr,
    /// Wakes who waits for an answer; it outlives the call, and the next one finds it set.
    pub(super) alarm: Alarm,
}

impl Connection {
    /// Over an open stream.
    pub fn new(socket: Socket, address: SocketAddr) -> Self {
        Self { socket, address, alarm: Alarm::default() }
    }

    /// TLS: a connection that was cut does not look like one that has ended.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// The protocol that TLS has agreed on, `None` without TLS.
    pub(super) fn alpn(&self) -> Option<&[u8]> {
        match &self.socket {
            Socket::Tcp(_) => None,
            Socket::Tls(s) => Some(s.get_ref().1.alpn_protocol().unwrap_or_default()),
        }
    }

    /// The stream, for another protocol.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Nothing has happened on an idle connection, as far as the worker has been told: no system call unless something
    /// has. Anything that has come, bytes or the end, makes it useless.
    pub fn is_quiet(&self) -> bool {
        let tcp = match &self.socket {
            Socket::Tcp(s) => s,
            Socket::Tls(s) => s.get_ref().0,
        };
        matches!(tcp.try_read(&mut [0; 1]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads into the buffer's room; 0 is the end. Waits without memory when nothing is in the buffer.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        if let (true, Socket::Tcp(s)) = (buffer.is_empty(), &self.socket)
            && s.poll_read_ready(cx)?.is_pending()
        {
            buffer.release();
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(buffer.room());
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut room);
        let count = room.filled().len();
        polled.map_ok(|()| {
            buffer.fill(count);
            count
        })
    }

    /// Writes some of `bytes`.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    /// Sends what TLS holds back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Reads once.
    pub async fn fill(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx, buffer)).await
    }

    /// Writes all of `rest`, of which then nothing is left, unless the endpoint answers first: then `false`. It may have
    /// answered and broken off: that it takes no more is no reason not to read what it said.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, rest: &mut &[u8], answer: &mut Buffer) -> Poll<io::Result<bool>> {
        while !rest.is_empty() {
            match self.poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => *rest = rest.get(n..).unwrap_or_default(),
                Poll::Ready(Err(e)) => {
                    let answered = ready!(self.poll_fill(cx, answer)).is_ok_and(|count| count > 0);
                    return Poll::Ready(if answered { Ok(false) } else { Err(e) });
                }
                Poll::Pending => return self.poll_fill(cx, answer).map_ok(|_| false),
            }
        }
        self.poll_flush(cx).map_ok(|()| true)
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(s) => Pin::new(s).poll_read(cx, room),
            Socket::Tls(s) => Pin::new(s).poll_read(cx, room),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(s) => Pin::new(s).poll_write(cx, bytes),
            Socket::Tls(s) => Pin::new(s).poll_write(cx, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(s) => Pin::new(s).poll_flush(cx),
            Socket::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Socket::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    /// A connection whose other side has said this and reset it.
    async fn reset_after(said: &[u8]) -> Connection {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(said).unwrap();
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        Connection::new(Socket::Tcp(stream), address)
    }

    async fn send(connection: &mut Connection, buffer: &mut Buffer) -> io::Result<bool> {
        let bytes = vec![0; 1 << 20];
        let mut rest = &bytes[..];
        std::future::poll_fn(|cx| connection.poll_send(cx, &mut rest, buffer)).await
    }

    #[tokio::test]
    async fn an_answer_before_a_reset_is_read() {
        let (mut connection, mut buffer) = (reset_after(b"HTTP/1.1 413 No\r\n\r\n").await, Buffer::default());
        assert!(!send(&mut connection, &mut buffer).await.unwrap());
        assert_eq!(buffer.filled(), b"HTTP/1.1 413 No\r\n\r\n");
    }

    #[tokio::test]
    async fn a_reset_without_one_is_an_error() {
        let (mut connection, mut buffer) = (reset_after(b"").await, Buffer::default());
        send(&mut connection, &mut buffer).await.unwrap_err();
        assert!(buffer.is_empty());
    }
}
