//! Where each key's current version lies: 16 bytes an entry, and what a hash table needs around them.
//!
//! A slot holds 48 bits of the key's hash. Keys that share them share a slot, so such a collision costs an entry; the
//! record has the whole key, and it is compared. Memory is bounded by the entries that the log has room for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hashbrown::HashTable;
use parking_lot::RwLock;

use super::frame::{Position, UNIT};
use crate::key::Fingerprint;

const SHARDS: usize = 256;
const TAG_BITS: u32 = 48;
const TAG: u64 = (1 << TAG_BITS) - 1;
/// Set in a slot's first word by a hit.
const HIT: u64 = 1 << TAG_BITS;
/// Set in the slot of an object's first chunk when the object is asked for.
const ASKED: u64 = 1 << (TAG_BITS + 1);
const SEGMENT_BITS: u32 = 24;
/// Segments are told apart by as many numbers; a store has far fewer.
pub(super) const SEGMENT_NUMBERS: u64 = 1 << SEGMENT_BITS;

/// What finds a key's slot: of the space and the fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u64);

/// Where a version lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment's number, modulo [`SEGMENT_NUMBERS`].
    pub(super) segment: u32,
    /// Units of 64 bytes from its start.
    pub(super) offset: u32,
    /// Units of 64 bytes that frame and record take.
    pub(super) length: u32,
}

/// Tag and marks; place.
type Cell = (AtomicU64, u64);

pub(super) struct Index {
    shards: Box<[RwLock<HashTable<Cell>>]>,
}

impl Slot {
    pub(super) const fn of(space: u32, fingerprint: Fingerprint) -> Self {
        Self(fingerprint.low() ^ mixed(space))
    }

    /// The low half of the fingerprint.
    pub(super) const fn low(self, space: u32) -> u64 {
        self.0 ^ mixed(space)
    }

    const fn tag(self) -> u64 {
        self.0 & TAG
    }
}

