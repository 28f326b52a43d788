//! Answers that vary, through purges, restarts, and with a disk below memory.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::says;
use super::support::{Answer, Gateway, Recorder, admin, eventually};

const METHOD: &str = r#"
[api.stage.prod.method."ANY /{proxy+}"]
caching_enabled = true
cache_mode = "rfc9111"
"#;

const LANGUAGES: [&str; 3] = ["X-Lang: de\r\n", "X-Lang: en\r\n", ""];

/// An origin whose answers vary by language, are tagged with it, and tell their number; and perhaps a disk.
struct Rig {
    origin: Recorder,
    disk: Option<tempfile::TempDir>,
    reads: &'static str,
}

impl Rig {
    fn new(disk: bool) -> Self {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |request| {
            let n = count.fetch_add(1, SeqCst);
            let language = request.field("x-lang").unwrap_or("none");
            let control = match language {
                "short" => "max-age=1",
                _ => "max-age=3600",
            };
            let lines = format!("Cache-Control: {control}\r\nVary: X-Lang\r\nSurrogate-Key: {language}\r\n");
            Answer::status(200, &lines, format!("answer {n}"))
        });
        Self { origin, disk: disk.then(|| tempfile::tempdir().unwrap()), reads: "buffered" }
    }

    fn start(&self) -> Gateway {
        let disk = self.disk.as_ref().map(|directory| {
            let (directory, reads) = (directory.path().display(), self.reads);
            format!("[cache.disk]\ndirectory = \"{directory}\"\nsize = \"1 GB\"\nreads = \"{reads}\"\n")
        });
        let size = match &disk {
            Some(_) => "cache_cluster_size = \"128 MiB\"\ncache_memory = \"2 MiB\"",
            None => "cache_cluster_size = \"16 MiB\"",
        };
        let stage = format!("{size}{METHOD}");
        let gateway = super::passing(&self.origin, disk.as_deref().unwrap_or_default(), &stage);
        if self.disk.is_some() {
            eventually("the disk is ready", || gateway.admin("GET", "/sluice/cache").body.contains("\"good\""));
        }
        gateway
    }

    /// Starts anew, once so many entries are on disk.
    fn restart(&self, gateway: Gateway, entries: f64) -> Gateway {
        eventually("all is on disk", || gateway.metrics().sum("sluice_cache_disk_entries") >= entries);
        drop(gateway);
        self.start()
    }
}

fn all(gateway: &Gateway) -> [String; 3] {
    LANGUAGES.map(|lines| gateway.get_with("/a", lines).text().to_owned())
}

fn purge(gateway: &Gateway, wish: &str) -> String {
    let told = admin::send(&gateway.directory().join("admin.sock"), "POST", "/sluice/cache/purge", wish);
    assert_eq!(told.status, 200, "{}", told.body);
    told.body
}

/// Gets all and finds nothing of what was there before.
fn are_gone(gateway: &Gateway, before: &[String; 3]) {
    for answer in all(gateway) {
        assert!(!before.contains(&answer), "{answer} is back: {before:?}");
    }
}

const URL: &str = r#"{"url":"http://gateway.test/a"}"#;

#[test]
fn an_answer_beyond_the_last_variant_is_not_called_stored() {
    let rig = Rig::new(false);
    let gateway = rig.start();
    let ask = |n: usize| gateway.get_with("/a", &format!("X-Lang: l{n}\r\n"));
    for n in 0..sluice_cache::answer::marker::VARIANTS {
        assert!(says(&ask(n)).ends_with("; stored"), "{n}");
    }
    for _ in 0..2 {
        assert_eq!(says(&ask(64)), "Sluice; fwd=uri-miss; detail=vary");
    }
    assert!(says(&ask(63)).starts_with("Sluice; hit"), "those before are");
}

#[test]
fn a_purge_of_the_key_takes_all_variants_and_counts_them() {
    let rig = Rig::new(false);
    let gateway = rig.start();
    let before = all(&gateway);
    assert_eq!(all(&gateway), before);
    let told = purge(&gateway, URL);
    assert!(told.contains("\"entries\":4"), "three and what leads to them: {told}");
    are_gone(&gateway, &before);
}

