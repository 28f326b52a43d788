//! A stored answer, ready to be written to a socket, and what it weighs.
//!
//! An entry is immutable and shared by `Arc`. Its key, notes, head and body lie in one allocation of exactly their
//! length, so that what it costs can be told; handing out its body copies nothing and allocates nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::freshness::{Freshness, NotStored};
use crate::invalidate::Sequence;
use crate::key::{Fingerprint, KeyRef, Keyed};

/// A complete answer under its key.
pub struct Entry {
    fingerprint: Fingerprint,
    /// Key, notes, head, body.
    block: Bytes,
    body: Bytes,
    key_end: u32,
    notes_end: u32,
    head_end: u32,
    /// Bytes that the block's allocation has beside the block: what is around it in a record.
    around: u32,
    status: u16,
    born: Sequence,
    judged: Judged,
    lifetime: Lifetime,
}

/// When an entry was stored and until when it may be served, nanoseconds of a monotonic clock that stood at the time of
/// day, since 1970, when the process began: what one process stored means the same to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// When the answer came.
    pub stored_at_ns: u64,
    /// From here on it is expired.
    pub fresh_until_ns: u64,
    /// Until then it may be served expired while a fresh answer is fetched.
    pub revalidate_until_ns: u64,
    /// Until then it may be served expired where no fresh answer can be had.
    pub error_until_ns: u64,
}

impl Lifetime {
    /// A lifetime after which nothing is served.
    #[must_use]
    pub const fn until(stored_at_ns: u64, fresh_until_ns: u64) -> Self {
        Self { stored_at_ns, fresh_until_ns, revalidate_until_ns: fresh_until_ns, error_until_ns: fresh_until_ns }
    }

    /// The same, with each end as late as another's at least.
    #[must_use]
    pub fn or_longer(self, other: Self) -> Self {
        Self {
            stored_at_ns: self.stored_at_ns,
            fresh_until_ns: self.fresh_until_ns.max(other.fresh_until_ns),
            revalidate_until_ns: self.revalidate_until_ns.max(other.revalidate_until_ns),
            error_until_ns: self.error_until_ns.max(other.error_until_ns),
        }
    }
}

/// What an entry is made of, beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Where it is stored.
    pub key: KeyRef<'a>,
    /// The status code.
    pub status: u16,
    /// What purges ask about; the tiers keep it as it is.
    pub notes: &'a [u8],
    /// Field lines, each `Name: value\r\n`, without what belongs to one exchange only: status line, Date, Age, request
    /// ids, Connection.
    pub head: &'a [u8],
    /// When it came and until when it may be served.
    pub lifetime: Lifetime,
    /// The last purge before its fetch began.
    pub born: Sequence,
}

/// Where the parts of a block end that come before the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) key: u32,
    pub(crate) notes: u32,
    pub(crate) head: u32,
}

/// What an entry has beside its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) status: u16,
    pub(crate) lifetime: Lifetime,
    pub(crate) born: Sequence,
}

impl Entry {
    /// Copies an answer into an entry. `body` is the whole body in any number of pieces.
    ///
    /// # Errors
    /// [`NotStored::TooLarge`] if all but the body exceeds 4 GiB.
    pub fn new(draft: Draft<'_>, body: &[Bytes]) -> Result<Self, NotStored> {
        let Draft { key, status, notes, head, lifetime, born } = draft;
        let end = |length: usize| u32::try_from(length).map_err(|_| NotStored::TooLarge);
        let key_end = end(key.bytes.len())?;
        let notes_end = end(key.bytes.len() + notes.len())?;
        let head_end = end(key.bytes.len() + notes.len() + head.len())?;
        let block = block([key.bytes, notes, head], body);
        // Taking the slice now makes the block shared now: a hit's clone then counts a reference and allocates nothing.
        let body = block.slice(head_end as usize..);
        let fingerprint = key.fingerprint;
        let judged = Judged::new(born);
        Ok(Self { fingerprint, block, body, key_end, notes_end, head_end, around: 0, status, born, judged, lifetime })
    }

