//! AWS's page "Enabling API caching to enhance responsiveness", claim by claim, against an origin that counts.
//!
//! `checklist` has AWS's promises in their order, `refreshes` the clients that ask for a fresh answer, `mappings` what of
//! a request can be in a key, `changes` what another configuration does to what is stored.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

#[path = "aws_caching/changes.rs"]
mod changes;
#[path = "aws_caching/checklist.rs"]
mod checklist;
#[path = "aws_caching/mappings.rs"]
mod mappings;
#[path = "aws_caching/refreshes.rs"]
mod refreshes;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use support::{Answer, Gateway, Recorder, Response, eventually};

const AWS: &str = "profile = \"aws\"";
const EDGE: &str = "";

const PETS: &str = r#"
@TOP@
[admin]
address = "unix:@DIR@/admin.sock"
[[listener]]
address = "@LISTEN@"
default_api = "pets"
default_stage = "prod"
[[api]]
id = "pets"
[[api.resource]]
path = "/pets"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets" }
method.POST.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets" }
method.HEAD.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets" }
method.OPTIONS.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets" }
[[api.resource]]
path = "/pets/{id}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/pets/{id}" }
[[api.resource]]
path = "/cats"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/cats" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
"#;

/// The API with more said of its stage. `stage` begins with keys of the stage itself.
fn gateway(origin: &Recorder, top: &str, stage: &str) -> Gateway {
    let text = format!("{PETS}{stage}").replace("@TOP@", top);
    Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()))
}

/// Every answer tells its number, so a stored one is known by it.
fn counting(status: u16) -> Recorder {
    let count = AtomicUsize::new(0);
    Recorder::start(move |_| Answer::status(status, "", format!("answer {}", count.fetch_add(1, SeqCst))))
}

fn send(gateway: &Gateway, verb: &str, target: &str, body: &str) -> Response {
    let lines = format!("Content-Length: {}\r\n", body.len());
    let mut client = gateway.connect();
    client.send(format!("{verb} {target} HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n{body}")).read()
}

/// What the admin listener answers.
fn admin(gateway: &Gateway, verb: &str, target: &str) -> String {
    let mut stream = UnixStream::connect(gateway.directory().join("admin.sock")).unwrap();
    let request = format!("{verb} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of a metric whose name and labels begin so.
fn metric(gateway: &Gateway, series: &str) -> u64 {
    let page = admin(gateway, "GET", "/metrics");
    let line = page.lines().find(|line| line.starts_with(series));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Changes the configuration, and has it taken over.
fn edit(gateway: &Gateway, from: &str, to: &str) {
    let file = gateway.directory().join("sluice.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "there is no {from:?}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    let answer = admin(gateway, "POST", "/sluice/reload");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
