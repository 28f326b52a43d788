//! Addresses that swallow connections: neither accepted nor refused, as behind a firewall that drops.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::support::{Answer, Recorder};
use super::{TIMED_OUT, gateway, is};

/// A listener whose queue is full, so that the system drops what still wants to connect.
struct BlackHole {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let listener: TcpListener = socket.into();
        let address = listener.local_addr().unwrap();
        let brief = Duration::from_millis(50);
        let queued =
            std::iter::from_fn(|| TcpStream::connect_timeout(&address, brief).ok()).take(8).collect::<Vec<_>>();
        assert!(queued.len() < 8, "the system takes more connections than it was told");
        Self { listener, _queued: queued }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

const LIMIT: Duration = Duration::from_millis(300);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn a_connection_that_does_not_come_about_is_a_timeout() {
    let hole = BlackHole::new();
    let gateway = gateway(hole.address(), "connect_timeout = \"300ms\"\nretries = 0");
    let mut client = gateway.connect();
    for (method, body) in [("GET", ""), ("POST", "x")] {
        for target in ["/x", "/cached/x"].iter().take(if body.is_empty() { 2 } else { 1 }) {
            let begun = Instant::now();
            let lines = format!("Content-Length: {}\r\n", body.len());
            is(&client.request(method, target, &lines).send(body).read(), 504, TIMED_OUT);
            let took = begun.elapsed();
            assert!((LIMIT..LIMIT + SLACK).contains(&took), "{method} {target}: {took:?}");
        }
    }
}

/// Each try has its own limit, and the call's stands above them.
#[test]
fn tries_end_with_the_call() {
    let hole = BlackHole::new();
    for (more, least) in [
        ("connect_timeout = \"300ms\"\nretries = 2", LIMIT * 3),
        ("connect_timeout = \"300ms\"\nretries = 3\ntimeout = \"500ms\"", Duration::from_millis(500)),
    ] {
        let gateway = gateway(hole.address(), more);
        let begun = Instant::now();
        is(&gateway.get("/x"), 504, TIMED_OUT);
        assert!((least..least + SLACK).contains(&begun.elapsed()), "{more}: {:?}", begun.elapsed());
    }
}

/// Of two addresses one swallows. Reads go to the other one after the limit, and once it has failed three times at once;
/// what must not be repeated fails until then.
#[test]
fn the_other_address_answers() {
    let (hole, origin) = (BlackHole::new(), Recorder::start(|_| Answer::ok("x").close()));
    let addresses = format!(
        "connect_timeout = \"300ms\"\nretries = 1\naddresses = [\"{}\", \"{}\"]",
        hole.address(),
        origin.address()
    );
    let gateway = gateway("origin.test", &addresses);
    let slow = (0..12).filter(|i| {
        let begun = Instant::now();
        assert_eq!(gateway.get(&format!("/{i}")).status, 200);
        begun.elapsed() >= LIMIT
    });
    assert_eq!(slow.count(), 3, "then it is avoided");
    assert_eq!(origin.count(), 12);
}

/// However many ask at once, and take turns between each other's tries.
#[test]
fn the_second_try_never_goes_to_the_same_address() {
    let (hole, origin) = (BlackHole::new(), Recorder::start(|_| Answer::ok("x").close()));
    let addresses = format!(
        "connect_timeout = \"300ms\"\nretries = 1\naddresses = [\"{}\", \"{}\"]",
        hole.address(),
        origin.address()
    );
    let gateway = gateway("origin.test", &addresses);
    std::thread::scope(|scope| {
        for i in 0..15 {
            let gateway = &gateway;
            scope.spawn(move || assert_eq!(gateway.get(&format!("/{i}")).status, 200));
        }
    });
    assert_eq!(origin.count(), 15);
}
