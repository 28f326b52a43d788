//! What a connection runs over: a socket, with TLS or without.

use std::os::fd::AsRawFd;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::server::TlsStream;

use super::super::at_once::AtOnce;

/// What an [`EdgeStream`] runs over.
pub trait Transport: AsyncRead + AsyncWrite + AtOnce + AsRawFd + Unpin + Send + Sync + 'static {
    /// The TLS session, if there is one.
    fn tls(&self) -> Option<&ServerConnection>;

    /// The socket, if there is one.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Transport for TcpStream {
    fn tls(&self) -> Option<&ServerConnection> {
        None
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl AtOnce for TlsStream<TcpStream> {}

impl Transport for TlsStream<TcpStream> {
    fn tls(&self) -> Option<&ServerConnection> {
        Some(self.get_ref().1)
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}