    /// An entry whose block lies in a record's buffer of `held` bytes. The parts end where `ends` says, within the
    /// block.
    pub(crate) fn from_record(fingerprint: Fingerprint, block: Bytes, ends: Ends, meta: Meta, held: usize) -> Self {
        let Ends { key: key_end, notes: notes_end, head: head_end } = ends;
        let Meta { status, lifetime, born } = meta;
        let body = block.slice(block.len().min(head_end as usize)..);
        let around = u32::try_from(held.saturating_sub(block.len())).unwrap_or(u32::MAX);
        let judged = Judged::new(born);
        Self { fingerprint, block, body, key_end, notes_end, head_end, around, status, born, judged, lifetime }
    }

    /// Key, notes, head and body, one after the other.
    pub(crate) const fn block(&self) -> &Bytes {
        &self.block
    }

    /// Where the parts of the block end.
    pub(crate) const fn ends(&self) -> Ends {
        Ends { key: self.key_end, notes: self.notes_end, head: self.head_end }
    }

    /// What it has beside its block.
    pub(crate) const fn meta(&self) -> Meta {
        Meta { status: self.status, lifetime: self.lifetime, born: self.born }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What purges ask about.
    #[must_use]
    pub fn notes(&self) -> &[u8] {
        self.block.get(self.key_end as usize..self.notes_end as usize).unwrap_or_default()
    }

    /// Field lines, each with its line end; no empty line after the last.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.block.get(self.notes_end as usize..self.head_end as usize).unwrap_or_default()
    }

    /// The whole body. A clone shares it without an allocation.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// When it was stored and until when it may be served.
    #[must_use]
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// The last purge before its fetch began: any later one may cover it.
    #[must_use]
    pub const fn born(&self) -> Sequence {
        self.born
    }

    /// Whether a soft purge has expired it before its time.
    #[must_use]
    pub fn is_purged_softly(&self) -> bool {
        self.judged.read().1
    }

    /// What bans have said of it so far.
    pub(crate) const fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Whether it may be served at `now_ns`, and its age.
    #[must_use]
    pub const fn freshness(&self, now_ns: u64) -> Freshness {
        Freshness::at(self.lifetime, now_ns)
    }

    /// The memory that keeping this entry costs, bytes: its allocations as the allocator rounds them, and its part of
    /// the tables that find and evict it.
    #[must_use]
    pub const fn weight(&self) -> usize {
        let allocated = OVERHEAD + allocated(self.block.len() + self.around as usize);
        allocated + allocated / FRAGMENTATION
    }
}

/// The last ban that an entry was asked about, and whether one has expired it, in one word.
#[derive(Debug)]
pub(crate) struct Judged(AtomicU64);

impl Judged {
    const EXPIRED: u64 = 1;

    const fn new(born: Sequence) -> Self {
        Self(AtomicU64::new(born.0 << 1))
    }

    /// No ban up to `newest` covers it.
    #[inline]
    pub(crate) fn is_clear_until(&self, newest: u64) -> bool {
        let judged = self.0.load(Ordering::Relaxed);
        judged & Self::EXPIRED == 0 && judged >> 1 >= newest
    }

    pub(crate) fn read(&self) -> (u64, bool) {
        let judged = self.0.load(Ordering::Relaxed);
        (judged >> 1, judged & Self::EXPIRED != 0)
    }

    /// Only ever forward: who asked earlier and writes later takes nothing back.
    pub(crate) fn raise(&self, asked: u64, expired: bool) {
        let raised = |judged: u64| Some((judged >> 1).max(asked) << 1 | judged & Self::EXPIRED | u64::from(expired));
        // The closure always has an answer, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised);
    }
}

impl Clone for Judged {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Keyed for Entry {
    fn key(&self) -> KeyRef<'_> {
        let bytes = self.block.get(..self.key_end as usize).unwrap_or_default();
        KeyRef { fingerprint: self.fingerprint, bytes }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fingerprint, status, body, .. } = self;
        write!(f, "Entry({fingerprint:?}, {status}, {} bytes)", body.len())
    }
}

