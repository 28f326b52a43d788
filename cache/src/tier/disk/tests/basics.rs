//! What a store does when nothing goes wrong.

use xxhash_rust::xxh3::xxh3_64;

use super::super::files::{DirectoryIo as _, FileIo, Open};
use super::super::{Config, NotDurable, OpenError, Refused, Store};
use super::rig::{DONE, NOW, Rig, SEGMENT, SEGMENTS, body, space, until};
use crate::record::Codec;

#[test]
fn what_is_inserted_is_found_and_found_again_after_a_restart() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..50 {
        rig.insert(&pets, key, 1, 1000 + key as usize).unwrap();
    }
    rig.insert(&pets, 7, 2, 5000).unwrap();
    assert_eq!(store.commit().wait(), DONE);
    let versions = |space| (0..50).map(|key| rig.version(space, key)).collect::<Vec<_>>();
    let expected: Vec<_> = (0..50).map(|key| Some(if key == 7 { 2 } else { 1 })).collect();
    assert_eq!(versions(&pets), expected);
    store.close();
    let store = rig.open();
    assert_eq!((versions(&space(&store)), store.stats().entries), (expected, 50));
}

#[test]
fn a_killed_process_finds_all_that_was_written() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..100 {
        rig.insert(&pets, key, 1, 3000).unwrap();
    }
    store.commit().wait().unwrap();
    let rig = rig.killed();
    let store = rig.open();
    let pets = space(&store);
    assert!((0..100).all(|key| rig.version(&pets, key) == Some(1)));
}

#[test]
fn the_oldest_go_when_it_is_full_and_the_capacity_is_kept() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..400 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    let kept: Vec<u64> = (0..400).filter(|key| rig.version(&pets, *key).is_some()).collect();
    assert!(kept.len() > 80 && kept.len() < 130, "{}", kept.len());
    assert_eq!(kept, (kept[0]..400).collect::<Vec<_>>());
    assert_eq!(store.stats().entries, kept.len() as u64);
    let files: Vec<_> = rig.disk.list().into_iter().filter(|(name, _)| name.starts_with("segment")).collect();
    assert_eq!(files.len() as u64, SEGMENTS);
    assert!(pets.bytes() <= SEGMENTS * u64::from(SEGMENT));
    store.close();
    let store = rig.open();
    let pets = space(&store);
    assert!(kept.iter().all(|key| rig.version(&pets, *key) == Some(1)));
    assert_eq!(store.stats().entries, kept.len() as u64);
}

#[test]
fn what_was_hit_stays_when_its_segment_goes() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..600 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
        assert_eq!(rig.version(&pets, 0), Some(1), "after {key}");
    }
    assert!(store.stats().reinserted > 1);
    assert_eq!(rig.version(&pets, 1), None);
    let rig = rig.killed();
    let store = rig.open();
    assert_eq!(rig.version(&space(&store), 0), Some(1));
}

#[test]
fn removed_flushed_and_expired_entries_are_absent() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 100).unwrap();
    rig.insert(&pets, 2, 1, 100).unwrap();
    pets.insert(rig.entry_until(3, 1, 100, NOW), pets.epoch()).unwrap();
    pets.insert(rig.entry_until(4, 1, 100, NOW + 1), pets.epoch()).unwrap();
    assert_eq!(rig.remove(&pets, 1), DONE);
    assert_eq!([1, 2, 3, 4].map(|key| rig.version(&pets, key)), [None, Some(1), None, Some(1)]);
    let began = pets.epoch();
    assert_eq!(pets.flush().wait(), DONE);
    assert_eq!(rig.version(&pets, 2), None);
    assert_eq!(pets.insert(rig.entry(5, 1, 100), began), Err(Refused::Flushed));
    store.close();
    let store = rig.open();
    let pets = space(&store);
    assert_eq!([1, 2, 3, 4, 5].map(|key| rig.version(&pets, key)), [None; 5]);
}

