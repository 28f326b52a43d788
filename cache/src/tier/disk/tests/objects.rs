//! Objects in chunks: found whole or not at all, whatever happens to the disk or between the chunks.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::files::simulated::Faults;
use super::super::object::{HEAD, Lost, Manifest, ObjectRefused, ObjectSize, ObjectWriter};
use super::super::{Codec, Probe, Refused, Space, Store};
use super::rig::{Chance, NOW, Rig, SEGMENT, body, space, until};
use crate::entry::{Draft, Entry, Lifetime};
use crate::invalidate::Sequence;
use crate::seal::{KeyId, Keyring, Keys, Secret};

pub(super) const CHUNK: u32 = 4096;

fn writer(rig: &Rig, space: &Space, key: u64, declared: Option<u64>) -> ObjectWriter {
    let head = rig.key(&key.to_le_bytes()).fingerprint;
    ObjectWriter::new(space.clone(), head, space.epoch(), ObjectSize { declared, limit: 400_000 }, CHUNK).unwrap()
}

/// Polls a future that another thread resolves.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        std::thread::yield_now();
    }
}

/// Writes an object in pieces of any length, as far as its manifest.
fn write(
    rig: &Rig,
    space: &Space,
    key: u64,
    version: u64,
    length: usize,
    piece: usize,
) -> Result<Manifest, ObjectRefused> {
    let mut writer = writer(rig, space, key, None);
    for piece in body(key, version, length).chunks(piece.max(1)) {
        writer.push(piece)?;
    }
    wait(writer.finish())
}

/// Its head, as whoever stores an answer writes it.
pub(super) fn head(rig: &Rig, key: u64, version: u64, manifest: Manifest) -> Arc<Entry> {
    let bytes = key.to_le_bytes();
    let draft = Draft {
        key: rig.key(&bytes),
        status: HEAD,
        notes: &version.to_le_bytes(),
        head: b"A: b\r\n",
        lifetime: Lifetime::until(0, u64::MAX),
        born: Sequence::default(),
    };
    Arc::new(Entry::new(draft, &[manifest.to_bytes()]).unwrap())
}

pub(super) fn store_object(
    rig: &Rig,
    space: &Space,
    key: u64,
    version: u64,
    length: usize,
) -> Result<(), ObjectRefused> {
    let manifest = write(rig, space, key, version, length, 1000)?;
    Ok(space.insert(head(rig, key, version, manifest), space.epoch())?)
}

/// The same, of a whole object.
pub(super) fn stored_object(rig: &Rig, space: &Space, key: u64, version: u64, length: usize) -> Manifest {
    let manifest = write(rig, space, key, version, length, 1000).unwrap();
    space.insert(head(rig, key, version, manifest), space.epoch()).unwrap();
    manifest
}

/// The version of the object under a key, if it is whole; panics if any byte of it is another's.
pub(super) fn object(rig: &Rig, space: &Space, key: u64) -> Option<u64> {
    let bytes = key.to_le_bytes();
    let entry = match space.probe(rig.key(&bytes), NOW) {
        Probe::Absent => return None,
        Probe::Ready(entry) => entry,
        Probe::Read(pending) => pending.wait()?,
    };
    let manifest = Manifest::of(&entry)?;
    let version = u64::from_le_bytes(entry.notes().try_into().unwrap());
    let expected = body(key, version, manifest.length() as usize);
    let mut reader = space.read_object(&manifest, 0..manifest.length(), NOW).ok()?;
    let mut read = Vec::new();
    loop {
        match wait(reader.next()) {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => break,
            Err(_) => {
                assert!(expected.starts_with(&read), "a wrong part of {key}");
                return None;
            }
        }
    }
    assert!(read == expected, "a wrong body under {key}");
    Some(version)
}

pub(super) fn committed(store: &Store) {
    store.commit().wait().unwrap();
}

#[test]
fn an_object_is_found_again_and_read_in_parts() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let manifest = write(&rig, &pets, 1, 1, 30_000, 999).unwrap();
    assert_eq!((object(&rig, &pets, 1), manifest.length()), (None, 30_000));
    pets.insert(head(&rig, 1, 1, manifest), pets.epoch()).unwrap();
    committed(&store);
    assert_eq!(object(&rig, &pets, 1), Some(1));
    let whole = body(1, 1, 30_000);
    for (start, end) in [(0, 1), (4095, 4097), (4096, 8192), (29_999, 30_000), (7, 29_000), (12, 12), (0, 99_999)] {
        let mut reader = pets.read_object(&manifest, start..end, NOW).unwrap();
        let mut read = Vec::new();
        while let Some(piece) = wait(reader.next()).unwrap() {
            read.extend_from_slice(&piece);
        }
        let end = whole.len().min(end as usize);
        assert!(read == whole[start as usize..end], "{start}..{end}");
    }
    let rig = rig.killed();
    let store = rig.open();
    assert_eq!(object(&rig, &space(&store), 1), Some(1));
}

