//! The page that Prometheus reads: its form, AWS's figures by their names here, and what each request adds.

use std::collections::BTreeSet;

use super::gateway;
use super::support::{Answer, Recorder, eventually};

/// Requests whose figures are known: a miss, a hit, a failure, a refusal by a bucket, and three that reach no method, no stage and no API.
#[test]
fn the_figures_are_those_of_the_requests() {
    let origin = Recorder::start(|request| match request.target.as_str() {
        "/bad" => Answer::raw("garbage\r\n\r\n"),
        _ => Answer::ok("12345"),
    });
    let gateway = gateway(&origin, "");
    for (target, status) in [
        ("/cached/a", 200),
        ("/cached/a", 200),
        ("/late/bad", 502),
        ("/late/a", 200),
        ("/late/a", 200),
        ("/late/a", 429),
        ("/none", 403),
        ("/_aws/execute-api/observed/none/mock", 403),
        ("/_aws/execute-api/none/prod/mock", 403),
    ] {
        assert_eq!(gateway.get(target).status, status, "{target}");
    }
    eventually("all are counted", || gateway.metrics().sum("sluice_requests_total") >= 9.0);
    let samples = gateway.metrics();
    let cached = "{api=\"Observed\",stage=\"prod\",method=\"GET /cached/{x}\"}";
    let late = "{api=\"Observed\",stage=\"prod\",method=\"ANY /late/{x}\"}";
    let no_method = "{api=\"Observed\",stage=\"prod\",method=\"-\"}";
    let no_stage = "{api=\"Observed\",stage=\"-\",method=\"-\"}";
    let nowhere = "{api=\"-\",stage=\"-\",method=\"-\"}";
    for (name, labels, value) in [
        ("count_total", cached, 2.0),
        ("count_total", late, 4.0),
        ("count_total", no_method, 1.0),
        ("count_total", no_stage, 1.0),
        ("count_total", nowhere, 1.0),
        ("4xx_error_total", cached, 0.0),
        ("4xx_error_total", late, 1.0),
        ("4xx_error_total", nowhere, 1.0),
        ("5xx_error_total", late, 1.0),
        ("cache_hit_count_total", cached, 1.0),
        ("cache_miss_count_total", cached, 1.0),
        ("cache_miss_count_total", late, 0.0),
        ("latency_seconds_count", cached, 2.0),
        ("integration_latency_seconds_count", cached, 1.0),
        ("response_bytes_total", cached, 10.0),
        ("throttled_total", "{layer=\"method\"}", 1.0),
        ("throttle_tokens", "{layer=\"method\",api=\"Observed\",stage=\"prod\",method=\"ANY /late/{x}\"}", 0.0),
        ("requests_in_flight", "", 0.0),
        ("requests_total", "{way=\"lane\"}", 9.0),
        ("origin_total", "{event=\"failure\"}", 1.0),
    ] {
        let sample = format!("sluice_{name}{labels}");
        assert_eq!(samples.0.get(&sample), Some(&value), "{sample} in {samples:?}");
    }
    let mean = samples.value(&format!("sluice_latency_seconds_sum{cached}")) / 2.0;
    assert!(mean > 0.0 && mean < 10.0, "seconds, and not of another size: {mean}");
}

/// OpenMetrics: every family is described once and before its samples, every sample is of one, and the page ends.
#[test]
fn the_page_is_well_formed() {
    let origin = Recorder::echoing();
    let gateway = gateway(&origin, "");
    assert_eq!(gateway.get("/cached/a").status, 200);
    let page = gateway.admin("GET", "/metrics").body;
    let mut families = BTreeSet::new();
    for line in page.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["#", "TYPE", name, kind] => {
                assert!(families.insert(name), "{name} twice");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            }
            ["#", "HELP" | "UNIT", _, ..] | ["#", "EOF"] => {}
            _ => {
                let name = line.split(['{', ' ']).next().unwrap();
                let family =
                    ["_total", "_bucket", "_sum", "_count", ""].iter().filter_map(|end| name.strip_suffix(end));
                assert!(family.into_iter().any(|family| families.contains(family)), "of no family: {line}");
                assert!(words.last().unwrap().parse::<f64>().is_ok(), "{line}");
            }
        }
    }
    assert!(page.ends_with("# EOF\n") && families.len() > 15);
}
