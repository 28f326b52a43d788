//! Purges over the admin listener: what they take, what they leave, and what was on its way when they came.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

#[path = "purging/admin.rs"]
mod admin;
#[path = "purging/command.rs"]
mod command;
#[path = "purging/late.rs"]
mod late;
#[path = "purging/stopping.rs"]
mod stopping;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};
use support::front::{proxied, shop};
use support::{Answer, Gateway, Recorder, eventually};

use admin::Admin;

const STAGES: &str = r#"
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
[api.stage.prod.method."GET /keyed/{id}"]
cache_key_parameters = ["path.id", "header.X-Tenant"]
[api.stage.bare]
"#;

fn gateway(origin: &Recorder, top: &str) -> Gateway {
    Gateway::start(&configuration(origin, top))
}

fn configuration(origin: &Recorder, top: &str) -> String {
    let resources = [("GET", "/pets/{id}"), ("ANY", "/any/{proxy+}"), ("GET", "/keyed/{id}")];
    let resources: String = resources.iter().map(|(verb, path)| proxied(verb, path, "")).collect();
    shop(top, &(resources + STAGES)).replace("@ORIGIN@", &origin.address().to_string())
}

/// Tags an answer with what its path ends with, and tells its number.
fn tagging() -> Recorder {
    let count = AtomicUsize::new(0);
    Recorder::start(move |request| {
        let name = request.target.rsplit('/').next().unwrap_or_default().split('?').next().unwrap_or_default();
        let lines = format!("Surrogate-Key: all key-{name}\r\nCache-Tag: tag {name},more\r\n");
        Answer::status(200, &lines, format!("answer {}", count.fetch_add(1, SeqCst)))
    })
}

/// Gets each twice, so that the second answer shows that it is stored.
fn fill(gateway: &Gateway, admin: &Admin, targets: &[&str]) {
    targets.iter().for_each(|target| drop(gateway.get(target)));
    eventually("everything is stored", || admin.figure("entries") == targets.len() as u64);
}

fn is_stored(gateway: &Gateway, target: &str) -> bool {
    gateway.get(target).field("cache-status").is_some_and(|status| status.starts_with("Sluice; hit"))
}

const TARGETS: [&str; 6] = ["/pets/1", "/pets/2", "/pets/2?a=b", "/any/1", "/any/a/b", "/keyed/1"];

#[test]
fn a_purge_takes_what_it_covers_and_nothing_else() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    for (wish, taken) in [
        (json!({ "tag": "key-1" }), &["/pets/1", "/any/1", "/keyed/1"][..]),
        (json!({ "tag": "tag b" }), &["/any/a/b"]),
        (json!({ "tags": ["key-b", "tag 2"] }), &["/pets/2", "/pets/2?a=b", "/any/a/b"]),
        (json!({ "prefix": "/pets/" }), &["/pets/1", "/pets/2", "/pets/2?a=b"]),
        (json!({ "prefix": "/%61ny/a" }), &["/any/a/b"]),
        (json!({ "method": "GET /keyed/{id}" }), &["/keyed/1"]),
        (json!({ "method": "ANY /any/{proxy+}", "api": "shop", "stage": "prod" }), &["/any/1", "/any/a/b"]),
        (json!({ "url": "http://gateway.test/pets/2" }), &["/pets/2"]),
        (json!({ "url": "HTTP://gateway.test/pets/2?a=b" }), &["/pets/2?a=b"]),
        (json!({ "url": "/any/a/b", "api": "shop", "stage": "prod", "host": "gateway.test" }), &["/any/a/b"]),
        (
            json!({ "method": "GET /pets/{id}", "parameters": { "path.id": "2", "query.a": "b" },
                "api": "shop", "stage": "prod", "host": "gateway.test" }),
            &["/pets/2?a=b"],
        ),
        (json!({ "everything": true }), &TARGETS),
        (json!({ "tag": "nothing" }), &[]),
        (json!({ "tag": "KEY-1" }), &[]),
    ] {
        fill(&gateway, &admin, &TARGETS);
        let (status, answer) = admin.post("/sluice/cache/purge", &wish);
        assert_eq!((status, &answer["purged"][0]["entries"]), (200, &json!(taken.len())), "{wish} {answer}");
        for target in TARGETS {
            assert_eq!(is_stored(&gateway, target), !taken.contains(&target), "{wish} {target}");
        }
    }
}

