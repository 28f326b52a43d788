//! Listening sockets: made anew, or taken over from the process before this one.
//!
//! Each core has a socket of its own on the same address, so the kernel spreads connections and cores share no queue.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A worker's socket before the worker accepts.
#[derive(Debug)]
pub enum Waiting {
    /// Connections may wait in its queue already.
    Listening(TcpListener),
    /// The address is known to be free. Nobody can connect yet: if this process does not come to serve after all,
    /// nobody has waited in vain.
    Bound(Socket),
}

impl Waiting {
    /// Takes an address without listening on it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        bound(address).map(Self::Bound)
    }

    /// A listening socket of the process before this one.
    ///
    /// # Errors
    /// If it is no listening socket on `address`.
    pub fn inherited(socket: TcpListener, address: SocketAddr) -> io::Result<Self> {
        check(&SockRef::from(&socket), address)?;
        Ok(Self::Listening(socket))
    }

    /// Listens, if it does not yet.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen(self, backlog: i32) -> io::Result<TcpListener> {
        match self {
            Self::Listening(socket) => Ok(socket),
            Self::Bound(socket) => {
                socket.listen(backlog)?;
                Ok(socket.into())
            }
        }
    }
}

/// Listens on an address. Several sockets may do so at once, one per core; an IPv6 socket takes IPv6 only.
///
/// # Errors
/// The operating system's.
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    Waiting::bind(address)?.listen(backlog)
}

/// Names a core's socket in the hand-over: `127.0.0.1:8080#0`.
pub fn socket_name(address: SocketAddr, core: usize) -> String {
    format!("{address}#{core}")
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn check(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let bound = socket.local_addr()?.as_socket();
    if bound != Some(address) {
        return Err(io::Error::other(format!("the socket handed over for {address} is bound to {bound:?}")));
    }
    if !socket.is_listener()? {
        return Err(io::Error::other(format!("the socket handed over for {address} does not listen")));
    }
    socket.set_nonblocking(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn several_sockets_share_an_address() {
        let first = bind(loopback(), 16).unwrap();
        let address = first.local_addr().unwrap();
        let second = bind(address, 16).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        assert_eq!(first.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_ipv6_socket_leaves_ipv4_alone() {
        // A machine without IPv6 has nothing to check here.
        let Ok(v6) = bind("[::]:0".parse().unwrap(), 16) else { return };
        let port = v6.local_addr().unwrap().port();
        let v4 = bind(SocketAddr::from(([127, 0, 0, 1], port)), 16).unwrap();
        let _client = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        assert!(v6.accept().is_err());
    }

    #[test]
    fn only_the_promised_socket_is_taken_over() {
        let old = bind(loopback(), 16).unwrap();
        let address = old.local_addr().unwrap();
        let error = Waiting::inherited(old.try_clone().unwrap(), loopback()).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");

        let Waiting::Bound(plain) = Waiting::bind(loopback()).unwrap() else { panic!("it listens") };
        let elsewhere = plain.local_addr().unwrap().as_socket().unwrap();
        assert!(TcpStream::connect(elsewhere).is_err(), "nobody can connect yet");
        let error = Waiting::inherited(plain.into(), elsewhere).unwrap_err();
        assert!(error.to_string().contains("does not listen"), "{error}");

        let new = Waiting::inherited(old, address).unwrap().listen(16).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        new.set_nonblocking(false).unwrap();
        new.accept().unwrap();
    }

    #[test]
    fn names() {
        assert_eq!(socket_name("127.0.0.1:8080".parse().unwrap(), 0), "127.0.0.1:8080#0");
        assert_eq!(socket_name("[::1]:443".parse().unwrap(), 13), "[::1]:443#13");
    }
}