#[test]
fn spaces_are_apart_and_each_keeps_to_its_share() {
    let rig = Rig::new();
    let store = rig.open();
    let (one, other) = (space(&store), store.space("other", |_| Codec::plain()).unwrap());
    other.set_share(u64::from(SEGMENT));
    for key in 0..50 {
        rig.insert(&one, key, 1, 1000).unwrap();
        rig.insert(&other, key, 2, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    assert!(other.bytes() <= u64::from(SEGMENT), "{}", other.bytes());
    assert!((0..50).all(|key| rig.version(&one, key) == Some(1)));
    assert_eq!((rig.version(&other, 0), rig.version(&other, 49)), (None, Some(2)));
    one.flush().wait().unwrap();
    assert_eq!((rig.version(&one, 49), one.bytes(), rig.version(&other, 49)), (None, 0, Some(2)));
}

#[test]
fn a_forgotten_space_and_its_salt_are_gone() {
    let rig = Rig::new();
    let store = rig.open();
    let mut salt = [0; 32];
    let pets = store.space("pets", |drawn| {
        salt = *drawn.to_bytes();
        Codec::plain()
    });
    let pets = pets.unwrap();
    rig.insert(&pets, 1, 1, 100).unwrap();
    store.commit().wait().unwrap();
    pets.ban(b"waits for the journal", u32::MAX).wait().unwrap();
    let old = rig.disk.open("journal", Open::Existing).unwrap();
    let holds = |rig: &Rig| contains(&rig.disk.bytes("journal"), &salt) || contains(&read(old.as_ref()), &salt);
    assert!(holds(&rig));
    assert_eq!(pets.forget().wait(), DONE);
    assert!(!holds(&rig));
    assert_eq!((rig.version(&pets, 1), rig.insert(&pets, 1, 1, 9)), (None, Err(Refused::Closed)));
    let again = store.space("pets", |drawn| {
        assert_ne!(*drawn.to_bytes(), salt);
        Codec::plain()
    });
    assert_eq!(rig.version(&again.unwrap(), 1), None);
}

fn read(file: &dyn FileIo) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn bans_come_back_until_they_expire_or_a_flush_takes_them() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    assert_eq!(pets.ban(b"all cats", u32::MAX).wait(), DONE);
    assert_eq!(pets.ban(b"all dogs", u32::MAX - 1).wait(), DONE);
    let rig = rig.killed();
    let store = rig.open();
    let bans = space(&store).bans();
    assert_eq!(bans, [(b"all cats".to_vec(), u32::MAX), (b"all dogs".to_vec(), u32::MAX - 1)]);
    space(&store).flush().wait().unwrap();
    assert_eq!(space(&store).bans(), []);
}

#[test]
fn a_journal_does_not_grow_for_ever_and_bans_have_a_bound() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let ban = vec![1; 64 * 1024];
    let made = (0..200).take_while(|_| pets.ban(&ban, u32::MAX).wait().is_ok()).count();
    assert_eq!(made, 127);
    assert_eq!(pets.ban(&ban, u32::MAX).wait(), Err(NotDurable::Busy));
    for _ in 0..30 {
        pets.flush().wait().unwrap();
        assert!((0..9).all(|_| pets.ban(&ban, u32::MAX).wait().is_ok()));
    }
    let length = rig.disk.bytes("journal").len();
    assert!(length < 20 << 20, "{length}");
    let epoch = pets.epoch();
    let rig = rig.killed();
    assert_eq!(space(&rig.open()).epoch(), epoch);
}

#[test]
fn long_records_are_kept_up_to_half_a_segment() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, SEGMENT as usize / 2 - 300).unwrap();
    rig.insert(&pets, 2, 1, 100).unwrap();
    assert_eq!(rig.insert(&pets, 2, 2, SEGMENT as usize / 2), Err(Refused::TooLarge));
    store.commit().wait().unwrap();
    assert_eq!((rig.version(&pets, 1), rig.version(&pets, 2)), (Some(1), None));
    let rig = rig.killed();
    let store = rig.open();
    assert_eq!([1, 2].map(|key| rig.version(&space(&store), key)), [Some(1), None]);
}

#[test]
fn the_capacity_changes_while_it_runs_and_between_runs() {
    let mut rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..200 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    let files = |rig: &Rig| rig.disk.list().iter().filter(|(name, _)| name.starts_with("segment")).count();
    assert_eq!(store.resize(5 * u64::from(SEGMENT)).unwrap().wait(), DONE);
    assert_eq!((files(&rig), rig.version(&pets, 0), rig.version(&pets, 199)), (5, None, Some(1)));
    assert!(store.resize(3 * u64::from(SEGMENT)).is_err());
    assert_eq!(store.resize(7 * u64::from(SEGMENT)).unwrap().wait(), DONE);
    for key in 200..400 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    assert_eq!((files(&rig), rig.version(&pets, 399)), (7, Some(1)));
    store.close();
    rig.config.capacity = 4 * u64::from(SEGMENT);
    let store = rig.open();
    let pets = space(&store);
    assert_eq!((files(&rig), rig.version(&pets, 399)), (4, Some(1)));
    rig.insert(&pets, 500, 1, 4000).unwrap();
    store.commit().wait().unwrap();
    assert_eq!(rig.version(&pets, 500), Some(1));
}

