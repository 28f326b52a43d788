//! Listening sockets: made anew, or taken over from the process before this one.
//!
//! Each core has a socket of its own on the same address, so the kernel spreads connections and cores share no queue.
//! The one place that turns a descriptor's number into an owned socket is here, and it takes each number only once.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Sockets that one hand-over can carry.
pub const MAX_SOCKETS: usize = 32;
/// Bytes of all keys together, with a blank between two, that one hand-over can carry.
pub const MAX_KEY_BYTES: usize = 2048;

/// Numbers that were taken over; a second owner would close a stranger's descriptor. At most [`MAX_SOCKETS`].
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// More sockets than an upgrade can hand to the next process.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TooManySockets {
    /// Addresses times workers.
    #[error("{0} listening sockets (addresses × threads): an upgrade hands over at most {MAX_SOCKETS}")]
    Count(usize),
    /// The names of them all.
    #[error("the names of the listening sockets take {0} bytes: an upgrade hands over less than {MAX_KEY_BYTES}")]
    Names(usize),
}

/// Listens on an address. Several sockets may do so at once, one per core; an IPv6 socket takes IPv6 only.
///
/// # Errors
/// The operating system's.
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Takes over a listening socket that the process before this one handed to us, and owns it from now on.
///
/// # Errors
/// If the descriptor was taken before, or is no listening socket on `address`. It is left open then: it is not ours.
pub fn adopt(descriptor: RawFd, address: SocketAddr) -> io::Result<TcpListener> {
    if descriptor < 0 || !TAKEN.lock().insert(descriptor) {
        return Err(io::Error::other(format!("descriptor {descriptor} was taken over before")));
    }
    // SAFETY: the number came over the upgrade socket, so nothing in this process owns it but the table that names it,
    // which never closes what a service has claimed; `TAKEN` keeps it from a second owner. It is not closed until the
    // check below has shown that it is the socket we were promised.
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    match check(&socket, address) {
        Ok(()) => Ok(socket.into()),
        Err(error) => {
            TAKEN.lock().remove(&socket.into_raw_fd());
            Err(error)
        }
    }
}

/// Names a core's socket in the hand-over: `127.0.0.1:8080#0`.
pub fn fd_key(address: SocketAddr, core: usize) -> String {
    format!("{address}#{core}")
}

/// Whether one hand-over can carry sockets of these names.
///
/// # Errors
/// If there are too many of them.
pub fn check_keys<K: AsRef<str>>(keys: &[K]) -> Result<(), TooManySockets> {
    if keys.len() > MAX_SOCKETS {
        return Err(TooManySockets::Count(keys.len()));
    }
    let bytes = keys.iter().map(|key| key.as_ref().len() + 1).sum::<usize>();
    if bytes >= MAX_KEY_BYTES { Err(TooManySockets::Names(bytes)) } else { Ok(()) }
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

    /// One test for all, since a number that was taken stays taken for the process.
    #[test]
    fn a_socket_is_taken_over_once_and_only_the_promised_one() {
        let old = bind(loopback(), 16).unwrap();
        let address = old.local_addr().unwrap();
        let descriptor = old.into_raw_fd();
        let error = adopt(descriptor, loopback()).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");

        let plain = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        plain.bind(&loopback().into()).unwrap();
        let elsewhere = plain.local_addr().unwrap().as_socket().unwrap();
        let error = adopt(plain.into_raw_fd(), elsewhere).unwrap_err();
        assert!(error.to_string().contains("does not listen"), "{error}");
        assert!(adopt(-1, address).is_err());
        assert!(adopt(1_000_000, address).is_err());

        let new = adopt(descriptor, address).unwrap();
        assert!(adopt(descriptor, address).unwrap_err().to_string().contains("before"));
        let _client = TcpStream::connect(address).unwrap();
        new.set_nonblocking(false).unwrap();
        new.accept().unwrap();
    }

    #[test]
    fn names_and_their_bounds() {
        assert_eq!(fd_key("127.0.0.1:8080".parse().unwrap(), 0), "127.0.0.1:8080#0");
        assert_eq!(fd_key("[::1]:443".parse().unwrap(), 13), "[::1]:443#13");
        let key = fd_key("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(), 31);
        assert_eq!(check_keys(&vec![&key; MAX_SOCKETS]), Ok(()));
        assert_eq!(check_keys(&vec!["a"; 33]), Err(TooManySockets::Count(33)));
        assert_eq!(check_keys(&["a".repeat(1023), "b".repeat(1023)]), Err(TooManySockets::Names(2048)));
        assert_eq!(check_keys(&["a".repeat(1023), "b".repeat(1022)]), Ok(()));
    }
}
