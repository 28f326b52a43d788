//! One worker's counters: a row per method, and what holds for the node.
//!
//! Rows come in chunks that are made when their first request is counted, and never move, so the scraper reads them
//! while the worker counts on. A core holds at most [`SERIES_LIMIT`] rows.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::histogram::{Histogram, HistogramTotals};
use super::series::{SERIES_LIMIT, SeriesId};
use super::tally::Tally;

/// Rows in a chunk.
const CHUNK: usize = 64;

/// Listeners that are counted apart; those beyond share the last one's counters.
pub(super) const LISTENERS: usize = 64;

/// Labels that a closed set of reasons may have.
pub(super) const REASONS: usize = 64;

/// What the response cache did for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// The method is not cached, or the request did not get that far.
    Off,
    /// Answered from the cache, fresh or stale.
    Hit,
    /// Looked for and not found.
    Miss,
}

/// The way in that a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The HTTP/1.1 lane.
    Lane,
    /// A general HTTP/1 session.
    Session,
    /// HTTP/2.
    Http2,
}

/// What happened to a connection to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginEvent {
    /// A new connection was made.
    Connected,
    /// An idle connection was used again.
    Reused,
    /// A connection could not be made, or broke before an answer.
    Failed,
}

/// Why a client was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Too many HTTP/2 frames that ask for nothing.
    Frames,
    /// Too many malformed requests over HTTP/2.
    Malformed,
}

/// A listener's counters: its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerId(u16);

impl ListenerId {
    pub(super) fn new(index: usize) -> Self {
        Self(index.min(LISTENERS - 1) as u16)
    }
}

/// One finished request, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its method.
    pub series: SeriesId,
    /// Final status.
    pub status: u16,
    /// From the request's receipt to the answer's end, nanoseconds.
    pub latency_ns: u64,
    /// From relay to the backend's answer, nanoseconds, if there was a call.
    pub integration_latency_ns: Option<u64>,
    /// What the cache did.
    pub cache: CacheOutcome,
    /// Bytes sent, head and body.
    pub bytes_out: u64,
    /// How it came in.
    pub way: Way,
}

/// One worker's counters, in the worker's hands.
///
/// It can move to its thread but not be shared: one writer per counter is what makes counting cheap.
#[derive(Debug)]
pub struct CoreMetrics {
    rows: Arc<CoreTable>,
    not_sync: PhantomData<Cell<()>>,
}

impl CoreMetrics {
    pub(super) fn new(rows: Arc<CoreTable>) -> Self {
        Self { rows, not_sync: PhantomData }
    }

    /// Counts a finished request.
    pub fn record(&self, request: &RequestRecord) {
        if let Some(row) = self.rows.row_or_new(request.series) {
            row.record(request);
        }
        add_at(&self.rows.node.ways, request.way as usize, 1);
    }

    /// A connection was accepted.
    pub fn accepted(&self, listener: ListenerId) {
        self.listener(listener, |counts| &counts.accepted);
    }

    /// An accepted connection has ended.
    pub fn closed(&self, listener: ListenerId) {
        self.listener(listener, |counts| &counts.closed);
    }

    /// A connection was turned away (limit per address, handshake, PROXY header).
    pub fn refused(&self, listener: ListenerId) {
        self.listener(listener, |counts| &counts.refused);
    }

    /// An answer was not stored; `reason` is a place in the vocabulary.
    pub fn not_stored(&self, reason: usize) {
        add_at(&self.rows.node.not_stored, reason, 1);
    }

    /// A request to a cached method went to its origin; `reason` is a place in the vocabulary.
    pub fn forwarded(&self, reason: usize) {
        add_at(&self.rows.node.forwarded, reason, 1);
    }

    /// A request met an empty bucket; `layer` is a place in the vocabulary.
    pub fn throttled(&self, layer: usize) {
        add_at(&self.rows.node.throttled, layer, 1);
    }

    /// Something happened to a connection to an origin.
    pub fn origin(&self, event: OriginEvent) {
        add_at(&self.rows.node.origin, event as usize, 1);
    }

    /// An answer broke off; `by` is a place in the vocabulary.
    pub fn broken_off(&self, by: usize) {
        add_at(&self.rows.node.broken_off, by, 1);
    }

    /// A client was sent away.
    pub fn flooded(&self, flood: Flood) {
        add_at(&self.rows.node.floods, flood as usize, 1);
    }

