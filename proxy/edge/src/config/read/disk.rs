//! The disk below the caches' memory, and the keys that seal what is written to it.

use std::collections::BTreeSet;

use sluice_api::{Stage, memory_share};
use sluice_cache::seal::{KeyId, Source};
use sluice_cache::tier::disk::{Config, Reads};

use super::api::Apis;
use super::large_objects;
use crate::config::keys::{disk as keys, node as node_keys, stage as stage_keys};
use crate::config::model::{Configuration, DiskBudget, Encryption, Node, OWN_STORE};
use crate::config::pem;
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::Table;
use crate::config::units::{rough_size, show_size};

/// Reads `[cache.disk]`.
pub(super) fn disk(cache: &Table<'_>) -> Option<DiskBudget> {
    cache.written(&keys::DISK)?;
    let table = cache.table(&keys::DISK)?;
    let reads = match table.text(&keys::READS).as_deref() {
        Some("direct") => Reads::Direct,
        _ => Reads::Buffered,
    };
    let (directory, size) = (pem::path(&table, &keys::DIRECTORY)?, table.size(&keys::SIZE)?);
    Some(DiskBudget { directory, size, reads, keep_removed: table.duration(&keys::KEEP_REMOVED).unwrap_or_default() })
}

/// Reads `[cache.encryption]`. The keys themselves are read when the gateway starts.
pub(super) fn encryption(cache: &Table<'_>) -> Option<Encryption> {
    let at = cache.written(&keys::ENCRYPTION)?;
    let table = cache.table(&keys::ENCRYPTION)?;
    let everywhere = table.text(&keys::ENCRYPT).as_deref() == Some("everywhere");
    let current = key_id(table.integer(&keys::CURRENT)?);
    let read: Vec<(KeyId, Option<Source>)> = table.tables(&keys::KEY).iter().filter_map(key).collect();
    let ids: BTreeSet<u32> = read.iter().map(|(id, _)| id.0).collect();
    if ids.len() < read.len() {
        let message = "two keys have the same id";
        table.report().error(&rules::DUPLICATE, table.place(&keys::KEY), message, "give each key an id of its own");
    }
    if !ids.contains(&current.0) {
        let message = format!("there is no [[cache.encryption.key]] with the id {current}, which 'current' names");
        table.report().error(&rules::BAD_VALUE, table.place(&keys::CURRENT), message, "add it, or name another one");
    }
    if !everywhere && cache.written(&keys::DISK).is_none() {
        let message = "the keys have no effect: nothing is written to disk";
        table.report().error(&rules::NO_EFFECT, at, message, "add [cache.disk], or write encrypt = \"everywhere\"");
    }
    let sources = read.into_iter().filter_map(|(id, source)| Some((id, source?))).collect();
    Some(Encryption { everywhere, current, sources })
}

fn key_id(id: u64) -> KeyId {
    KeyId(u32::try_from(id).unwrap_or(u32::MAX))
}

fn key(table: &Table<'_>) -> Option<(KeyId, Option<Source>)> {
    let id = key_id(table.integer(&keys::ID)?);
    let timeout = table.duration(&keys::TIMEOUT).unwrap_or_default();
    let file = pem::path(table, &keys::KEY_FILE).map(Source::File);
    let variable = table.text(&keys::ENV).map(Source::Variable);
    let words = table.list(&keys::COMMAND, |text| Ok::<_, String>(text.to_owned())).unwrap_or_default();
    let mut words = words.into_iter().map(|word| word.value);
    let command =
        words.next().map(|program| Source::Command { program: program.into(), arguments: words.collect(), timeout });
    let mut sources = [file, variable, command].into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(source), None) => Some((id, Some(source))),
        _ => {
            let message = format!("the key {id} has to have one of 'file', 'env' and 'command'");
            table.report().error(&rules::BAD_VALUE, table.at, message, "write one of them");
            Some((id, None))
        }
    }
}

/// Checks the stages' shares against the disk.
pub(super) fn check(node: &Node, apis: &Apis, at: Option<Mark>, report: &Report<'_>) {
    match &node.cache.disk {
        Some(disk) => {
            unused(apis, at, report);
            shares(disk, apis, report);
        }
        None => without_disk(node, apis, report),
    }
    if node.cache.encryption.is_none() {
        without_keys(node, apis, report);
    }
    large_objects::check(node, apis, report);
}

