//! PROXY headers, version 1 and 2: a whole one is not whole any earlier, and does not depend on what follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::server::proxy_protocol::{Parsed, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Parsed::Header { length, source, .. }) = parse(bytes) else { return };
    assert!(length > 0 && length <= bytes.len());
    let again = parse(&bytes[..length]);
    assert!(matches!(again, Ok(Parsed::Header { length: l, source: s, .. }) if l == length && s == source));
    assert!(!matches!(parse(&bytes[..length - 1]), Ok(Parsed::Header { .. })));
});
