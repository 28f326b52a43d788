//! A chunked body: where it ends does not depend on how its bytes arrive.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::message::chunks::Chunks;

/// How much of it is the body, and whether it has ended.
fn whole(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut chunks = Chunks::default();
    let rest = chunks.follow(bytes).ok()?;
    Some((bytes.len() - rest.len(), chunks.is_done()))
}

fn in_pieces(bytes: &[u8], size: usize) -> Option<(usize, bool)> {
    let mut chunks = Chunks::default();
    let mut used = 0;
    for piece in bytes.chunks(size) {
        used += piece.len() - chunks.follow(piece).ok()?.len();
    }
    Some((used, chunks.is_done()))
}

fuzz_target!(|bytes: &[u8]| {
    let expected = whole(bytes);
    for size in [1, 2, 7] {
        let found = in_pieces(bytes, size);
        assert_eq!(found, expected);
    }
});
