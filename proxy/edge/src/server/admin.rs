//! What the admin listener answers: health, metrics, explain, reload, and AWS's call that flushes a stage's cache.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::gateway::Gateway;
use super::reload::ReloadError;
use crate::observe::admin::{AdminRequest, AdminResponse, Routes};
use crate::observe::metrics::{CONTENT_TYPE, Reading, ReadingKind};
use crate::plan::StageCache;

/// Entries of a flushed cache that are freed in one go.
const SLICE: usize = 4_096;

/// The routes of the admin listener.
pub fn routes(gateway: &Arc<Gateway>) -> Routes {
    let on = |handle: fn(&Gateway, &AdminRequest) -> AdminResponse| {
        let gateway = gateway.clone();
        move |request: &AdminRequest| handle(&gateway, request)
    };
    Routes::default()
        .on("GET", "/healthz", |_| AdminResponse::text(200, "ok\n"))
        .on("GET", "/readyz", on(ready))
        .on("GET", "/metrics", on(metrics))
        .on("GET", "/sluice/explain", on(explain))
        .on("POST", "/sluice/reload", on(reload))
        .on("DELETE", "/restapis/{id}/stages/{stage}/cache/data", on(flush))
}

/// Registers what is read when the metrics are asked for.
pub fn watch(gateway: &Arc<Gateway>) {
    let caches = |name, help, kind, read: fn(&StageCache) -> u64| {
        let weak = Arc::downgrade(gateway);
        gateway.metrics.watch(Reading {
            name,
            help,
            kind,
            read: Box::new(move || {
                let Some(gateway) = weak.upgrade() else { return Vec::new() };
                let plan = gateway.plan.load();
                let stages = plan.apis.iter().flat_map(|api| api.stages.iter().map(move |stage| (api, stage)));
                let cached = stages.filter_map(|(api, stage)| Some((api, stage, stage.cache.as_ref()?)));
                let labels = |api: &str, stage: &str| vec![("api", api.to_string()), ("stage", stage.to_string())];
                cached.map(|(api, stage, cache)| (labels(&api.name, &stage.name), read(cache))).collect()
            }),
        });
    };
    caches("cache_bytes", "Bytes that a stage's cache takes in memory.", ReadingKind::Gauge, |c| c.memory.bytes());
    caches("cache_entries", "Entries of a stage's cache in memory.", ReadingKind::Gauge, |c| c.memory.entries());
    caches("cache_capacity_bytes", "Bytes that a stage's cache may take.", ReadingKind::Gauge, |c| c.memory.capacity());
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

fn ready(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.is_ready() {
        true => AdminResponse::text(200, "ready\n"),
        false => AdminResponse::text(503, "not ready\n"),
    }
}

fn metrics(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.metrics.render() {
        Ok(page) => AdminResponse::new(200, CONTENT_TYPE, page.into_bytes()),
        Err(error) => AdminResponse::error(500, &error.to_string()),
    }
}

/// The last requests, newest first; `?limit=` says how many.
fn explain(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let limit = request.query("limit").and_then(|l| l.parse().ok()).unwrap_or(32);
    let plan = gateway.plan.load();
    let recent = gateway.explain.recent(limit);
    let requests: Vec<Value> = recent.iter().map(|entry| entry.to_json(|ledger| ledger.to_json(&plan))).collect();
    AdminResponse::json(200, &json!({ "requests": requests }))
}

fn reload(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.reload() {
        Ok(()) => AdminResponse::json(200, &json!({ "version": gateway.plan.load().version })),
        Err(ReloadError::Configuration(findings)) => AdminResponse::json(422, &json!({ "findings": findings })),
        Err(error) => AdminResponse::error(422, &error.to_string()),
    }
}

/// AWS's `FlushStageCache`: 202 and nothing else.
fn flush(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let plan = gateway.plan.load();
    let (id, name) = (request.parameter("id").unwrap_or_default(), request.parameter("stage").unwrap_or_default());
    let Some(api) = plan.apis.iter().find(|api| *api.id == *id) else {
        return AdminResponse::error(404, "Invalid API identifier specified");
    };
    let Some(stage) = api.stages.iter().find(|stage| *stage.name == *name) else {
        return AdminResponse::error(404, "Invalid stage identifier specified");
    };
    if let Some(cache) = stage.cache.clone() {
        cache.memory.flush();
        let drain = move || while cache.memory.drain_some(SLICE) > 0 {};
        // Should there be no thread, the next flush frees what this one has left.
        let _ = thread::Builder::new().name("cache-drain".into()).spawn(drain);
    }
    AdminResponse::empty(202)
}
