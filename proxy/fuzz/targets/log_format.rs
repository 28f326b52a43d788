//! Formats of the access log, as an operator or an imported definition has them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::observe::access_log::ContextFormat;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if ContextFormat::compile(text).is_err() {
        assert!(text.contains("$context"));
    }
});
