//! Objects that are too large for memory: a body in chunks, each a record of its own, and a head that is stored last.
//!
//! A chunk is an entry under a key that nobody asks for: the object's identity, drawn by chance, and the chunk's number.
//! So it is proven, sealed, found again and evicted as every record is, and one that lies in the place of another, of
//! this object or of any, is a miss. The head is an ordinary entry under the answer's key with a [`Manifest`] in place
//! of its body; its status, [`HEAD`], is no answer's. Whoever has the head has the object, and what purges, bans and
//! flushes do to the head they do to all of it. Without a head (the fetch broke off, the process was killed, the disk
//! took not all of it) chunks are never found, and leave when their segment does.
//!
//! An object that was asked for is carried on when the log comes round to its first chunk, see [`super::carry`]. Each
//! chunk names its head, so that it is known then whether anybody still means it.
//!
//! Bounds: an object that is written holds one chunk and has at most [`WAITING_LIMIT`] more in the store's queue, which
//! is bounded for all; one that is read holds the chunk at hand and the one behind it.

mod manifest;
mod reader;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::entry::{Ends, Entry, Lifetime, Meta};
use crate::invalidate::Sequence;
use crate::key::{Fingerprint, KeyRef, Keyed};

pub use manifest::{CHUNK_BYTES, Manifest};
pub use reader::{Lost, ObjectReader};
pub use writer::{ObjectRefused, ObjectSize, ObjectWriter, WAITING_LIMIT};

/// The status of a head: no answer's, and no marker's.
pub const HEAD: u16 = 998;

/// The status of a chunk.
pub const CHUNK: u16 = 997;

/// What tells an object from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectId([u8; 16]);

/// Bytes before those of the body in a chunk's block: the key, and the fingerprint of the object's head.
const FRONT_LEN: usize = KEY_LEN + 16;

const KEY_START: &[u8; 8] = b"\xffobject\xff";
const KEY_LEN: usize = 8 + 16 + 4;

/// The key of a chunk.
pub(super) struct ChunkKey([u8; KEY_LEN]);

impl ChunkKey {
    pub(super) fn new(object: ObjectId, number: u32) -> Self {
        let mut bytes = [0; KEY_LEN];
        let parts = KEY_START.iter().chain(&object.0).copied().chain(number.to_le_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    /// What a chunk's key says: whose it is, and its number.
    pub(super) fn read(bytes: &[u8]) -> Option<(ObjectId, u32)> {
        let (object, number) = bytes.strip_prefix(KEY_START)?.split_first_chunk()?;
        Some((ObjectId(*object), u32::from_le_bytes(number.try_into().ok()?)))
    }

    /// An object's identity is chance enough: nobody can aim at it.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(xxh3_128(&self.0))
    }

    pub(super) fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { fingerprint: self.fingerprint(), bytes: &self.0 }
    }
}

/// The head that an entry belongs to, if it is an object's first chunk; and the object.
pub(super) fn begins(entry: &Entry) -> Option<(ObjectId, Fingerprint)> {
    let (object, number) = ChunkKey::read(entry.key().bytes)?;
    let head = Fingerprint(u128::from_le_bytes(entry.notes().try_into().ok()?));
    (entry.status() == CHUNK && number == 0).then_some((object, head))
}

/// The entry of a chunk whose front and bytes are `block`. Its time is its head's, so it has none of its own.
fn chunk(key: &ChunkKey, block: Vec<u8>) -> Arc<Entry> {
    let (key_end, end) = (KEY_LEN as u32, FRONT_LEN as u32);
    let meta = Meta { status: CHUNK, lifetime: Lifetime::until(0, u64::MAX), born: Sequence::default() };
    let held = block.capacity();
    let ends = Ends { key: key_end, notes: end, head: end };
    Arc::new(Entry::from_record(key.fingerprint(), Bytes::from(block), ends, meta, held))
}
