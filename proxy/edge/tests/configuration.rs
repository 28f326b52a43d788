//! The configuration as a whole: every key is read, every finding is found where it is, and what is generated from the
//! catalogue is fresh.
//!
//! `SLUICE_BLESS=1 cargo test -p sluice --test configuration` writes the generated files anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "configuration/effects.rs"]
mod effects;
#[path = "configuration/every_key.rs"]
mod every_key;
#[path = "configuration/examples.rs"]
mod examples;
#[path = "configuration/findings.rs"]
mod findings;
#[path = "configuration/generated.rs"]
mod generated;

use std::path::{Path, PathBuf};

use sluice::config::{Configuration, Finding};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Findings of a text that may be good or bad.
fn findings_of(text: &str) -> Vec<Finding> {
    match parse(text) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    }
}

/// Files that a text names are beside the tests' certificates, if anywhere.
fn parse(text: &str) -> Result<(Configuration, Vec<Finding>), Vec<Finding>> {
    Configuration::parse(text, &files().join("sluice.toml"))
}

/// A directory with certificates and their keys, `token` and `empty`, made once.
fn files() -> &'static Path {
    static FILES: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let make = || {
        let directory = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["example.com", "x"].map(str::to_owned)).unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        for prefix in ["", "other-"] {
            write(&format!("{prefix}chain.pem"), &certified.cert.pem());
            write(&format!("{prefix}key.pem"), &certified.signing_key.serialize_pem());
        }
        write("foreign-key.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
        let mut expired = rcgen::CertificateParams::new(["example.com".to_owned()]).unwrap();
        expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
        write("expired.pem", &expired.self_signed(&certified.signing_key).unwrap().pem());
        let issuer = rcgen::Issuer::from_params(&expired, &certified.signing_key);
        let mut leaf = rcgen::CertificateParams::new(["client".to_owned()]).unwrap();
        leaf.distinguished_name.push(rcgen::DnType::CommonName, "a client");
        write("leaf.pem", &leaf.signed_by(&certified.signing_key, &issuer).unwrap().pem());
        write("token", "secret\n");
        write("empty", "");
        directory
    };
    FILES.get_or_init(make).path()
}
