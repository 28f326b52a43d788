//! Objects that are too large for memory: filled while they are sent, served from disk, and never in part.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "another test uses more of it")]
#[path = "http2/client.rs"]
mod client;
#[path = "large_objects/closing.rs"]
mod closing;
#[path = "large_objects/keeping.rs"]
mod keeping;
#[path = "large_objects/renewing.rs"]
mod renewing;
mod support;
#[path = "large_objects/ways.rs"]
mod ways;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use support::{Answer, Client, Gate, Gateway, Recorder, Request, Response, eventually};

const CONFIGURATION: &str = r#"
[admin]
address = "unix:@DIR@/admin.sock"
[cache]
object_size_limit = "64 KiB"
[cache.disk]
directory = "@CACHE@"
size = "2 GB"
@MORE@
[[listener]]
address = "@LISTEN@"
default_api = "files"
default_stage = "prod"
[[api]]
id = "files"
[[api.resource]]
path = "/{name}"
method.ANY.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{name}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "1 GB"
cache_memory = "16 MiB"
cache_ttl = "3600s"
cache_large_objects = "60 MB"
@STAGE@
"#;

const MIB: usize = 1 << 20;

struct Rig {
    origin: Recorder,
    cache: tempfile::TempDir,
    more: String,
    /// More lines of the stage.
    stage: String,
}

impl Rig {
    fn new(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            origin: Recorder::start(script),
            cache: tempfile::tempdir().unwrap(),
            more: String::new(),
            stage: String::new(),
        }
    }

    /// `/NAME-LENGTH` is a body of that length.
    fn of_files() -> Self {
        Self::new(|request| Answer::status(200, "ETag: \"v1\"\r\nSurrogate-Key: all\r\n", file(&request.target)))
    }

    fn directory(&self) -> PathBuf {
        self.cache.path().join("store")
    }

    fn start(&self) -> Gateway {
        self.start_with(CONFIGURATION)
    }

    /// With a disk that is soon full.
    fn start_small(&self) -> Gateway {
        self.start_with(&CONFIGURATION.replace("\"1 GB\"", "\"120 MB\"").replace("60 MB", "20 MB"))
    }

    fn start_with(&self, configuration: &str) -> Gateway {
        let text = configuration
            .replace("@CACHE@", &self.directory().display().to_string())
            .replace("@ORIGIN@", &self.origin.address().to_string())
            .replace("@STAGE@", &self.stage)
            .replace("@MORE@", &self.more);
        let gateway = Gateway::start(&text);
        eventually("the disk is ready", || gateway.admin("GET", "/sluice/cache").body.contains("\"good\""));
        gateway
    }
}

/// The body of a target, which only this one has.
fn file(target: &str) -> Vec<u8> {
    let length = target.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut state = target.bytes().fold(0x9E37_79B9_7F4A_7C15_u64, |sum, b| (sum ^ u64::from(b)).rotate_left(9) + 1);
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut body = Vec::with_capacity(length + 8);
    while body.len() < length {
        body.extend_from_slice(&word());
    }
    body.truncate(length);
    body
}

fn stored(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("sluice_cache_objects_stored_total")
}

/// Until so many objects are stored, and all that this takes is on disk.
fn settle(gateway: &Gateway, objects: f64) {
    eventually("the objects are stored", || stored(gateway) >= objects);
    eventually("nothing waits to be written", || gateway.metrics().sum("sluice_cache_disk_queue_bytes") == 0.0);
}

/// Until an object of so many bytes and its head would be found after a kill.
fn settle_on_disk(gateway: &Gateway, length: usize) {
    let entries = length.div_ceil(256 * 1024) + 1;
    eventually("the object is on disk", || gateway.metrics().sum("sluice_cache_disk_entries") >= entries as f64);
}

/// A connection whose kernel reads little ahead; it would take tens of megabytes.
fn with_little_room(gateway: &Gateway) -> Client {
    let client = gateway.connect();
    socket2::SockRef::from(client.stream()).set_recv_buffer_size(128 * 1024).unwrap();
    client
}

/// GET at the disk's pace, however slow it is.
fn get_at_ease(gateway: &Gateway, target: &str) -> Response {
    let before = gateway.metrics().sum("sluice_cache_disk_written_bytes_total");
    let mut client = with_little_room(gateway);
    client.request("GET", target, "");
    let length = file(target).len();
    while client.reader().unused.len() < length {
        let came = client.reader().unused.len().saturating_sub(MIB);
        let written = || gateway.metrics().sum("sluice_cache_disk_written_bytes_total") - before;
        eventually("the disk catches up", || written() >= came as f64);
        let next = client.reader().unused.len() + MIB;
        while client.reader().unused.len() < next.min(length) && client.reader().more().unwrap() {}
    }
    client.read()
}

