//! Reads an object, or a part of it, chunk by chunk, one ahead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::super::access::{Probe, Space};
use super::super::pool::Reading;
use super::{CHUNK, ChunkKey, Manifest};
use crate::entry::Entry;

/// A chunk is not there any more, or is not what was written. What was begun with it must not end as if it were whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a chunk of the object is lost")]
pub struct Lost;

/// Looked for beforehand, of an object: more would take long, and the oldest chunks are the first to leave.
const LOOKED_FOR: usize = 4096;

/// Reads bytes of an object in order, also when its store closes meanwhile.
pub struct ObjectReader {
    space: Space,
    manifest: Manifest,
    /// Not yet given out.
    bytes: Range<u64>,
    now_ns: u64,
    /// The chunk that comes next, on its way.
    ahead: Option<Probe>,
    _reading: Reading,
}

impl ObjectReader {
    /// Begins to read; at once, unless no byte is wanted.
    fn new(space: Space, manifest: Manifest, bytes: Range<u64>, now_ns: u64) -> Result<Self, Lost> {
        let reading = Reading::begin(&space.shared, &space.core).ok_or(Lost)?;
        let bytes = bytes.start..bytes.end.min(manifest.length());
        let mut chunks = manifest.chunks_of(&bytes).take(LOOKED_FOR);
        if !bytes.is_empty() && !chunks.all(|number| space.has_chunk(&ChunkKey::new(manifest.object, number))) {
            return Err(Lost);
        }
        space.ask_for(&manifest);
        let mut reader = Self { space, manifest, bytes, now_ns, ahead: None, _reading: reading };
        reader.ahead = reader.look();
        Ok(reader)
    }

    /// The next bytes, at most a chunk of them; nothing at the end. After an error there is nothing more to be had.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        let Some(probe) = self.ahead.take() else { return if self.bytes.is_empty() { Ok(None) } else { Err(Lost) } };
        let entry = match probe {
            Probe::Absent => None,
            Probe::Ready(entry) => Some(entry),
            Probe::Read(pending) => pending.await,
        };
        let piece = self.part_of(entry.ok_or(Lost)?)?;
        self.bytes.start += piece.len() as u64;
        self.ahead = self.look();
        Ok(Some(piece))
    }

    fn look(&self) -> Option<Probe> {
        let (number, _) = self.manifest.chunk_at(self.bytes.start);
        (!self.bytes.is_empty()).then(|| self.space.probe_chunk(&self.key(number), self.now_ns))
    }

    /// What is wanted of a chunk.
    fn part_of(&self, entry: Arc<Entry>) -> Result<Bytes, Lost> {
        let (number, start) = self.manifest.chunk_at(self.bytes.start);
        let body = entry.body();
        if entry.status() != CHUNK || body.len() != self.manifest.bytes_of(number) {
            return Err(Lost);
        }
        let wanted = self.bytes.end - self.bytes.start;
        let end = body.len().min(start.saturating_add(usize::try_from(wanted).unwrap_or(usize::MAX)));
        Ok(body.slice(start..end))
    }

    fn key(&self, number: u32) -> ChunkKey {
        ChunkKey::new(self.manifest.object, number)
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Space {
    /// Begins to read some bytes of an object.
    ///
    /// # Errors
    /// A chunk of them is lost: the object counts as absent.
    pub fn read_object(&self, manifest: &Manifest, bytes: Range<u64>, now_ns: u64) -> Result<ObjectReader, Lost> {
        ObjectReader::new(self.clone(), *manifest, bytes, now_ns)
    }
}
