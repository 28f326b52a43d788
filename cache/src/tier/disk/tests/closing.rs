//! A store that closes while objects are read from it: what was begun ends whole, or visibly, and holds nothing back.

use std::sync::Arc;

use super::super::object::{Lost, ObjectReader};
use super::super::{Manifest, Store};
use super::objects::{committed, stored_object, wait};
use super::rig::{NOW, Rig, SEGMENT, SEGMENTS, body, space, until};

const LENGTH: usize = 150_000;

/// A store with an object of which the first bytes have been read.
fn begun(rig: &Rig) -> (Store, Manifest, ObjectReader, Vec<u8>) {
    let store = rig.open();
    let pets = space(&store);
    let manifest = stored_object(rig, &pets, 1, 1, LENGTH);
    committed(&store);
    let mut reader = pets.read_object(&manifest, 0..LENGTH as u64, NOW).unwrap();
    let first = wait(reader.next()).unwrap().unwrap();
    (store, manifest, reader, first.to_vec())
}

/// What can still be had, and how that ends.
fn rest(reader: &mut ObjectReader, mut read: Vec<u8>) -> (Vec<u8>, Result<(), Lost>) {
    loop {
        match wait(reader.next()) {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => return (read, Ok(())),
            Err(lost) => return (read, Err(lost)),
        }
    }
}

#[test]
fn what_is_being_read_is_read_to_its_end_and_nothing_new_begins() {
    let rig = Rig::new();
    let (store, manifest, mut reader, first) = begun(&rig);
    let pets = space(&store);
    let shared = Arc::downgrade(&store.shared);
    store.close();
    // The directory is somebody else's by now.
    let next = rig.open();
    assert!(pets.read_object(&manifest, 0..1, NOW).is_err(), "it is closed");
    let (read, end) = rest(&mut reader, first);
    assert!(read == body(1, 1, LENGTH) && end == Ok(()), "{} bytes, {end:?}", read.len());
    drop((reader, pets));
    until(|| shared.strong_count() == 0);
    drop(next);
}

#[test]
fn what_the_next_owner_writes_over_is_lost_and_never_wrong() {
    let rig = Rig::new();
    let (store, _, mut reader, first) = begun(&rig);
    store.close();
    let next = rig.open();
    for key in 0..2 * SEGMENTS * u64::from(SEGMENT) / 8000 {
        rig.insert(&space(&next), 100 + key, 1, 8000).unwrap();
        committed(&next);
    }
    let (read, end) = rest(&mut reader, first);
    assert_eq!(end, Err(Lost));
    assert!(body(1, 1, LENGTH).starts_with(&read) && read.len() < LENGTH);
}

#[test]
fn a_store_that_nobody_reads_from_is_gone_when_it_is_closed() {
    let rig = Rig::new();
    let (store, _, reader, _) = begun(&rig);
    drop(reader);
    let shared = Arc::downgrade(&store.shared);
    store.close();
    assert_eq!(shared.strong_count(), 0);
}
