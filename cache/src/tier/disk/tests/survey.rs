//! What a look at everything shows.

use std::collections::BTreeMap;

use super::super::files::simulated::Faults;
use super::super::{Cursor, Space};
use super::rig::{NOW, Rig, SEGMENT, space};
use crate::entry::Entry;
use crate::key::Keyed as _;

/// Keys and versions, in steps of so many entries; how many steps.
fn seen(space: &Space, step: usize) -> (BTreeMap<u64, u64>, usize) {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let (mut seen, mut from, mut steps) = (BTreeMap::new(), Some(Cursor::default()), 0);
    while let Some(cursor) = from {
        let mut left = step;
        let go_on = |_| {
            left = left.saturating_sub(1);
            left > 0
        };
        let survey = space.survey(cursor, go_on, |entry: Entry, bytes: u64| {
            assert!(bytes as usize > entry.body().len(), "{bytes}");
            let again = seen.insert(number(entry.key().bytes), number(entry.notes()));
            assert_eq!(again, None, "shown twice");
        });
        assert_eq!(survey.unreadable, 0);
        assert!(survey.next.is_none_or(|next| space.segments_before(next) <= space.segments()));
        (from, steps) = (survey.next, steps + 1);
    }
    (seen, steps)
}

#[test]
fn every_current_entry_is_shown_once_however_often_it_stops() {
    let rig = Rig::new();
    let store = rig.open();
    let (pets, other) = (space(&store), store.space("other", |_| crate::record::Codec::plain()).unwrap());
    for key in 0..60 {
        rig.insert(&pets, key, 1, 4000).unwrap();
        rig.insert(&other, key, 9, 500).unwrap();
    }
    for key in 0..10 {
        rig.insert(&pets, key, 2, 4000).unwrap();
    }
    rig.remove(&pets, 20).unwrap();
    let expired = rig.entry_until(70, 1, 100, NOW);
    pets.insert(expired, pets.epoch()).unwrap();
    store.commit().wait().unwrap();
    assert!(store.stats().segments > 2, "some are sealed, one is not");
    let expected: BTreeMap<_, _> =
        (0..60).filter(|key| *key != 20).map(|key| (key, if key < 10 { 2 } else { 1 })).collect();
    let (all, steps) = seen(&pets, usize::MAX);
    assert_eq!((&all, steps), (&expected, 1));
    let (all, steps) = seen(&pets, 1);
    assert_eq!(&all, &expected);
    assert!(steps > 30, "{steps}");
    assert_eq!(seen(&other, 7).0.len(), 60);
    pets.flush().wait().unwrap();
    assert_eq!(seen(&pets, 1), (BTreeMap::new(), seen(&pets, 1).1));
}

#[test]
fn what_cannot_be_read_is_counted_and_the_rest_is_shown() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    (0..60).for_each(|key| rig.insert(&pets, key, 1, 4000).unwrap());
    store.commit().wait().unwrap();
    let (name, _) = rig.disk.list().into_iter().find(|(name, _)| name.starts_with("segment")).unwrap();
    let mut bytes = rig.disk.bytes(&name);
    bytes[SEGMENT as usize / 2] ^= 1;
    rig.disk.put(&name, &bytes);
    let mut shown = 0;
    let survey = pets.survey(Cursor::default(), |_| true, |_, _| shown += 1);
    assert_eq!((survey.unreadable, shown, survey.next), (1, 59, None));
    rig.disk.set_faults(Faults { reads: true, ..Faults::default() });
    let survey = pets.survey(Cursor::default(), |_| true, |_, _| panic!("nothing can be read"));
    assert_eq!((survey.unreadable, survey.next), (pets.segments(), None));
}
