//! What the throttles stand at, read when the metrics are asked for: requests in flight, and the tokens in each bucket.

use std::sync::Arc;

use super::gateway::Gateway;
use crate::observe::metrics::{Labels, ReadFn, Reading, ReadingKind};
use crate::plan::{Plan, StagePlan};

/// Registers both gauges.
pub fn watch(gateway: &Arc<Gateway>) {
    gauge(gateway, "requests_in_flight", "Requests under way", |gateway| {
        vec![(Vec::new(), u64::from(gateway.plan.load().in_flight.current()))]
    });
    gauge(gateway, "throttle_tokens", "Whole tokens in a bucket, by its layer", |gateway| {
        tokens(&gateway.plan.load(), gateway.epoch.mono())
    });
}

fn gauge(gateway: &Arc<Gateway>, name: &'static str, help: &'static str, read: fn(&Gateway) -> Vec<(Labels, u64)>) {
    let weak = Arc::downgrade(gateway);
    let read: Box<ReadFn> = Box::new(move || weak.upgrade().map_or_else(Vec::new, |gateway| read(&gateway)));
    gateway.metrics.watch(Reading { name, help, kind: ReadingKind::Gauge, read });
}

/// As many values as the configuration has limits.
fn tokens(plan: &Plan, now: u64) -> Vec<(Labels, u64)> {
    let mut all = Vec::new();
    if let Some(bucket) = &plan.account {
        all.push((labels("account", "-", "-", "-"), bucket.available(now) as u64));
    }
    for api in &plan.apis {
        api.stages.iter().for_each(|stage| stage_tokens(&mut all, &api.name, stage, now));
    }
    all
}

fn stage_tokens(all: &mut Vec<(Labels, u64)>, api: &str, stage: &StagePlan, now: u64) {
    if let Some(bucket) = &stage.bucket {
        all.push((labels("stage", api, &stage.name, "-"), bucket.available(now) as u64));
    }
    for method in &stage.methods {
        if let Some(bucket) = &method.bucket {
            let name = format!("{} {}", method.verb, method.path);
            all.push((labels("method", api, &stage.name, &name), bucket.available(now) as u64));
        }
    }
}

fn labels(layer: &str, api: &str, stage: &str, method: &str) -> Labels {
    let pair = |name, value: &str| (name, value.to_owned());
    vec![pair("layer", layer), pair("api", api), pair("stage", stage), pair("method", method)]
}
