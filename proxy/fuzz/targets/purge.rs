//! What an operator may ask the cache to purge: a wish, or a complaint that names a field.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::server::admin::wish::{What, Wish};

fuzz_target!(|bytes: &[u8]| {
    match Wish::read(bytes) {
        Ok(wish) => match wish.what {
            What::Url(asked) => {
                assert!(asked.url.bytes().all(|byte| byte > b' ' && byte != b'#'), "{asked:?}");
                assert!(asked.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])), "{asked:?}");
            }
            What::Covered(targets) => assert!(!targets.is_empty()),
        },
        Err(bad) => assert!(!bad.field.is_empty() || serde_json::from_slice::<serde_json::Value>(bytes).is_ok()),
    }
});
