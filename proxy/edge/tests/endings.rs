//! How answers, requests and connections end, in order and otherwise.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "a test is a program")]

#[path = "http2_origin/certificates.rs"]
mod certificates;
#[path = "endings/of_answers.rs"]
mod of_answers;
#[path = "endings/of_broken_answers.rs"]
mod of_broken_answers;
#[path = "endings/of_clients.rs"]
mod of_clients;
#[path = "endings/of_processes.rs"]
mod of_processes;
#[path = "endings/of_uploads.rs"]
mod of_uploads;
mod support;

use std::process::Command;

use support::{Gateway, Recorder};

/// Caches all but what is below `/plain`.
const ENDINGS: &str = r#"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "endings"
default_stage = "prod"
[[api]]
id = "endings"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[[api.resource]]
path = "/plain/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "@ORIGIN@/plain/{proxy}", @MORE@ }
[[api.resource]]
path = "/cached/{proxy+}"
method.GET.integration = { type = "HTTP_PROXY", uri = "@ORIGIN@/cached/{proxy}", @MORE@ }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."ANY /plain/{proxy+}"]
caching_enabled = false
"#;

/// A gateway with these keys of the node, before an origin with these keys of the integration.
fn gateway(top: &str, origin: &str, more: &str) -> Gateway {
    let more = if more.is_empty() { "retries = 1" } else { more };
    Gateway::start(&ENDINGS.replace("@TOP@", top).replace("@ORIGIN@", origin).replace("@MORE@", more))
}

fn send_signal(gateway: &Gateway, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(gateway.pid().to_string()).status();
    assert!(sent.unwrap().success());
}

fn before(origin: &Recorder, top: &str) -> Gateway {
    gateway(top, &format!("http://{}", origin.address()), "")
}
