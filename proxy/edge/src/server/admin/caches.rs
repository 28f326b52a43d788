//! `/sluice/cache`: what the stages' caches hold, purges, flushes.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use sluice_api::Verb;
use sluice_cache::invalidate::{self, Force, NotDurable, Purge, Target};
use sluice_cache::tier::memory::Swept;

use super::disks::NOT_OPEN;
use super::wish::{Asked, BadField, Scope, What, Wish};
use super::{Writer, dry_run, keys, methods, shred};
use crate::observe::admin::{AdminRequest, AdminResponse};
use crate::plan::{ApiPlan, Plan, StageCache, StagePlan};
use crate::server::gateway::Gateway;

/// Entries of a flushed cache that are freed in one go.
const SLICE: usize = 4_096;

/// A stage that has a cache.
#[derive(Clone, Copy)]
pub(super) struct Cached<'p> {
    pub(super) api: &'p ApiPlan,
    pub(super) stage: &'p StagePlan,
    pub(super) cache: &'p Arc<StageCache>,
    /// Of API and stage in the plan.
    pub(super) place: (u32, u32),
}

/// All of them that are meant.
///
/// # Errors
/// There is no such API or stage, or it has no cache.
pub(super) fn meant<'p>(plan: &'p Plan, scope: &Scope) -> Result<Vec<Cached<'p>>, BadField> {
    let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    let (mut api_found, mut stage_found, mut caches) = (scope.api.is_none(), scope.stage.is_none(), Vec::new());
    for (at, api) in (0..).zip(&plan.apis).filter(|(_, api)| is(&scope.api, &api.id)) {
        api_found = true;
        for (stage_at, stage) in (0..).zip(&api.stages).filter(|(_, stage)| is(&scope.stage, &stage.name)) {
            stage_found = true;
            caches.extend(stage.cache.as_ref().map(|cache| Cached { api, stage, cache, place: (at, stage_at) }));
        }
    }
    match (api_found, stage_found) {
        (false, _) => Err(BadField::new("api", "there is none of that id")),
        (_, false) => Err(BadField::new("stage", "the API has none of that name")),
        _ if caches.is_empty() => Err(BadField::new("stage", "no stage that is meant has a cache")),
        _ => Ok(caches),
    }
}

/// `GET /sluice/cache`: every cache in figures.
pub(super) fn status(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let plan = gateway.plan.load();
    let scope = Scope { api: request.query("api"), stage: request.query("stage") };
    match meant(&plan, &scope) {
        Ok(caches) => {
            let caches: Vec<Value> = caches.into_iter().map(|cached| figures(gateway, cached)).collect();
            AdminResponse::json(200, &json!({ "caches": caches, "disks": disks(gateway) }))
        }
        // Nothing to tell is no mistake where nothing was asked for.
        Err(_) if scope == Scope::default() => AdminResponse::json(200, &json!({ "caches": [] })),
        Err(bad) => bad.into(),
    }
}

/// Each store, open or not.
fn disks(gateway: &Gateway) -> Vec<Value> {
    let Some(disks) = &gateway.storage.disks else { return Vec::new() };
    let open = disks.stats().into_iter().map(|(name, stats)| {
        json!({
            "store": name,
            "state": stats.health.as_str(),
            "no_space": stats.is_short,
            "entries": stats.entries,
            "index_bytes": stats.index_bytes,
            "bytes": stats.segments * u64::from(stats.segment_bytes),
            "capacity": stats.capacity,
            "queue_bytes": stats.queue_bytes,
            "recovered": stats.recovered.0,
            "to_recover": stats.recovered.1,
        })
    });
    let missing = disks.missing().into_iter();
    let missing = missing.map(|(name, why)| json!({ "store": name, "state": NOT_OPEN, "why": why }));
    open.chain(missing).collect()
}

fn figures(gateway: &Gateway, Cached { api, stage, cache, .. }: Cached<'_>) -> Value {
    let counts = stage.methods.iter().map(|method| gateway.metrics.cache_counts(method.series));
    let (hits, misses) = counts.fold((0, 0), |(hits, misses), (hit, miss)| (hits + hit, misses + miss));
    let (memory, departures) = (&cache.memory, cache.memory.departures());
    json!({
        "api": api.id,
        "stage": stage.name,
        "entries": memory.entries(),
        "bytes": memory.bytes(),
        "capacity": memory.capacity(),
        "object_limit": memory.object_limit(),
        "hits": hits,
        "misses": misses,
        "evicted": departures.evicted(),
        "replaced": departures.replaced(),
        "purged": departures.purged(),
        "flushed": departures.flushed(),
        "bans": memory.bans().len(),
        "fetches": cache.flights.len(),
        "fetch_bytes": cache.flights.buffered_bytes(),
        "disk_bytes": cache.disk.space().map(|space| space.bytes()),
    })
}

