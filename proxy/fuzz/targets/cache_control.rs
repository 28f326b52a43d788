//! Cache-Control, in one field line or several: the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_cache::freshness::CacheControl;

fuzz_target!(|bytes: &[u8]| {
    let one = CacheControl::parse([bytes]);
    if !bytes.contains(&b'"') {
        let several = CacheControl::parse(bytes.split(|b| *b == b','));
        assert_eq!(one, several);
    }
    let stricter = CacheControl::parse([bytes, b"no-store"]);
    assert!(stricter.no_store || bytes.contains(&b'"'));
});