    fn listener(&self, listener: ListenerId, pick: impl Fn(&ListenerCounts) -> &Tally) {
        if let Some(counts) = self.rows.node.listeners.get(usize::from(listener.0)) {
            pick(counts).add(1);
        }
    }
}

/// One worker's counters, as the scraper sees them.
#[derive(Debug)]
pub(super) struct CoreTable {
    chunks: Box<[OnceLock<Box<[Row]>>]>,
    pub(super) node: NodeCounts,
}

impl CoreTable {
    /// The row of a series that has counted something, or may soon.
    pub(super) fn row(&self, index: usize) -> Option<&Row> {
        self.chunks.get(index / CHUNK)?.get()?.get(index % CHUNK)
    }

    fn row_or_new(&self, series: SeriesId) -> Option<&Row> {
        let chunk = self.chunks.get(series.index() / CHUNK)?;
        chunk.get_or_init(new_chunk).get(series.index() % CHUNK)
    }
}

impl Default for CoreTable {
    fn default() -> Self {
        let chunks = (SERIES_LIMIT as usize).div_ceil(CHUNK);
        Self { chunks: (0..chunks).map(|_| OnceLock::new()).collect(), node: NodeCounts::default() }
    }
}

/// What one worker counted for one method.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Row {
    count: Tally,
    client_errors: Tally,
    server_errors: Tally,
    cache_hits: Tally,
    cache_misses: Tally,
    bytes_out: Tally,
    latency: Histogram,
    integration_latency: Histogram,
}

impl Row {
    fn record(&self, request: &RequestRecord) {
        self.count.add(1);
        self.bytes_out.add(request.bytes_out);
        self.latency.record(request.latency_ns);
        match request.status {
            400..=499 => self.client_errors.add(1),
            500..=599 => self.server_errors.add(1),
            _ => {}
        }
        match request.cache {
            CacheOutcome::Hit => self.cache_hits.add(1),
            CacheOutcome::Miss => self.cache_misses.add(1),
            CacheOutcome::Off => {}
        }
        if let Some(ns) = request.integration_latency_ns {
            self.integration_latency.record(ns);
        }
    }
}

/// What all workers counted for one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowTotals {
    pub(super) count: u64,
    pub(super) client_errors: u64,
    pub(super) server_errors: u64,
    pub(super) cache_hits: u64,
    pub(super) cache_misses: u64,
    pub(super) bytes_out: u64,
    pub(super) latency: HistogramTotals,
    pub(super) integration_latency: HistogramTotals,
}

impl RowTotals {
    pub(super) fn add(&mut self, row: &Row) {
        self.count += row.count.value();
        self.client_errors += row.client_errors.value();
        self.server_errors += row.server_errors.value();
        self.cache_hits += row.cache_hits.value();
        self.cache_misses += row.cache_misses.value();
        self.bytes_out = self.bytes_out.wrapping_add(row.bytes_out.value());
        self.latency.add(&row.latency);
        self.integration_latency.add(&row.integration_latency);
    }
}

/// What one worker counted for the node as a whole.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct NodeCounts {
    pub(super) ways: [Tally; 3],
    pub(super) origin: [Tally; 3],
    pub(super) floods: [Tally; 2],
    pub(super) broken_off: [Tally; REASONS],
    pub(super) throttled: [Tally; REASONS],
    pub(super) not_stored: [Tally; REASONS],
    pub(super) forwarded: [Tally; REASONS],
    pub(super) listeners: [ListenerCounts; LISTENERS],
}

impl Default for NodeCounts {
    fn default() -> Self {
        Self {
            ways: std::array::from_fn(|_| Tally::default()),
            origin: std::array::from_fn(|_| Tally::default()),
            floods: std::array::from_fn(|_| Tally::default()),
            broken_off: std::array::from_fn(|_| Tally::default()),
            throttled: std::array::from_fn(|_| Tally::default()),
            not_stored: std::array::from_fn(|_| Tally::default()),
            forwarded: std::array::from_fn(|_| Tally::default()),
            listeners: std::array::from_fn(|_| ListenerCounts::default()),
        }
    }
}

/// What one worker counted for one listener.
#[derive(Debug, Default)]
pub(super) struct ListenerCounts {
    pub(super) accepted: Tally,
    pub(super) closed: Tally,
    pub(super) refused: Tally,
}

#[cold]
fn new_chunk() -> Box<[Row]> {
    (0..CHUNK).map(|_| Row::default()).collect()
}

fn add_at(tallies: &[Tally], index: usize, n: u64) {
    if let Some(tally) = tallies.get(index) {
        tally.add(n);
    }
}