fn status(response: &Response) -> &str {
    response.field("cache-status").unwrap_or_default()
}

fn is_hit(response: &Response) -> bool {
    status(response).starts_with("Sluice; hit") && status(response).ends_with("detail=disk")
}

fn kill(gateway: Gateway) {
    // Dropping it kills it with SIGKILL, and waits.
    drop(gateway);
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => all.extend(segments(&path)),
            false if path.to_string_lossy().contains("segment-") => all.push(path),
            false => {}
        }
    }
    all
}

/// Where a piece of an object lies on disk.
fn find(directory: &Path, piece: &[u8]) -> Option<(PathBuf, u64)> {
    segments(directory).into_iter().find_map(|path| {
        let bytes = fs::read(&path).unwrap();
        let at = memchr::memmem::find(&bytes, piece)?;
        Some((path, at as u64))
    })
}

#[test]
fn fifty_megabytes_are_filled_and_served_in_little_memory() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let target = "/film-50000000";
    let whole = file(target);
    let before = gateway.resident();
    let first = get_at_ease(&gateway, target);
    assert!(first.body == whole && status(&first).starts_with("Sluice; fwd=uri-miss; stored"), "{:?}", first.head);
    settle(&gateway, 1.0);
    for _ in 0..3 {
        let again = gateway.get(target);
        assert!(again.body == whole && is_hit(&again), "{:?}", again.head);
        assert_eq!((again.field("content-length"), again.field("etag")), (Some("50000000"), Some("\"v1\"")));
        assert!(again.field("age").is_some());
    }
    assert_eq!(rig.origin.count(), 1);
    settle_on_disk(&gateway, whole.len());
    // The store's two batches of 8 MiB and what waits in its queue, at most 16 MiB of an object.
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < 40 * MIB as u64, "{grown} bytes more");
    kill(gateway);
    let gateway = rig.start();
    assert!(gateway.get(target).body == whole);
    assert_eq!(rig.origin.count(), 1, "it is found again");
}

#[test]
fn parts_conditions_and_heads_come_from_the_stored_object() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let target = "/map-3000000";
    let whole = file(target);
    gateway.get(target);
    settle(&gateway, 1.0);
    let mut client = gateway.connect();
    for (range, start, end) in [
        ("0-0", 0, 1),
        ("262143-262144", 262_143, 262_145),
        ("1000000-", 1_000_000, 3_000_000),
        ("-5", 2_999_995, 3_000_000),
    ] {
        let part = client.get_with(target, &format!("Range: bytes={range}\r\n"));
        assert_eq!((part.status, part.body.len()), (206, end - start), "{:?}", part.head);
        assert!(part.body == whole[start..end] && is_hit(&part));
        let told = format!("bytes {start}-{}/3000000", end - 1);
        assert_eq!(part.field("content-range"), Some(&*told));
    }
    let beyond = client.get_with(target, "Range: bytes=3000000-\r\n");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */3000000")));
    assert_eq!(client.get_with(target, "If-None-Match: \"v1\"\r\n").status, 304);
    let mine = client.get_with(target, "Range: bytes=0-9\r\nIf-Range: \"v1\"\r\n");
    let others = client.get_with(target, "Range: bytes=0-9\r\nIf-Range: \"v0\"\r\n");
    assert_eq!((mine.status, mine.body.len(), others.status, others.body.len()), (206, 10, 200, 3_000_000));
    assert!(client.get(target).body == whole);
    assert_eq!(rig.origin.count(), 1);
}

#[test]
fn a_body_of_unknown_length_is_kept_up_to_the_limit() {
    let rig = Rig::new(|request| {
        let body = file(&request.target);
        let chunked = body
            .chunks(1_000_000)
            .fold(Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), |answer, piece| {
                answer.then(format!("{:x}\r\n", piece.len())).then(piece).then("\r\n")
            });
        chunked.then("0\r\n\r\n")
    });
    let gateway = rig.start();
    let whole = file("/log-7000001");
    assert!(gateway.get("/log-7000001").body == whole);
    settle(&gateway, 1.0);
    let again = gateway.get("/log-7000001");
    assert!(again.body == whole && is_hit(&again), "{:?}", again.head);
    assert_eq!(again.field("content-length"), Some("7000001"));
    assert_eq!(gateway.get("/log-60000001").body.len(), 60_000_001);
    assert_eq!(gateway.get("/log-60000").body.len(), 60_000);
    let small = gateway.get("/log-60000");
    assert!(status(&small).starts_with("Sluice; hit; ttl=") && !is_hit(&small), "it fits into memory");
    assert_eq!((stored(&gateway), rig.origin.count()), (1.0, 3));
    assert!(gateway.metrics().sum("sluice_not_stored_total") >= 1.0);
}

