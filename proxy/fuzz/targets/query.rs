//! A query string: what is escaped and decoded again is what it was, whatever stands around it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::stage::recall::query_values;

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|b| if *b == b' ' { "+".to_owned() } else { format!("%{b:02x}") }).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let (name, rest) = bytes.split_at(bytes.len() / 3);
    let (value, noise) = rest.split_at(rest.len() / 2);
    let around = query_values(noise, name).count();
    let query = [noise, b"&", escaped(name).as_bytes(), b"=", escaped(value).as_bytes()].concat();
    let found: Vec<_> = query_values(&query, name).collect();
    assert_eq!(found.len(), around + 1);
    assert_eq!(found.last().map(|last| &**last), Some(value));
});
