//! Listening sockets: made anew, or taken over from the process before this one.
//!
//! Each core has a socket of its own on the same address, so the kernel spreads connections and cores share no queue.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

/// A worker's socket before the worker accepts. The address is known to be free; but if the socket is a new one, nobody
/// can connect until it listens: should this process not come to serve after all, nobody has waited in vain.
#[derive(Debug)]
pub struct Waiting(Socket);

impl Waiting {
    /// Takes an address. Several sockets may do so at once, one per core; an IPv6 socket takes IPv6 only.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Self(socket))
    }

    /// A listening socket of the process before this one.
    ///
    /// # Errors
    /// If it is no listening socket on `address`.
    pub fn inherited(socket: TcpListener, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::from(socket);
        check(&socket, address)?;
        Ok(Self(socket))
    }

    /// Listens; one that does already goes on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        self.0.listen(backlog)
    }
}

impl AsFd for Waiting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Waiting> for TcpListener {
    fn from(waiting: Waiting) -> Self {
        waiting.0.into()
    }
}

/// Names a core's socket in the hand-over: `127.0.0.1:8080#0`.
pub fn socket_name(address: SocketAddr, core: usize) -> String {
    format!("{address}#{core}")
}

/// The address in a name that [`socket_name`] has made.
pub fn socket_address(name: &str) -> Option<SocketAddr> {
    name.split_once('#')?.0.parse().ok()
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

    fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
        let waiting = Waiting::bind(address)?;
        waiting.listen(backlog)?;
        Ok(waiting.into())
    }

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

        let plain = TcpListener::from(Waiting::bind(loopback()).unwrap());
        let elsewhere = plain.local_addr().unwrap();
        assert!(TcpStream::connect(elsewhere).is_err(), "nobody can connect yet");
        let error = Waiting::inherited(plain, elsewhere).unwrap_err();
        assert!(error.to_string().contains("does not listen"), "{error}");

        let new = Waiting::inherited(old, address).unwrap();
        new.listen(16).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let new = TcpListener::from(new);
        new.set_nonblocking(false).unwrap();
        new.accept().unwrap();
    }

    #[test]
    fn names() {
        assert_eq!(socket_name("127.0.0.1:8080".parse().unwrap(), 0), "127.0.0.1:8080#0");
        assert_eq!(socket_name("[::1]:443".parse().unwrap(), 13), "[::1]:443#13");
        assert_eq!(socket_address("[::1]:443#13"), "[::1]:443".parse().ok());
        assert_eq!(socket_address("demo 127.0.0.1:9000"), None);
    }
}
