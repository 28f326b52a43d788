//! The handshake of one connection: the client says a name, the store gives the domain, rustls does the rest.
//!
//! It sets no deadline: the caller's holds for the whole of it, farewells included.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::{StartHandshake, TlsStream};

use super::store::{TlsDomain, TlsStore};

/// Answer to a client that speaks HTTP without TLS.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 34\r\n\
    Connection: close\r\n\r\nplain HTTP was sent to a TLS port\n";
/// Fatal alert 112: no certificate for this name.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];
/// Fatal alert 109: a server name is needed.
const MISSING_EXTENSION: &[u8] = &[21, 3, 3, 0, 2, 2, 109];
/// What a refused client may still have on its way, bytes; unread it would reset the connection under our answer.
const FAREWELL: u64 = 64 * 1024;

/// A connection after its handshake.
#[derive(Debug)]
pub struct Handshaken {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// The domain whose certificate was shown.
    pub domain: Arc<TlsDomain>,
}

/// Why a connection did not come up. The client was told, as far as it can be.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// The client went away, or the socket failed.
    #[error("the client went away: {0}")]
    Gone(io::Error),
    /// HTTP without TLS, answered with 400.
    #[error("plain HTTP on a TLS port")]
    PlainHttp,
    /// No domain has this name, and the listener has no fallback.
    #[error("no certificate for the server name '{0}'")]
    UnknownName(Box<str>),
    /// The client named no server, and the listener has no fallback.
    #[error("the client sent no server name")]
    NoName,
    /// TLS went wrong: no common version or protocol, a client certificate missing or bad, or no TLS at all.
    #[error("TLS: {0}")]
    Tls(io::Error),
}

impl TlsStore {
    /// Brings TLS up on a connection. What only the handshake needs is freed when it returns.
    ///
    /// # Errors
    /// See [`HandshakeError`]; the connection is closed then.
    pub async fn accept(&self, stream: TcpStream) -> Result<Handshaken, HandshakeError> {
        // Boxed, or its kilobytes would stay part of the connection's future for good.
        Box::pin(self.handshake(stream)).await
    }

    async fn handshake(&self, stream: TcpStream) -> Result<Handshaken, HandshakeError> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first.iter().all(u8::is_ascii_alphabetic) => {
                farewell(stream, PLAIN_HTTP).await;
                return Err(HandshakeError::PlainHttp);
            }
            Ok(1) => {}
            Ok(_) => return Err(HandshakeError::Gone(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(HandshakeError::Gone(error)),
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(sort)?;
        let name = hello.client_hello().server_name().map(Box::from);
        match self.find(name.as_deref()).cloned() {
            Some(domain) => finish(hello, domain).await,
            None => Err(refuse(hello, name).await),
        }
    }
}

async fn finish(hello: StartHandshake<TcpStream>, domain: Arc<TlsDomain>) -> Result<Handshaken, HandshakeError> {
    let stream = hello.into_stream(domain.config().clone()).await.map_err(sort)?;
    Ok(Handshaken { stream, domain })
}

async fn refuse(hello: StartHandshake<TcpStream>, name: Option<Box<str>>) -> HandshakeError {
    let alert = if name.is_some() { UNRECOGNIZED_NAME } else { MISSING_EXTENSION };
    farewell(hello.io, alert).await;
    name.map_or(HandshakeError::NoName, HandshakeError::UnknownName)
}

/// Says one last thing and waits until the client has taken it.
async fn farewell(mut stream: TcpStream, last: &[u8]) {
    let said = stream.write_all(last).await.and(stream.shutdown().await);
    if said.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(FAREWELL), &mut tokio::io::sink()).await;
    }
}

/// rustls's own errors come as `InvalidData`.
fn sort(error: io::Error) -> HandshakeError {
    if error.kind() == io::ErrorKind::InvalidData { HandshakeError::Tls(error) } else { HandshakeError::Gone(error) }
}
