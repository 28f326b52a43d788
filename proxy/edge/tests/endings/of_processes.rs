//! The end of the process.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::{Client, Gateway, Recorder, eventually};
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

/// A request that was on its way to an idle connection is still answered; who asks for nothing is closed after two seconds.
#[test]
fn an_idle_connection_has_two_seconds() {
    let origin = Recorder::echoing();
    let mut gateway = before(&origin, "");
    let (mut late, mut silent, mut passed) = (gateway.connect(), gateway.connect(), gateway.connect());
    assert_eq!((late.get("/mock").text(), silent.get("/mock").text()), ("mock", "mock"));
    for _ in 0..2 {
        assert_eq!(passed.get("/plain/x").status, 200);
    }
    let told = Instant::now();
    send_signal(&gateway, "TERM");
    eventually("nobody listens", || TcpStream::connect(gateway.address()).is_err());
    let last = late.get("/mock");
    assert_eq!((last.text(), last.closes()), ("mock", true));
    assert!(silent.is_closed() && passed.is_closed());
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&told.elapsed()), "{:?}", told.elapsed());
    eventually("the gateway ends", || !gateway.is_alive());
}