/// `POST /sluice/cache/purge`: purges, or tells what would be purged. Answered once it holds.
pub(super) fn purge(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let plan = gateway.plan.load_full();
    let done = Wish::read(&request.body).and_then(|wish| {
        let aims = aims(gateway, &plan, &wish)?;
        Ok(match wish.dry_run {
            true => dry_run::page(gateway, &aims, &wish),
            false => carry_out(gateway, &aims, wish.force),
        })
    });
    done.unwrap_or_else(AdminResponse::from)
}

/// A cache and what is meant in it.
pub(super) type Aim<'p> = (Cached<'p>, Vec<Target>);

fn aims<'p>(gateway: &Gateway, plan: &'p Arc<Plan>, wish: &Wish) -> Result<Vec<Aim<'p>>, BadField> {
    match &wish.what {
        What::Covered(targets) => {
            let caches = meant(plan, &wish.scope)?;
            targets.iter().try_for_each(|target| methods::check(target, &caches))?;
            Ok(caches.into_iter().map(|cached| (cached, targets.clone())).collect())
        }
        What::Url(asked) => keys::aims(gateway, plan, &wish.scope, asked),
    }
}

fn carry_out(gateway: &Gateway, aims: &[Aim<'_>], force: Force) -> AdminResponse {
    let (mut caches, mut lost) = (Vec::new(), None);
    for (cached, targets) in aims {
        let mut swept = Swept::default();
        for target in targets {
            match purge_one(gateway, cached, Purge { target: target.clone(), force }) {
                Ok(more) => {
                    swept.entries += more.entries;
                    swept.bytes += more.bytes;
                }
                Err(error) => lost = Some(error),
            }
        }
        tracing::info!(api = %cached.api.id, stage = %cached.stage.name, entries = swept.entries, "purged");
        caches.push(json!({
            "api": cached.api.id, "stage": cached.stage.name, "entries": swept.entries, "bytes": swept.bytes,
            "disk": cached.cache.disk.is_open(),
        }));
    }
    match lost {
        Some(error) => AdminResponse::error(500, &error.to_string()),
        None => AdminResponse::json(200, &json!({ "purged": caches })),
    }
}

/// What GET requests for a URL find is gone afterwards. Where it leads to nothing that is cached, so be it.
pub(super) fn purge_answers_to_get(gateway: &Gateway, plan: &Arc<Plan>, url: String, by: &Writer) {
    let (headers, peer) = (by.headers.clone(), Some(by.peer));
    let asked = Asked { url, verb: Some(Verb::Get), host: None, headers, peer };
    for (cached, targets) in keys::aims(gateway, plan, &Scope::default(), &asked).unwrap_or_default() {
        for target in targets {
            if let Err(error) = purge_one(gateway, &cached, Purge { target, force: Force::Hard }) {
                tracing::warn!(%error, "an invalidation does not outlive the process");
            }
        }
    }
}

fn purge_one(gateway: &Gateway, cached: &Cached<'_>, purge: Purge) -> Result<Swept, NotDurable> {
    let (cache, now) = (cached.cache, gateway.epoch.mono());
    if purge.target == Target::Everything && purge.force == Force::Hard {
        let swept = Swept { entries: cache.memory.entries(), bytes: cache.memory.bytes() };
        return flush_cache(gateway, cache).map(|()| swept);
    }
    invalidate::purge(&cache.memory, &cache.disk.durable(&gateway.hasher), &gateway.hasher, purge, now)
}

/// AWS's `FlushStageCache`: 202 and nothing else.
pub(super) fn flush(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let plan = gateway.plan.load();
    let (id, name) = (request.parameter("id").unwrap_or_default(), request.parameter("stage").unwrap_or_default());
    let Some(api) = plan.apis.iter().find(|api| *api.id == *id) else {
        return AdminResponse::error(404, "Invalid API identifier specified");
    };
    let Some(stage) = api.stages.iter().find(|stage| *stage.name == *name) else {
        return AdminResponse::error(404, "Invalid stage identifier specified");
    };
    let flushed = match &stage.cache {
        Some(cache) => flush_cache(gateway, cache).map_err(|error| error.to_string()),
        None => shred::leftover(gateway, id, name).map_err(|error| error.to_string()),
    };
    match flushed {
        Ok(()) => AdminResponse::empty(202),
        Err(error) => AdminResponse::error(500, &error),
    }
}

/// Forgets everything at once; a thread gives the memory back.
pub(super) fn flush_cache(gateway: &Gateway, cache: &Arc<StageCache>) -> Result<(), NotDurable> {
    let flushed = invalidate::flush(&cache.memory, &cache.disk.durable(&gateway.hasher));
    let cache = cache.clone();
    let drain = move || while cache.memory.drain_some(SLICE) > 0 {};
    // Should there be no thread, the next flush frees what this one has left.
    let _ = thread::Builder::new().name("cache-drain".into()).spawn(drain);
    flushed.map(|_| ())
}
