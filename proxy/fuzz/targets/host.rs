//! Hosts: parts of them lie in them, and a name without a port is itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::plan::host::{execute_api_id, lower, name, without_port};
use sluice::plan::router::normal;

fuzz_target!(|bytes: &[u8]| {
    let host = without_port(bytes);
    assert!(bytes.starts_with(host));
    assert_eq!(without_port(host), host);
    assert!(host.starts_with(name(bytes)));
    if let Some(id) = execute_api_id(bytes) {
        assert!(bytes.starts_with(id) && !id.contains(&b'.'));
    }
    let mut buffer = [0; 255];
    assert_eq!(lower(bytes, &mut buffer).is_some(), bytes.len() <= 255);
    for offset in [0, 1, 77] {
        let (path, at) = normal(bytes, offset);
        assert_eq!(bytes.get(at - offset..).and_then(|rest| rest.get(..path.len())), Some(path));
    }
});
