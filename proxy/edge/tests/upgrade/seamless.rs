//! Nobody notices an upgrade.

use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::node::{MOCK, Node, SLUICE};
use crate::support::{Client, eventually};

/// Asks over connections that stay open and over new ones, while `change` runs; every answer must be the right one. How
/// many there were.
fn under_load(node: &Node, change: impl FnOnce()) -> usize {
    let (stop, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (stop, answers) = (&stop, &answers);
            scope.spawn(move || {
                let mut client = node.connect();
                while !stop.load(Relaxed) {
                    let response = client.get("/a");
                    assert_eq!((response.status, response.text()), (200, "a"));
                    answers.fetch_add(1, Relaxed);
                    if response.closes() || number % 2 == 0 {
                        client = node.connect();
                    }
                }
            });
        }
        eventually("there is load", || answers.load(Relaxed) > 100);
        change();
        let before = answers.load(Relaxed);
        eventually("the load goes on", || answers.load(Relaxed) > before + 100);
        stop.store(true, Relaxed);
    });
    answers.into_inner()
}

#[test]
fn upgrades_under_load_lose_no_request() {
    let mut node = Node::start(&format!("threads = 2\n{MOCK}"));
    let first = node.first();
    under_load(&node, || {
        let second = node.upgraded();
        assert_ne!(second, first);
        assert_ne!(node.upgraded(), second);
    });
    assert!(node.first_ends().success());
}

#[test]
fn a_signal_upgrades_as_well() {
    let mut node = Node::start(MOCK);
    under_load(&node, || {
        Node::signal(node.first(), "USR2");
        assert_ne!(node.announced(), node.first());
    });
    assert!(node.first_ends().success());
}

/// The new process is started by hand; some then send SIGQUIT, which is not needed and does no harm, before or after.
#[test]
fn a_process_started_by_hand_takes_over() {
    let mut node = Node::start(MOCK);
    under_load(&node, || {
        Node::signal(node.first(), "QUIT");
        let mut new = node.command(SLUICE.as_ref(), &["run", "--upgrade"]).spawn().unwrap();
        assert_eq!(node.announced(), new.id());
        let _ = Command::new("kill").arg("-QUIT").arg(node.first().to_string()).status();
        assert!(new.try_wait().unwrap().is_none());
    });
    assert!(node.first_ends().success());
}

/// Sockets of workers that are no more, of new ones, and more than go with one message.
#[test]
fn workers_and_listeners_may_change() {
    let elsewhere = crate::support::Port::reserve();
    let second =
        format!("[[listener]]\naddress = \"{}\"\ndefault_api = \"a\"\ndefault_stage = \"prod\"\n", elsewhere.address());
    let node = Node::start(&format!("threads = 70\n{MOCK}"));
    let ask = |address| {
        let response = Client::connect(address).get("/a");
        assert_eq!(response.status, 200);
    };
    node.configure(&format!("threads = 1\n{MOCK}{second}"));
    node.upgraded();
    (0..20).for_each(|_| ask(node.address()));
    (0..20).for_each(|_| ask(elsewhere.address()));
    node.configure(&format!("threads = 3\n{MOCK}"));
    node.upgraded();
    (0..20).for_each(|_| ask(node.address()));
    eventually("the address is given up", || TcpStream::connect(elsewhere.address()).is_err());
}

/// A request that is under way is answered by the process that has it; its connection ends then, and the process too.
#[test]
fn what_is_under_way_is_answered() {
    let demo = crate::support::Port::reserve().address();
    let slow = format!(
        "[demo]\naddress = \"{demo}\"\n{MOCK}[[api]]\nid = \"b\"\n[[api.resource]]\npath = \"/{{x+}}\"\n\
         method.GET.integration = {{ type = \"HTTP_PROXY\", uri = \"http://{demo}/{{x}}\" }}\n[api.stage.prod]\n"
    );
    let mut node = Node::start(&slow);
    let mut client = node.connect();
    client.request("GET", "/_aws/execute-api/b/prod/s10?delay=700ms", "");
    eventually("the request is under way", || demo_count(demo) == 1);
    node.upgraded();
    // The demo origin is the new process's as well: nobody finds its address without a listener.
    (0..20).for_each(|_| assert_eq!(node.connect().get("/_aws/execute-api/b/prod/s10").status, 200));
    let response = client.read();
    assert_eq!((response.status, response.body.len()), (200, 10));
    drop(client);
    assert!(node.first_ends().success());
    assert_eq!(node.connect().get("/_aws/execute-api/b/prod/s10").status, 200);
}

fn demo_count(demo: std::net::SocketAddr) -> u64 {
    Client::connect(demo).get("/_count").text().trim().parse().unwrap()
}

#[test]
fn the_admin_listener_is_the_new_process_s() {
    let admin = crate::support::Port::reserve().address();
    let mut node = Node::start(&format!("[admin]\naddress = \"{admin}\"\n{MOCK}"));
    let mut held = node.connect();
    held.send("GET /a HTTP/1.1\r\n");
    node.upgraded();
    // The old process lives: its connection's request is not whole.
    for _ in 0..10 {
        let mut client = Client::connect(admin);
        assert_eq!(client.send(format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\n\r\n")).read().status, 200);
    }
    held.send("Host: a\r\n\r\n");
    assert!(held.read().closes());
    assert!(node.first_ends().success());
}

/// However long a connection has been idle before: the request that is on its way finds it open.
#[test]
fn an_idle_connection_is_not_closed_at_once() {
    let mut node = Node::start(MOCK);
    let (mut idle, mut busy) = (node.connect(), node.connect());
    assert_eq!(idle.get("/a").status, 200);
    let began = Instant::now();
    eventually("it has been idle for longer than one may be at the end", || {
        assert_eq!(busy.get("/a").status, 200);
        began.elapsed() > Duration::from_millis(2_200)
    });
    node.upgraded();
    let last = idle.get("/a");
    assert_eq!((last.status, last.closes()), (200, true));
    drop(busy);
    assert!(node.first_ends().success());
}
