//! What is read when the metrics are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_cache::invalidate::{Force, TargetKind};

use super::{disks, origins};
use crate::observe::metrics::{Labels, Reading, ReadingKind};
use crate::plan::StageCache;
use crate::server::gateway::Gateway;

/// A stage's cache in one figure.
type Figure = fn(&StageCache) -> u64;

const FIGURES: [(&str, &str, ReadingKind, Figure); 10] = [
    ("cache_bytes", "Bytes that a stage's cache takes in memory.", ReadingKind::Gauge, |c| c.memory.bytes()),
    ("cache_entries", "Entries of a stage's cache in memory.", ReadingKind::Gauge, |c| c.memory.entries()),
    ("cache_capacity_bytes", "Bytes that a stage's cache may take.", ReadingKind::Gauge, |c| c.memory.capacity()),
    ("cache_bans", "Purges that have to be remembered.", ReadingKind::Gauge, |c| c.memory.bans().len() as u64),
    (
        "cache_bans_widened",
        "How often there were too many bans, and all became one that covers everything.",
        ReadingKind::Counter,
        |c| c.memory.bans().widened(),
    ),
    ("cache_entries_purged", "Entries that purges have taken.", ReadingKind::Counter, |c| {
        c.memory.departures().purged()
    }),
    ("cache_disk_share_bytes", "Bytes that a stage's cache takes on disk.", ReadingKind::Gauge, |c| {
        c.disk.space().map_or(0, |space| space.bytes())
    }),
    ("cache_disk_reads_late", "Reads from disk that took too long: they were misses.", ReadingKind::Counter, |c| {
        c.disk.late()
    }),
    ("cache_objects_stored", "Large objects that were brought to disk whole.", ReadingKind::Counter, |c| {
        c.disk.objects().0
    }),
    (
        "cache_objects_lost",
        "Large objects that were found, and of which a part was not there any more: they were misses.",
        ReadingKind::Counter,
        |c| c.disk.objects().1,
    ),
];

/// Registers all of it.
pub fn watch(gateway: &Arc<Gateway>) {
    crate::server::levels::watch(gateway);
    for (name, help, kind, figure) in FIGURES {
        let rows = caches(gateway, move |labels, cache| vec![(labels, figure(cache))]);
        gateway.metrics.watch(Reading { name, help, kind, read: Box::new(rows) });
    }
    gateway.metrics.watch(Reading {
        name: "cache_purges",
        help: "Purges by what they named and how.",
        kind: ReadingKind::Counter,
        read: Box::new(caches(gateway, purges)),
    });
    disks::watch(gateway);
    origins::watch(gateway);
    access_log(gateway);
    certificates(gateway);
}

/// Reads something of every cache.
fn caches<R>(gateway: &Arc<Gateway>, rows: R) -> impl Fn() -> Vec<(Labels, u64)> + use<R>
where
    R: Fn(Labels, &StageCache) -> Vec<(Labels, u64)>,
{
    let weak = Arc::downgrade(gateway);
    move || {
        let Some(gateway) = weak.upgrade() else { return Vec::new() };
        let plan = gateway.plan.load();
        let stages = plan.apis.iter().flat_map(|api| api.stages.iter().map(move |stage| (api, stage)));
        let cached = stages.filter_map(|(api, stage)| Some((api, stage, stage.cache.as_ref()?)));
        let labels = |api: &str, stage: &str| vec![("api", api.to_string()), ("stage", stage.to_string())];
        cached.flat_map(|(api, stage, cache)| rows(labels(&api.name, &stage.name), cache)).collect()
    }
}

fn purges(labels: Labels, cache: &StageCache) -> Vec<(Labels, u64)> {
    let ways = TargetKind::ALL.into_iter().flat_map(|kind| [(kind, Force::Hard), (kind, Force::Soft)]);
    let row = |(kind, force): (TargetKind, Force)| {
        let how = if force == Force::Hard { "hard" } else { "soft" };
        let more = [("target", kind.as_str().to_string()), ("force", how.to_string())];
        (labels.iter().cloned().chain(more).collect(), cache.memory.bans().purges(kind, force))
    };
    ways.map(row).collect()
}

fn certificates(gateway: &Arc<Gateway>) {
    let weak = Arc::downgrade(gateway);
    let read = move || {
        let Some(gateway) = weak.upgrade() else { return Vec::new() };
        let stores = gateway.listeners.all.iter().filter_map(|listener| listener.tls.load_full());
        let ends: BTreeMap<String, u64> = stores
            .flat_map(|store| store.ends().map(|(file, end)| (file.display().to_string(), end)).collect::<Vec<_>>())
            .collect();
        ends.into_iter().map(|(file, end)| (vec![("file", file)], end)).collect()
    };
    gateway.metrics.watch(Reading {
        name: "certificate_end_seconds",
        help: "When the first certificate of a file ends, in seconds since the epoch.",
        kind: ReadingKind::Gauge,
        read: Box::new(read),
    });
}

fn access_log(gateway: &Gateway) {
    let Some(losses) = gateway.access_log.as_ref().map(|log| log.losses()) else { return };
    gateway.metrics.watch(Reading {
        name: "access_log_lines_lost",
        help: "Lines of the access log that were dropped or not written.",
        kind: ReadingKind::Counter,
        read: Box::new(move || {
            let labels = |why: &str| vec![("reason", why.to_string())];
            vec![(labels("full"), losses.dropped()), (labels("disk"), losses.failed())]
        }),
    });
}