/// AWS has the keys; here somebody has to give them.
fn without_keys(node: &Node, apis: &Apis, report: &Report<'_>) {
    for cache in apis.drafts.iter().flat_map(|draft| &draft.caches).filter(|cache| cache.value.sealed) {
        match node.cache.disk {
            Some(_) => {
                let message = "entries are to be sealed on disk, and there is no key";
                report.error(&rules::UNSEALED, cache.at, message, "add [cache.encryption]");
            }
            None => {
                let message = "entries are kept in memory only, and memory is not sealed";
                let help =
                    "add [cache.encryption] with encrypt = \"everywhere\", or mind who can read the process's memory";
                report.warning(&rules::UNSEALED, cache.at, message, help);
            }
        }
    }
}

fn without_disk(node: &Node, apis: &Apis, report: &Report<'_>) {
    for cache in apis.drafts.iter().flat_map(|draft| &draft.caches).filter(|cache| cache.value.memory.is_some()) {
        let message = format!("'{}' has no effect: there is no [cache.disk]", keys::CACHE_MEMORY.name);
        report.strict(node.profile, &rules::NO_EFFECT, cache.at, message, "remove it, or add [cache.disk]");
    }
}

/// A warning: a stage whose cache is away for a while finds what it had there again.
fn unused(apis: &Apis, at: Option<Mark>, report: &Report<'_>) {
    if let Some(at) = at
        && !apis.drafts.is_empty()
        && apis.drafts.iter().all(|draft| draft.caches.is_empty())
    {
        let message = "[cache.disk] has no effect: no stage has a cache";
        report.warning(&rules::NO_EFFECT, at, message, "set cache_cluster_enabled = true at a stage, or remove it");
    }
}

/// Disk that the stages' caches take, and memory that its index needs at most beside `[cache] memory`, bytes; nothing
/// without a disk.
pub(crate) fn index_memory(configuration: &Configuration) -> Option<(u64, u64)> {
    configuration.node.cache.disk.as_ref()?;
    let stages =
        configuration.apis.iter().flat_map(|api| api.stages.values()).filter(|stage| stage.cache_cluster_enabled);
    let share = |stage: &Stage| {
        let whole = stage.cache_cluster_size;
        whole.saturating_sub(memory_share(whole, stage.cache_memory))
    };
    let used = stages.map(share).fold(0, u64::saturating_add);
    Some((used, index_of(used)))
}

const fn index_of(used: u64) -> u64 {
    used / SMALL_ENTRY * INDEX_ENTRY
}

fn shares(disk: &DiskBudget, apis: &Apis, report: &Report<'_>) {
    let (mut sum, mut pooled, mut last) = (0_u64, 0_u64, None);
    for cache in apis.drafts.iter().flat_map(|draft| &draft.caches) {
        let share = cache.value.on_disk();
        sum = sum.saturating_add(share);
        last = Some(cache.at);
        if cache.value.memory.is_some_and(|memory| memory > cache.value.whole) {
            let (name, whole) = (keys::CACHE_MEMORY.name, stage_keys::CACHE_CLUSTER_SIZE.name);
            let message = format!("'{name}' is more than '{whole}'");
            report.error(&rules::CACHE_BUDGET, cache.at, message, "write less");
        }
        if sum > disk.size {
            let (sum, size) = (show_size(sum), show_size(disk.size));
            let message = format!("the stages' caches take {sum} of disk up to here, and [cache.disk] size is {size}");
            report.error(&rules::CACHE_BUDGET, cache.at, message, "write less here, or raise 'size'");
            return;
        }
        if share < OWN_STORE {
            pooled += share;
        }
    }
    let least = Config::capacity_least(Config::segment_bytes_for(pooled));
    if let Some(at) = last
        && pooled > 0
        && pooled < least
    {
        let message = format!(
            "the stages that share a store have {} of disk together, and {} is the least that one works with",
            show_size(pooled),
            show_size(least)
        );
        report.error(&rules::CACHE_BUDGET, at, message, "give them more, or less memory");
    }
    much_index(disk, sum, report, last);
}

/// What an entry takes in the index of a disk, bytes, at worst (`docs/caching.md` has what was measured).
const INDEX_ENTRY: u64 = 40;
/// A small answer with its head and key.
const SMALL_ENTRY: u64 = 4096;

/// Says what memory the index of the disk may need beside the caches' own.
fn much_index(disk: &DiskBudget, used: u64, report: &Report<'_>, at: Option<Mark>) {
    let index = index_of(used);
    if let Some(at) = at
        && index > NOTABLE
    {
        let message = format!(
            "the index of {} of disk takes up to {} of memory beside [cache] memory, with entries of 4 KB",
            rough_size(used.min(disk.size)),
            rough_size(index)
        );
        let key = node_keys::CACHE.name;
        report.warning(&rules::INDEX_MEMORY, at, message, format!("see to it that the machine has it besides [{key}]"));
    }
}

/// Less is not worth a warning.
const NOTABLE: u64 = 256 << 20;
