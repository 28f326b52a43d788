//! The end of the process.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use super::support::{Client, Gateway, Recorder};
use super::{before, send_signal};

/// Who gets a connection gets an answer; who comes later is refused.
#[test]
fn a_stop_breaks_no_connection() {
    let origin = Recorder::echoing();
    for _ in 0..3 {
        let gateway = before(&origin, "threads = 2");
        let answered: usize = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| ask_until_refused(&gateway))).collect();
            for _ in 0..50 {
                assert_eq!(gateway.get("/mock").status, 200);
            }
            send_signal(&gateway, "TERM");
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert!(answered > 50);
    }
}

/// A connection for each request, until there are no more. How many there were.
fn ask_until_refused(gateway: &Gateway) -> usize {
    for count in 0.. {
        match TcpStream::connect_timeout(&gateway.address(), Duration::from_secs(5)) {
            Ok(stream) => assert_eq!(Client::over(stream).get("/mock").text(), "mock"),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return count,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there is an end");
}
