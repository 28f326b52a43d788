//! Whether somebody listens on an address already.
//!
//! The gateway's own sockets share their addresses (`SO_REUSEPORT`), so the kernel would let any process of the same user
//! listen beside them, and both would get a part of the connections. Sharing is for workers, and for an upgrade.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// Fails if a process of whichever user listens on `address`, or on all addresses of its port. Connections that have ended
/// (`TIME_WAIT`) and sockets that are bound and do not listen are in nobody's way.
///
/// # Errors
/// The operating system's: `AddrInUse` if somebody listens, others if nobody could.
pub(crate) fn check_free(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Shares its address, as a worker's does.
    fn bound() -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket
    }

    fn listening() -> (TcpListener, SocketAddr) {
        let socket = bound();
        socket.listen(16).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn who_listens_is_noticed_although_the_address_is_shared() {
        let (listener, address) = listening();
        let all = SocketAddr::from(([0, 0, 0, 0], address.port()));
        for taken in [address, all] {
            assert_eq!(check_free(taken).unwrap_err().kind(), io::ErrorKind::AddrInUse, "{taken}");
        }
        drop(listener);
        check_free(address).unwrap();
    }

    #[test]
    fn who_does_not_listen_is_in_nobodys_way() {
        let waiting = TcpListener::from(bound());
        check_free(waiting.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn ended_connections_are_in_nobodys_way() {
        let (listener, address) = listening();
        let mut client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        // Who closes first is in TIME_WAIT then.
        drop((accepted, listener));
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        drop(client);
        check_free(address).unwrap();
    }
}