#[test]
fn what_can_not_work_is_refused_by_name() {
    let mut rig = Rig::new();
    rig.config.capacity = 3 * u64::from(SEGMENT);
    assert!(matches!(rig.try_open(), Err(OpenError::TooSmall { least: 524_288, .. })));
    rig = Rig::new();
    rig.config.segment_bytes = 100_000;
    assert!(matches!(rig.try_open(), Err(OpenError::SegmentSize(100_000))));
    rig = Rig::new();
    rig.disk.put("journal", b"groceries");
    assert!(matches!(rig.try_open(), Err(OpenError::Foreign(_))));
    rig.disk.put("journal", b"SLUICEJ\x02later");
    assert!(matches!(rig.try_open(), Err(OpenError::Newer { version: 2, .. })));
    assert_eq!(rig.disk.bytes("journal"), b"SLUICEJ\x02later");
}

#[test]
fn files_that_are_not_the_stores_are_left_alone() {
    let rig = Rig::new();
    let foreign =
        [("segment-000000", vec![7; 5]), ("segment-000002", vec![7; SEGMENT as usize]), ("notes.txt", vec![1])];
    foreign.iter().for_each(|(name, bytes)| rig.disk.put(name, bytes));
    let store = rig.open();
    let pets = space(&store);
    for key in 0..300 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    assert_eq!(rig.version(&pets, 299), Some(1));
    assert!(rig.lines.has("segment-000000 is left alone"));
    foreign.iter().for_each(|(name, bytes)| assert_eq!(&rig.disk.bytes(name), bytes));
}

#[test]
fn a_lost_journal_makes_a_cold_start_that_uses_the_old_files() {
    let rig = Rig::new();
    let store = rig.open();
    for key in 0..300 {
        rig.insert(&space(&store), key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    store.close();
    rig.disk.unlink("journal");
    let store = rig.open();
    let pets = space(&store);
    assert!((0..300).all(|key| rig.version(&pets, key).is_none()));
    assert!(rig.lines.has("its journal is missing"));
    for key in 0..300 {
        rig.insert(&pets, key, 2, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    assert_eq!(rig.version(&pets, 299), Some(2));
    let files = rig.disk.list().iter().filter(|(name, _)| name.starts_with("segment")).count();
    assert_eq!(files as u64, SEGMENTS);
}

#[test]
fn segment_numbers_may_pass_what_a_slot_can_tell() {
    let rig = Rig::new();
    drop(rig.open());
    // As after 2^24 - 3 segments: the journal tells the lineage, a start page the number.
    let journal = rig.disk.bytes("journal");
    let lineage = u64::from_le_bytes(journal[8..16].try_into().unwrap());
    rig.disk.put("segment-000000", &super::super::tests::rig_segment(lineage, (1 << 24) - 3));
    let store = rig.open();
    let pets = space(&store);
    for key in 0..300 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
        assert_eq!(rig.version(&pets, key), Some(1), "{key}");
    }
    let found = |rig: &Rig, store: &Store| (0..300).filter(|key| rig.version(&space(store), *key).is_some()).count();
    let before = found(&rig, &store);
    assert!(before > 80);
    store.close();
    assert_eq!(found(&rig, &rig.open()), before);
}

/// Checksums keep accidents out, not who writes to the directory.
#[test]
fn sizes_and_numbers_that_no_store_writes_make_a_cold_start() {
    for size in [0, 4096, SEGMENT + 1, !4095] {
        let rig = Rig::new();
        drop(rig.open());
        let mut journal = rig.disk.bytes("journal");
        journal[16..20].copy_from_slice(&size.to_le_bytes());
        journal[56..64].fill(0);
        let sum = xxh3_64(&journal[..64]);
        journal[56..64].copy_from_slice(&sum.to_le_bytes());
        rig.disk.put("journal", &journal);
        serves(&rig, &rig.open());
    }
    for number in [u64::MAX, u64::MAX >> 20] {
        let rig = Rig::new();
        drop(rig.open());
        let journal = rig.disk.bytes("journal");
        let lineage = u64::from_le_bytes(journal[8..16].try_into().unwrap());
        rig.disk.put("segment-000000", &super::super::tests::rig_segment(lineage, number));
        serves(&rig, &rig.open());
    }
}

fn serves(rig: &Rig, store: &Store) {
    let pets = space(store);
    rig.insert(&pets, 1, 1, 4000).unwrap();
    store.commit().wait().unwrap();
    assert_eq!(rig.version(&pets, 1), Some(1));
}

#[test]
fn a_real_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path(), 64 << 20);
    for config in [config.clone(), config.direct()] {
        let store = Store::open(&config).unwrap();
        assert!(matches!(Store::open(&config), Err(OpenError::InUse(_))));
        until(|| store.is_ready());
        let rig = Rig::new();
        let pets = space(&store);
        let found = rig.version(&pets, 1).is_some();
        rig.insert(&pets, 1, 1, 100_000).unwrap();
        store.commit().wait().unwrap();
        assert_eq!(rig.version(&pets, 1), Some(1));
        assert_eq!(found, store.stats().recovered.0 > 0);
        store.close();
    }
    assert_eq!(body(1, 1, 9).len(), 9);
}
