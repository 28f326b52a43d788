//! What the service manager and the log are told of a process's life.

use crate::node::{MOCK, Node};
use crate::support::eventually;

/// Each reload is told with the time at which it begins, and its end with what came of it; the stop before it begins.
#[test]
fn reloads_and_the_stop_are_announced() {
    let mut node = Node::start(MOCK);
    Node::signal(node.first(), "HUP");
    is_reload(&node, "STATUS=serving version 2 of the configuration");
    node.configure("nonsense");
    is_reload(&node, "STATUS=the last reload changed nothing: the configuration has errors");
    Node::signal(node.first(), "TERM");
    assert_eq!(node.told(), "STOPPING=1\n");
    assert!(node.first_ends().success());
}

fn is_reload(node: &Node, outcome: &str) {
    let begins = node.told();
    let mut lines = begins.lines();
    assert_eq!(lines.next(), Some("RELOADING=1"));
    let time = lines.next().and_then(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(time.parse::<u64>().unwrap() > 0);
    let ends = node.told();
    assert!(ends.starts_with("READY=1\n") && ends.contains(outcome), "{ends}");
    assert_eq!(ends.lines().count(), 2, "nothing of a finding becomes a line of its own: {ends}");
}

/// A process that another one has replaced does not say that the service stops.
#[test]
fn an_upgrade_is_no_stop() {
    let mut node = Node::start(MOCK);
    let second = node.upgraded();
    assert!(node.first_ends().success());
    Node::signal(second, "HUP");
    assert!(node.told().starts_with("RELOADING=1\n"));
}

#[test]
fn the_log_says_who_serves_where() {
    let node = Node::start(&format!("[admin]\naddress = \"unix:admin.sock\"\n{MOCK}"));
    let find = || node.log().lines().find(|line| line.contains("ready")).map(str::to_owned);
    eventually("the line is written", || find().is_some());
    let ready = find().unwrap();
    for part in [format!("pid={}", node.first()), format!("addresses=\"{}\"", node.address()), "admin.sock".into()] {
        assert!(ready.contains(&part), "{part}: {ready}");
    }
}
