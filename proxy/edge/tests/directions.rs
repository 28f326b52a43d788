//! Who may know whom. Of the crates: `edge` knows all others; `policy`, `cache`, `mapping` and `api` know nothing of each
//! other, of the runtime, of the server or of the wall clock. Within `edge`, modules know those of the floors below them.
//! Read from the manifests and the sources as they stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Crates that decide; configuration, request view and `now` go in, a verdict comes out.
const PURE: [&str; 4] = ["policy", "cache", "proxy/mapping", "proxy/api"];

/// Where `cache` may meet a runtime: its tiers below memory do I/O.
const TIERS: &str = "cache/src/tier";

/// What reads a clock. Moments and lengths of time are no clock.
const CLOCKS: [&str; 3] = ["SystemTime::now", "Instant::now", "clock_gettime"];

/// The modules of `edge`, from the ground up. One knows what lies below its floor, and nothing else.
const FLOORS: [&[&str]; 8] = [
    &["message", "names", "patience", "registry", "tcp_socket", "unix_socket", "demo"],
    &["config"],
    &["observe", "storage", "integration"],
    &["plan"],
    &["stage"],
    &["server", "replay"],
    &["command"],
    &["lib", "main"],
];

#[test]
fn deciding_crates_know_no_other_crate_and_no_runtime() {
    for member in PURE {
        let found = strangers(member, &manifest(member));
        assert!(found.is_empty(), "{member}/Cargo.toml depends on {found:?}");
    }
}

#[test]
fn deciding_crates_are_given_the_time() {
    for member in PURE {
        for file in sources(&root().join(member).join("src")).into_iter().filter(|file| !does_io(file)) {
            let named = clocks(&read_to_string(&file).unwrap());
            assert!(named.is_empty(), "{} reads the clock: {named:?}", file.display());
        }
    }
}

/// A disk is tried again after a while, and a command that brings a key has a deadline; nothing is decided by either.
fn does_io(file: &Path) -> bool {
    ["cache/src/seal", "cache/src/tier/disk"].iter().any(|place| file.starts_with(root().join(place)))
}

/// Tokio in `cache` is for the tiers alone.
#[test]
fn the_cache_meets_a_runtime_in_its_tiers_only() {
    let tiers = root().join(TIERS);
    for file in sources(&root().join("cache/src")).into_iter().filter(|file| !file.starts_with(&tiers)) {
        assert!(!read_to_string(&file).unwrap().contains("tokio::"), "{}", file.display());
    }
}

#[test]
fn only_the_edge_depends_on_the_others() {
    for member in members().iter().filter(|member| !["proxy/edge", "benches", "loadtest"].contains(&member.as_str())) {
        let own = dependencies(&manifest(member)).into_iter().filter(|name| name.starts_with("sluice")).count();
        assert_eq!(own, 0, "{member}");
    }
    let edge = dependencies(&manifest("proxy/edge"));
    assert!(["sluice-api", "sluice-cache", "sluice-mapping", "sluice-policy"].iter().all(|name| edge.contains(*name)));
}

#[test]
fn modules_of_the_edge_know_only_what_lies_below_them() {
    let source = root().join("proxy/edge/src");
    for file in sources(&source) {
        let own = module(file.strip_prefix(&source).unwrap());
        let text = read_to_string(&file).unwrap();
        let above: Vec<_> = modules(&text).filter(|other| !may_know(&own, other)).collect();
        assert!(above.is_empty(), "{} knows {above:?}", file.display());
    }
}

#[test]
fn a_way_up_is_found_wherever_it_is_written() {
    let text = "use crate::config::Plan;\nfn x(_: &crate::stage::Route) { crate::message::date::now() }";
    assert_eq!(modules(text).filter(|other| !may_know("config", other)).collect::<Vec<_>>(), ["stage"]);
    assert!(!may_know("storage", "observe"), "no floor has doors");
    assert_eq!(module(Path::new("config/read/mod.rs")), "config");
    assert_eq!(module(Path::new("names.rs")), "names");
}

/// A forbidden dependency is found wherever it is written.
#[test]
fn every_table_is_looked_into() {
    let sections = [
        "[dependencies]\ntokio = '1'",
        "[dependencies]\nrt = { package = 'tokio', version = '1' }",
        "[dev-dependencies]\nsluice-cache.workspace = true",
        "[build-dependencies]\npingora-core = '0.9'",
        "[target.'cfg(unix)'.dependencies]\npingora-http = '0.9'",
    ];
    for section in sections {
        assert_eq!(strangers("policy", &section.parse().unwrap()).len(), 1, "{section}");
    }
    assert!(strangers("cache", &sections.first().unwrap().parse().unwrap()).is_empty(), "the tiers may");
    assert_eq!(clocks("let now = SystemTime::now();"), ["SystemTime::now"]);
}

fn may_know(own: &str, other: &str) -> bool {
    own == other || floor(other) < floor(own)
}

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("'{module}' has no floor yet"))
}

/// The module that a file of `edge/src` belongs to.
fn module(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// What is named after `crate::`, comments and tests included.
fn modules(source: &str) -> impl Iterator<Item = &str> {
    let end = |rest: &str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    source.split("crate::").skip(1).map(move |rest| rest.get(..end(rest)).unwrap_or_default())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(member: &str) -> Table {
    let file = root().join(member).join("Cargo.toml");
    read_to_string(&file).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn members() -> Vec<String> {
    let workspace = manifest(".");
    let members = workspace.get("workspace").and_then(|w| w.get("members")).and_then(Value::as_array).unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// What a deciding crate may not depend on.
fn strangers(member: &str, manifest: &Table) -> BTreeSet<String> {
    let is_runtime = |name: &str| name == "tokio" && member != "cache";
    let is_server = |name: &str| name.starts_with("pingora");
    let is_ours = |name: &str| name == "sluice" || name.starts_with("sluice-");
    dependencies(manifest).into_iter().filter(|name| is_runtime(name) || is_server(name) || is_ours(name)).collect()
}

/// Packages of every table of dependencies, those of single targets too, under their own names.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let places = targets.filter_map(Value::as_table).chain([manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = places.flat_map(|place| kinds.into_iter().filter_map(|kind| place.get(kind)?.as_table()));
    tables.flatten().map(|(name, value)| package(name, value)).collect()
}

fn package(name: &str, value: &Value) -> String {
    value.get("package").and_then(Value::as_str).unwrap_or(name).to_owned()
}

fn clocks(source: &str) -> Vec<&'static str> {
    CLOCKS.into_iter().filter(|clock| source.contains(clock)).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| sources(directory));
    files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")).chain(below).collect()
}
