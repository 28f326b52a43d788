//! A configuration: good or full of findings, each with a place in the file; and what is good compiles or says why not.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sluice::config::Configuration;
use sluice::observe::metrics::Metrics;
use sluice::plan::{Registries, compile};
use sluice::server::accounts::VOCABULARY;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Configuration::parse(text, Path::new("/nonexistent/sluice.toml")) {
        Ok((configuration, _)) => {
            let _ = compile(&configuration, &Registries::default(), &Metrics::new(VOCABULARY), 0);
        }
        Err(findings) => {
            assert!(!findings.is_empty());
            for finding in findings {
                assert!(finding.line <= text.split('\n').count() && finding.col >= 1, "{finding}");
            }
        }
    }
});