#[test]
fn a_kill_in_the_middle_of_a_fill_leaves_nothing_that_is_found() {
    let gate = Gate::default();
    let held = gate.clone();
    let rig = Rig::new(move |request| {
        let body = file(&request.target);
        let (half, rest) = body.split_at(body.len() / 2);
        Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()))
            .then(half)
            .wait(&held)
            .then(rest)
    });
    let gateway = rig.start();
    let mut client = gateway.connect();
    client.request("GET", "/film-8000000", "");
    let half = &file("/film-8000000")[..100_000];
    eventually("chunks are on disk", || find(&rig.directory(), &half[..64]).is_some());
    kill(gateway);
    gate.open();
    let broken = client.try_read(false).unwrap_err();
    assert!(broken.response.is_none_or(|part| part.body.len() < 8_000_000));
    let gateway = rig.start();
    let again = gateway.get("/film-8000000");
    assert!(again.body == file("/film-8000000") && status(&again).contains("fwd=uri-miss"));
    assert_eq!(rig.origin.count(), 2);
}

#[test]
fn an_origin_that_dies_in_mid_body_leaves_nothing_that_is_served() {
    let dying = std::sync::atomic::AtomicBool::new(true);
    let rig = Rig::new(move |request| {
        let body = file(&request.target);
        let head = Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
        match dying.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => head.then(&body[..3_000_000]).close(),
            false => head.then(&body),
        }
    });
    let gateway = rig.start();
    let mut client = gateway.connect();
    let broken = client.request("GET", "/film-5000000", "").try_read(false).unwrap_err();
    assert_eq!(broken.response.unwrap().body.len(), 3_000_000);
    let again = gateway.get("/film-5000000");
    assert!(again.body == file("/film-5000000") && status(&again).contains("fwd=uri-miss"), "{:?}", again.head);
    settle(&gateway, 1.0);
    assert!(is_hit(&gateway.get("/film-5000000")));
}

#[test]
fn a_stated_length_beyond_the_limit_is_believed_by_nobody() {
    let rig = Rig::new(|request| match request.target.as_str() {
        "/beyond-60000001" => Answer::ok(file(&request.target)),
        target => {
            Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", &target[1..])).then("ab").close()
        }
    });
    let gateway = rig.start();
    let beyond = gateway.get("/beyond-60000001");
    assert_eq!((beyond.body.len(), status(&beyond)), (60_000_001, "Sluice; fwd=uri-miss; detail=too-large"));
    for length in ["9223372036854775807", "18446744073709551615", "59999999", "59999999"] {
        let mut client = gateway.connect();
        let broken = client.request("GET", &format!("/{length}"), "").try_read(false);
        assert!(broken.is_err() || broken.unwrap().status == 502, "{length}");
    }
    assert_eq!(stored(&gateway), 0.0);
}

#[test]
fn a_damaged_chunk_breaks_the_answer_off_and_the_object_is_fetched_anew() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let target = "/film-2000000";
    let whole = file(target);
    gateway.get(target);
    settle(&gateway, 1.0);
    assert!(is_hit(&gateway.get(target)));
    // In the fourth chunk, when the first ones are on their way already.
    let (path, at) = find(&rig.directory(), &whole[900_000..900_064]).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().write_at(b"damaged", at).unwrap();
    let mut client = gateway.connect();
    let broken = client.request("GET", target, "").try_read(false).unwrap_err().response.unwrap();
    assert!(broken.body.len() < 900_000 && whole.starts_with(&broken.body), "{} bytes", broken.body.len());
    let again = gateway.get(target);
    assert!(again.body == whole && status(&again).starts_with("Sluice; fwd=uri-miss; stored"), "{:?}", again.head);
    settle(&gateway, 2.0);
    // In the first one: that is noticed before anything has left.
    let (path, at) = segments(&rig.directory())
        .into_iter()
        .find_map(|path| {
            let bytes = fs::read(&path).unwrap();
            let at = memchr::memmem::rfind(&bytes, &whole[1000..1064])?;
            Some((path, at as u64))
        })
        .unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().write_at(b"damaged", at).unwrap();
    let third = gateway.get(target);
    assert!(third.body == whole && status(&third).starts_with("Sluice; fwd=uri-miss; stored"), "{:?}", third.head);
    assert_eq!((rig.origin.count(), gateway.metrics().sum("sluice_cache_objects_lost_total")), (3, 2.0));
}

