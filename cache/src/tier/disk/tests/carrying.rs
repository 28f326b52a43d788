//! Objects that are asked for outlive the log's round, whole or not at all, and fills go on beside it.

use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::super::files::simulated::Faults;
use super::super::object::{Manifest, ObjectSize, ObjectWriter};
use super::super::{Space, Store};
use super::objects::{committed, head, object, store_object, wait};
use super::rig::{Chance, NOW, Rig, SEGMENT, body, space, until};

/// Writes small entries that nobody asks for until the log has gone round so many times.
fn go_round(rig: &Rig, store: &Store, times: u64, mut each: impl FnMut()) {
    let (pets, began) = (space(store), store.stats().evicted_segments);
    let segments = rig.config.capacity / u64::from(SEGMENT);
    let mut key = 1 << 32;
    while store.stats().evicted_segments < began + times * segments {
        rig.insert(&pets, key, 1, 8000).unwrap();
        committed(store);
        key += 1;
        if key % 8 == 0 {
            each();
        }
    }
}

fn large() -> Rig {
    let mut rig = Rig::new();
    rig.config.capacity = 24 * u64::from(SEGMENT);
    rig
}

/// It was for asking only.
fn ignore<T>(_: T) {}

#[test]
fn an_object_that_is_asked_for_outlives_the_log_and_another_does_not() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    store_object(&rig, &pets, 1, 1, 150_000).unwrap();
    store_object(&rig, &pets, 2, 1, 150_000).unwrap();
    committed(&store);
    go_round(&rig, &store, 4, || assert_eq!(object(&rig, &pets, 1), Some(1)));
    assert_eq!(object(&rig, &pets, 2), None);
    let stats = store.stats();
    assert!((3..8).contains(&stats.carried), "{stats:?}");
    go_round(&rig, &store, 3, || ());
    assert_eq!((object(&rig, &pets, 1), store.stats().carried - stats.carried), (None, 1));
    // What was carried is found where it is, also by the next process.
    store_object(&rig, &pets, 3, 7, 100_000).unwrap();
    committed(&store);
    go_round(&rig, &store, 2, || assert_eq!(object(&rig, &pets, 3), Some(7)));
    let rig = rig.killed();
    let store = rig.open();
    assert_eq!(object(&rig, &space(&store), 3), Some(7));
}

#[test]
fn a_part_that_is_asked_for_keeps_all_of_it() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    let mut writer = begun(&rig, &pets, 1);
    writer.push(&body(1, 1, 100_000)).unwrap();
    let manifest = wait(writer.finish()).unwrap();
    pets.insert(head(&rig, 1, 1, manifest), pets.epoch()).unwrap();
    go_round(&rig, &store, 2, || {
        let mut reader = pets.read_object(&manifest, 50_000..50_001, NOW).unwrap();
        assert_eq!(wait(reader.next()).unwrap().map(|piece| piece.len()), Some(1));
    });
    assert_eq!(object(&rig, &pets, 1), Some(1));
}

fn begun(rig: &Rig, space: &Space, key: u64) -> ObjectWriter {
    let (head, size) = (rig.key(&key.to_le_bytes()).fingerprint, ObjectSize { declared: None, limit: u64::MAX });
    ObjectWriter::new(space.clone(), head, space.epoch(), size, 4096).unwrap()
}

#[test]
fn what_nobody_means_any_more_is_not_carried() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..3 {
        store_object(&rig, &pets, key, 1, 60_000).unwrap();
        committed(&store);
        assert_eq!(object(&rig, &pets, key), Some(1));
    }
    // Dropped, replaced, and one that is cut short.
    rig.remove(&pets, 0).unwrap();
    store_object(&rig, &pets, 1, 2, 60_000).unwrap();
    ignore(begun(&rig, &pets, 2).push(&body(2, 2, 50_000)));
    rig.insert(&pets, 2, 3, 100).unwrap();
    go_round(&rig, &store, 2, || ());
    assert_eq!(store.stats().carried, 0);
}

#[test]
fn an_object_that_is_too_long_to_be_carried_in_time_is_not_begun() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    let mut writer = begun(&rig, &pets, 1);
    for piece in body(1, 1, 700_000).chunks(4096) {
        writer.push(piece).unwrap();
        committed(&store);
    }
    let manifest = wait(writer.finish()).unwrap();
    pets.insert(head(&rig, 1, 1, manifest), pets.epoch()).unwrap();
    committed(&store);
    assert_eq!(object(&rig, &pets, 1), Some(1));
    go_round(&rig, &store, 2, || ());
    assert_eq!((object(&rig, &pets, 1), store.stats().carried), (None, 0));
}

#[test]
fn a_disk_that_fails_while_an_object_is_carried_loses_it_whole() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..8 {
        store_object(&rig, &pets, key, 1, 100_000).unwrap();
        committed(&store);
    }
    let mut rounds = 0;
    go_round(&rig, &store, 3, || {
        (0..8).for_each(|key| ignore(object(&rig, &pets, key)));
        rounds += 1;
        if rounds % 5 == 0 {
            rig.disk.set_faults(Faults { writes: true, ..Faults::default() });
            ignore(rig.insert(&pets, 99, rounds, 8000));
            assert!(store.commit().wait().is_err());
            rig.disk.set_faults(Faults::default());
            until(|| store.commit().wait().is_ok());
        }
    });
    (0..8).for_each(|key| ignore(object(&rig, &pets, key)));
}

