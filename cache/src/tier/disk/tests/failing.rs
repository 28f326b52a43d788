//! Gate 3 on a simulated disk: full, failing writes, syncs and reads; and a disk that is too slow.

use super::super::files::simulated::{Call, Faults};
use super::super::journal::NotDurable;
use super::super::queue::MARKS_LIMIT;
use super::super::{Health, Refused};
use super::rig::{DONE, Rig, SEGMENT, space, until};

const FAILED: Result<(), NotDurable> = Err(NotDurable::Failed);

fn segments(rig: &Rig) -> usize {
    rig.disk.list().iter().filter(|(name, _)| name.starts_with("segment")).count()
}

#[test]
fn on_a_full_file_system_the_oldest_go_and_all_is_kept_that_fits() {
    let rig = Rig::new();
    let room = |segments: u64| Faults { room: Some(segments * u64::from(SEGMENT) + 4096), ..Faults::default() };
    rig.disk.set_faults(room(5));
    let store = rig.open();
    let pets = space(&store);
    for key in 0..200 {
        let ack = pets.insert_durably(rig.entry(key, 1, 4000), pets.epoch()).unwrap();
        assert_eq!(ack.wait(), DONE, "{key}");
        assert_eq!(rig.version(&pets, key), Some(1));
    }
    assert_eq!((segments(&rig), store.stats().health), (5, Health::Good));
    assert!(rig.lines.has("the file system is full; keeping to 5 segments"));
    assert!(store.stats().is_short && store.stats().no_space > 0, "{:?}", store.stats());
    rig.disk.set_faults(Faults::default());
    for key in 200..300 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    assert_eq!((segments(&rig), rig.version(&pets, 299), store.stats().is_short), (8, Some(1), false));
}

#[test]
fn too_small_a_disk_is_told() {
    let rig = Rig::new();
    rig.disk.set_faults(Faults { room: Some(3 * u64::from(SEGMENT)), ..Faults::default() });
    assert!(rig.try_open().is_err_and(|error| error.to_string().contains("has room for 3931")));
}

fn a_failing_disk_makes_misses_and_comes_back(faults: Faults) {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    for key in 0..20 {
        rig.insert(&pets, key, 1, 4000).unwrap();
    }
    store.commit().wait().unwrap();
    rig.disk.set_faults(faults);
    let ack = pets.insert_durably(rig.entry(3, 2, 4000), pets.epoch()).unwrap();
    assert_eq!(ack.wait(), FAILED);
    until(|| store.stats().health == Health::WritesFail);
    assert_eq!(rig.remove(&pets, 4), FAILED);
    assert_eq!(rig.insert(&pets, 5, 2, 4000), Err(Refused::Failing));
    assert_eq!(store.commit().wait(), FAILED);
    assert_eq!([3, 4, 5, 6].map(|key| rig.version(&pets, key)), [None, None, None, Some(1)]);
    let stats = store.stats();
    assert!(stats.lost == 1 && stats.write_errors >= 1 && stats.refused[3] == 1, "{stats:?}");
    rig.disk.set_faults(Faults::default());
    until(|| store.stats().health == Health::Good);
    assert!(rig.lines.has("cannot write") && rig.lines.has("writes again"));
    store.commit().wait().unwrap();
    rig.insert(&pets, 7, 2, 4000).unwrap();
    store.commit().wait().unwrap();
    assert_eq!([3, 4, 5, 6, 7].map(|key| rig.version(&pets, key)), [None, None, None, Some(1), Some(2)]);
    let rig = rig.killed();
    let store = rig.open();
    let pets = space(&store);
    assert!([3, 5].iter().all(|key| rig.version(&pets, *key) != Some(1)), "an older version came back");
    assert_eq!([4, 7].map(|key| rig.version(&pets, key)), [None, Some(2)]);
}

#[test]
fn failing_writes_make_misses_until_they_succeed() {
    a_failing_disk_makes_misses_and_comes_back(Faults { writes: true, ..Faults::default() });
}

#[test]
fn failing_syncs_make_misses_until_they_succeed() {
    a_failing_disk_makes_misses_and_comes_back(Faults { syncs: true, ..Faults::default() });
}

#[test]
fn failing_reads_are_misses_and_counted() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 4000).unwrap();
    store.commit().wait().unwrap();
    rig.disk.set_faults(Faults { reads: true, ..Faults::default() });
    assert_eq!(rig.version(&pets, 1), None);
    assert_eq!((store.stats().health, store.stats().read_errors), (Health::ReadsFail, 1));
    rig.disk.set_faults(Faults::default());
    assert_eq!(rig.version(&pets, 1), Some(1));
}

#[test]
fn an_eviction_that_can_not_read_what_it_evicts_leaves_nothing_behind() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.disk.set_faults(Faults { reads: true, ..Faults::default() });
    for key in 0..300 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    rig.disk.set_faults(Faults::default());
    let found = (0..300).filter(|key| rig.version(&pets, *key).is_some()).count();
    assert_eq!(found as u64, store.stats().entries);
}

#[test]
fn a_flush_whose_journal_fails_is_not_acknowledged_and_written_later() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    pets.flush().wait().unwrap();
    rig.disk.set_faults(Faults { syncs: true, ..Faults::default() });
    assert_eq!(pets.flush().wait(), FAILED);
    assert!(rig.lines.has("cannot write its journal"));
    let epoch = pets.epoch();
    rig.disk.set_faults(Faults::default());
    until(|| {
        let rig = rig.killed();
        let later = rig.open();
        space(&later).epoch() == epoch
    });
}