#[test]
fn a_url_takes_every_coding_of_it() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    let codings = ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n"];
    codings.iter().for_each(|lines| drop(gateway.get_with("/pets/1", lines)));
    eventually("each coding is stored", || admin.figure("entries") == 3);
    let (_, answer) = admin.post("/sluice/cache/purge", &json!({ "url": "http://gateway.test/pets/1" }));
    assert_eq!(answer["purged"][0]["entries"], 3, "{answer}");
    codings.iter().for_each(|lines| drop(gateway.get_with("/pets/1", lines)));
    assert_eq!(origin.count(), 6);
}

#[test]
fn a_url_takes_the_variant_of_the_headers_that_are_given() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    let get = |tenant: &str| gateway.get_with("/keyed/1", &format!("X-Tenant: {tenant}\r\n")).text().to_owned();
    let before = (get("a"), get("b"));
    eventually("both are stored", || admin.figure("entries") == 2);
    let wish = json!({ "url": "http://gateway.test/keyed/1", "headers": { "X-Tenant": "a" } });
    assert_eq!(admin.post("/sluice/cache/purge", &wish).0, 200);
    let after = (get("a"), get("b"));
    assert!(before.0 != after.0 && before.1 == after.1, "{before:?} {after:?}");
}

#[test]
fn a_soft_purge_expires_and_says_so() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1"]);
    let (_, answer) = admin.post("/sluice/cache/purge", &json!({ "tag": "all", "soft": true }));
    assert_eq!((&answer["purged"][0]["entries"], admin.figure("entries")), (&json!(1), 1), "it is still there");
    let status = gateway.get("/pets/1").field("cache-status").unwrap().to_owned();
    assert!(status.starts_with("Sluice; fwd=stale; stored"), "{status}");
    assert!(is_stored(&gateway, "/pets/1"), "the fresh answer has taken its place");
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_dry_run_tells_what_a_purge_would_take_and_takes_nothing() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &TARGETS);
    let (status, answer) = admin.post("/sluice/cache/purge", &json!({ "tag": "tag 1", "dry_run": true }));
    assert_eq!((status, &answer["found"], &answer["next"]), (200, &json!(3), &Value::Null), "{answer}");
    let mut paths: Vec<_> = answer["entries"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/any/1", "/keyed/1", "/pets/1"]);
    let entry = &answer["entries"].as_array().unwrap().iter().find(|e| e["path"] == "/pets/1").unwrap();
    assert_eq!((&entry["method"], &entry["status"]), (&json!("GET /pets/{id}"), &json!(200)));
    assert_eq!((&entry["tags"], &entry["fresh"]), (&json!(["all", "key-1", "tag 1", "more"]), &json!(true)));
    let bytes: u64 = answer["entries"].as_array().unwrap().iter().map(|e| e["bytes"].as_u64().unwrap()).sum();
    assert_eq!(answer["bytes"], bytes);
    assert_eq!(admin.figure("entries"), TARGETS.len() as u64);
    assert_eq!(admin.figure("bytes") - admin.figure("bytes").min(bytes), admin.figure("bytes") - bytes);
}

#[test]
fn a_dry_run_lists_no_more_than_it_was_asked_to_and_counts_all() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    let targets: Vec<_> = (0..40).map(|n| format!("/pets/{n}")).collect();
    fill(&gateway, &admin, &targets.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut from, mut found, mut listed, mut pages) = (json!(0), 0, 0, 0);
    while !from.is_null() {
        let wish = json!({ "everything": true, "dry_run": true, "limit": 3, "from": from });
        let (_, page) = admin.post("/sluice/cache/purge", &wish);
        found += page["found"].as_u64().unwrap();
        listed = listed.max(page["entries"].as_array().unwrap().len());
        from = page["next"].clone();
        pages += 1;
    }
    assert_eq!((found, listed), (40, 3), "in {pages} pages");
}