/// Whether all of an object is there; asks for it.
fn is_there(rig: &Rig, space: &Space, key: u64) -> bool {
    let Some((entry, _)) = space.peek(rig.key(&key.to_le_bytes())) else { return false };
    let manifest = Manifest::of(&entry).unwrap();
    space.read_object(&manifest, 0..manifest.length(), NOW).is_ok()
}

/// Requests for objects, with popularity as Zipf has it, each stored when it is missed: how many in a thousand were found.
fn found(exponent: f64, carrying: bool) -> u32 {
    const OBJECTS: u64 = 200;
    const REQUESTS: u32 = 1200;
    let mut rig = Rig::new();
    rig.config.capacity = 32 * u64::from(SEGMENT);
    let store = rig.open();
    let (pets, mut chance, zeros) = (space(&store), Chance(7), vec![0; 100_000]);
    let lengths: Vec<usize> = (0..OBJECTS).map(|_| 20_000 + chance.below(80_000) as usize).collect();
    let weights: Vec<f64> = (1..=OBJECTS).map(|rank| (rank as f64).powf(-exponent)).collect();
    let sum: f64 = weights.iter().sum();
    let mut hits = 0;
    for _ in 0..REQUESTS {
        let mut at = chance.below(1 << 40) as f64 / (1_u64 << 40) as f64 * sum;
        let below = |weight: &f64| {
            at -= weight;
            at < 0.0
        };
        let number = weights.iter().position(below).unwrap_or(0);
        let key = number as u64;
        if is_there(&rig, &pets, key) {
            hits += 1;
        } else {
            let mut writer = begun(&rig, &pets, key);
            writer.push(&zeros[..lengths[number]]).unwrap();
            pets.insert(head(&rig, key, 1, wait(writer.finish()).unwrap()), pets.epoch()).unwrap();
            committed(&store);
        }
        if !carrying {
            store.shared.largest_asked.store(0, Relaxed);
        }
    }
    hits * 1000 / REQUESTS
}

#[test]
fn more_is_found_of_what_is_popular() {
    // How batches fall out moves either by a few: the sum of two is far enough apart.
    let of = |carrying| found(0.9, carrying) + found(1.0, carrying);
    let (plain, carried) = (of(false), of(true));
    assert!(carried > plain, "{carried} of 2000 against {plain}");
}

#[test]
fn an_answer_that_was_begun_is_read_to_its_end_while_the_object_moves() {
    let rig = large();
    let store = rig.open();
    let pets = space(&store);
    store_object(&rig, &pets, 1, 1, 100_000).unwrap();
    committed(&store);
    let (entry, _) = pets.peek(rig.key(&1_u64.to_le_bytes())).unwrap();
    let mut reader = pets.read_object(&Manifest::of(&entry).unwrap(), 0..100_000, NOW).unwrap();
    let (mut read, mut turns) = (Vec::new(), 0);
    go_round(&rig, &store, 2, || {
        turns += 1;
        if turns % 3 == 0 {
            read.extend(wait(reader.next()).unwrap().unwrap_or_default());
        }
        ignore(is_there(&rig, &pets, 1));
    });
    assert!(read == body(1, 1, 100_000), "{} bytes", read.len());
    assert!(store.stats().carried > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_comes_between_what_is_carried_is_whole_or_absent(seed in any::<u64>(), cut in any::<bool>()) {
        let mut chance = Chance(seed);
        let mut rig = large();
        let mut newest = [0_u64; 6];
        for boot in 1..4 {
            let store = rig.open();
            let pets = space(&store);
            for turn in 0..80 {
                let key = chance.below(6);
                let version = boot * 1000 + turn;
                match chance.below(8) {
                    0 => {
                        rig.remove(&pets, key).unwrap();
                        newest[key as usize] = version;
                    }
                    1 | 2 => {
                        newest[key as usize] = version;
                        ignore(store_object(&rig, &pets, key, version, chance.below(90_000) as usize + 1));
                    }
                    3 if turn % 9 == 0 => {
                        rig.disk.set_faults(Faults { reads: cut, writes: !cut, ..Faults::default() });
                        ignore(rig.insert(&pets, 99, version, 9000));
                        ignore(store.commit().wait());
                        rig.disk.set_faults(Faults::default());
                        until(|| store.commit().wait().is_ok());
                    }
                    _ => (0..8).for_each(|more| ignore(rig.insert(&pets, 1000 + version * 8 + more, 1, 8000))),
                }
                committed(&store);
                let asked = chance.below(6);
                let found = object(&rig, &pets, asked);
                prop_assert!(found.is_none_or(|found| found >= newest[asked as usize]), "{asked}: {found:?}");
            }
            rig = if cut { rig.cut(|| chance.below(3) > 0) } else { rig.killed() };
            drop(store);
        }
        let store = rig.open();
        (0..6).for_each(|key| ignore(object(&rig, &space(&store), key)));
    }
}
