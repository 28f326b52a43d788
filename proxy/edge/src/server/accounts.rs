//! What stage 16 does: counts a finished request, writes its log line, keeps its ledger for explain.
//!
//! It reads the ledger and the exchange and decides nothing. On a hit it allocates nothing.

use sluice_cache::NotStored;

use super::core::{Desk, with};
use crate::message::date::Now;
use crate::observe::access_log::AccessRecord;
use crate::observe::explain::{Explained, PathPrefix};
use crate::observe::metrics::{CacheOutcome, CoreMetrics, OriginEvent, RequestRecord, SeriesId, Vocabulary, Way};
use crate::plan::Plan;
use crate::plan::host::without_port;
use crate::stage::deliver::BrokenBy;
use crate::stage::{Exchange, Fault, Reply, dispatch, recall, rescue, store, throttle};

/// What is known once an answer has gone.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes_out: u64,
    /// The way in.
    pub way: Way,
    /// When it was done, by the monotonic clock.
    pub done: u64,
}

/// The label sets of the metrics that count reasons.
pub const VOCABULARY: Vocabulary = Vocabulary {
    not_stored: &NOT_STORED,
    forwarded: &recall::REASONS,
    throttled: &THROTTLE_LAYERS,
    broken_off: &BrokenBy::ALL,
};

const NOT_STORED: [&str; NotStored::ALL.len()] = {
    let mut names = [""; NotStored::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            names[at] = NotStored::ALL[at].as_str();
        }
        at += 1;
    }
    names
};

const THROTTLE_LAYERS: [&str; 4] = ["method", "stage", "account", "in_flight"];

/// Settles a request's account.
#[inline]
pub fn settle(desk: &mut Desk<'_>, plan: &Plan, exchange: &Exchange<'_>, account: Account) {
    let latency_ns = account.done.saturating_sub(exchange.now.mono);
    if desk.log.is_some() {
        log(desk, plan, exchange, account, latency_ns);
    }
    let Now { wall_micros, mono } = exchange.now;
    let now_us = wall_micros + account.done.saturating_sub(mono) / 1_000;
    let broken_by = exchange.ledger.deliver.broken_by();
    desk.explain.offer(account.status >= 400 || broken_by.is_some(), now_us, || Explained {
        request_id: exchange.request_id.0,
        time_us: wall_micros,
        latency_us: latency_ns / 1_000,
        status: account.status,
        path: PathPrefix::new(exchange.head.path()),
        ledger: exchange.ledger,
    });
    // Last: what the metrics show, explain can tell.
    count(desk, plan, exchange, account, latency_ns);
    if let Some(by) = broken_by {
        desk.metrics.broken_off(by as usize);
    }
}

#[inline]
fn count(desk: &mut Desk<'_>, plan: &Plan, exchange: &Exchange<'_>, account: Account, latency_ns: u64) {
    let recall = exchange.ledger.recall;
    let cache = match (recall.is_hit(), recall.is_miss()) {
        (true, _) => CacheOutcome::Hit,
        (_, true) if was_sent(exchange) => CacheOutcome::Miss,
        _ => CacheOutcome::Off,
    };
    let method = exchange.route.and_then(|r| plan.method(r));
    desk.metrics.record(&RequestRecord {
        series: method.map_or_else(|| unrouted(plan, exchange), |(_, _, m)| m.series),
        status: account.status,
        latency_ns,
        integration_latency_ns: (exchange.origin.status != 0).then_some(exchange.origin.latency),
        cache,
        bytes_out: account.bytes_out,
        way: account.way,
    });
    if !recall.is_hit() {
        count_reasons(desk, exchange);
    }
}

/// The series of a request that reached no method: its stage's, or its API's, if it named one.
#[cold]
fn unrouted(plan: &Plan, exchange: &Exchange<'_>) -> SeriesId {
    let (api, stage) = plan.api_and_stage(exchange.api, exchange.stage);
    stage.map(|stage| stage.series).or(api.map(|api| api.series)).unwrap_or(SeriesId::UNROUTED)
}

/// The request was sent to the endpoint, or it was tried.
fn was_sent(exchange: &Exchange<'_>) -> bool {
    match exchange.ledger.dispatch {
        dispatch::Verdict::Endpoint { .. } => true,
        dispatch::Verdict::Failed(fault) => fault != Fault::Configuration,
        _ => false,
    }
}

