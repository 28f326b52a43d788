//! The access log: its formats, rotation, and what is lost.

use std::path::Path;

use super::support::{Gateway, Recorder, eventually};
use super::{gateway, signal};

fn logging(format: &str) -> Gateway {
    gateway(&Recorder::echoing(), &format!("[access_log]\ndestination = \"access.log\"\nformat = {format}\n"))
}

/// Waits for so many lines.
fn lines(file: &Path, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    eventually(&format!("{count} lines"), || read().lines().count() >= count);
    read().lines().map(str::to_owned).collect()
}

#[test]
fn json_is_an_object_on_every_line() {
    let gateway = logging("\"json\"");
    let id = gateway.get_with("/mock?a=b", "User-Agent: \"x\" \\\r\n").field("x-amzn-requestid").unwrap().to_owned();
    assert_eq!(gateway.get("/none").status, 403);
    let lines = lines(&gateway.directory().join("access.log"), 2);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    for (name, value) in [
        ("requestId", id.as_str()),
        ("ip", "127.0.0.1"),
        ("httpMethod", "GET"),
        ("resourcePath", "/mock"),
        ("status", "200"),
        ("protocol", "HTTP/1.1"),
        ("responseLength", "4"),
        ("userAgent", "\"x\" \\"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    let refused: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!((&refused["status"], &refused["errorType"]), (&"403".into(), &"MISSING_AUTHENTICATION_TOKEN".into()));
}

#[test]
fn clf_is_aws_s() {
    let gateway = logging("\"clf\"");
    let id = gateway.get("/mock").field("x-amzn-requestid").unwrap().to_owned();
    let line = &lines(&gateway.directory().join("access.log"), 1)[0];
    let (start, rest) = line.split_once(" [").unwrap();
    let (date, rest) = rest.split_once("] ").unwrap();
    assert_eq!(start, "127.0.0.1 - -");
    assert_eq!((date.len(), &date[2..3], &date[20..]), (26, "/", " +0000"), "{date}");
    assert_eq!(rest, format!("\"GET /mock HTTP/1.1\" 200 4 {id} -"));
}

#[test]
fn a_format_of_one_s_own_is_kept_to_the_letter() {
    let gateway = logging(
        "'<$context.httpMethod> $context.path|$context.status|$context.stage $context.requestId $context.authorizer.user'",
    );
    let id = gateway.connect().request("HEAD", "/none?x=\"y\"", "").read_bodiless();
    let id = id.field("x-amzn-requestid").unwrap().to_owned();
    let line = &lines(&gateway.directory().join("access.log"), 1)[0];
    assert_eq!(line, &format!("<HEAD> /none|403|- {id} -"));
}

#[test]
fn after_rotation_lines_go_into_the_new_file() {
    let gateway = logging("\"$context.requestId $context.path\"");
    let (file, old) = (gateway.directory().join("access.log"), gateway.directory().join("access.log.1"));
    gateway.get("/mock");
    lines(&file, 1);
    std::fs::rename(&file, &old).unwrap();
    signal(&gateway, "HUP");
    eventually("a new file", || file.exists());
    gateway.get("/none");
    assert!(lines(&file, 1)[0].ends_with("/none"));
    assert_eq!(lines(&old, 1).len(), 1);
}

#[test]
fn lines_that_no_disk_takes_are_counted_and_hold_nobody_up() {
    let gateway = gateway(&Recorder::echoing(), "[access_log]\ndestination = \"/dev/full\"\nformat = \"json\"\n");
    let mut client = gateway.connect();
    (0..50).for_each(|_| assert_eq!(client.get("/mock").status, 200));
    eventually("fifty lines are lost", || {
        gateway.metrics().value("sluice_access_log_lines_lost_total{reason=\"disk\"}") >= 50.0
    });
    assert_eq!(client.get("/mock").text(), "mock");
}
