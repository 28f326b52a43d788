//! The documents say what is so: links lead somewhere, tests that are named exist, every dependency has its line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let (directory, text) = (page.parent().unwrap(), read_to_string(&page).unwrap());
        let lost: Vec<_> = links(&text).into_iter().filter(|to| !directory.join(to).exists()).collect();
        assert!(lost.is_empty(), "{}: nothing at {lost:?}", page.display());
    }
}

/// The package has the documents in places of its own.
#[test]
fn links_lead_somewhere_in_the_package_too() {
    let assets = assets();
    let packaged: BTreeSet<&Path> = assets.iter().map(|(_, to)| to.as_path()).collect();
    let pages: Vec<_> = assets.iter().filter(|(_, to)| to.extension().is_some_and(|e| e == "md")).collect();
    assert!(pages.iter().any(|(_, to)| to.ends_with("docs/operations.md")));
    for (from, to) in pages {
        let text = read_to_string(from).unwrap();
        let lead = |link: &&str| packaged.contains(plain(&to.parent().unwrap().join(link)).as_path());
        let lost: Vec<_> = links(&text).into_iter().filter(|link| !lead(link)).collect();
        assert!(lost.is_empty(), "{}: the package has nothing at {lost:?}", to.display());
    }
}

/// Editors look for the schema where the configuration's first line says.
#[test]
fn the_schema_lies_beside_the_configuration() {
    let first = read_to_string(root().join("config/sluice.toml")).unwrap().lines().next().unwrap().to_owned();
    let schema = Path::new("etc/sluice").join(first.strip_prefix("#:schema ").unwrap());
    assert!(assets().iter().any(|(_, to)| *to == plain(&schema)), "no {}", schema.display());
}

/// Files of the repository that stand in backquotes by their whole path.
#[test]
fn files_that_are_named_exist() {
    for page in pages() {
        let text = read_to_string(&page).unwrap();
        let lost: Vec<_> = files(&text).into_iter().filter(|file| !root().join(file).exists()).collect();
        assert!(lost.is_empty(), "{}: there is no {lost:?}", page.display());
    }
}

/// So that none comes in unnoticed; and no line outlives its dependency.
#[test]
fn every_dependency_says_what_it_is_for() {
    let page = read_to_string(root().join("docs/dependencies.md")).unwrap();
    let (known, used) = (rows(&page), dependencies());
    let unexplained: Vec<_> = used.difference(&known).collect();
    let gone: Vec<_> = known.difference(&used).collect();
    assert!(unexplained.is_empty(), "docs/dependencies.md has no line for {unexplained:?}");
    assert!(gone.is_empty(), "docs/dependencies.md explains what is not there: {gone:?}");
}

#[test]
fn what_is_looked_for_is_found() {
    let page = "See [a](docs/a.md#part), [b](https://b.example), [c](#c); `policy/src/x.rs` and `x.rs`, `a/b`.\n\
        | crate | what for |\n|---|---|\n| `toml` | reads |\n";
    assert_eq!(links(page), ["docs/a.md"]);
    assert_eq!(files(page), ["policy/src/x.rs"]);
    assert_eq!(rows(page), BTreeSet::from(["toml".to_owned()]));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Those at the root and in `docs`.
fn pages() -> Vec<PathBuf> {
    let list = |directory: PathBuf| std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let all = list(root()).chain(list(root().join("docs")));
    let pages: Vec<_> = all.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    assert!(pages.iter().any(|page| page.ends_with("README.md")));
    pages
}

/// Targets of links that are neither elsewhere nor on the same page.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty()).collect()
}

/// Each file of the package: where it comes from, and where it is installed.
fn assets() -> Vec<(PathBuf, PathBuf)> {
    let manifest = manifest("proxy/edge");
    let package = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    package
        .iter()
        .flat_map(|asset| sources(asset[0].as_str().unwrap(), Path::new(asset[1].as_str().unwrap())))
        .collect()
}

/// What one line stands for: a file, or all of one kind in a directory.
fn sources(from: &str, to: &Path) -> Vec<(PathBuf, PathBuf)> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
    if !from.ends_with("*.md") {
        return vec![(from, to.to_owned())];
    }
    let list = std::fs::read_dir(from.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let pages = list.filter(|path| path.extension().is_some_and(|e| e == "md"));
    pages.map(|page| (page.clone(), to.join(page.file_name().unwrap()))).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => assert!(plain.pop(), "{} leads out", path.display()),
            part => plain.push(part),
        }
        plain
    })
}

fn files(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let top = ["proxy/", "policy/", "cache/", "benches/", "loadtest/", "docs/"];
    quoted.filter(|text| text.ends_with(".rs") && top.iter().any(|directory| text.starts_with(directory))).collect()
}

/// Crates in the first column of a page's tables.
fn rows(page: &str) -> BTreeSet<String> {
    let first = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(first).collect()
}

/// What the workspace's crates name themselves, themselves aside.
fn dependencies() -> BTreeSet<String> {
    let workspace = manifest(".");
    let members = workspace.get("workspace").and_then(|w| w.get("members")).and_then(Value::as_array).unwrap();
    let manifests = members.iter().map(|member| manifest(member.as_str().unwrap()));
    let names = manifests.flat_map(|manifest| named(&manifest));
    names.filter(|name| name != "sluice" && !name.starts_with("sluice-")).collect()
}

fn named(manifest: &Table) -> Vec<String> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = kinds.into_iter().filter_map(|kind| manifest.get(kind)?.as_table());
    let package = |name: &str, value: &Value| value.get("package").and_then(Value::as_str).unwrap_or(name).to_owned();
    tables.flatten().map(|(name, value)| package(name, value)).collect()
}

fn manifest(member: &str) -> Table {
    read_to_string(root().join(member).join("Cargo.toml")).unwrap().parse().unwrap()
}
