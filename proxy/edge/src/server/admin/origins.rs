//! How often each address of an origin has failed, read when the metrics are asked for. There are as many as the
//! configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::observe::metrics::{Labels, Reading, ReadingKind};
use crate::plan::{IntegrationPlan, Plan};
use crate::server::gateway::Gateway;

/// Registers it.
pub(super) fn watch(gateway: &Arc<Gateway>) {
    let weak = Arc::downgrade(gateway);
    gateway.metrics.watch(Reading {
        name: "origin_address_failures",
        help: "Connections that an origin's address did not take, or broke before an answer.",
        kind: ReadingKind::Counter,
        read: Box::new(move || weak.upgrade().map(|gateway| rows(&gateway.plan.load())).unwrap_or_default()),
    });
}

fn rows(plan: &Plan) -> Vec<(Labels, u64)> {
    let methods = plan.apis.iter().flat_map(|api| &api.stages).flat_map(|stage| &stage.methods);
    let origins = methods.filter_map(|method| match &method.integration {
        IntegrationPlan::Http(http) => Some(&http.endpoint.origin),
        _ => None,
    });
    // Many methods share an origin, and origins that differ in something else share addresses.
    let (mut seen, mut failures) = (BTreeSet::new(), BTreeMap::new());
    for origin in origins.filter(|origin| seen.insert(Arc::as_ptr(origin))) {
        for (address, count) in origin.failures() {
            *failures.entry(address.to_string()).or_default() += count;
        }
    }
    failures.into_iter().map(|(address, count)| (vec![("address", address)], count)).collect()
}
