//! The configurations of the conformance suite. Each API is reached by a host of its own: `ID.execute-api.test`.

use std::net::SocketAddr;

use super::support::admin::ADMIN;
use super::way::Way;

/// What belongs to the node as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// No limits.
    Free,
    /// The account has two tokens.
    Account,
    /// One request may be in flight.
    InFlight,
    /// The listener only redirects.
    Redirecting,
}

/// The configuration for a way.
pub(super) fn text(node: Node, way: Way, origin: SocketAddr, nobody: SocketAddr) -> String {
    let (mut top, mut listener) = ("", way.listener());
    if node != Node::Redirecting {
        listener += "default_api = \"plain\"\ndefault_stage = \"prod\"\n";
    }
    match node {
        Node::Free => {}
        Node::Account => top = "[throttle]\naccount_rate_limit = 0\naccount_burst_limit = 2\n",
        Node::InFlight => top = "[throttle]\nin_flight_limit = 1\n",
        Node::Redirecting => listener += "redirect_to_https = 8443\n",
    }
    let text = TEXT.replace("@ADMIN@", ADMIN).replace("@TOP@", top).replace("@LISTENER@", &listener);
    text.replace("@ORIGIN@", &origin.to_string()).replace("@NOBODY@", &nobody.to_string())
}

const TEXT: &str = r#"
explain_callers = ["0.0.0.0/0", "::/0"]
[limits]
body_size = "1000 B"
head_size = "8 KiB"
header_count = 30
[cache]
object_size_limit = "100 KiB"
[access_log]
destination = "@DIR@/access.log"
@ADMIN@
@TOP@
[[listener]]
address = "@LISTEN@"
@LISTENER@
[[domain]]
name = "api.example.com"
[[domain.mapping]]
base_path = "v1"
api = "plain"
stage = "prod"

[[api]]
id = "first"
[[api.resource]]
path = "/first"
method.GET.integration = { type = "MOCK", body = "first" }
[api.stage.prod]

[[api]]
id = "plain"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock", headers = { X-Mixed-Case = "Yes" } }
[[api.resource]]
path = "/empty"
method.ANY.integration = { type = "MOCK", status = 204 }
[[api.resource]]
path = "/only-get"
method.GET.integration = { type = "MOCK", body = "get" }
[[api.resource]]
path = "/greedy/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/greedy/{proxy}" }
[[api.resource]]
path = "/o/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{proxy}" }
[[api.resource]]
path = "/by-host/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{proxy}", preserve_host = true }
[[api.resource]]
path = "/nobody"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@NOBODY@/" }
[[api.resource]]
path = "/slow"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/silent", timeout = "50ms" }
[[api.resource]]
path = "/late"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/silent", first_byte_timeout = "50ms", retries = 0 }
[api.stage.prod]

[[api]]
id = "cached"
[[api.resource]]
path = "/c/{proxy+}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{proxy}" }
[[api.resource]]
path = "/off/{proxy+}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{proxy}" }
[[api.resource]]
path = "/brief/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[[api.resource]]
path = "/keyed/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
method.POST.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "8 MiB"
[api.stage.prod.method."ANY /c/{proxy+}"]
caching_enabled = true
[api.stage.prod.method."GET /off/{proxy+}"]
caching_enabled = false
[api.stage.prod.method."GET /brief/{x}"]
cache_ttl = "1s"
[api.stage.prod.method."GET /keyed/{x}"]
cache_key_parameters = ["path.x", "header.X-Tenant"]
[api.stage.prod.method."POST /keyed/{x}"]
caching_enabled = true
cache_key_parameters = []

[[api]]
id = "aws"
profile = "aws"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[[api.resource]]
path = "/c/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[[api.resource]]
path = "/o/{x}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[[api.resource]]
path = "/unbuildable"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://${stageVariables.nobody}/" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "8 MiB"
[api.stage.prod.method."GET /c/{x}"]
cache_key_parameters = ["path.x"]
[api.stage.prod.method."ANY /o/{x}"]
caching_enabled = false

[[api]]
id = "denied"
resource_policy = { deny = ["0.0.0.0/0", "::/0"] }
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[api.stage.prod]

[[api]]
id = "closed"
[[api.resource]]
path = "/mock"
method.ANY.integration = { type = "MOCK", body = "mock" }
[api.stage.prod]
resource_policy = { allow = ["198.51.100.0/24"] }

[[api]]
id = "throttled"
[[api.resource]]
path = "/a"
method.ANY.integration = { type = "MOCK", body = "a" }
[[api.resource]]
path = "/b"
method.ANY.integration = { type = "MOCK", body = "b" }
[[api.resource]]
path = "/o/{x}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[api.stage.prod]
throttling_rate_limit = 0
throttling_burst_limit = 5
[api.stage.prod.method."ANY /a"]
throttling_rate_limit = 0
throttling_burst_limit = 2
"#;
