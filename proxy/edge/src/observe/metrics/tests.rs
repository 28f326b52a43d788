//! The counters from record to text.

use std::thread;

use super::*;

const VOCABULARY: Vocabulary = Vocabulary {
    not_stored: &["set_cookie", "too_large"],
    forwarded: &["uri-miss"],
    throttled: &["account", "stage"],
    broken_off: &["client"],
};

fn request(series: SeriesId) -> RequestRecord {
    RequestRecord {
        series,
        status: 200,
        latency_ns: 15_000,
        integration_latency_ns: None,
        cache: CacheOutcome::Hit,
        bytes_out: 350,
        way: Way::Lane,
    }
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|l| l == line)
}

#[track_caller]
fn assert_line(metrics: &Metrics, line: &str) {
    let text = metrics.render().unwrap();
    assert!(has_line(&text, line), "{line} is not in\n{text}");
}

#[test]
fn counters_are_summed_over_cores_while_they_count() {
    let metrics = Metrics::new(VOCABULARY);
    let series = metrics.series("pets", "prod", "GET /pets/{id}");
    thread::scope(|scope| {
        for _ in 0..3 {
            let core = metrics.core();
            scope.spawn(move || (0..10_000).for_each(|_| core.record(&request(series))));
        }
        metrics.render().unwrap();
    });
    let labels = r#"{api="pets",stage="prod",method="GET /pets/{id}"}"#;
    assert_line(&metrics, &format!("sluice_count_total{labels} 30000"));
    assert_line(&metrics, &format!("sluice_cache_hit_count_total{labels} 30000"));
    assert_line(&metrics, &format!("sluice_response_bytes_total{labels} 10500000"));
    assert_line(&metrics, &format!("sluice_latency_seconds_count{labels} 30000"));
    assert_line(&metrics, r#"sluice_requests_total{way="lane"} 30000"#);
}

#[test]
fn a_series_is_the_same_after_a_reload() {
    let metrics = Metrics::new(VOCABULARY);
    let core = metrics.core();
    let first = metrics.series("pets", "prod", "GET /pets");
    core.record(&request(first));
    metrics.series("birds", "prod", "GET /birds");
    let again = metrics.series("pets", "prod", "GET /pets");
    assert_eq!(again, first);
    core.record(&request(again));
    assert_line(&metrics, r#"sluice_count_total{api="pets",stage="prod",method="GET /pets"} 2"#);
}

#[test]
fn errors_misses_and_integration_calls_are_counted_apart() {
    let metrics = Metrics::new(VOCABULARY);
    let core = metrics.core();
    let series = metrics.series("a", "s", "GET /");
    core.record(&RequestRecord { status: 404, cache: CacheOutcome::Off, ..request(series) });
    core.record(&RequestRecord { status: 504, cache: CacheOutcome::Miss, ..request(series) });
    core.record(&RequestRecord {
        integration_latency_ns: Some(2_000_000),
        cache: CacheOutcome::Miss,
        ..request(series)
    });
    let labels = r#"api="a",stage="s",method="GET /""#;
    assert_line(&metrics, &format!("sluice_4xx_error_total{{{labels}}} 1"));
    assert_line(&metrics, &format!("sluice_5xx_error_total{{{labels}}} 1"));
    assert_line(&metrics, &format!("sluice_cache_hit_count_total{{{labels}}} 0"));
    assert_line(&metrics, &format!("sluice_cache_miss_count_total{{{labels}}} 2"));
    assert_line(&metrics, &format!("sluice_integration_latency_seconds_count{{{labels}}} 1"));
    assert_line(&metrics, &format!(r#"sluice_integration_latency_seconds_bucket{{le="0.002",{labels}}} 1"#));
    assert_line(&metrics, &format!(r#"sluice_integration_latency_seconds_bucket{{le="0.001",{labels}}} 0"#));
}

#[test]
fn a_method_without_requests_is_not_shown() {
    let metrics = Metrics::new(VOCABULARY);
    metrics.series("quiet", "s", "GET /");
    metrics.core();
    assert!(!metrics.render().unwrap().contains("quiet"));
}

#[test]
fn unrouted_and_overflowing_requests_are_counted_too() {
    let metrics = Metrics::new(VOCABULARY);
    let core = metrics.core();
    core.record(&request(SeriesId::UNROUTED));
    core.record(&request(SeriesId::OVERFLOW));
    assert_line(&metrics, r#"sluice_count_total{api="-",stage="-",method="-"} 1"#);
    assert_line(&metrics, r#"sluice_count_total{api="overflow",stage="-",method="-"} 1"#);
}

#[test]
fn node_counters_carry_their_labels() {
    let metrics = Metrics::new(VOCABULARY);
    let (one, two) = (metrics.core(), metrics.core());
    let listener = metrics.listener("127.0.0.1:8080");
    assert_eq!(metrics.listener("127.0.0.1:8080"), listener);
    one.accepted(listener);
    two.accepted(listener);
    two.closed(listener);
    two.refused(listener);
    one.not_stored(1);
    one.not_stored(1_000);
    one.throttled(0);
    two.broken_off(0);
    two.origin(OriginEvent::Reused);
    metrics.reloaded(true);
    metrics.reloaded(false);
    assert_line(&metrics, r#"sluice_connections_accepted_total{listener="127.0.0.1:8080"} 2"#);
    assert_line(&metrics, r#"sluice_connections_open{listener="127.0.0.1:8080"} 1"#);
    assert_line(&metrics, r#"sluice_connections_refused_total{listener="127.0.0.1:8080"} 1"#);
    assert_line(&metrics, r#"sluice_not_stored_total{reason="set_cookie"} 0"#);
    assert_line(&metrics, r#"sluice_not_stored_total{reason="too_large"} 1"#);
    assert_line(&metrics, r#"sluice_throttled_total{layer="account"} 1"#);
    assert_line(&metrics, r#"sluice_broken_off_total{by="client"} 1"#);
    assert_line(&metrics, r#"sluice_origin_total{event="reuse"} 1"#);
    assert_line(&metrics, r#"sluice_reloads_total{result="failed"} 1"#);
}

#[test]
fn readings_are_read_at_each_scrape() {
    let metrics = Metrics::new(VOCABULARY);
    let read = || vec![(vec![("stage", "pets/prod".to_owned())], 42)];
    metrics.watch(Reading { name: "cache_bytes", help: "Bytes", kind: ReadingKind::Gauge, read: Box::new(read) });
    let alone = || vec![(Labels::new(), 7)];
    metrics.watch(Reading { name: "lines", help: "Lines", kind: ReadingKind::Counter, read: Box::new(alone) });
    assert_line(&metrics, r#"sluice_cache_bytes{stage="pets/prod"} 42"#);
    let text = metrics.render().unwrap();
    assert!(has_line(&text, "sluice_lines_total 7") || has_line(&text, "sluice_lines_total{} 7"), "{text}");
}

#[test]
fn label_values_cannot_break_out_of_their_quotes() {
    let metrics = Metrics::new(VOCABULARY);
    let core = metrics.core();
    core.record(&request(metrics.series("a\"} 1\nevil 1", "s\\", "GET /")));
    let text = metrics.render().unwrap();
    assert!(!text.lines().any(|line| line.starts_with("evil")), "{text}");
    assert!(text.contains(r#"api="a\"} 1\nevil 1",stage="s\\""#), "{text}");
}

#[test]
fn every_line_is_one_that_prometheus_reads() {
    let metrics = Metrics::new(VOCABULARY);
    metrics.core().record(&request(metrics.series("a", "s", "GET /{proxy+}")));
    let text = metrics.render().unwrap();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("sluice_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
