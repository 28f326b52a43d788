//! What the disks below the caches show in the metrics.

use std::sync::Arc;

use sluice_cache::tier::disk::{Health, Refused, Stats};

use crate::observe::metrics::{Labels, Reading, ReadingKind};
use crate::server::gateway::Gateway;

use ReadingKind::{Counter, Gauge};

/// A store in one figure.
type Figure = fn(&Stats) -> u64;

const FIGURES: [(&str, &str, ReadingKind, Figure); 17] = [
    ("cache_disk_entries", "Entries that a store has on disk.", Gauge, |s| s.entries),
    ("cache_disk_index_bytes", "Memory that a store's index takes.", Gauge, |s| s.index_bytes),
    ("cache_disk_bytes", "Bytes that a store takes on disk.", Gauge, |s| s.segments * u64::from(s.segment_bytes)),
    ("cache_disk_capacity_bytes", "Bytes that a store may take on disk.", Gauge, |s| s.capacity),
    ("cache_disk_queue_bytes", "Bytes of entries that wait to be written.", Gauge, |s| s.queue_bytes as u64),
    ("cache_disk_segments_to_recover", "Segments that a store has still to read after its start.", Gauge, |s| {
        s.recovered.1.saturating_sub(s.recovered.0)
    }),
    ("cache_disk_lost", "Entries that were taken and then not written.", Counter, |s| s.lost),
    ("cache_disk_written_bytes", "Bytes written.", Counter, |s| s.written_bytes),
    ("cache_disk_write_errors", "Failed writes.", Counter, |s| s.write_errors),
    ("cache_disk_read_errors", "Failed reads: they were misses.", Counter, |s| s.read_errors),
    ("cache_disk_damaged", "Reads that found something else than was written: they were misses.", Counter, |s| {
        s.damaged
    }),
    ("cache_disk_reads_inline", "Reads that the page cache answered at once.", Counter, |s| s.reads_inline),
    ("cache_disk_reads_pooled", "Reads that a thread did.", Counter, |s| s.reads_pooled),
    ("cache_disk_reads_refused", "Reads that were misses because too many waited.", Counter, |s| s.reads_refused),
    ("cache_disk_no_space", "Times that the file system had no room for what a store may take.", Counter, |s| {
        s.no_space
    }),
    (
        "cache_disk_is_short",
        "1 while a store keeps to less than it may take, for the file system is full.",
        Gauge,
        |s| u64::from(s.is_short),
    ),
    ("cache_disk_segments_evicted", "Segments that made room.", Counter, |s| s.evicted_segments),
];

const STATES: [Health; 4] = [Health::Good, Health::Recovering, Health::WritesFail, Health::ReadsFail];

/// Registers all of it.
pub(super) fn watch(gateway: &Arc<Gateway>) {
    for (name, help, kind, figure) in FIGURES {
        let read = stores(gateway, move |labels, stats| vec![(labels, figure(stats))]);
        gateway.metrics.watch(Reading { name, help, kind, read: Box::new(read) });
    }
    gateway.metrics.watch(Reading {
        name: "cache_disk_refused",
        help: "Entries that a store did not keep, by reason.",
        kind: Counter,
        read: Box::new(stores(gateway, |labels, stats| {
            let counts = Refused::ALL.into_iter().zip(stats.refused);
            counts.map(|(why, count)| (with(&labels, "reason", why.as_str()), count)).collect()
        })),
    });
    gateway.metrics.watch(Reading {
        name: "cache_disk_state",
        help: "1 for the state that a store is in.",
        kind: Gauge,
        read: Box::new(states(gateway)),
    });
}

/// Of every store that should be open, whether it is or not.
fn states(gateway: &Arc<Gateway>) -> impl Fn() -> Vec<(Labels, u64)> + use<> {
    let weak = Arc::downgrade(gateway);
    move || {
        let gateway = weak.upgrade();
        let Some(disks) = gateway.as_ref().and_then(|gateway| gateway.storage.disks.as_ref()) else {
            return Vec::new();
        };
        let open = disks.stats().into_iter().map(|(store, stats)| (store, stats.health.as_str()));
        let missing = disks.missing().into_iter().map(|(store, _)| (store, NOT_OPEN));
        let names = || STATES.into_iter().map(Health::as_str).chain([NOT_OPEN]);
        open.chain(missing)
            .flat_map(|(store, now)| {
                let labels = vec![("store", store)];
                names().map(move |state| (with(&labels, "state", state), u64::from(state == now)))
            })
            .collect()
    }
}

/// The state of a store that could not be opened.
pub(super) const NOT_OPEN: &str = "not-open";

fn with(labels: &Labels, name: &'static str, value: &str) -> Labels {
    labels.iter().cloned().chain([(name, value.to_string())]).collect()
}

/// Reads something of every store that is open.
fn stores<R>(gateway: &Arc<Gateway>, rows: R) -> impl Fn() -> Vec<(Labels, u64)> + use<R>
where
    R: Fn(Labels, &Stats) -> Vec<(Labels, u64)>,
{
    let weak = Arc::downgrade(gateway);
    move || {
        let Some(gateway) = weak.upgrade() else { return Vec::new() };
        let stats = gateway.storage.disks.as_ref().map_or_else(Vec::new, |disks| disks.stats());
        stats.into_iter().flat_map(|(store, stats)| rows(vec![("store", store)], &stats)).collect()
    }
}
