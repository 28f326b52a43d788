//! Every way in gives the same: answers, ledgers, log lines, counts, bucket levels, and requests at the origin.
//!
//! A table of cases is played through each way (lane, session, HTTP/1.0, HTTP/2, each in clear text, under TLS and behind
//! PROXY headers, first on a connection, second and pipelined) and compared with what the lane did.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/configuration.rs"]
mod configuration;
#[path = "conformance/link.rs"]
mod link;
#[path = "conformance/origin.rs"]
mod origin;
#[path = "conformance/outcome.rs"]
mod outcome;
#[path = "conformance/scene.rs"]
mod scene;
mod support;
#[path = "conformance/way.rs"]
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

use cases::{CASES, STREAMED};
use configuration::Node;
use outcome::{CLOSES, Outcome};
use scene::Scene;
use way::{Before, LANE, Protocol, Proxy, Way};

/// What came of each case.
type Outcomes = BTreeMap<&'static str, Outcome>;

static BY_LANE: LazyLock<Outcomes> = LazyLock::new(|| outcomes(LANE));

fn outcomes(way: Way) -> Outcomes {
    let scenes: Vec<_> = NODES.into_iter().filter(|node| fits(way, *node)).map(|node| played(way, node)).collect();
    let with_lines = scenes.into_iter().flat_map(|(scene, mut played)| {
        let lines = scene.lines();
        played.values_mut().for_each(|outcome| outcome::add_lines(outcome, way, &lines));
        played
    });
    with_lines.collect()
}

const NODES: [Node; 4] = [Node::Free, Node::Account, Node::InFlight, Node::Redirecting];

/// What comes before each request would use a node's limits up; nobody redirects from TLS.
fn fits(way: Way, node: Node) -> bool {
    match node {
        Node::Free => true,
        Node::Redirecting => way.before == Before::Nothing && !way.tls,
        Node::Account | Node::InFlight => way.before == Before::Nothing,
    }
}

fn played(way: Way, node: Node) -> (Scene, Outcomes) {
    let mut scene = Scene::new(way, node);
    let can_play = |name: &str| name != STREAMED || way.protocol != Protocol::Http10;
    let cases = CASES.iter().filter(|(name, at, _)| *at == node && can_play(name));
    let played = cases.map(|(name, _, case)| (*name, scene.play(name, *case))).collect();
    (scene, played)
}

/// These ways give what the lane gives.
fn agree(ways: &[Way]) {
    let differences = std::thread::scope(|scope| {
        let ways: Vec<_> = ways.iter().map(|way| scope.spawn(|| differences(*way))).collect();
        ways.into_iter().map(|way| way.join().unwrap()).collect::<String>()
    });
    assert!(differences.is_empty(), "{differences}");
}

fn differences(way: Way) -> String {
    let mut differences = String::new();
    for (name, outcome) in outcomes(way) {
        let expected = &BY_LANE[name];
        let parts: BTreeSet<_> = expected.keys().filter(|part| !part.ends_with(CLOSES)).chain(outcome.keys()).collect();
        for part in parts {
            let (lane, here) = (expected.get(part), outcome.get(part));
            if lane != here {
                let (lane, here) = (lane.map_or("-", String::as_str), here.map_or("-", String::as_str));
                writeln!(differences, "{way:?}\n{name}, {part}:\n  lane: {lane}\n  here: {here}").unwrap();
            }
        }
    }
    differences
}

const SESSION: Protocol = Protocol::Session("Connection: x-nothing\r\n");
const EXPECTING: Protocol = Protocol::Session("Expect: 100-continue\r\n");
const UPGRADING: Protocol = Protocol::Session("Upgrade: nothing\r\nConnection: upgrade\r\n");

#[test]
fn the_lane_again() {
    agree(&[LANE]);
}

#[test]
fn the_lane_after_another_request() {
    agree(&[LANE.after(Before::Answered), LANE.after(Before::Pipelined)]);
}

#[test]
fn the_lane_under_tls() {
    agree(&[LANE.under_tls(), LANE.under_tls().after(Before::Pipelined)]);
}

#[test]
fn the_session() {
    agree(&[LANE.speaking(SESSION), LANE.speaking(EXPECTING), LANE.speaking(UPGRADING)]);
}

#[test]
fn the_session_after_another_request() {
    agree(&[LANE.speaking(SESSION).after(Before::Answered), LANE.speaking(SESSION).after(Before::Pipelined)]);
}

#[test]
fn the_session_under_tls() {
    agree(&[LANE.speaking(SESSION).under_tls()]);
}

#[test]
fn http_1_0() {
    agree(&[LANE.speaking(Protocol::Http10)]);
}

#[test]
fn http_2() {
    agree(&[LANE.speaking(Protocol::Http2)]);
}

#[test]
fn http_2_under_tls() {
    agree(&[LANE.speaking(Protocol::Http2).under_tls()]);
}

#[test]
fn proxy_headers_of_version_1() {
    agree(&[LANE.behind(Proxy::One4), LANE.behind(Proxy::One6), LANE.behind(Proxy::OneUnknown)]);
}

#[test]
fn proxy_headers_of_version_2() {
    agree(&[
        LANE.behind(Proxy::Two4),
        LANE.behind(Proxy::Two6),
        LANE.behind(Proxy::TwoLocal),
        LANE.behind(Proxy::TwoMore),
    ]);
}

#[test]
fn proxy_headers_before_other_protocols() {
    agree(&[
        LANE.speaking(SESSION).behind(Proxy::Two4),
        LANE.speaking(Protocol::Http2).behind(Proxy::Two6),
        LANE.speaking(Protocol::Http2).behind(Proxy::One4).under_tls(),
    ]);
}