fn block(front: [&[u8]; 3], body: &[Bytes]) -> Bytes {
    let front_len: usize = front.iter().map(|part| part.len()).sum();
    let body_len: usize = body.iter().map(Bytes::len).sum();
    let mut block = Vec::with_capacity(front_len + body_len);
    front.iter().for_each(|part| block.extend_from_slice(part));
    body.iter().for_each(|piece| block.extend_from_slice(piece));
    Bytes::from(block)
}

/// What an entry whose key, notes, head and body are `block` bytes costs.
pub(crate) const fn weight(block: usize) -> usize {
    let allocated = OVERHEAD + allocated(block);
    allocated + allocated / FRAGMENTATION
}

/// What an entry costs beside its block.
const OVERHEAD: usize = allocated(ARC + size_of::<Entry>()) + SHARED + RECORD + SLOT + GHOST;

/// One part in so many is added for what an allocator cannot give back while entries of all sizes come and go: pages in
/// part free, in each thread and size class.
const FRAGMENTATION: usize = 16;

/// The two counts of an `Arc`.
const ARC: usize = 16;

/// What `Bytes` allocates to count the block's owners.
const SHARED: usize = 32;

/// The cache's record of an entry: pointer, hash, weight, queue links, flags; rounded.
const RECORD: usize = 96;

/// Pointer and control byte in a hash table that is between 7/16 and 7/8 full.
const SLOT: usize = 20;

/// What the eviction remembers of an entry that has left: hash and weight in a queue, hash in a set.
const GHOST: usize = 48;

/// The size of an allocation of `size` bytes: mimalloc has four size classes between powers of two, and gives whole
/// slices to what is larger than half a mebibyte.
const fn allocated(size: usize) -> usize {
    let step = if size <= 64 {
        16
    } else if size <= LARGE {
        size.next_power_of_two() / 8
    } else {
        SLICE
    };
    size.div_ceil(step) * step
}

const LARGE: usize = 512 * 1024;
const SLICE: usize = 64 * 1024;

impl<T: Keyed> Keyed for Arc<T> {
    fn key(&self) -> KeyRef<'_> {
        T::key(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyHasher, SECRET_LEN};

    const LIFETIME: Lifetime = Lifetime::until(5, 9);

    fn entry(body: &[Bytes]) -> Entry {
        let key = KeyHasher::new([1; SECRET_LEN]).key(b"the key");
        let born = Sequence::default();
        let head = b"ETag: x\r\n";
        Entry::new(Draft { key, status: 200, notes: b"noted", head, lifetime: LIFETIME, born }, body).unwrap()
    }

    #[test]
    fn an_entry_gives_back_what_it_was_made_of() {
        let entry = entry(&[Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"two")]);
        assert_eq!(entry.key().bytes, b"the key");
        assert_eq!(entry.notes(), b"noted");
        assert_eq!(entry.head(), b"ETag: x\r\n");
        assert_eq!(&entry.body()[..], b"onetwo");
        assert_eq!((entry.status(), entry.lifetime()), (200, LIFETIME));
    }

    #[test]
    fn an_empty_body_is_a_body() {
        assert_eq!(entry(&[]).body().len(), 0);
    }

    #[test]
    fn rounding_follows_four_classes_between_powers_of_two() {
        let sizes = [1, 16, 17, 64, 65, 81, 1024, 1025, 100 * 1024, 1024 * 1024 + 1].map(allocated);
        assert_eq!(sizes, [16, 16, 32, 64, 80, 96, 1024, 1280, 114_688, 1024 * 1024 + 65_536]);
    }

    #[test]
    fn a_body_weighs_more_than_its_bytes_and_less_than_a_third_more_when_large() {
        let entry = entry(&[Bytes::from(vec![0; 100_000])]);
        assert!((100_000..140_000).contains(&entry.weight()), "{}", entry.weight());
    }
}
