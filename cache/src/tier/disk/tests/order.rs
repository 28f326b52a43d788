//! The order in the log is what counts, whatever is damaged, missing, or on its way.

use super::super::bytes::u64_at;
use super::super::frame::{self, Frame, Kind};
use super::super::segment::Start;
use super::super::{Space, Store};
use super::rig::{Rig, SEGMENT, space, until};

/// All frames on a disk: file, offset, frame.
fn frames(rig: &Rig) -> Vec<(String, usize, Frame)> {
    let lineage = u64_at(&rig.disk.bytes("journal"), 8);
    let mut found = Vec::new();
    for (name, _) in rig.disk.list() {
        let bytes = rig.disk.bytes(&name);
        let Start::Ours(start) = Start::read(&bytes[..4096.min(bytes.len())]) else { continue };
        let seed = frame::seed(lineage, start.number);
        for at in (0..bytes.len()).step_by(frame::UNIT) {
            found.extend(Frame::read(&bytes[at..], seed).map(|(frame, _)| (name.clone(), at, frame)));
        }
    }
    found
}

fn flip(rig: &Rig, name: &str, at: usize) {
    let mut bytes = rig.disk.bytes(name);
    bytes[at + 20] ^= 4;
    rig.disk.put(name, &bytes);
}

fn flip_all(rig: &Rig, kinds: &[Kind]) {
    for (name, at, frame) in frames(rig) {
        if kinds.contains(&frame.kind) {
            flip(rig, &name, at);
        }
    }
}

/// One key stored, then removed, in one segment that was never sealed; and one that was not removed.
fn removed() -> Rig {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 500).unwrap();
    rig.insert(&pets, 2, 1, 500).unwrap();
    store.commit().wait().unwrap();
    rig.remove(&pets, 1).unwrap();
    rig.insert(&pets, 3, 1, 500).unwrap();
    store.commit().wait().unwrap();
    rig.killed()
}

fn found(rig: &Rig) -> [Option<u64>; 3] {
    let store = rig.open();
    [1, 2, 3].map(|key| rig.version(&space(&store), key))
}

#[test]
fn one_copy_of_a_tombstone_is_enough() {
    for kind in [Kind::Tombstone, Kind::Echo] {
        let rig = removed();
        flip_all(&rig, &[kind]);
        // The second start reads the footer that the first one wrote.
        assert_eq!((found(&rig)[0], found(&rig)[0]), (None, None), "{kind:?}");
    }
}

#[test]
fn where_both_copies_are_lost_nothing_older_is_believed() {
    let rig = removed();
    flip_all(&rig, &[Kind::Tombstone, Kind::Echo]);
    for _ in 0..2 {
        assert_eq!(found(&rig), [None, None, Some(1)]);
    }
}

#[test]
fn a_damaged_version_does_not_bring_its_older_one_back() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for version in 1..3 {
        rig.insert(&pets, 1, version, 500).unwrap();
        store.commit().wait().unwrap();
    }
    let rig = rig.killed();
    let (name, at, _) = frames(&rig).into_iter().rfind(|(.., frame)| frame.kind == Kind::Entry).unwrap();
    flip(&rig, &name, at + frame::LEN);
    assert_eq!((found(&rig)[0], found(&rig)[0]), (None, None));
}

#[test]
fn a_write_that_was_torn_leaves_the_older_version() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 500).unwrap();
    store.commit().wait().unwrap();
    rig.disk.take_calls();
    rig.insert(&pets, 1, 2, 9000).unwrap();
    until(|| rig.version(&pets, 1) == Some(2));
    let rig = rig.killed();
    let (name, at, _) = frames(&rig).into_iter().rfind(|(.., frame)| frame.kind == Kind::Entry).unwrap();
    let mut bytes = rig.disk.bytes(&name);
    bytes[at + 4096..at + 8192].fill(0);
    rig.disk.put(&name, &bytes);
    assert_eq!((found(&rig)[0], found(&rig)[0]), (Some(1), Some(1)));
}

fn fill(rig: &Rig, store: &Store, pets: &Space, keys: std::ops::Range<u64>) {
    for key in keys {
        rig.insert(pets, key, 1, 20_000).unwrap();
        store.commit().wait().unwrap();
    }
}

#[test]
fn what_is_older_than_a_missing_segment_is_not_believed() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 500).unwrap();
    fill(&rig, &store, &pets, 10..16);
    rig.remove(&pets, 1).unwrap();
    fill(&rig, &store, &pets, 20..30);
    store.close();
    let tombstones = frames(&rig);
    let (name, ..) = tombstones.iter().find(|(.., frame)| frame.kind == Kind::Tombstone).unwrap();
    rig.disk.unlink(name);
    for _ in 0..2 {
        let store = rig.open();
        let pets = space(&store);
        assert_eq!([1, 10, 29].map(|key| rig.version(&pets, key)), [None, None, Some(1)]);
    }
    assert!(rig.lines.has("is missing"));
}

#[test]
fn an_older_version_is_not_written_again_behind_a_newer_one_on_its_way() {
    let mut tried = 0;
    for fillers in 19..24 {
        let rig = Rig::new();
        let store = rig.open();
        let pets = space(&store);
        rig.insert(&pets, 1, 1, 30_000).unwrap();
        store.commit().wait().unwrap();
        for key in 0..fillers {
            rig.insert(&pets, key + 100, 1, 30_000).unwrap();
            store.commit().wait().unwrap();
        }
        if rig.version(&pets, 1) != Some(1) {
            continue;
        }
        let evicted = store.stats().evicted_segments;
        let stalled = rig.disk.stall();
        rig.insert(&pets, 1, 2, 30_000).unwrap();
        for key in 0..3 {
            rig.insert(&pets, key + 200, 1, 30_000).unwrap();
        }
        // The encoder goes as far as it can without the writer.
        until(|| store.stats().queue_bytes <= 94_000);
        (0..20_000).for_each(|_| std::thread::yield_now());
        tried += u64::from(store.stats().evicted_segments > evicted);
        drop(stalled);
        store.commit().wait().unwrap();
        assert_eq!(rig.version(&pets, 1), Some(2), "with {fillers}");
        let rig = rig.killed();
        assert_eq!(rig.version(&space(&rig.open()), 1), Some(2), "with {fillers}, killed");
    }
    assert!(tried > 0, "nothing was evicted while a write was on its way");
}

#[test]
fn a_segment_is_told_by_its_frames_when_its_start_is_damaged() {
    let rig = removed();
    let (name, ..) = frames(&rig).remove(0);
    let mut bytes = rig.disk.bytes(&name);
    assert_eq!(bytes.len(), SEGMENT as usize);
    bytes[9] ^= 1;
    rig.disk.put(&name, &bytes);
    assert_eq!(found(&rig), [None, Some(1), Some(1)]);
}
