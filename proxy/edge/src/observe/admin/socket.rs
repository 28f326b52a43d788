//! The admin listener's socket: TCP, or a UNIX socket that only its owner may use.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::tcp_socket;
use crate::unix_socket::{self, SocketFile};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

/// A listening socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Held for its `Drop`.
        _file: SocketFile,
    },
}

/// Listens on an address. `shared` lets another process of the same user listen there too, if it also says so; where one
/// does already, only a `successor` may.
pub(super) fn tcp(address: SocketAddr, shared: bool, successor: bool) -> io::Result<Socket> {
    if !successor {
        tcp_socket::check_free(address)?;
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.bind(address)?;
    Ok(Socket::Tcp(socket.listen(BACKLOG)?))
}

/// Listens on a UNIX socket of mode 0600; one that is in use is replaced only by a `successor`.
pub(super) fn unix(path: &Path, successor: bool) -> io::Result<Socket> {
    let (listener, file) = unix_socket::listen(path, successor)?;
    listener.set_nonblocking(true)?;
    Ok(Socket::Unix { listener: UnixListener::from_std(listener)?, _file: file })
}
