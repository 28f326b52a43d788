//! From a record to the bytes in the sink.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::config::context;

const PATIENCE: Duration = Duration::from_secs(10);

fn record() -> AccessRecord<'static> {
    AccessRecord {
        time_us: 1_735_689_599_123_456,
        request_id: 0xab,
        source_ip: "192.0.2.7".parse().unwrap(),
        method: "GET",
        protocol: "HTTP/1.1",
        domain_name: Some("api.example.com"),
        path: b"/prod/pets/7",
        query: Some(b"a=b"),
        user_agent: Some(b"curl/8"),
        trace_id: None,
        account_id: Some("123456789012"),
        api_id: Some("pets"),
        stage: Some("prod"),
        deployment_id: None,
        resource_id: None,
        resource_path: Some("/pets/{id}"),
        base_path: None,
        status: 200,
        response_length: 350,
        latency_us: 1_900,
        integration_latency_us: None,
        integration_status: None,
        integration_error: None,
        error_message: None,
        error_type: None,
        cache_status: Some("hit"),
        broken_off: None,
        way: "lane",
    }
}

fn line(format: &ContextFormat, record: &AccessRecord<'_>) -> String {
    let mut out = Vec::new();
    assert!(format.append(record, &mut out, 64 * 1024));
    String::from_utf8(out).unwrap()
}

fn context(text: &str, record: &AccessRecord<'_>) -> String {
    line(&ContextFormat::compile(text).unwrap(), record)
}

/// Tells what it is given, and for each write waits for an answer: how many bytes to take, or an error.
struct Scripted {
    seen: Sender<Vec<u8>>,
    answers: Receiver<io::Result<usize>>,
    reopened: Sender<()>,
}

impl Sink for Scripted {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen.send(bytes.to_vec()).ok();
        self.answers.recv().unwrap_or(Ok(usize::MAX)).map(|take| take.min(bytes.len()))
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.reopened.send(()).ok();
        Ok(())
    }
}

struct Script {
    seen: Receiver<Vec<u8>>,
    answers: Sender<io::Result<usize>>,
    reopened: Receiver<()>,
}

fn scripted() -> (Scripted, Script) {
    let ((seen, see), (answer, answers), (reopen, reopened)) = (channel(), channel(), channel());
    (Scripted { seen, answers, reopened: reopen }, Script { seen: see, answers: answer, reopened })
}

fn start(sink: Scripted, buffer: usize) -> AccessLog {
    AccessLog::start_with(ContextFormat::clf(), sink, buffer, 1).unwrap()
}

#[test]
fn the_json_preset_is_json_with_awss_keys_as_strings() {
    let text = line(&ContextFormat::json(), &record());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (key, expected) in [
        ("requestId", "00000000-0000-0000-0000-0000000000ab"),
        ("extendedRequestId", "rCAAAAAAAAAAAAA="),
        ("ip", "192.0.2.7"),
        ("caller", "-"),
        ("user", "-"),
        ("requestTime", "31/Dec/2024:23:59:59 +0000"),
        ("httpMethod", "GET"),
        ("resourcePath", "/pets/{id}"),
        ("status", "200"),
        ("protocol", "HTTP/1.1"),
        ("responseLength", "350"),
        ("cacheStatus", "hit"),
    ] {
        assert_eq!(value[key], expected, "{key}");
    }
    assert_eq!(value["requestTimeEpochMicros"], 1_735_689_599_123_456_u64);
    assert_eq!(value["responseLatency"], 1);
    assert!(value["integrationLatency"].is_null());
    assert!(!text.contains("a=b"), "a query string may hold secrets");
}

#[test]
fn the_common_log_format() {
    let expected = concat!(
        r#"192.0.2.7 - - [31/Dec/2024:23:59:59 +0000] "GET /pets/{id} HTTP/1.1" 200 350 "#,
        "00000000-0000-0000-0000-0000000000ab rCAAAAAAAAAAAAA=\n"
    );
    assert_eq!(line(&ContextFormat::clf(), &record()), expected);
}

#[test]
fn a_format_of_ones_own() {
    let text = "[$context.requestTimeEpoch] $context.apiId/$context.stage. $context.authorizer.tier, $5 $context.way";
    assert_eq!(context(text, &record()), "[1735689599123] pets/prod. -, $5 lane\n");
    assert_eq!(context("$context.domainPrefix $context.queryString", &record()), "api a=b\n");
}

#[test]
fn in_a_json_format_absent_values_are_dashes_in_quotes_and_null_outside() {
    let text =
        r#"{ "a": "$context.xrayTraceId", "b": $context.integrationLatency, "c\"": $context.error.messageString }"#;
    let absent: serde_json::Value = serde_json::from_str(&context(text, &record())).unwrap();
    assert_eq!(absent, serde_json::json!({ "a": "-", "b": null, "c\"": null }));
    let failed = AccessRecord { error_message: Some("say \"no\""), ..record() };
    let quoted: serde_json::Value = serde_json::from_str(&context(text, &failed)).unwrap();
    assert_eq!(quoted["c\""], "say \"no\"");
}

#[test]
fn unknown_variables_are_refused() {
    for name in ["sttus", "authorizer.", "identity", ""] {
        let refused = ContextFormat::compile(&format!("$context.requestId $context.{name} x"));
        assert_eq!(refused, Err(UnknownVariable(name.trim_end_matches('.').to_owned())), "{name}");
    }
    for name in context::LOGGED {
        assert!(ContextFormat::compile(&format!("$context.{name}")).is_ok(), "{name}");
    }
}

