//! A request's head: every part of it lies in it, and no beginning of a head is a whole one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::config::Limits;
use sluice::message::head::{Head, Version};
use sluice::stage::frame::{Framed, check, read};

const LIMITS: Limits = Limits {
    head_size: 8192,
    header_count: 64,
    body_size: 1 << 20,
    connections_per_address: None,
    requests_per_connection: None,
};

fuzz_target!(|bytes: &[u8]| {
    let mut head = Head::new(bytes.into(), Version::Http11);
    let Framed::Lane(length) = read(bytes, &LIMITS, &mut head) else { return };
    assert!(length <= bytes.len() && length <= LIMITS.head_size);
    assert!(head.fields().count() <= LIMITS.header_count);
    assert!(!head.method().is_empty() && !head.path().is_empty() && !head.host().is_empty());
    for (_, name, value) in head.fields() {
        assert!(!name.is_empty() && !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    check(&head).expect("what the lane takes passes the check for other ways in");
    for end in [length / 2, length - 1] {
        let start = &bytes[..end];
        assert_eq!(read(start, &LIMITS, &mut Head::new(start.into(), Version::Http11)), Framed::Partial);
    }
});
