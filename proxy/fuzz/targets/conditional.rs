//! Range and Vary: a part lies in the body, and a name is one that was given.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_cache::answer::range::Part;
use sluice_cache::answer::vary::{Vary, normalised};

fuzz_target!(|bytes: &[u8]| {
    for length in [0, 1, 500, u64::MAX] {
        if let Part::Bytes { start, end } = Part::of(bytes, length) {
            assert!(start < end && end <= length);
        }
    }
    if let Ok(vary) = Vary::parse([bytes]) {
        for name in vary.names() {
            assert!(bytes.to_ascii_lowercase().windows(name.len()).any(|w| w == name.as_bytes()));
        }
    }
    for name in ["accept", "accept-encoding", "accept-language"] {
        let _ = normalised(name, [bytes]);
    }
});