const fn mixed(space: u32) -> u64 {
    (space as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Place {
    pub(super) fn new(position: Position, bytes: usize) -> Self {
        let segment = (position.segment % SEGMENT_NUMBERS) as u32;
        Self { segment, offset: position.offset, length: bytes.div_ceil(UNIT) as u32 }
    }

    pub(super) const fn start(self) -> u64 {
        self.offset as u64 * UNIT as u64
    }

    pub(super) const fn bytes(self) -> usize {
        self.length as usize * UNIT
    }

    const fn packed(self) -> u64 {
        (self.segment as u64) << 40 | (self.offset as u64) << 20 | self.length as u64
    }

    const fn unpacked(packed: u64) -> Self {
        let mask = (1 << 20) - 1;
        Self { segment: (packed >> 40) as u32, offset: (packed >> 20) as u32 & mask, length: packed as u32 & mask }
    }
}

impl Index {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    pub(super) fn get(&self, slot: Slot) -> Option<Place> {
        let shard = self.shard(slot)?.read();
        shard.find(hash(slot.tag()), |cell| tag(cell) == slot.tag()).map(|cell| Place::unpacked(cell.1))
    }

    /// The same for a hit: it is noted that the version was of use, which keeps it when its segment is evicted.
    pub(super) fn hit(&self, slot: Slot) -> Option<Place> {
        self.mark(slot, HIT)
    }

    /// Notes that the object whose first chunk this is was asked for, which has it carried when its turn comes.
    pub(super) fn ask(&self, slot: Slot) {
        self.mark(slot, ASKED);
    }

    fn mark(&self, slot: Slot, mark: u64) -> Option<Place> {
        let shard = self.shard(slot)?.read();
        let cell = shard.find(hash(slot.tag()), |cell| tag(cell) == slot.tag())?;
        if cell.0.load(Relaxed) & mark == 0 {
            cell.0.fetch_or(mark, Relaxed);
        }
        Some(Place::unpacked(cell.1))
    }

    /// Whether `place` is a key's current version, and was hit.
    pub(super) fn is_hot(&self, slot: Slot, place: Place) -> bool {
        self.has_mark(slot, place, HIT)
    }

    /// Whether `place` is an object's first chunk, and the object was asked for.
    pub(super) fn is_asked(&self, slot: Slot, place: Place) -> bool {
        self.has_mark(slot, place, ASKED)
    }

    fn has_mark(&self, slot: Slot, place: Place, mark: u64) -> bool {
        let Some(shard) = self.shard(slot) else { return false };
        let shard = shard.read();
        let cell = shard.find(hash(slot.tag()), |cell| tag(cell) == slot.tag());
        cell.is_some_and(|cell| cell.1 == place.packed() && cell.0.load(Relaxed) & mark != 0)
    }

    pub(super) fn insert(&self, slot: Slot, place: Place) {
        self.insert_unless(slot, place, || false);
    }

    /// Inserts unless `condition` holds, which is asked when nobody else can touch the slot: then removes what is there.
    /// Tells whether it inserted.
    pub(super) fn insert_unless(&self, slot: Slot, place: Place, condition: impl FnOnce() -> bool) -> bool {
        let Some(shard) = self.shard(slot) else { return false };
        let mut shard = shard.write();
        if condition() {
            if let Ok(found) = shard.find_entry(hash(slot.tag()), |cell| tag(cell) == slot.tag()) {
                found.remove();
            }
            return false;
        }
        let cell = (AtomicU64::new(slot.tag()), place.packed());
        match shard.find_mut(hash(slot.tag()), |cell| tag(cell) == slot.tag()) {
            Some(old) => *old = cell,
            None => drop(shard.insert_unique(hash(slot.tag()), cell, |cell| hash(tag(cell)))),
        }
        true
    }

    pub(super) fn remove(&self, slot: Slot) {
        self.remove_if(slot, |_| true);
    }

    pub(super) fn remove_if(&self, slot: Slot, condition: impl FnOnce(Place) -> bool) {
        let Some(shard) = self.shard(slot) else { return };
        let mut shard = shard.write();
        let Ok(found) = shard.find_entry(hash(slot.tag()), |cell| tag(cell) == slot.tag()) else { return };
        if condition(Place::unpacked(found.get().1)) {
            found.remove();
        }
    }

    /// Removes all of one segment, by looking at every slot: for when the segment itself can no longer be asked.
    pub(super) fn sweep(&self, segment: u64) {
        let segment = (segment % SEGMENT_NUMBERS) as u32;
        for shard in &self.shards {
            shard.write().retain(|cell| Place::unpacked(cell.1).segment != segment);
        }
    }

    pub(super) fn clear(&self) {
        self.shards.iter().for_each(|shard| *shard.write() = HashTable::new());
    }

    pub(super) fn entries(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().len() as u64).sum()
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> u64 {
        let tables: usize = self.shards.iter().map(|shard| shard.read().allocation_size()).sum();
        (tables + SHARDS * size_of::<RwLock<HashTable<Cell>>>()) as u64
    }

    fn shard(&self, slot: Slot) -> Option<&RwLock<HashTable<Cell>>> {
        self.shards.get((slot.0 >> 56) as usize)
    }
}

fn tag(cell: &Cell) -> u64 {
    cell.0.load(Relaxed) & TAG
}

const fn hash(tag: u64) -> u64 {
    tag.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(segment: u64, offset: u32) -> Place {
        Place::new(Position { segment, offset }, 100)
    }

    #[test]
    fn the_last_version_is_the_current_one() {
        let (index, slot) = (Index::new(), Slot::of(1, Fingerprint(5)));
        index.insert(slot, place(3, 9));
        index.insert(slot, place(4, 1));
        assert_eq!((index.get(slot), index.entries()), (Some(place(4, 1)), 1));
        assert_eq!(index.get(Slot::of(2, Fingerprint(5))), None);
        index.remove_if(slot, |found| found == place(3, 9));
        assert_eq!(index.entries(), 1);
        index.remove(slot);
        assert_eq!((index.get(slot), index.entries()), (None, 0));
    }

    #[test]
    fn a_place_keeps_its_parts_at_their_ends() {
        let far = Place { segment: (1 << 24) - 1, offset: (1 << 20) - 1, length: (1 << 20) - 1 };
        assert_eq!(Place::unpacked(far.packed()), far);
        assert_eq!(place(SEGMENT_NUMBERS + 2, 0).segment, 2);
    }

    #[test]
    fn a_hit_marks_the_version_until_another_comes() {
        let (index, slot) = (Index::new(), Slot::of(1, Fingerprint(5)));
        index.insert(slot, place(3, 9));
        assert!(!index.is_hot(slot, place(3, 9)));
        index.hit(slot);
        assert!(index.is_hot(slot, place(3, 9)) && !index.is_hot(slot, place(3, 8)));
        index.insert(slot, place(4, 9));
        assert!(!index.is_hot(slot, place(4, 9)));
    }

    #[test]
    fn a_sweep_takes_one_segment() {
        let index = Index::new();
        for number in 0..1000_u32 {
            index.insert(Slot(u64::from(number) << 50 | u64::from(number)), place(u64::from(number % 4), number));
        }
        index.sweep(2);
        assert_eq!(index.entries(), 750);
    }

    #[test]
    fn an_entry_takes_at_most_forty_bytes_as_the_index_grows() {
        let index = Index::new();
        for number in 1..=300_000_u64 {
            index.insert(Slot(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)), place(number, 0));
            if number.is_power_of_two() && number > 30_000 {
                assert!(index.bytes() <= number * 40, "{} bytes of {number} entries", index.bytes());
            }
        }
        assert!(index.bytes() <= 300_000 * 40, "{}", index.bytes());
    }
}