#[test]
fn an_object_that_is_not_as_long_as_declared_or_too_long_is_none() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let mut short = writer(&rig, &pets, 1, Some(5000));
    short.push(&[7; 4999]).unwrap();
    assert_eq!(wait(short.finish()), Err(ObjectRefused::Length));
    assert_eq!(writer(&rig, &pets, 1, Some(5)).push(&[7; 6]), Err(ObjectRefused::Length));
    let mut long = writer(&rig, &pets, 1, None);
    assert_eq!((long.push(&[7; 200_000]), long.push(&[7; 200_001])), (Ok(()), Err(ObjectRefused::TooLarge)));
    let size = ObjectSize { declared: Some(11), limit: 10 };
    assert_eq!(pets.object(rig.key(b"1").fingerprint, pets.epoch(), size).err(), Some(ObjectRefused::TooLarge));
}

#[test]
fn what_a_slow_disk_does_not_take_is_refused_and_nothing_waits() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let stalled = rig.disk.stall();
    let mut writer = writer(&rig, &pets, 1, None);
    let refused = body(1, 1, 390_000).chunks(CHUNK as usize).map(|piece| writer.push(piece)).find(Result::is_err);
    assert_eq!(refused, Some(Err(ObjectRefused::Disk(Refused::Busy))));
    drop(stalled);
    committed(&store);
    assert_eq!(store_object(&rig, &pets, 2, 1, 100_000), Ok(()));
    committed(&store);
    assert_eq!((object(&rig, &pets, 1), object(&rig, &pets, 2)), (None, Some(1)));
}

#[test]
fn a_flush_ends_what_is_written_and_what_is_read() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let manifest = write(&rig, &pets, 1, 1, 60_000, 999).unwrap();
    let mut reader = pets.read_object(&manifest, 0..60_000, NOW).unwrap();
    let mut writing = writer(&rig, &pets, 1, None);
    writing.push(&[7; 5000]).unwrap();
    pets.flush().wait().unwrap();
    let refused = writing.push(&[7; 5000]).and_then(|()| wait(writing.finish()).map(drop));
    assert_eq!(refused, Err(ObjectRefused::Disk(Refused::Flushed)));
    let read = std::iter::repeat_with(|| wait(reader.next())).take_while(|read| read.is_ok()).count();
    assert!(read < 3, "at most what was at hand, not {read} chunks");
    let again = pets.read_object(&manifest, 0..60_000, NOW).and_then(|mut reader| wait(reader.next()));
    assert_eq!(again, Err(Lost));
}

#[test]
fn an_object_whose_first_chunk_was_evicted_is_absent() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    store_object(&rig, &pets, 1, 1, 200_000).unwrap();
    committed(&store);
    let mut evicted = 0;
    while object(&rig, &pets, 1).is_some() {
        rig.insert(&pets, 1000 + evicted, 1, 8000).unwrap();
        committed(&store);
        evicted += 1;
    }
    assert!((40..130).contains(&evicted), "{evicted}");
    // Longer than there is room for in the log: the first chunks are gone when the last one comes.
    let size = ObjectSize { declared: None, limit: u64::MAX };
    let mut writer = ObjectWriter::new(pets.clone(), rig.key(b"1").fingerprint, pets.epoch(), size, CHUNK).unwrap();
    let piece = vec![7; CHUNK as usize];
    for _ in 0..8 * SEGMENT / CHUNK {
        writer.push(&piece).unwrap();
        committed(&store);
    }
    assert_eq!(wait(writer.finish()), Err(ObjectRefused::Evicted));
}

#[test]
fn chunks_in_each_others_places_are_lost() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    let one = write(&rig, &pets, 1, 1, 20_000, 999).unwrap();
    let other = write(&rig, &pets, 2, 1, 20_000, 999).unwrap();
    // A head that was made up of others' parts finds nothing: identity and number are in each chunk's key.
    for forged in [
        Manifest::new(one.object, CHUNK / 2, 20_000),
        Manifest::new(one.object, CHUNK, 30_000),
        Manifest::new(other.object, CHUNK, 19_999),
    ] {
        let read = pets
            .read_object(&forged, 0..forged.length(), NOW)
            .ok()
            .map(|mut reader| std::iter::repeat_with(|| wait(reader.next())).find(|read| !matches!(read, Ok(Some(_)))));
        assert!(matches!(read, None | Some(Some(Err(_)))), "{forged:?}");
    }
}