#[test]
fn what_is_purged_while_it_is_sent_is_sent_to_its_end_and_not_found_again() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let target = "/film-20000000";
    get_at_ease(&gateway, target);
    settle(&gateway, 1.0);
    let mut slow = with_little_room(&gateway);
    slow.request("GET", target, "");
    // Its first bytes have come, and far from all.
    let mut first = [0; 1000];
    std::io::Read::read_exact(&mut slow.stream(), &mut first).unwrap();
    let wish = json!({ "tag": "all" }).to_string();
    let told = support::admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", &wish);
    assert_eq!(told.status, 200, "{}", told.body);
    let miss = gateway.get(target);
    assert!(status(&miss).starts_with("Sluice; fwd=uri-miss"), "{:?}", miss.head);
    slow.reader().unused.extend_from_slice(&first);
    assert!(slow.read().body == file(target));
    assert_eq!(rig.origin.count(), 2);
}

#[test]
fn who_wants_what_is_being_filled_passes_and_many_are_filled_at_once() {
    let gate = Gate::default();
    let held = gate.clone();
    let rig = Rig::new(move |request| {
        let body = file(&request.target);
        let head = Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
        head.then(&body[..1_000_000]).wait(&held).then(&body[1_000_000..])
    });
    let gateway = rig.start();
    let mut clients: Vec<_> = (0..20).map(|_| gateway.connect()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.request("GET", &format!("/f{n}-3000000"), "");
    }
    rig.origin.wait_for(20);
    let mut second = gateway.connect();
    second.request("GET", "/f0-3000000", "");
    rig.origin.wait_for(21);
    gate.open();
    for (n, client) in clients.iter_mut().enumerate() {
        let answer = client.read();
        assert!(answer.body == file(&format!("/f{n}-3000000")) && status(&answer).contains("stored"), "{n}");
    }
    let passed = second.read();
    assert!(passed.body == file("/f0-3000000"));
    assert_eq!(status(&passed), "Sluice; fwd=uri-miss; detail=filling");
    settle(&gateway, 20.0);
    for n in 0..20 {
        let target = format!("/f{n}-3000000");
        let hit = gateway.get(&target);
        assert!(hit.body == file(&target) && is_hit(&hit), "{n}: {:?}", hit.head);
    }
    assert_eq!(rig.origin.count(), 21);
}

#[test]
fn slow_clients_hold_no_more_than_two_chunks_each() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let target = "/film-40000000";
    get_at_ease(&gateway, target);
    settle(&gateway, 1.0);
    assert!(is_hit(&gateway.get(target)));
    let before = gateway.resident();
    let mut slow: Vec<_> = (0..30).map(|_| with_little_room(&gateway)).collect();
    for client in &mut slow {
        client.request("GET", target, "");
        std::io::Read::read_exact(&mut client.stream(), &mut [0; 1000]).unwrap();
    }
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < 30 * MIB as u64, "{grown} bytes for 30 clients of 40 MB each");
}

#[test]
fn a_client_that_leaves_ends_the_fill() {
    let rig = Rig::of_files();
    let gateway = rig.start();
    let mut client = gateway.connect();
    client.request("GET", "/film-20000000", "");
    std::io::Read::read_exact(&mut client.stream(), &mut [0; 1000]).unwrap();
    drop(client);
    let again = gateway.get("/film-20000000");
    assert!(again.body.len() == 20_000_000);
    eventually("one of both is stored", || stored(&gateway) <= 1.0);
}

#[test]
fn nothing_of_a_sealed_object_lies_on_disk_in_clear() {
    let mut rig = Rig::of_files();
    let key = rig.cache.path().join("key");
    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    rig.more =
        format!("[cache.encryption]\ncurrent = 1\n[[cache.encryption.key]]\nid = 1\nfile = \"{}\"\n", key.display());
    let gateway = rig.start();
    let target = "/film-3000000";
    let whole = file(target);
    gateway.get(target);
    settle_on_disk(&gateway, whole.len());
    kill(gateway);
    for at in (0..whole.len() - 32).step_by(200_000) {
        assert!(find(&rig.directory(), &whole[at..at + 32]).is_none(), "byte {at} lies in clear");
    }
    let gateway = rig.start();
    let hit = gateway.get(target);
    assert!(hit.body == whole && is_hit(&hit));
}
