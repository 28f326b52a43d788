use super::*;
use crate::config::Configuration;

const SECOND: u64 = 1_000_000_000;

fn line(second: u64, uri: &str, status: u16) -> String {
    format!(
        r#"127.0.0.1 - - [10/Oct/2020:13:{:02}:{:02} +0000] "GET {uri} HTTP/1.1" {status} 1000"#,
        second / 60,
        second % 60
    )
}

fn cases() -> Vec<Case> {
    let case = |capacity, ttl| Case { capacity, ttl_ns: ttl * SECOND };
    vec![case(1 << 20, 60), case(1 << 30, 60), case(1 << 20, 3600), case(1 << 30, 3600)]
}

fn replayed(configuration: Option<&Configuration>, lines: &[String]) -> Report {
    let mut log = Log::new(configuration);
    lines.iter().for_each(|line| log.read(line).unwrap());
    log.replay(&cases(), |_, _| {})
}

#[test]
fn requests_are_grouped_keyed_and_counted() {
    let mut lines: Vec<String> = (0..60).map(|second| line(second, &format!("/pets/{}", second % 3), 200)).collect();
    lines.push(line(61, "/pets/1?x=2", 200));
    lines.extend((62..64).map(|second| line(second, "/broken", 500)));
    let report = replayed(None, &lines);
    assert_eq!(report.methods, ["GET /pets/…", "GET /broken"]);
    assert_eq!((report.keys, report.counts.lines), (5, 63));
    let outcome = report.recommended(3600 * SECOND).unwrap();
    assert_eq!(outcome.case.capacity, 1 << 20, "a larger one answers no more");
    let hits: Vec<(u64, u64)> = outcome.methods.iter().map(|t| (t.hits, t.requests())).collect();
    assert_eq!(hits, [(57, 61), (0, 2)]);
    assert!((report.seconds - 63.0).abs() < 0.1);
}

#[test]
fn a_configuration_tells_methods_and_keys() {
    let text = r#"
        [[listener]]
        address = "127.0.0.1:0"
        [[api]]
        id = "pets"
        [[api.resource]]
        path = "/pets/{id}"
        [api.resource.method.GET]
        integration = { type = "MOCK" }
        [api.stage.prod]
        cache_cluster_enabled = true
        [api.stage.prod.method."GET /pets/{id}"]
        caching_enabled = true
        cache_key_parameters = ["path.id", "query.view"]
    "#;
    let (configuration, _) = Configuration::parse(text, Path::new("x.toml")).unwrap();
    let uris = ["/pets/1?view=a&utm=1", "/prod/pets/1?utm=2&view=a", "/pets/1?view=b", "/pets/2?view=a"];
    let lines: Vec<String> = (0..).zip(uris).map(|(second, uri)| line(second, uri, 200)).collect();
    let report = replayed(Some(&configuration), &lines);
    assert_eq!(report.methods, ["pets GET /pets/{id}"]);
    assert_eq!(report.keys, 3);
}

#[test]
fn other_verbs_and_broken_lines_are_told() {
    let mut log = Log::new(None);
    log.read(&line(0, "/", 200).replace("GET", "POST")).unwrap();
    assert!(log.read("nonsense").is_err());
    assert_eq!(log.counts(), Counts { lines: 2, unreadable: 1, uncached: 1 });
}

#[test]
fn what_has_expired_reaches_the_origin_too() {
    // One request each second for 101 seconds, and one fetch each minute.
    let lines: Vec<String> = (0..=100).map(|second| line(second, "/a", 200)).collect();
    let report = replayed(None, &lines);
    let load = |ttl: u64| report.recommended(ttl * SECOND).map(|outcome| report.origin_load(&outcome.total()));
    assert_eq!(load(60), Some(2.0 / 100.0));
    assert_eq!(load(3600), Some(1.0 / 100.0));
    let sampled = Report { one_of: 8, ..report };
    let total = sampled.recommended(60 * SECOND).map(Outcome::total).unwrap();
    assert_eq!(sampled.origin_load(&total), 16.0 / 100.0, "each key stands for eight");
}

#[test]
fn a_month_of_a_cluster_has_its_price() {
    let monthly: Vec<String> = CLUSTERS.iter().map(|c| format!("{} {:.2}", c.size, c.monthly())).collect();
    assert_eq!(monthly[0], "0.5 14.60");
    assert_eq!(monthly[7], "237 2774.00");
}

#[test]
fn it_is_shown_as_text_as_json_and_as_a_drawing() {
    let lines: Vec<String> = (0..600).map(|n| line(n, &format!("/a/{}", n % 7), 200)).collect();
    let report = replayed(None, &lines);
    let shown = Shown { report: &report, ttl_ns: 60 * SECOND };
    let text = shown.to_string();
    assert!(text.contains("recommended: cache_cluster_size = \"1 MiB\" with cache_ttl = \"60s\""), "{text}");
    assert!(text.contains("GET /a/…"), "{text}");
    let json = shown.to_json();
    assert_eq!(json["cases"].as_array().map(Vec::len), Some(4));
    assert_eq!(json["recommended"]["capacity_bytes"], 1 << 20);
    let file = tempfile::NamedTempFile::new().unwrap();
    draw(&report, file.path()).unwrap();
    let svg = std::fs::read_to_string(file.path()).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("requests/s to the origin"), "{svg:.200}");
}

use std::path::Path;
