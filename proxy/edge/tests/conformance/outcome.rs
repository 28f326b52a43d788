//! What a case leaves behind, without what may differ: times, ids, and what belongs to the way itself, which is checked here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::link::Answered;
use super::support::Request;
use super::support::admin::Samples;
use super::way::{Protocol, Way};

/// An answer as it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answered: Answered,
    has_body: bool,
}

impl Seen {
    pub(super) fn new(answered: Answered, has_body: bool) -> Self {
        Self { answered, has_body }
    }
}

/// Part of the outcome that not every protocol has.
pub(super) const CLOSES: &str = ", closes";

/// Everything that must be the same, by what it is.
pub(super) type Outcome = BTreeMap<String, String>;

/// What a case has left in all places.
pub(super) struct Traces<'a> {
    pub(super) way: Way,
    pub(super) seen: &'a [Seen],
    /// At the origin.
    pub(super) requests: &'a [Request],
    /// To the metrics.
    pub(super) added: &'a Samples,
    pub(super) metrics: &'a Samples,
    /// The admin listener's ledger of a request.
    pub(super) explained: &'a dyn Fn(&str) -> Option<Value>,
}

/// Puts all of it into comparable form.
pub(super) fn outcome(traces: &Traces<'_>) -> Outcome {
    let mut outcome = Outcome::new();
    for (i, seen) in traces.seen.iter().enumerate() {
        answer(&mut outcome, i, traces, seen);
    }
    for (i, request) in traces.requests.iter().enumerate() {
        outcome.insert(format!("at the origin {i}"), at_origin(traces.way, request));
    }
    outcome.insert("counted".into(), counted(traces.added));
    outcome.insert("levels".into(), levels(traces.metrics));
    outcome
}

fn answer(outcome: &mut Outcome, i: usize, traces: &Traces<'_>, seen: &Seen) {
    let way = traces.way;
    let Seen { answered, has_body } = seen;
    let id = answered.field("x-amzn-requestid").unwrap_or_default();
    outcome.insert(format!("answer {i}"), format!("{} whole: {}", answered.status, answered.whole));
    outcome.insert(format!("answer {i}, body"), if answered.whole { text(&answered.body) } else { String::new() });
    outcome.insert(format!("answer {i}, fields"), fields(answered));
    if let Some(closes) = closes(way, answered) {
        outcome.insert(format!("answer {i}{CLOSES}"), closes.to_string());
    }
    let ledger = answered.field("x-sluice-explain").and_then(|text| serde_json::from_str(text).ok());
    let ledger = ledger.or_else(|| (traces.explained)(id)).map(|ledger| judged(way, *has_body, ledger));
    outcome.insert(format!("answer {i}, ledger"), ledger.unwrap_or_default().to_string());
    outcome.insert(format!("answer {i}{LOG}"), id.to_owned());
}

/// Part of the outcome in which a request's id stands for its line until the log is read.
const LOG: &str = ", log";

/// Puts the lines of the access log in.
pub(super) fn add_lines(outcome: &mut Outcome, way: Way, lines: &[Value]) {
    for (_, part) in outcome.iter_mut().filter(|(name, _)| name.ends_with(LOG)) {
        let line = lines.iter().find(|line| line["requestId"] == part.as_str());
        *part = line.map(|line| logged(way, line.clone())).unwrap_or_default().to_string();
    }
}

fn text(body: &[u8]) -> String {
    match body.len() {
        0..1000 => String::from_utf8_lossy(body).into_owned(),
        long => format!("{long} bytes, {:x}", body.iter().fold(7u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b))),
    }
}

/// Sorted: no protocol gives an order among names. Those of HTTP/1.1's framing are judged by the client that reads it.
fn fields(answered: &Answered) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, value) in &answered.fields {
        let name = name.to_ascii_lowercase();
        let value = match name.as_str() {
            "connection" | "transfer-encoding" | "x-sluice-explain" => continue,
            "x-amzn-requestid" => format!("{} characters", value.len()),
            "x-amz-apigw-id" | "date" => format!("{} characters", value.len()),
            "age" => value.parse::<u32>().map(|_| "seconds".into()).unwrap(),
            "cache-status" => value.split("; ttl=").next().unwrap().to_owned(),
            _ => value.clone(),
        };
        lines.push((name, value));
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    format!("{lines:?}")
}

