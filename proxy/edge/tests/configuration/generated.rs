//! What is generated from the catalogue stands in the repository, and is fresh.

use std::collections::BTreeSet;

use sluice::config::{key_paths, reference, schema};

use crate::{effects, root};

#[test]
fn the_reference_is_fresh() {
    fresh("docs/configuration.md", &reference::markdown(), |text| text.to_owned());
}

#[test]
fn the_schema_is_fresh() {
    let mut text = serde_json::to_string_pretty(&schema::json()).unwrap();
    text.push('\n');
    // The order of members depends on how serde_json was built.
    fresh("config/schema.json", &text, |text| serde_json::from_str::<serde_json::Value>(text).unwrap().to_string());
}

/// Keys whose effect no case shows. The file should be empty; a new key without a case makes this test fail.
#[test]
fn the_list_of_untested_keys_is_fresh() {
    let tested: BTreeSet<String> = effects::keys().collect();
    let within = |path: &str| tested.iter().any(|t| t == path || t.starts_with(&format!("{path}.")));
    let untested: String = key_paths().iter().filter(|(p, _)| !within(p)).map(|(p, _)| format!("{p}\n")).collect();
    fresh("proxy/edge/tests/golden/untested-keys.txt", &untested, |text| text.to_owned());
}

fn fresh(path: &str, now: &str, normal: fn(&str) -> String) {
    let file = root().join(path);
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, now).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert!(
        normal(&stored) == normal(now),
        "{path} is stale: SLUICE_BLESS=1 cargo test -p sluice --test configuration"
    );
}