#[test]
fn a_flush_that_the_journal_lost_holds_if_something_came_after_it() {
    let mut rig = Rig::new();
    rig.config.retry = std::time::Duration::from_secs(60);
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 100).unwrap();
    store.commit().wait().unwrap();
    rig.disk.set_faults(Faults { syncs: true, ..Faults::default() });
    assert_eq!(pets.flush().wait(), FAILED);
    rig.disk.set_faults(Faults::default());
    rig.insert(&pets, 2, 2, 100).unwrap();
    store.commit().wait().unwrap();
    let rig = rig.cut(|| false);
    let store = rig.open();
    let pets = space(&store);
    assert_eq!([1, 2].map(|key| rig.version(&pets, key)), [None, Some(2)]);
    pets.flush().wait().unwrap();
    let rig = rig.killed();
    assert_eq!(rig.version(&space(&rig.open()), 2), None);
}

#[test]
fn what_is_acknowledged_has_a_sync_behind_it() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let synced = |name: &str| {
        let calls = rig.disk.take_calls();
        let last = |wanted: Call| calls.iter().rposition(|call| *call == wanted);
        let name = calls.iter().find_map(|call| match call {
            Call::Write(file) if file.starts_with(name) => Some(file.clone()),
            _ => None,
        });
        let name = name.unwrap();
        assert!(last(Call::Write(name.clone())) < last(Call::Sync(name)), "{calls:?}");
    };
    pets.insert_durably(rig.entry(1, 1, 10), pets.epoch()).unwrap().wait().unwrap();
    synced("segment");
    rig.remove(&pets, 1).unwrap();
    synced("segment");
    rig.insert(&pets, 1, 2, 10).unwrap();
    store.commit().wait().unwrap();
    synced("segment");
    pets.flush().wait().unwrap();
    synced("journal");
    pets.ban(b"ban", 9).wait().unwrap();
    synced("journal");
    rig.disk.take_calls();
    pets.forget().wait().unwrap();
    let calls = rig.disk.take_calls();
    // The old file, too, was made under the new one's name.
    let synced = Call::Sync("journal.new".to_owned());
    let new = calls.iter().position(|made| *made == synced);
    let old = calls.iter().rposition(|made| *made == synced);
    let [renamed, named] =
        [Call::Rename("journal".to_owned()), Call::SyncNames].map(|call| calls.iter().position(|made| *made == call));
    assert!(new.is_some() && new < renamed && renamed < named && named < old, "{calls:?}");
}

#[test]
fn overload_is_counted_and_brings_no_older_version_back() {
    let mut rig = Rig::new();
    rig.config.queue_bytes = 40_000;
    let store = rig.open();
    let pets = space(&store);
    for key in 0..40 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        store.commit().wait().unwrap();
    }
    let stalled = rig.disk.stall();
    let refused: Vec<u64> = (0..40).filter(|key| rig.insert(&pets, *key, 2, 4000) == Err(Refused::Busy)).collect();
    let stats = store.stats();
    assert!(refused.len() > 5 && stats.queue_bytes <= 40_000);
    assert_eq!(stats.refused[2], refused.len() as u64);
    assert!(refused.iter().all(|key| rig.version(&pets, *key).is_none()));
    drop(stalled);
    store.commit().wait().unwrap();
    let expected = |key: &u64| if refused.contains(key) { None } else { Some(2) };
    assert!((0..40).all(|key| rig.version(&pets, key) == expected(&key)));
    let rig = rig.killed();
    let store = rig.open();
    assert!((0..40).all(|key| rig.version(&space(&store), key) == expected(&key)));
}

#[test]
fn a_version_in_the_queue_is_not_found_after_its_key_was_dropped() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let stalled = rig.disk.stall();
    rig.insert(&pets, 1, 1, 100).unwrap();
    let removed = pets.remove(rig.key(&1_u64.to_le_bytes()));
    rig.insert(&pets, 2, 1, 100).unwrap();
    assert_eq!(rig.insert(&pets, 2, 2, SEGMENT as usize), Err(Refused::TooLarge));
    drop(stalled);
    while store.stats().queue_marks > 0 || store.stats().entries > 0 {
        assert_eq!([1, 2].map(|key| rig.version(&pets, key)), [None; 2]);
    }
    assert_eq!(removed.wait(), DONE);
    store.commit().wait().unwrap();
    assert_eq!([1, 2].map(|key| rig.version(&pets, key)), [None; 2]);
}

#[test]
fn more_marks_than_can_wait_cost_the_space_its_entries() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    rig.insert(&pets, 1, 1, 100).unwrap();
    store.commit().wait().unwrap();
    let stalled = rig.disk.stall();
    // Some are taken out of the queue before the writer stalls.
    let acks: Vec<_> = (0..MARKS_LIMIT as u64 * 2).map(|key| pets.remove(rig.key(&(key + 9).to_le_bytes()))).collect();
    assert!(store.stats().doubted > 0);
    assert_eq!(rig.version(&pets, 1), None);
    drop(stalled);
    let refused = acks.into_iter().map(|ack| ack.wait()).filter(|ack| *ack == Err(NotDurable::Busy)).count();
    assert!(refused > 0);
    assert!(rig.lines.has("all of pets/prod dropped"));
}
