//! Strangers at the upgrade socket, on either side: nonsense, half messages, other versions, sudden ends.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Child;
use std::time::Duration;

use sluice::server::upgrade::{Channel, Held, Message, VERSION};

use crate::node::{MOCK, Node, SLUICE};
use crate::support::{Client, PATIENCE, Port, eventually};

const BUDGET: &str = "throttling_rate_limit = 0\nthrottling_burst_limit = 50\n";

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

#[test]
fn nonsense_harms_nobody() {
    let node = Node::start(MOCK);
    let messages = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 64],
        framed(b""),
        framed(b"{"),
        framed(br#"{"take_over":{"version":-1}}"#),
        framed(br#"{"levels":{"buckets":[]}}"#),
        framed(br#"{"serving":{"sockets":[]}}"#),
        framed(br#"{"later":{}}"#),
        framed(&[b'['; 100_000]),
        vec![0, 0],
    ];
    for message in messages {
        let mut stream = node.upgrade_stream();
        stream.write_all(&message).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let said = stream.read(&mut [0; 16]);
        // What it has not read when it closes is a reset.
        let closed = said.as_ref().map_or_else(|e| e.kind() == ErrorKind::ConnectionReset, |n| *n == 0);
        assert!(closed, "{message:?}: {said:?}");
        assert_eq!(node.connect().get("/a").status, 200);
    }
    node.upgraded();
}

/// However far the talk has come, a peer that goes leaves everything as it was.
#[test]
fn a_successor_that_dies_gives_everything_back() {
    let node = Node::start(&format!("{MOCK}{BUDGET}"));
    let mut client = node.connect();
    assert_eq!(client.get("/a").status, 200);
    for steps in 0..3 {
        let mut channel = takes_over(&node);
        if steps > 0 {
            channel.send(&Message::Ready).unwrap();
        }
        if steps > 1 {
            let Message::Levels { buckets, .. } = channel.receive(PATIENCE).unwrap() else { panic!() };
            assert!(buckets[0].level > 0 && buckets[0].id == "a/prod", "{buckets:?}");
        }
        drop(channel);
        assert_eq!(node.connect().get("/a").status, 200);
    }
    drop(takes_over(&node));
    let admitted = (0..100).filter(|_| client.get("/a").status == 200).count();
    assert_eq!(admitted, 46);
}

/// Begins to take over, once nobody else does any more.
fn takes_over(node: &Node) -> Channel {
    let mut taken = None;
    eventually("one may take over", || {
        let mut channel = node.channel();
        channel.send(&Message::TakeOver { version: VERSION + 5 }).unwrap();
        let answer = channel.receive(PATIENCE).unwrap();
        if let Message::Sockets { version, names, more } = &answer {
            assert_eq!((*version, names.len(), *more), (VERSION, 1, false));
            taken = Some(channel);
        }
        taken.is_some()
    });
    taken.unwrap()
}

#[test]
fn one_successor_at_a_time_and_only_of_a_known_version() {
    let node = Node::start(MOCK);
    let mut first = node.channel();
    first.send(&Message::TakeOver { version: VERSION }).unwrap();
    first.receive(PATIENCE).unwrap();
    for version in [VERSION, 0] {
        let mut second = node.channel();
        second.send(&Message::TakeOver { version }).unwrap();
        assert!(matches!(second.receive(PATIENCE).unwrap(), Message::Refused { .. }));
    }
    drop(first);
    eventually("the first one is given up", || node.upgrade().status.success());
}

/// A predecessor made by the test, and the new process that meets it.
struct Impostor {
    node: Node,
    /// Where the new process is to serve; nobody hands it a socket, and the real one goes on listening.
    elsewhere: Port,
    channel: Channel,
    new: Child,
}

impl Impostor {
    fn new() -> Self {
        let node = Node::start(&format!("{MOCK}{BUDGET}"));
        std::fs::remove_file(node.directory().join("up.sock")).unwrap();
        let listener = UnixListener::bind(node.directory().join("up.sock")).unwrap();
        let elsewhere = Port::reserve();
        let text = std::fs::read_to_string(node.file()).unwrap();
        let text = text.replace(&node.address().to_string(), &elsewhere.address().to_string());
        std::fs::write(node.file(), text).unwrap();
        let new = node.command(SLUICE.as_ref(), &["run", "--upgrade"]).spawn().unwrap();
        let mut channel = Channel::new(listener.accept().unwrap().0).unwrap();
        assert_eq!(channel.receive(PATIENCE).unwrap(), Message::TakeOver { version: VERSION });
        Self { node, elsewhere, channel, new }
    }

    fn say(&mut self, message: &Message) {
        self.channel.send(message).unwrap();
    }

    fn hears(&mut self) -> Message {
        self.channel.receive(PATIENCE).unwrap()
    }

    /// The new process ends without having served.
    fn ends(mut self) {
        drop(self.channel);
        let mut status = None;
        eventually("the new process ends", || {
            status = self.new.try_wait().unwrap();
            status.is_some()
        });
        assert!(!status.unwrap().success());
        assert_eq!(self.node.connect().get("/a").status, 200);
    }
}

fn sockets(version: u32, names: &[&str]) -> Message {
    Message::Sockets { version, names: names.iter().map(ToString::to_string).collect(), more: false }
}

#[test]
fn a_strange_predecessor_is_not_followed() {
    for first in [None, Some(sockets(VERSION + 1, &[])), Some(sockets(VERSION, &["a#0"])), Some(Message::Gone)] {
        let mut impostor = Impostor::new();
        if let Some(first) = first {
            impostor.say(&first);
        }
        impostor.ends();
    }
}

#[test]
fn a_predecessor_that_dies_before_the_levels_is_not_followed() {
    for answer in [None, Some(Message::Granted { tokens: vec![] })] {
        let mut impostor = Impostor::new();
        impostor.say(&sockets(VERSION, &[]));
        assert_eq!(impostor.hears(), Message::Ready);
        if let Some(answer) = answer {
            impostor.say(&answer);
        }
        impostor.ends();
    }
}

/// Once it serves it goes on, whatever the old one says or does not say.
#[test]
fn a_successor_survives_its_predecessor() {
    let mut impostor = Impostor::new();
    impostor.say(&sockets(VERSION, &[]));
    assert_eq!(impostor.hears(), Message::Ready);
    let held = |id: &str, tokens: u64| Held { id: id.into(), level: tokens << 27 };
    impostor.say(&Message::Levels {
        buckets: vec![held("unknown", 5), held("a/prod", 9), held("a/prod", 99)],
        tickets: None,
    });
    assert_eq!(impostor.hears(), Message::Serving { sockets: vec![] });
    assert_eq!(impostor.node.announced(), impostor.new.id());
    impostor.say(&Message::Settle { changes: vec![(0, 7), (1, 4), (9, 3), (1, -2), (77, i64::MIN), (0, i64::MIN)] });
    assert_eq!(impostor.hears(), Message::Granted { tokens: vec![(0, 7), (1, 4)] });
    impostor.say(&Message::Settle { changes: vec![(1, i64::MAX)] });
    assert_eq!(impostor.hears(), Message::Granted { tokens: vec![(1, 7)] });
    impostor.say(&Message::Settle { changes: vec![(1, -3)] });
    assert_eq!(impostor.hears(), Message::Granted { tokens: vec![] });
    impostor.say(&Message::Ready);
    assert!(impostor.channel.receive(Duration::from_secs(5)).is_err(), "nothing more is said");
    let mut client = Client::connect(impostor.elsewhere.address());
    let admitted = (0..100).filter(|_| client.get("/a").status == 200).count();
    assert_eq!(admitted, 3);
    impostor.new.kill().unwrap();
    impostor.new.wait().unwrap();
}
