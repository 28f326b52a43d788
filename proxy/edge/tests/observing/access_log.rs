//! The access log: its formats, rotation, and what is lost.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;

use super::support::http2::{Ending, Http2};
use super::support::{Gateway, Recorder, eventually};
use super::{gateway, gateway_in, signal};

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
    let extended = rest.strip_prefix(&format!("\"GET /mock HTTP/1.1\" 200 4 {id} ")).unwrap();
    assert!(extended.len() == 16 && extended.ends_with('='), "{extended}");
}

#[test]
fn a_format_of_one_s_own_is_kept_to_the_letter() {
    let gateway = logging(
        "'<$context.httpMethod> $context.path|$context.status|$context.stage $context.requestId $context.authorizer.user'",
    );
    let id = gateway.connect().request("HEAD", "/none?x=\"y\"", "").read_bodiless();
    let id = id.field("x-amzn-requestid").unwrap().to_owned();
    let line = &lines(&gateway.directory().join("access.log"), 1)[0];
    assert_eq!(line, &format!("<HEAD> /none|403|prod {id} -"));
}

/// By the signal that reloads, and by the one that many rotate with, which does nothing else.
#[test]
fn after_rotation_lines_go_into_the_new_file() {
    ["HUP", "USR1"].iter().for_each(|name| rotate_by(name));
}

fn rotate_by(name: &str) {
    let gateway = logging("\"$context.requestId $context.path\"");
    let (file, old) = (gateway.directory().join("access.log"), gateway.directory().join("access.log.1"));
    gateway.get("/mock");
    lines(&file, 1);
    std::fs::rename(&file, &old).unwrap();
    signal(&gateway, name);
    eventually("a new file", || file.exists());
    gateway.get("/none");
    assert!(lines(&file, 1)[0].ends_with("/none"));
    assert_eq!(lines(&old, 1).len(), 1);
    let reloads = gateway.metrics().value("sluice_reloads_total{result=\"ok\"}");
    assert_eq!(reloads, if name == "HUP" { 1.0 } else { 0.0 });
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

/// A pipe that nobody reads stands for a disk that hangs.
#[test]
fn lines_that_find_the_buffer_full_are_counted_and_hold_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("access.log");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
    let log = "[access_log]\ndestination = \"access.log\"\nbuffer = \"64 KiB\"\nformat = \"$context.path\"\n";
    let gateway = gateway_in(directory, &Recorder::echoing(), log);
    let mut client = gateway.connect();
    let path = format!("/none/{}", "x".repeat(4000));
    let lost = || gateway.metrics().value("sluice_access_log_lines_lost_total{reason=\"full\"}");
    eventually("lines are lost", || {
        assert_eq!(client.get(&path).status, 403);
        lost() > 0.0
    });
    let before = lost();
    (0..20).for_each(|_| assert_eq!(client.get(&path).status, 403));
    eventually("each line is counted", || lost() >= before + 20.0);
    // Who reads at last gets whole lines.
    let mut line = vec![0; path.len() + 1];
    reader.read_exact(&mut line).unwrap();
    assert_eq!(line, format!("{path}\n").into_bytes());
}

#[test]
fn api_and_stage_are_known_where_no_method_is() {
    let gateway = logging("'$context.apiId $context.stage $context.resourcePath $context.extendedRequestId'");
    assert_eq!((gateway.get("/none").status, gateway.get("/mock").status), (403, 200));
    let lines = lines(&gateway.directory().join("access.log"), 2);
    let told: Vec<&str> = lines.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(told, ["observed prod -", "observed prod /mock"]);
    let ids: Vec<&str> = lines.iter().map(|line| line.rsplit_once(' ').unwrap().1).collect();
    assert!(ids.iter().all(|id| id.len() == 16) && ids[0] != ids[1], "{ids:?}");
}

/// Nobody reads a pipe yet: the start does not wait for somebody who does, and he finds what was written before.
#[test]
fn a_pipe_without_a_reader_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let log =
        format!("[access_log]\ndestination = \"{}\"\nformat = \"$context.path $context.requestId\"\n", pipe.display());
    let gateway = gateway(&Recorder::echoing(), &log);
    assert_eq!(gateway.get("/mock").text(), "mock");
    let line = BufReader::new(File::open(&pipe).unwrap()).lines().next().unwrap().unwrap();
    assert!(line.starts_with("/mock "), "{line}");
}

/// The HTTP/2 library refuses these before anybody else sees them.
#[test]
fn a_request_without_a_clear_authority_has_a_line() {
    let gateway = logging("\"$context.status $context.protocol $context.requestId\"");
    let file = gateway.directory().join("access.log");
    for (count, fields) in [[(":authority", "a"), ("host", "b")], [("host", "a"), ("host", "b")]].iter().enumerate() {
        let own = [(":method", "GET"), (":scheme", "http"), (":path", "/mock")];
        let mut client = Http2::connect(gateway.address());
        client.head(1, &[own.as_slice(), fields].concat(), true);
        assert_eq!(client.ending(1), Ending::Answered(false, Vec::new()));
        assert!(lines(&file, count + 1)[count].starts_with("400 HTTP/2"));
    }
    assert_eq!(gateway.metrics().value("sluice_requests_total{way=\"http2\"}"), 2.0);
}
