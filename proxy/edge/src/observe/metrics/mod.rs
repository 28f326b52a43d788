//! Counters per core, summed when they are scraped, in the text form that Prometheus reads.
//!
//! The first seven are those of `AWS/ApiGateway`, with the dimensions that AWS calls detailed: `api`, `stage` and
//! `method` (`GET /pets/{id}`). AWS's averages are quotients of two of ours.
//!
//! | AWS | here |
//! |---|---|
//! | `Count` | `sluice_count_total` |
//! | `4XXError` | `sluice_4xx_error_total` |
//! | `5XXError` | `sluice_5xx_error_total` |
//! | `CacheHitCount` | `sluice_cache_hit_count_total` |
//! | `CacheMissCount` | `sluice_cache_miss_count_total` |
//! | `Latency` | `sluice_latency_seconds` (histogram; AWS: milliseconds) |
//! | `IntegrationLatency` | `sluice_integration_latency_seconds` (histogram; AWS: milliseconds) |
//!
//! A method is shown once it has had a request. Counting is a few plain loads and stores on lines that only the
//! counting core writes; nothing is shared but with the scraper.

mod core;
mod histogram;
mod render;
mod series;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use self::core::CoreTable;
pub use self::core::{CacheOutcome, CoreMetrics, Flood, ListenerId, OriginEvent, RequestRecord, Way};
pub use self::series::{SERIES_LIMIT, SeriesId};
use self::series::{SeriesName, SeriesTable};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Closed sets of label values; a counter is named by its place in its set. At most 64 each.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// Why an answer was not stored.
    pub not_stored: &'static [&'static str],
    /// Why a request to a cached method went to its origin.
    pub forwarded: &'static [&'static str],
    /// Which layer of buckets refused a request.
    pub throttled: &'static [&'static str],
    /// Whose doing it is that an answer broke off.
    pub broken_off: &'static [&'static str],
}

/// Something that is counted elsewhere and read at each scrape.
pub struct Reading {
    /// Without the leading `sluice_` and, for a counter, without `_total`.
    pub name: &'static str,
    /// One sentence without its full stop.
    pub help: &'static str,
    /// Whether it can fall.
    pub kind: ReadingKind,
    /// Reads it: labels and value; no labels for a value that stands alone.
    pub read: Box<ReadFn>,
}

/// Reads a value that is kept elsewhere, on the scraper's thread.
pub type ReadFn = dyn Fn() -> Vec<(Labels, u64)> + Send + Sync;

/// Label names and values.
pub type Labels = Vec<(&'static str, String)>;

/// Whether a reading can fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingKind {
    /// It only grows.
    Counter,
    /// It grows and falls.
    Gauge,
}

/// All counters of the node.
#[derive(Debug)]
pub struct Metrics {
    state: Arc<State>,
    registry: Registry,
}

impl Metrics {
    /// No cores, no listeners, nothing counted.
    pub fn new(vocabulary: Vocabulary) -> Self {
        let state = Arc::new(State::new(vocabulary));
        let mut registry = Registry::with_prefix("sluice");
        registry.register_collector(Box::new(Arc::clone(&state)));
        Self { state, registry }
    }

    /// Counters for one more worker.
    pub fn core(&self) -> CoreMetrics {
        let table = Arc::new(CoreTable::default());
        self.state.cores.lock().push(Arc::clone(&table));
        CoreMetrics::new(table)
    }

    /// The series of a method: the same for the same names, across reloads. Beyond [`SERIES_LIMIT`] it is
    /// [`SeriesId::OVERFLOW`].
    pub fn series(&self, api: &str, stage: &str, method: &str) -> SeriesId {
        self.state.series.lock().allot(SeriesName::new(api, stage, method))
    }

    /// `CacheHitCount` and `CacheMissCount` of a method so far.
    pub fn cache_counts(&self, series: SeriesId) -> (u64, u64) {
        let totals = render::row_totals(&self.state.cores.lock(), series.index());
        (totals.cache_hits, totals.cache_misses)
    }

    /// The counters of a listener, named by its address; the same for the same name.
    pub fn listener(&self, address: &str) -> ListenerId {
        let mut listeners = self.state.listeners.lock();
        if let Some(index) = listeners.iter().position(|known| known == address) {
            return ListenerId::new(index);
        }
        if listeners.len() < self::core::LISTENERS {
            listeners.push(address.to_owned());
        }
        ListenerId::new(listeners.len() - 1)
    }

    /// Shows something that is counted elsewhere.
    pub fn watch(&self, reading: Reading) {
        self.state.readings.lock().push(reading);
    }

    /// A configuration was taken over, or refused.
    pub fn reloaded(&self, succeeded: bool) {
        let counter = if succeeded { &self.state.reloads } else { &self.state.failed_reloads };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, in the OpenMetrics text form, which Prometheus reads as its own.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What is counted and who counts it; the registry holds it too.
#[derive(Debug)]
struct State {
    vocabulary: Vocabulary,
    series: Mutex<SeriesTable>,
    /// At most [`core::LISTENERS`].
    listeners: Mutex<Vec<String>>,
    /// One per worker.
    cores: Mutex<Vec<Arc<CoreTable>>>,
    /// Those that the program registers at its start.
    readings: Mutex<Vec<Reading>>,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

impl State {
    fn new(vocabulary: Vocabulary) -> Self {
        Self {
            vocabulary,
            series: Mutex::default(),
            listeners: Mutex::default(),
            cores: Mutex::default(),
            readings: Mutex::default(),
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
