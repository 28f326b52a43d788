//! Reloads while requests come in.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::gateway;
use super::support::{Gateway, Recorder};

/// Clients, and requests of each.
const CLIENTS: usize = 6;
const REQUESTS: usize = 500;

/// Writes a configuration with other answers and reloads it.
fn change(gateway: &Gateway, number: usize) {
    let file = gateway.directory().join("sluice.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let other = text.replace(&format!("\"mock {}\"", number - 1), &format!("\"mock {number}\""));
    assert!(number == 1 || other != text);
    replace(&file, &other);
    let told = gateway.admin("POST", "/sluice/reload");
    assert_eq!(told.status, 200, "{told:?}");
}

/// At once, as editors do: who watches the file never sees a half of it.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

/// Each answer is one of the old or of the new configuration, and every request has one.
#[test]
fn reloads_under_load_lose_no_request() {
    let origin = Recorder::echoing();
    let gateway = gateway(&origin, "threads = 2\n");
    let file = gateway.directory().join("sluice.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("body = \"mock\"", "body = \"mock 0\"");
    replace(&file, &text);
    change(&gateway, 1);
    let (asked, reloads) = (AtomicUsize::new(0), AtomicUsize::new(1));
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (gateway, asked, reloads) = (&gateway, &asked, &reloads);
            scope.spawn(move || hammer(gateway, number, asked, reloads));
        }
        while asked.load(Relaxed) < CLIENTS * REQUESTS {
            change(&gateway, reloads.load(Relaxed) + 1);
            reloads.fetch_add(1, Relaxed);
        }
    });
    let count = reloads.load(Relaxed);
    assert!(count > 5, "{count} reloads");
    assert_eq!(gateway.get("/mock").text(), format!("mock {count}"));
    let samples = gateway.metrics();
    assert!(samples.value("sluice_reloads_total{result=\"ok\"}") >= count as f64);
    assert_eq!(samples.value("sluice_reloads_total{result=\"failed\"}"), 0.0);
    assert_eq!(origin.count(), 1, "the cache stays warm");
}

/// Over one connection or a new one each time. An answer's number is never older than the last reload before its request.
fn hammer(gateway: &Gateway, number: usize, asked: &AtomicUsize, reloads: &AtomicUsize) {
    let mut client = gateway.connect();
    for _ in 0..REQUESTS {
        if number.is_multiple_of(2) {
            client = gateway.connect();
        }
        let before = reloads.load(Relaxed);
        let response = client.get("/mock");
        assert_eq!(response.status, 200);
        assert!(!response.closes(), "a reload closes no connection");
        let told: usize = response.text().strip_prefix("mock ").unwrap().parse().unwrap();
        assert!(told >= before, "{told} after {before}");
        assert_eq!(client.get("/cached/kept").text(), "/kept");
        asked.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_bad_configuration_leaves_the_good_one_serving() {
    let gateway = gateway(&Recorder::echoing(), "");
    let file = gateway.directory().join("sluice.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    for bad in ["nonsense", &good.replace("/mock", "mock"), &good.replace("type = \"MOCK\"", "type = \"MOKC\"")] {
        std::fs::write(&file, bad).unwrap();
        let told = gateway.admin("POST", "/sluice/reload");
        assert_eq!(told.status, 422, "{told:?}");
        assert!(told.body.contains("findings"), "{told:?}");
        assert_eq!(gateway.get("/mock").text(), "mock");
    }
    assert!(gateway.metrics().value("sluice_reloads_total{result=\"failed\"}") >= 3.0);
}