#[test]
fn failing_writes_and_reads_lose_objects_and_nothing_else() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    store_object(&rig, &pets, 1, 1, 50_000).unwrap();
    committed(&store);
    rig.disk.set_faults(Faults { writes: true, ..Faults::default() });
    assert!(matches!(store_object(&rig, &pets, 2, 1, 50_000), Err(ObjectRefused::Disk(Refused::Failing))));
    rig.disk.set_faults(Faults { reads: true, ..Faults::default() });
    assert_eq!(object(&rig, &pets, 1), None);
    rig.disk.set_faults(Faults::default());
    until(|| store.commit().wait().is_ok());
    assert_eq!((object(&rig, &pets, 1), object(&rig, &pets, 2)), (Some(1), None));
}

/// Reads all objects: each is whole or absent.
fn check(rig: &Rig, store: &Store) {
    (0..4).for_each(|key| {
        let _whole_or_absent = object(rig, &space(store), key);
    });
}

/// Stores objects and small entries at random, and breaks some off.
fn work(rig: &Rig, store: &Store, chance: &mut Chance) {
    let pets = space(store);
    for version in 0..chance.below(14) {
        let key = chance.below(4);
        match chance.below(5) {
            0 => drop(rig.insert(&pets, 100 + key, version, chance.below(9000) as usize)),
            1 => drop(pets.remove(rig.key(&key.to_le_bytes())).wait()),
            2 => {
                // Broken off.
                let mut writer = writer(rig, &pets, key, None);
                let _refused = writer.push(&body(key, version, chance.below(50_000) as usize));
            }
            _ => drop(store_object(rig, &pets, key, version, chance.below(90_000) as usize + 1)),
        }
    }
}

fn sealed_space(store: &Store) -> Space {
    let keys = Keys::new(vec![(KeyId(1), Secret::from_bytes([1; 32]))], KeyId(1)).unwrap();
    store.space("pets/prod", |salt| Codec::sealed(Arc::new(Keyring::new(keys)), salt)).unwrap()
}

#[test]
fn nothing_of_a_sealed_object_is_on_the_disk_in_clear() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = sealed_space(&store);
    store_object(&rig, &pets, 1, 1, 50_000).unwrap();
    committed(&store);
    assert_eq!(object(&rig, &pets, 1), Some(1));
    let plain = body(1, 1, 50_000);
    let files: Vec<Vec<u8>> = rig.disk.list().iter().map(|(name, _)| rig.disk.bytes(name)).collect();
    for part in plain.chunks_exact(64).step_by(64) {
        let found = files.iter().any(|file| file.windows(16).any(|window| window == &part[..16]));
        assert!(!found, "a part lies in clear");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_end_an_object_is_whole_or_absent(seed in any::<u64>(), cut in any::<bool>(), flips in 0_u64..20) {
        let mut chance = Chance(seed);
        let mut rig = Rig::new();
        for _boot in 0..3 {
            let store = rig.open();
            check(&rig, &store);
            work(&rig, &store, &mut chance);
            check(&rig, &store);
            // The old machine goes on with its own copy: this is in the middle of its writing.
            rig = if cut { rig.cut(|| chance.below(3) > 0) } else { rig.killed() };
            drop(store);
        }
        let store = rig.open();
        for (name, length) in rig.disk.list().into_iter().filter(|(name, _)| name.starts_with("segment")) {
            let mut bytes = rig.disk.bytes(&name);
            for _ in 0..flips {
                bytes[chance.below(length as u64) as usize] ^= 1 << chance.below(8);
            }
            rig.disk.put(&name, &bytes);
        }
        check(&rig, &store);
    }

    #[test]
    fn any_pieces_make_the_same_object(length in 1_usize..40_000, piece in 1_usize..9000) {
        let rig = Rig::new();
        let store = rig.open();
        let pets = space(&store);
        let manifest = write(&rig, &pets, 1, 1, length, piece).unwrap();
        pets.insert(head(&rig, 1, 1, manifest), pets.epoch()).unwrap();
        committed(&store);
        prop_assert_eq!(object(&rig, &pets, 1), Some(1));
    }
}

#[test]
fn a_survey_shows_an_object_once_with_all_its_bytes() {
    let rig = Rig::new();
    let store = rig.open();
    let pets = space(&store);
    store_object(&rig, &pets, 1, 1, 50_000).unwrap();
    rig.insert(&pets, 2, 1, 1000).unwrap();
    committed(&store);
    let mut shown = Vec::new();
    pets.survey(super::super::Cursor::default(), |_| true, |entry, bytes| shown.push((entry.status(), bytes / 1000)));
    assert_eq!(shown, [(HEAD, 50), (200, 1)]);
    let bytes = 1_u64.to_le_bytes();
    assert_eq!(pets.peek(rig.key(&bytes)).map(|(_, bytes)| bytes / 1000), Some(50));
}
