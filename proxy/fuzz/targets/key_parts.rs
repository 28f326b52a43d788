//! Keys: bytes that no writer made end the reading; what a writer made is read as it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_cache::KeyHasher;
use sluice_cache::key::{KeyPrefix, KeyWriter, Part, Parts, SECRET_LEN, Scope};

fuzz_target!(|bytes: &[u8]| {
    for part in Parts::new(bytes) {
        if let Part::Values(values) = part {
            assert!(values.map(<[u8]>::len).sum::<usize>() <= bytes.len());
        }
    }
    let scope = Scope { api: "a", stage: "s", namespace: "/", verb: "GET", content: b"" };
    let Ok(prefix) = KeyPrefix::new(scope) else { unreachable!("a short scope") };
    let written: Vec<Vec<&[u8]>> = bytes.split(|b| *b == 0).map(|part| part.split(|b| *b == 1).collect()).collect();
    let mut buffer = Vec::new();
    let mut writer = KeyWriter::start(&mut buffer, &prefix);
    for part in &written {
        match part.as_slice() {
            [b""] => writer.absent(),
            [one] => writer.value(one),
            several => writer.values(several.iter().copied()),
        }
    }
    let Ok(key) = writer.finish(&KeyHasher::new([7; SECRET_LEN])) else { return };
    let mut read = Parts::new(key.bytes).skip(KeyPrefix::PARTS);
    for part in &written {
        match (part.as_slice(), read.next()) {
            ([b""], Some(Part::Absent)) => {}
            ([one], Some(Part::Value(value))) => assert_eq!(*one, value),
            (several, Some(Part::Values(values))) => assert!(values.eq(several.iter().copied())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read.next(), None);
});