#[test]
fn no_client_writes_a_line_of_its_own() {
    let hostile = b"x\r\n127.0.0.1 - admin \"GET /\" 200\n{\"status\":\"200\"}\"} ,\\\x1b[2J";
    let text = String::from_utf8_lossy(hostile);
    let hostile = AccessRecord {
        method: &text,
        domain_name: Some(&text),
        path: hostile,
        query: Some(hostile),
        user_agent: Some(hostile),
        trace_id: Some(hostile),
        resource_path: Some(&text),
        error_message: Some(&text),
        integration_error: Some(&text),
        ..record()
    };
    let all = context::LOGGED.map(|name| format!("\"$context.{name}\"")).join(" ");
    for format in [ContextFormat::json(), ContextFormat::clf(), ContextFormat::compile(&all).unwrap()] {
        let line = line(&format, &hostile);
        let bytes = line.strip_suffix('\n').unwrap().bytes();
        assert!(bytes.clone().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
    }
    let json: serde_json::Value = serde_json::from_str(&line(&ContextFormat::json(), &hostile)).unwrap();
    assert_eq!(json["userAgent"].as_str().map(str::as_bytes), Some(text.as_bytes()));
    assert_eq!(json["status"], "200");
}

#[test]
fn a_full_log_drops_and_counts_and_never_blocks() {
    let (sink, script) = scripted();
    let log = start(sink, 8 * 1024);
    let mut core = log.core();
    let lines = 10_000;
    (0..lines).for_each(|_| core.write(&record()));
    core.hand_over();
    let dropped = log.losses().dropped();
    assert!(dropped > 0);
    drop(script.answers);
    assert!(log.flush(PATIENCE));
    let written: Vec<u8> = script.seen.try_iter().flatten().collect();
    assert!(written.len() <= 8 * 1024, "{} bytes waited", written.len());
    let written = written.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(written + dropped, lines);
}

#[test]
fn pages_are_recycled_and_never_grow() {
    let (sink, script) = scripted();
    drop(script.answers);
    let log = start(sink, 16 * 1024);
    let mut core = log.core();
    for _ in 0..100 {
        (0..10).for_each(|_| core.write(&record()));
        core.hand_over();
        assert!(log.flush(PATIENCE));
    }
    assert_eq!(log.losses().dropped(), 0);
    drop(core);
    assert!(log.flush(PATIENCE));
    let free = log.shared.free.lock();
    assert_eq!(free.len(), log.shared.pages);
    assert!(free.iter().all(|page| page.bytes.capacity() <= log.shared.page_size));
}

#[test]
fn a_line_longer_than_a_page_is_dropped_alone() {
    let (sink, script) = scripted();
    drop(script.answers);
    let log = start(sink, 16 * 1024);
    let mut core = log.core();
    let long = "x".repeat(20_000);
    core.write(&record());
    core.write(&AccessRecord { resource_path: Some(&long), ..record() });
    core.write(&record());
    drop(core);
    assert!(log.flush(PATIENCE));
    assert_eq!(log.losses().dropped(), 1);
    let lines: Vec<u8> = script.seen.try_iter().flatten().collect();
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);
}

#[test]
fn lines_of_an_earlier_second_do_not_wait_for_a_full_page() {
    let (sink, script) = scripted();
    drop(script.answers);
    let log = start(sink, 64 * 1024);
    let mut core = log.core();
    core.write(&record());
    core.write(&AccessRecord { time_us: record().time_us + 1_000_000, ..record() });
    assert!(log.flush(PATIENCE));
    assert_eq!(script.seen.try_iter().count(), 1);
}

#[test]
fn a_failed_write_is_counted_and_the_torn_line_ended() {
    let (sink, script) = scripted();
    script.answers.send(Ok(5)).unwrap();
    script.answers.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    drop(script.answers);
    let log = start(sink, 16 * 1024);
    let mut core = log.core();
    core.write(&record());
    core.hand_over();
    core.write(&record());
    core.hand_over();
    assert!(log.flush(PATIENCE));
    assert_eq!((log.losses().failed(), log.losses().dropped()), (1, 0));
    let writes: Vec<_> = script.seen.try_iter().collect();
    assert_eq!(writes[2], b"\n");
    assert_eq!(writes[3], writes[0]);
}

#[test]
fn reopening_comes_before_the_next_line() {
    let (sink, script) = scripted();
    drop(script.answers);
    let log = start(sink, 16 * 1024);
    log.reopen();
    assert!(log.flush(PATIENCE));
    assert_eq!(script.reopened.try_iter().count(), 1);
}

#[test]
fn a_rotated_file_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let settings = Settings {
        destination: LogDestination::File(path.clone()),
        format: LogFormat::Context("$context.status".into()),
        buffer: 64 * 1024,
    };
    let log = AccessLog::start(&settings, 2).unwrap();
    let mut core = log.core();
    core.write(&record());
    core.hand_over();
    assert!(log.flush(PATIENCE));
    std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
    log.reopen();
    core.write(&AccessRecord { status: 404, ..record() });
    drop(core);
    assert!(log.flush(PATIENCE));
    assert_eq!(std::fs::read_to_string(folder.path().join("access.log.1")).unwrap(), "200\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "404\n");
}