/// HTTP/2's connections go on, whatever was asked; HTTP/1.0's end also where only that can tell an answer's end.
fn closes(way: Way, answered: &Answered) -> Option<bool> {
    let untold = answered.field("content-length").is_none() && !matches!(answered.status, 204 | 304);
    match way.protocol {
        Protocol::Http2 => None,
        Protocol::Http10 if untold => None,
        _ => Some(answered.closes()),
    }
}

/// The ledger without what tells the way, which must be this one.
fn judged(way: Way, has_body: bool, mut ledger: Value) -> Value {
    let frame = ledger["frame"].as_str().map(str::to_owned);
    let verdicts = ledger.as_object_mut().unwrap();
    let accept = verdicts.remove("accept").unwrap();
    assert_eq!(accept, if way.tls { "tls" } else { "plain" });
    if let Some(frame) = frame {
        assert_eq!(frame, way.name(has_body));
        verdicts.remove("frame");
    }
    if let Some(hit) = verdicts["recall"].get_mut("hit") {
        hit["age"] = "seconds".into();
    }
    ledger
}

fn logged(way: Way, mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    if fields["integrationError"].as_str().is_some_and(|error| error.contains("Connection refused")) {
        fields["integrationError"] = "refused".into();
    }
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    for name in
        ["requestId", "extendedRequestId", "requestTime", "requestTimeEpoch", "responseLatency", "integrationLatency"]
    {
        take(name);
    }
    take("requestTimeEpochMicros");
    take("responseLatencyMicros");
    take("integrationLatencyMicros");
    assert_eq!(take("ip"), way.client());
    let named = take("way");
    // A head that cannot be read is refused by whoever reads it, which is the lane.
    assert!(named == way.name(false) || named == way.name(true) || named == "lane", "{named} {way:?}");
    let protocol = match way.protocol {
        Protocol::Http2 => "HTTP/2.0",
        Protocol::Http10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let told = take("protocol");
    if line["status"] == "417" || line["status"] == "431" {
        // The lane refuses such a head while it reads it; HTTP/2's has been read by then.
        return serde_json::json!([line["status"], line["responseLength"], line["errorType"]]);
    }
    assert_eq!(told, protocol, "{way:?}");
    line
}

/// The client's address and scheme must be those that the way tells.
fn at_origin(way: Way, request: &Request) -> String {
    assert_eq!(request.field("x-forwarded-for"), Some(way.client()));
    assert_eq!(request.field("x-forwarded-proto"), Some(way.scheme()));
    let quoted = if way.client().contains(':') { format!("\"[{}]\"", way.client()) } else { way.client().into() };
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.head.fields {
        let name = name.to_ascii_lowercase();
        let value = match name.as_str() {
            "x-forwarded-for" | "x-forwarded-proto" => continue,
            "x-amzn-trace-id" => format!("{} characters", value.len()),
            "forwarded" => value.replace(&format!("for={quoted};"), "").replace(&format!("proto={}", way.scheme()), ""),
            // Each gateway has an origin of its own.
            "host" if value.starts_with("127.0.0.1:") => "the origin's".into(),
            _ => value.clone(),
        };
        fields.push((name, value));
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    format!("{} {} {fields:?} {}", request.method, request.target, text(&request.body))
}

/// What was counted, without the times, the connections, the origins' ports, and the requests that go before others.
fn counted(added: &Samples) -> String {
    let tells_way = |name: &str| name.starts_with("sluice_requests_") || name.starts_with("sluice_connections_");
    let is_time = |name: &str| name.contains("_seconds_bucket") || name.contains("_seconds_sum");
    let is_level = |name: &str| name.contains("throttle_tokens") || name.starts_with("sluice_cache_bytes");
    let is_first = |name: &str| name.contains("api=\"first\"");
    let tells_port = |name: &str| name.starts_with("sluice_origin_address_");
    let kept =
        added.0.iter().filter(|(n, _)| !tells_way(n) && !is_time(n) && !is_level(n) && !is_first(n) && !tells_port(n));
    format!("{:?}", kept.collect::<Vec<_>>())
}

/// The buckets' levels and the caches' entries.
fn levels(after: &Samples) -> String {
    let is_level = |name: &str| name.starts_with("sluice_throttle_tokens") || name.starts_with("sluice_cache_entries");
    format!("{:?}", after.0.iter().filter(|(name, _)| is_level(name)).collect::<Vec<_>>())
}
