//! Writes a body in chunks while it comes, without ever waiting for the disk.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use thiserror::Error;

use super::super::access::Space;
use super::super::journal::Ack;
use super::super::stats::Refused;
use super::{CHUNK_BYTES, ChunkKey, FRONT_LEN, Manifest, ObjectId, chunk};
use crate::invalidate::Epoch;
use crate::key::Fingerprint;
use crate::seal::random;

/// Chunks of one object that may wait to be written: an eighth of a usual queue.
pub const WAITING_LIMIT: usize = 64;

/// Why an object is not kept. What was written of it is never found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ObjectRefused {
    /// The disk has not taken all of it.
    #[error("the disk cache does not take it: {0}")]
    Disk(#[from] Refused),
    /// A chunk was written, and has left before the object was whole.
    #[error("a part of it was evicted before it was whole")]
    Evicted,
    /// It is larger than an object may be.
    #[error("it is larger than an object may be")]
    TooLarge,
    /// It is not as long as it was declared to be.
    #[error("it is not as long as declared")]
    Length,
    /// The system gives no random bytes for its identity.
    #[error("the system gives no random bytes")]
    NoRandom,
}

/// How long a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSize {
    /// What is declared, bytes.
    pub declared: Option<u64>,
    /// More is not kept, bytes.
    pub limit: u64,
}

/// Writes one object. Dropped before [`ObjectWriter::finish`] it leaves nothing that can be found.
#[derive(Debug)]
#[must_use = "an object is kept once it is finished"]
pub struct ObjectWriter {
    space: Space,
    /// Under which key its head will be.
    head: Fingerprint,
    began: Epoch,
    size: ObjectSize,
    manifest: Manifest,
    /// The chunk that is being filled: its number; its front, and its bytes so far.
    number: u32,
    block: Vec<u8>,
    length: u64,
    /// Of chunks that wait to be written, the oldest first.
    waiting: VecDeque<Ack>,
    /// A chunk was not written.
    failed: bool,
}

impl ObjectWriter {
    pub(in super::super) fn new(
        space: Space,
        head: Fingerprint,
        began: Epoch,
        size: ObjectSize,
        chunk_bytes: u32,
    ) -> Result<Self, ObjectRefused> {
        if size.declared.is_some_and(|length| length > size.limit) {
            return Err(ObjectRefused::TooLarge);
        }
        let mut id = [0; 16];
        random(&mut id).map_err(|_| ObjectRefused::NoRandom)?;
        let manifest = Manifest::new(ObjectId(id), chunk_bytes, 0);
        let (block, waiting) = (Vec::new(), VecDeque::new());
        Ok(Self { space, head, began, size, manifest, number: 0, block, length: 0, waiting, failed: false })
    }

    /// Takes the next bytes of the body. Never waits.
    ///
    /// # Errors
    /// The object will not be kept: go on without the writer.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), ObjectRefused> {
        self.admit(bytes.len() as u64)?;
        while !bytes.is_empty() {
            self.begin_chunk();
            let room = FRONT_LEN + self.chunk_bytes() - self.block.len();
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, b""));
            self.block.extend_from_slice(now);
            if now.len() == room {
                self.queue_chunk()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn admit(&mut self, more: u64) -> Result<(), ObjectRefused> {
        self.length = self.length.saturating_add(more);
        match () {
            () if self.size.declared.is_some_and(|length| self.length > length) => Err(ObjectRefused::Length),
            () if self.length > self.size.limit => Err(ObjectRefused::TooLarge),
            () => Ok(()),
        }
    }

    fn begin_chunk(&mut self) {
        if self.block.is_empty() {
            self.block.reserve_exact(FRONT_LEN + self.chunk_bytes());
            self.block.extend_from_slice(&self.key().0);
            self.block.extend_from_slice(&self.head.0.to_le_bytes());
        }
    }

    fn queue_chunk(&mut self) -> Result<(), ObjectRefused> {
        self.forget_written()?;
        if self.waiting.len() >= WAITING_LIMIT {
            return Err(self.space.refuse(Refused::Busy).into());
        }
        let entry = chunk(&self.key(), std::mem::take(&mut self.block));
        self.waiting.push_back(self.space.insert_chunk(entry, self.began)?);
        self.number += 1;
        Ok(())
    }

    /// Chunks are written in their order.
    fn forget_written(&mut self) -> Result<(), ObjectRefused> {
        if self.failed {
            return Err(Refused::Failing.into());
        }
        let mut context = Context::from_waker(Waker::noop());
        while let Some(first) = self.waiting.front_mut() {
            match Pin::new(first).poll(&mut context) {
                Poll::Ready(Ok(())) => drop(self.waiting.pop_front()),
                Poll::Ready(Err(_)) => return Err(Refused::Failing.into()),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Whether another chunk would be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_LIMIT
    }

    /// Waits until at most half as many chunks wait as may.
    pub async fn room(&mut self) {
        while self.waiting.len() > WAITING_LIMIT / 2 {
            if let Some(first) = self.waiting.pop_front()
                && first.await.is_err()
            {
                self.failed = true;
            }
        }
    }

    /// The body has come to its end. Waits until all of it can be found, and gives what its head has to say.
    ///
    /// # Errors
    /// It is not kept.
    pub async fn finish(mut self) -> Result<Manifest, ObjectRefused> {
        if self.size.declared.is_some_and(|length| self.length != length) {
            return Err(ObjectRefused::Length);
        }
        if !self.block.is_empty() {
            self.queue_chunk()?;
        }
        self.forget_written()?;
        for ack in std::mem::take(&mut self.waiting) {
            ack.await.map_err(|_| Refused::Failing)?;
        }
        let whole = (0..self.number).all(|number| self.space.has_chunk(&ChunkKey::new(self.manifest.object, number)));
        let Manifest { object, chunk_bytes, .. } = self.manifest;
        whole.then(|| Manifest::new(object, chunk_bytes, self.length)).ok_or(ObjectRefused::Evicted)
    }

    const fn chunk_bytes(&self) -> usize {
        self.manifest.chunk_bytes as usize
    }

    fn key(&self) -> ChunkKey {
        ChunkKey::new(self.manifest.object, self.number)
    }
}

impl Space {
    /// Begins to write an object whose fetch began in the epoch `began`, and whose head will be under the key with the
    /// fingerprint `head`.
    ///
    /// # Errors
    /// It is declared to be too large, or there is no identity for it.
    pub fn object(&self, head: Fingerprint, began: Epoch, size: ObjectSize) -> Result<ObjectWriter, ObjectRefused> {
        ObjectWriter::new(self.clone(), head, began, size, CHUNK_BYTES)
    }
}
