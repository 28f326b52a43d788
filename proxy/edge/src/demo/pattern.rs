//! The bytes of sized bodies: byte `i` is always the same, whatever the size and however it is sent.

/// What repeats.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

/// Bytes in [`BLOCK`]: whole alphabets, so that a body is blocks one after the other.
pub(super) const BLOCK_SIZE: usize = 64 * 1024;

/// A ready piece of a body.
static BLOCK: [u8; BLOCK_SIZE] = block();

/// The next piece of a body of which `left` bytes are missing, from a place that is a multiple of the block's size.
pub(super) fn piece(left: u64) -> &'static [u8] {
    let size = usize::try_from(left).unwrap_or(BLOCK_SIZE).min(BLOCK_SIZE);
    BLOCK.split_at(size).0
}

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler, which would refuse a wrong place.
const fn block() -> [u8; BLOCK_SIZE] {
    let mut block = [0; BLOCK_SIZE];
    let mut place = 0;
    while place < BLOCK_SIZE {
        block[place] = ALPHABET[place % ALPHABET.len()];
        place += 1;
    }
    block
}