fn count_reasons(desk: &Desk<'_>, exchange: &Exchange<'_>) {
    match exchange.ledger.throttle {
        throttle::Verdict::MethodEmpty => desk.metrics.throttled(0),
        throttle::Verdict::StageEmpty => desk.metrics.throttled(1),
        throttle::Verdict::AccountEmpty => desk.metrics.throttled(2),
        throttle::Verdict::InFlight => desk.metrics.throttled(3),
        _ => {}
    }
    if let store::Verdict::Refused(reason) = exchange.ledger.store {
        not_stored(desk.metrics, reason);
    }
    if let Some(reason) = exchange.ledger.recall.reason().filter(|_| was_sent(exchange)) {
        desk.metrics.forwarded(reason);
    }
    match exchange.ledger.dispatch {
        dispatch::Verdict::Endpoint { reused: true, .. } => desk.metrics.origin(OriginEvent::Reused),
        dispatch::Verdict::Endpoint { reused: false, .. } => desk.metrics.origin(OriginEvent::Connected),
        dispatch::Verdict::Failed(Fault::ClientLeft) => {}
        dispatch::Verdict::Failed(_) => desk.metrics.origin(OriginEvent::Failed),
        _ => {}
    }
}

/// Counts an answer that was not stored.
pub fn not_stored(metrics: &CoreMetrics, reason: NotStored) {
    let at = NotStored::ALL.iter().position(|r| *r == reason);
    metrics.not_stored(at.unwrap_or_default());
}

/// The same for what turns out while or after the answer is sent.
pub fn note_not_stored(reason: NotStored) {
    tracing::debug!(reason = reason.as_str(), "an answer was not stored");
    with(|core| not_stored(core.metrics(), reason));
}

fn log(desk: &mut Desk<'_>, plan: &Plan, exchange: &Exchange<'_>, account: Account, latency_ns: u64) {
    let head = &exchange.head;
    let method = exchange.route.and_then(|r| plan.method(r));
    // Both may be known where no method is.
    let (api, stage) = plan.api_and_stage(exchange.api, exchange.stage);
    let fault = match exchange.reply {
        Reply::Fault(fault) => Some(rescue::rescue(fault, None)),
        _ => None,
    };
    let called = exchange.origin.status != 0;
    let record = AccessRecord {
        time_us: exchange.now.wall_micros,
        request_id: exchange.request_id.0,
        source_ip: exchange.client,
        method: std::str::from_utf8(head.method()).unwrap_or("-"),
        protocol: head.version.as_str(),
        domain_name: std::str::from_utf8(without_port(head.host())).ok().filter(|h| !h.is_empty()),
        path: head.path(),
        query: head.query(),
        user_agent: head.value(crate::message::field::FieldKind::UserAgent),
        trace_id: head.value(crate::message::field::FieldKind::XAmznTraceId),
        account_id: Some(&plan.account_id),
        api_id: api.map(|api| &*api.id),
        stage: stage.map(|stage| &*stage.name),
        deployment_id: stage.and_then(|stage| stage.deployment_id.as_deref()),
        resource_id: None,
        resource_path: method.map(|(_, _, m)| &*m.path),
        base_path: None,
        status: account.status,
        response_length: account.bytes_out,
        latency_us: latency_ns / 1_000,
        integration_latency_us: called.then_some(exchange.origin.latency / 1_000),
        integration_status: called.then_some(exchange.origin.status),
        integration_error: exchange.origin.error.as_deref(),
        error_message: fault.as_ref().and_then(|f| f.response_type.built_in().message),
        error_type: fault.as_ref().map(|f| f.response_type.as_str()),
        cache_status: exchange.ledger.recall.as_str(),
        broken_off: exchange.ledger.deliver.broken_by().map(BrokenBy::as_str),
        way: way(account.way),
    };
    if let Some(log) = &mut desk.log {
        log.write(&record);
    }
}

const fn way(way: Way) -> &'static str {
    match way {
        Way::Lane => "lane",
        Way::Session => "session",
        Way::Http2 => "http2",
    }
}
