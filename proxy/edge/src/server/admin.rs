//! What the admin listener answers: health, metrics, explain, reload, the stages' caches.

mod caches;
mod disks;
mod dry_run;
mod keys;
mod methods;
mod origins;
mod readings;
mod shred;
pub mod wish;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

pub use readings::watch;

use super::gateway::Gateway;
use super::reload::ReloadError;
use crate::observe::admin::{AdminRequest, AdminResponse, Routes};
use crate::observe::metrics::CONTENT_TYPE;
use crate::plan::Plan;
use crate::storage::StorageError;

/// The routes of the admin listener.
pub fn routes(gateway: &Arc<Gateway>) -> Routes {
    let on = |handle: fn(&Gateway, &AdminRequest) -> AdminResponse| {
        let gateway = gateway.clone();
        move |request: &AdminRequest| handle(&gateway, request)
    };
    Routes::default()
        .on("GET", "/healthz", |_| AdminResponse::text(200, "ok"))
        .on("GET", "/readyz", on(ready))
        .on("GET", "/metrics", on(metrics))
        .on("GET", "/sluice/explain", on(explain))
        .on("POST", "/sluice/reload", on(reload))
        .on("GET", "/sluice/cache", on(caches::status))
        .on("POST", "/sluice/cache/purge", on(caches::purge))
        .on("POST", "/sluice/cache/shred", on(shred::shred))
        .on("DELETE", "/restapis/{id}/stages/{stage}/cache/data", on(caches::flush))
}

/// Who has changed something.
pub(super) struct Writer {
    /// The address that it came from.
    pub(super) peer: SocketAddr,
    /// Its fields, which may be part of keys.
    pub(super) headers: Vec<(String, String)>,
}

/// Forgets what is stored for these URLs (`https://host/path?query`) for whoever sends the same fields, in whatever stage
/// they lead to.
pub(super) fn invalidate(gateway: &Gateway, plan: &Arc<Plan>, urls: Vec<String>, by: &Writer) {
    for url in urls {
        caches::purge_answers_to_get(gateway, plan, url, by);
    }
}

fn ready(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.is_ready() {
        true => AdminResponse::text(200, "ready"),
        false => AdminResponse::text(503, "not ready"),
    }
}

fn metrics(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.metrics.render() {
        Ok(page) => AdminResponse::new(200, CONTENT_TYPE, page.into_bytes()),
        Err(error) => AdminResponse::error(500, &error.to_string()),
    }
}

/// Requests that are explained where no limit is said.
const EXPLAINED: usize = 32;

/// The last requests, newest first; `?limit=` says how many.
fn explain(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    let limit = match request.query("limit").map(|limit| limit.parse()) {
        None => EXPLAINED,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => return AdminResponse::error(400, "'limit': a number is needed"),
    };
    let plan = gateway.plan.load();
    let recent = gateway.explain.recent(limit);
    let requests: Vec<Value> = recent.iter().map(|entry| entry.to_json(|ledger| ledger.to_json(&plan))).collect();
    AdminResponse::json(200, &json!({ "requests": requests }))
}

fn reload(gateway: &Gateway, _: &AdminRequest) -> AdminResponse {
    match gateway.reload() {
        Ok(()) => AdminResponse::json(200, &json!({ "version": gateway.plan.load().version })),
        Err(ReloadError::Configuration(findings)) => AdminResponse::json(422, &json!({ "findings": findings })),
        Err(ReloadError::Keys(error @ StorageError::NotRotated { .. })) => {
            AdminResponse::error(500, &error.to_string())
        }
        Err(error) => AdminResponse::error(422, &error.to_string()),
    }
}
