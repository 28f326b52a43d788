//! Every endpoint, and who may use it.

use serde_json::Value;

use super::support::{Answer, Client, Gate, Gateway, Port, Recorder, eventually};
use super::{gateway, signal};

#[test]
fn every_endpoint_answers() {
    let origin = Recorder::echoing();
    let gateway = gateway(&origin, "");
    assert_eq!(gateway.admin("GET", "/healthz").body, "ok\n");
    eventually("it is ready", || gateway.admin("GET", "/readyz").status == 200);
    let metrics = gateway.admin("GET", "/metrics");
    assert!(metrics.head.to_ascii_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"));
    let reloaded: Value = serde_json::from_str(&gateway.admin("POST", "/sluice/reload").body).unwrap();
    assert!(reloaded["version"].as_u64().unwrap() > 1, "{reloaded}");
    assert_eq!(gateway.get("/cached/a").text(), "/a");
    assert_eq!(gateway.admin("DELETE", "/restapis/observed/stages/prod/cache/data").status, 202);
    eventually("the cache is empty", || {
        gateway.metrics().value("sluice_cache_entries{api=\"Observed\",stage=\"prod\"}") == 0.0
    });
    assert_eq!(gateway.get("/cached/a").text(), "/a");
    assert_eq!(origin.count(), 2, "it was flushed");
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("DELETE", "/restapis/none/stages/prod/cache/data", 404),
        ("DELETE", "/restapis/observed/stages/none/cache/data", 404),
        ("POST", "/healthz", 405),
        ("GET", "/sluice/reload", 405),
    ] {
        assert_eq!(gateway.admin(method, path).status, status, "{method} {path}");
    }
}

#[test]
fn explain_tells_what_every_stage_decided() {
    let gateway = gateway(&Recorder::echoing(), "");
    let id = gateway.get("/nothing?token=secret").field("x-amzn-requestid").unwrap().to_owned();
    let told: Value = serde_json::from_str(&gateway.admin("GET", "/sluice/explain?limit=100").body).unwrap();
    let requests = told["requests"].as_array().unwrap();
    let request = requests.iter().find(|request| request["requestId"] == id.as_str()).unwrap();
    assert_eq!((&request["status"], &request["path"]), (&403.into(), &"/nothing".into()));
    let ledger = &request["ledger"];
    assert_eq!((&ledger["frame"], &ledger["locate"]), (&"lane".into(), &"no_method".into()));
    assert_eq!(
        (&ledger["api"], &ledger["stage"], &ledger["method"]),
        (&"observed".into(), &"prod".into(), &Value::Null)
    );
    assert!(!told.to_string().contains("secret"));
    let one: Value = serde_json::from_str(&gateway.admin("GET", "/sluice/explain?limit=1").body).unwrap();
    assert_eq!(one["requests"].as_array().unwrap().len(), 1);
    let bad = gateway.admin("GET", "/sluice/explain?limit=abc");
    assert!(bad.status == 400 && bad.body.contains("'limit'"), "{}", bad.body);
}

#[test]
fn elsewhere_than_here_a_token_is_asked_for() {
    let port = Port::reserve().address();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "open sesame\n").unwrap();
    let text = format!("[admin]\naddress = \"{port}\"\ntoken_file = \"token\"\n{MOCK}");
    let _gateway = Gateway::start_in(directory, &text);
    eventually("the admin listener", || std::net::TcpStream::connect(port).is_ok());
    for (line, status) in [
        ("", 401),
        ("Authorization: Bearer open\r\n", 401),
        ("Authorization: Basic open sesame\r\n", 401),
        ("Authorization: Bearer open sesame\r\n", 200),
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {port}\r\n{line}\r\n");
        assert_eq!(Client::connect(port).send(request).read().status, status, "{line}");
    }
}

const MOCK: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "a"
[[api]]
id = "a"
[[api.resource]]
path = "/"
method.GET.integration = { type = "MOCK" }
[api.stage.prod]
"#;

#[test]
fn an_open_door_without_a_token_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sluice.toml");
    for address in ["0.0.0.0:9901", "[::]:9901", "192.0.2.1:9901"] {
        let text = format!("[admin]\naddress = \"{address}\"\n{}", MOCK.replace("@LISTEN@", "127.0.0.1:1"));
        std::fs::write(&file, text).unwrap();
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_sluice")).arg("run").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains("open-admin"), "{address}: {said}");
    }
}

/// A process that stops lives until its last request is answered, and takes no new ones meanwhile.
#[test]
fn while_it_stops_it_is_healthy_and_not_ready() {
    let held = Gate::default();
    let script = held.clone();
    let origin =
        Recorder::start(move |_| Answer::none().wait(&script).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
    let mut gateway = gateway(&origin, "");
    eventually("it is ready", || gateway.admin("GET", "/readyz").status == 200);
    let mut client = gateway.connect();
    client.request("GET", "/late/x", "");
    origin.wait_for(1);
    signal(&gateway, "TERM");
    eventually("it is not ready any more", || gateway.admin("GET", "/readyz").status == 503);
    assert_eq!(gateway.admin("GET", "/healthz").status, 200);
    held.open();
    let answer = client.read();
    assert_eq!((answer.text(), answer.closes()), ("late", true));
    eventually("it ends", || !gateway.is_alive());
}
