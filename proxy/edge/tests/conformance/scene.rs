//! One way into a gateway before a recording origin, and what each case leaves behind there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::configuration::{self, Node};
use super::link::{Answered, Ask, Link};
use super::origin;
use super::outcome::{Outcome, Seen, Traces, outcome};
use super::support::admin::Samples;
use super::support::{Gate, Gateway, Port, Recorder, Request, eventually, tls};
use super::way::{Before, Way};

/// A gateway that is reached in one way.
pub(super) struct Scene {
    pub(super) way: Way,
    gateway: Gateway,
    origin: Recorder,
    gates: Gates,
    /// Where clients connect.
    door: SocketAddr,
    link: Option<Link>,
    /// Answers of the case so far.
    seen: Vec<Seen>,
    /// Requests of the case so far, and which of them had a body.
    asked: Vec<bool>,
    /// Requests of all cases so far, what came before them included.
    total: usize,
    _nobody: Port,
}

/// What an origin's answers wait for, by target.
pub(super) type Gates = Arc<Mutex<HashMap<String, Gate>>>;

/// A request under way on a connection of its own.
pub(super) struct Started(Link, bool);

impl Scene {
    pub(super) fn new(way: Way, node: Node) -> Self {
        let gates = Gates::default();
        let held = gates.clone();
        let origin = Recorder::start(move |request| origin::answer(request, &held));
        let nobody = Port::reserve();
        let directory = tempfile::tempdir().unwrap();
        let certificate = tls::certificate(directory.path());
        let text = configuration::text(node, way, origin.address(), nobody.address());
        let gateway = Gateway::start_in(directory, &text);
        let door = match way.tls {
            true => bridge(way, gateway.address(), &certificate),
            false => gateway.address(),
        };
        let (seen, asked) = (Vec::new(), Vec::new());
        Self { way, gateway, origin, gates, door, link: None, seen, asked, total: 0, _nobody: nobody }
    }

    /// Asks on the connection at hand and reads the answer.
    pub(super) fn ask(&mut self, status: u16, ask: &Ask) -> &Answered {
        let mut link = self.link.take().unwrap_or_else(|| Link::open(self.way, self.door));
        self.note(ask);
        link.send(ask);
        let answered = link.receive();
        assert_eq!(answered.status, status, "{:?}: {ask:?} {answered:?}", self.way);
        if answered.closes() {
            assert!(link.is_closed(), "{:?}: {ask:?}", self.way);
        } else {
            self.link = Some(link);
        }
        self.saw(answered, has_body(ask))
    }

    /// Asks on a connection of its own.
    pub(super) fn start(&mut self, ask: &Ask) -> Started {
        let mut link = Link::open(self.way, self.door);
        self.note(ask);
        link.send(ask);
        Started(link, has_body(ask))
    }

    /// Reads the answer.
    pub(super) fn finish(&mut self, status: u16, started: Started) -> &Answered {
        let Started(mut link, has_body) = started;
        let answered = link.receive();
        assert_eq!(answered.status, status, "{:?}: {answered:?}", self.way);
        self.saw(answered, has_body)
    }

    /// Waits until this much of the answer has come.
    pub(super) fn shows(&self, started: &mut Started, piece: &str) {
        eventually(piece, || started.0.shows(piece.as_bytes()));
    }

    /// Waits until the origin has this target's request.
    pub(super) fn has_come(&self, target: &str) {
        eventually(target, || self.origin.count_of(target) > 0);
    }

    /// Waits until so many requests are in flight.
    pub(super) fn are_in_flight(&self, count: usize) {
        eventually("requests in flight", || self.gateway.metrics().value("sluice_requests_in_flight") == count as f64);
    }

    /// Lets the origin's answers to this target go.
    pub(super) fn open(&self, target: &str) {
        gate(&self.gates, target).open();
    }

    fn note(&mut self, ask: &Ask) {
        self.asked.push(has_body(ask));
    }

    fn saw(&mut self, answered: Answered, has_body: bool) -> &Answered {
        self.seen.push(Seen::new(answered, has_body));
        &self.seen.last().unwrap().answered
    }

    /// Plays a case and says what came of it.
    pub(super) fn play(&mut self, name: &str, case: fn(&mut Self)) -> Outcome {
        let (before, requests) = (self.settled(name, 0.0), self.origin.count());
        case(self);
        self.link = None;
        let firsts = if self.way.before == Before::Nothing { 0 } else { self.asked.len() };
        let count = self.asked.len() + firsts;
        let after = self.settled(name, before.sum("sluice_requests_total") + count as f64);
        self.total += count;
        let seen = std::mem::take(&mut self.seen);
        let asked = std::mem::take(&mut self.asked);
        let mut requests: Vec<Request> = self.origin.requests().split_off(requests);
        // Nobody waits for these any more when they come.
        requests.retain(|request| request.target != origin::SILENT);
        let added = after.since(&before);
        let by_http2 = if self.way.is_http2() { asked.len() } else { 0 };
        assert_eq!(added.value("sluice_requests_total{way=\"http2\"}"), by_http2 as f64, "{name} {:?}", self.way);
        let explained = |id: &str| self.explained(id);
        let (seen, requests) = (&seen[..], &requests[..]);
        outcome(&Traces { way: self.way, seen, requests, added: &added, metrics: &after, explained: &explained })
    }

    /// The metrics once that many requests are counted and none is in flight.
    fn settled(&self, name: &str, count: f64) -> Samples {
        eventually(&format!("{name}: the requests are settled"), || {
            let samples = self.gateway.metrics();
            samples.sum("sluice_requests_total") >= count && samples.value("sluice_requests_in_flight") == 0.0
        });
        // Counting went on while the page was made.
        self.gateway.metrics()
    }

    /// The lines of the access log, one for each request.
    pub(super) fn lines(&self) -> Vec<Value> {
        let file = self.gateway.directory().join("access.log");
        let read = || std::fs::read_to_string(&file).unwrap_or_default();
        eventually("the lines of the access log", || read().lines().count() >= self.total);
        read().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The ledger of a request that has failed, from the admin listener.
    fn explained(&self, id: &str) -> Option<Value> {
        let told = self.gateway.admin("GET", "/sluice/explain?limit=1000");
        let told: Value = serde_json::from_str(&told.body).unwrap();
        told["requests"].as_array().unwrap().iter().find(|r| r["requestId"] == id).map(|r| r["ledger"].clone())
    }
}

/// The gate of a target.
pub(super) fn gate(gates: &Gates, target: &str) -> Gate {
    gates.lock().unwrap().entry(target.to_owned()).or_default().clone()
}

fn has_body(ask: &Ask) -> bool {
    ask.body != super::link::Body::None
}

fn bridge(way: Way, to: SocketAddr, certificate: &rcgen::Certificate) -> SocketAddr {
    let protocols: &[&str] = if way.is_http2() { &["h2"] } else { &["http/1.1"] };
    let before: &'static [u8] = match way.proxy {
        Some(proxy) => proxy.header().leak(),
        None => b"",
    };
    tls::bridge_speaking(to, certificate, protocols, before)
}
