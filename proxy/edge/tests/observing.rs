//! What an operator sees of the whole binary: every endpoint of the admin listener, the metrics, the access log in its
//! formats, and reloads that nobody notices.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "observing/access_log.rs"]
mod access_log;
#[path = "observing/admin.rs"]
mod admin;
#[path = "observing/descriptors.rs"]
mod descriptors;
#[path = "observing/metrics.rs"]
mod metrics;
#[path = "observing/process_log.rs"]
mod process_log;
#[path = "observing/reload.rs"]
mod reload;
mod support;

use std::process::Command;

use support::admin::ADMIN;
use support::{Gateway, Recorder};
use tempfile::TempDir;

/// An API with a mock and a cached, a failing and a refusing method.
const OBSERVED: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "observed"
default_stage = "prod"
[[api]]
id = "observed"
name = "Observed"
[[api.resource]]
path = "/mock"
method.GET.integration = { type = "MOCK", body = "mock" }
[[api.resource]]
path = "/cached/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[[api.resource]]
path = "/late/{x}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}", retries = 0 }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "8 MiB"
[api.stage.prod.method."ANY /late/{x}"]
caching_enabled = false
throttling_rate_limit = 0
throttling_burst_limit = 3
"#;

fn gateway(origin: &Recorder, top: &str) -> Gateway {
    gateway_in(tempfile::tempdir().unwrap(), origin, top)
}

fn gateway_in(directory: TempDir, origin: &Recorder, top: &str) -> Gateway {
    let text = OBSERVED.replace("@TOP@", &format!("{top}{ADMIN}")).replace("@ORIGIN@", &origin.address().to_string());
    Gateway::start_in(directory, &text)
}

fn signal(gateway: &Gateway, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &gateway.pid().to_string()]).status().unwrap().success());
}
