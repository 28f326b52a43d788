//! Both processes together admit what one would.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::node::{MOCK, Node};

fn limited(rate: u32, burst: u32) -> String {
    format!("threads = 2\n{MOCK}throttling_rate_limit = {rate}\nthrottling_burst_limit = {burst}\n")
}

/// Asks until refused; how many were admitted.
fn admitted(node: &Node, most: usize) -> usize {
    let mut client = node.connect();
    (0..most).take_while(|_| client.get("/a").status == 200).count()
}

/// Without a refill every token can be counted: none is spent twice, and those that the old process kept back for its
/// open connections are there again when it has gone.
#[test]
fn a_budget_is_spent_once() {
    let mut node = Node::start(&limited(0, 100));
    assert_eq!(admitted(&node, 30), 30);
    let mut held = node.connect();
    assert_eq!(held.get("/a").status, 200);
    node.upgraded();
    assert_eq!(admitted(&node, 40), 40);
    // The old process admits one more, and then ends.
    let last = held.get("/a");
    assert!(last.closes() && last.status == 200);
    assert!(node.first_ends().success());
    crate::support::eventually("the last words are heard", || node.log().contains("the process before has gone"));
    assert_eq!(admitted(&node, 100), 28);
    node.upgraded();
    assert_eq!(admitted(&node, 100), 0);
}

/// At full offer, over connections that stay and new ones, across two upgrades.
#[test]
fn a_tight_limit_holds_across_upgrades() {
    const RATE: u32 = 400;
    const BURST: u32 = 60;
    let node = Node::start(&limited(RATE, BURST));
    let (ok, began) = (AtomicUsize::new(0), Instant::now());
    let end = began + Duration::from_secs(4);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = node.connect();
                while Instant::now() < end {
                    let response = client.get("/a");
                    ok.fetch_add(usize::from(response.status == 200), Relaxed);
                    assert!(matches!(response.status, 200 | 429));
                    if response.closes() {
                        client = node.connect();
                    }
                }
            });
        }
        crate::support::eventually("the bucket is empty", || ok.load(Relaxed) > BURST as usize * 2);
        node.upgraded();
        node.upgraded();
    });
    let seconds = began.elapsed().as_secs_f64();
    let (admitted, bound) = (ok.into_inner() as f64, f64::from(RATE) * seconds + f64::from(BURST));
    assert!(admitted <= bound + 1.0, "{admitted} of {bound}");
    assert!(admitted >= bound * 0.9, "{admitted} of {bound}: an upgrade costs more than it has to");
}

/// A full bucket refuses nobody while two processes share it.
#[test]
fn a_roomy_limit_refuses_nobody() {
    let mut node = Node::start(&limited(0, 5_000));
    let mut clients: Vec<_> = (0..40).map(|_| node.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/a").status, 200));
    node.upgraded();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/a").status, 200));
    assert!(node.first_ends().success());
    crate::support::eventually("the last words are heard", || node.log().contains("the process before has gone"));
    assert_eq!(admitted(&node, 6_000), 4_920);
}

/// Limits that the new configuration changes: a smaller bucket clips, a larger one does not fill at once.
#[test]
fn a_changed_limit_clips_the_level() {
    let mut node = Node::start(&limited(0, 100));
    assert_eq!(admitted(&node, 50), 50);
    node.configure(&limited(0, 1_000));
    node.upgraded();
    assert!(node.first_ends().success());
    crate::support::eventually("the last words are heard", || node.log().contains("the process before has gone"));
    assert_eq!(admitted(&node, 10), 10);
    node.configure(&limited(0, 20));
    node.upgraded();
    assert_eq!(admitted(&node, 100), 20);
}
