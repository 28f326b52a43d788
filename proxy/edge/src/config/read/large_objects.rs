//! Objects that are too large for memory: whether the disk can take what `cache_large_objects` says.

use sluice_api::Profile;

use super::api::Apis;
use super::stage::CacheShare;
use crate::config::keys::{Key, cache as keys, disk as disk_keys, node as node_keys, stage as stage_keys};
use crate::config::model::Node;
use crate::config::report::Report;
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::units::show_size;

/// One object takes at most this part of a stage's disk: with four of them nothing else is left.
const PART: u64 = 4;

/// The size, if one is written and means something.
pub(super) fn read(table: &Table<'_>, key: &'static Key, profile: Profile) -> Option<u64> {
    let at = table.written(key)?;
    let size = table.size(key)?;
    if profile == Profile::Aws && size > 0 {
        let message = format!("'{}' has no effect: AWS keeps nothing beyond 1 MiB", key.name);
        table.report().warning(&rules::NO_EFFECT, at, message, "remove it, or set profile = \"edge\"");
        return None;
    }
    Some(size)
}

/// All sizes that a stage and its methods set.
pub(super) fn written(stage: &Table<'_>, profile: Profile) -> Vec<Located<u64>> {
    if profile == Profile::Aws {
        return Vec::new();
    }
    let methods = stage.named(&stage_keys::METHOD);
    let methods = methods.iter().filter_map(|(_, table)| size(table, &keys::METHOD_LARGE_OBJECTS));
    size(stage, &keys::LARGE_OBJECTS).into_iter().chain(methods).filter(|size| size.value > 0).collect()
}

fn size(table: &Table<'_>, key: &'static Key) -> Option<Located<u64>> {
    Some(Located { at: table.written(key)?, value: table.size(key)? })
}

/// Checks them against the disk.
pub(super) fn check(node: &Node, apis: &Apis, report: &Report<'_>) {
    for cache in apis.drafts.iter().flat_map(|draft| &draft.caches) {
        cache.value.large.iter().for_each(|size| check_one(node, &cache.value, size, report));
    }
}

fn check_one(node: &Node, cache: &CacheShare, size: &Located<u64>, report: &Report<'_>) {
    let (name, least) = (keys::LARGE_OBJECTS.name, node.cache.object_size_limit);
    if node.cache.disk.is_none() {
        let message = format!("'{name}' has no effect: large objects lie on disk, and there is no [cache.disk]");
        return report.strict(node.profile, &rules::NO_EFFECT, size.at, message, "remove it, or add [cache.disk]");
    }
    if size.value <= least {
        let limit = node_keys::OBJECT_SIZE_LIMIT.name;
        let message = format!("'{name}' has no effect: '{limit}' keeps {} anyway", show_size(least));
        return report.strict(node.profile, &rules::NO_EFFECT, size.at, message, "write more, or remove it");
    }
    let share = cache.on_disk();
    if size.value > share / PART {
        let message = format!("'{name}' is {}, and the stage has {} of disk", show_size(size.value), show_size(share));
        let (whole, memory) = (stage_keys::CACHE_CLUSTER_SIZE.name, disk_keys::CACHE_MEMORY.name);
        let help = format!("write a quarter of that at most, raise '{whole}', or lower '{memory}'");
        report.error(&rules::CACHE_BUDGET, size.at, message, help);
    }
}