#[test]
fn an_answer_with_too_many_tags_is_not_stored() {
    let many = (0..65).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let origin = Recorder::start(move |_| Answer::status(200, &format!("Surrogate-Key: {many}\r\n"), "x"));
    let gateway = gateway(&origin, "");
    for _ in 0..2 {
        assert_eq!(gateway.get("/pets/1").field("cache-status"), Some("Sluice; fwd=uri-miss; detail=tags"));
    }
    let admin = Admin::of(&gateway);
    let is_counted = || admin.get("/metrics").1.contains("sluice_not_stored_total{reason=\"tags\"} 2");
    eventually("each is counted", is_counted);
}

#[test]
fn tags_come_from_the_fields_that_the_configuration_names() {
    let origin = Recorder::start(|_| Answer::status(200, "Surrogate-Key: a\r\nX-Tags: b, c\r\n", "x"));
    let gateway = gateway(&origin, "[cache]\ntag_headers = [\"x-tags\"]");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1"]);
    for (tag, found) in [("a", 0), ("b", 1), ("c", 1)] {
        let (_, answer) = admin.post("/sluice/cache/purge", &json!({ "tag": tag, "dry_run": true }));
        assert_eq!(answer["found"], found, "{tag}");
    }
}

#[test]
fn what_is_wrong_is_said_with_the_field() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    for (wish, field) in [
        (json!({}), "url"),
        (json!({ "tag": 1 }), "tag"),
        (json!({ "tag": "a", "api": "none" }), "api"),
        (json!({ "tag": "a", "api": "shop", "stage": "none" }), "stage"),
        (json!({ "tag": "a", "api": "shop", "stage": "bare" }), "stage"),
        (json!({ "url": "http://gateway.test/nowhere" }), "url"),
        (json!({ "url": "/pets/1", "api": "shop", "stage": "prod" }), "host"),
        (json!({ "url": "http://gateway.test/pets/1", "verb": "POST" }), "url"),
        (json!({ "tagg": "a" }), "tagg"),
    ] {
        let (status, answer) = admin.post("/sluice/cache/purge", &wish);
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{wish} {answer}");
    }
    assert_eq!(admin.send("POST", "/sluice/cache/purge", "no json").0, 400);
}

#[test]
fn a_flush_takes_everything_and_is_counted() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &TARGETS);
    assert_eq!(admin.send("DELETE", "/restapis/shop/stages/prod/cache/data", ""), (202, String::new()));
    assert_eq!(admin.figure("entries"), 0);
    assert_eq!(admin.send("DELETE", "/restapis/none/stages/prod/cache/data", "").0, 404);
    eventually("the memory is given back", || admin.figure("flushed") == TARGETS.len() as u64);
}

#[test]
fn figures_and_metrics_tell_what_was_purged() {
    let origin = tagging();
    let gateway = gateway(&origin, "");
    let admin = Admin::of(&gateway);
    fill(&gateway, &admin, &["/pets/1", "/pets/2"]);
    assert!(is_stored(&gateway, "/pets/1"));
    admin.post("/sluice/cache/purge", &json!({ "tag": "key-1" }));
    let figures = ["hits", "misses", "purged", "evicted", "bans", "entries"].map(|name| admin.figure(name));
    assert_eq!(figures, [1, 2, 1, 0, 0, 1]);
    let metrics = admin.get("/metrics").1;
    for line in [
        "sluice_cache_purges_total{api=\"shop\",stage=\"prod\",target=\"tag\",force=\"hard\"} 1",
        "sluice_cache_entries_purged_total{api=\"shop\",stage=\"prod\"} 1",
        "sluice_cache_bans{api=\"shop\",stage=\"prod\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}