#[test]
fn a_purge_takes_variants_that_nothing_leads_to_any_more() {
    let rig = Rig::new(false);
    let gateway = rig.start();
    let before = all(&gateway);
    // What leads to them was tagged as the last of them was, and goes with it.
    purge(&gateway, r#"{"tag":"none"}"#);
    purge(&gateway, URL);
    are_gone(&gateway, &before);
}

#[test]
fn a_soft_purge_of_the_key_expires_all_variants() {
    let rig = Rig::new(false);
    let gateway = rig.start();
    let before = all(&gateway);
    purge(&gateway, r#"{"url":"http://gateway.test/a","soft":true}"#);
    let status = says(&gateway.get_with("/a", LANGUAGES[1])).to_owned();
    assert!(status.starts_with("Sluice; fwd=stale"), "{status}");
    are_gone(&gateway, &before);
}

#[test]
fn variants_are_found_on_disk_after_a_restart() {
    for reads in ["buffered", "direct"] {
        let rig = Rig { reads, ..Rig::new(true) };
        let gateway = rig.start();
        let before = all(&gateway);
        let gateway = rig.restart(gateway, 4.0);
        for (lines, body) in LANGUAGES.iter().zip(&before) {
            let answer = gateway.get_with("/a", lines);
            assert_eq!(answer.text(), body, "{reads}: {answer:?}");
            assert!(says(&answer).ends_with("; detail=disk"), "{reads}: {answer:?}");
            let again = gateway.get_with("/a", lines);
            assert!(says(&again).starts_with("Sluice; hit") && !says(&again).contains("disk"), "{reads}: {again:?}");
        }
        assert_eq!(rig.origin.count(), 3);
    }
}

#[test]
fn what_leads_to_variants_on_disk_lives_as_long_as_the_last_of_them() {
    const SHORT: &str = "X-Lang: short\r\n";
    for reads in ["buffered", "direct"] {
        let rig = Rig { reads, ..Rig::new(true) };
        let gateway = rig.start();
        let (long, _) = (gateway.get_with("/a", LANGUAGES[0]), gateway.get_with("/a", SHORT));
        let asked = format!("{SHORT}Cache-Control: only-if-cached\r\n");
        eventually("one is over", || gateway.get_with("/a", &asked).status == 504);
        let gateway = rig.restart(gateway, 3.0);
        let found = gateway.get_with("/a", LANGUAGES[0]);
        assert_eq!(found.text(), long.text(), "{reads}: {found:?}");
    }
}

#[test]
fn variants_that_were_purged_do_not_come_back_from_disk() {
    let rig = Rig::new(true);
    let mut gateway = rig.start();
    for wish in [URL, r#"{"prefix":"/a"}"#, r#"{"method":"ANY /{proxy+}"}"#, r#"{"everything":true}"#] {
        let before = all(&gateway);
        gateway = rig.restart(gateway, 4.0);
        // Nothing of it is in memory.
        purge(&gateway, wish);
        are_gone(&gateway, &before);
        gateway = rig.restart(gateway, 4.0);
        are_gone(&gateway, &before);
    }
    let before = all(&gateway);
    gateway = rig.restart(gateway, 4.0);
    purge(&gateway, r#"{"tag":"de"}"#);
    gateway = rig.restart(gateway, 3.0);
    assert_ne!(gateway.get_with("/a", LANGUAGES[0]).text(), before[0]);
}

#[test]
fn an_unsafe_request_takes_variants_on_disk() {
    let rig = Rig::new(true);
    let gateway = rig.start();
    let before = all(&gateway);
    let gateway = rig.restart(gateway, 4.0);
    gateway.connect().request("POST", "/a", "Content-Length: 0\r\n").read();
    are_gone(&gateway, &before);
    let gateway = rig.restart(gateway, 4.0);
    are_gone(&gateway, &before);
    let bans = || gateway.metrics().sum("sluice_cache_bans");
    for _ in 0..20 {
        gateway.connect().request("POST", "/a", "Content-Length: 0\r\n").read();
    }
    assert_eq!(bans(), 0.0, "a place on disk is forgotten, not banned");
}
