//! Notes and bans as a disk may give them back: read whole or not at all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_cache::invalidate::Ban;
use sluice_cache::notes::{NotesRef, normal_path};

fuzz_target!(|bytes: &[u8]| {
    if let Some(notes) = NotesRef::read(bytes) {
        let inside: usize = notes.tags().map(<[u8]>::len).sum::<usize>() + notes.method().len() + notes.path().len();
        assert!(inside <= bytes.len());
    }
    if let Ok(ban) = Ban::decode(bytes) {
        let mut again = Vec::new();
        ban.encode(&mut again);
        assert_eq!(again, bytes);
    }
    let path = normal_path(bytes);
    assert_eq!(normal_path(&path), path, "a normal form is its own");
});
