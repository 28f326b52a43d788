use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Absent,
    Value(Vec<u8>),
    Values(Vec<Vec<u8>>),
}

fn hasher() -> KeyHasher {
    KeyHasher::new(std::array::from_fn(|i| (i * 7 + 3) as u8))
}

fn prefix(namespace: &str) -> KeyPrefix {
    KeyPrefix::new(Scope { api: "a1", stage: "prod", namespace, verb: "GET", content: b"hash" }).unwrap()
}

fn write(parts: &[Owned]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let mut writer = KeyWriter::start(&mut buffer, &prefix("r1"));
    for part in parts {
        match part {
            Owned::Absent => writer.absent(),
            Owned::Value(value) => writer.value(value),
            Owned::Values(values) => writer.values(values.iter().map(Vec::as_slice)),
        }
    }
    writer.finish(&hasher()).unwrap();
    buffer
}

fn read(bytes: &[u8]) -> Vec<Owned> {
    Parts::new(bytes)
        .skip(KeyPrefix::PARTS)
        .map(|part| match part {
            Part::Absent => Owned::Absent,
            Part::Value(value) => Owned::Value(value.to_vec()),
            Part::Values(values) => Owned::Values(values.map(<[u8]>::to_vec).collect()),
        })
        .collect()
}

fn any_part() -> impl Strategy<Value = Owned> {
    prop_oneof![
        Just(Owned::Absent),
        vec(any::<u8>(), 0..12).prop_map(Owned::Value),
        vec(vec(any::<u8>(), 0..6), 0..4).prop_map(Owned::Values),
    ]
}

proptest! {
    // Reading back what was written proves that no two lists of parts share their bytes.
    #[test]
    fn every_list_of_parts_is_read_back_from_its_bytes(parts in vec(any_part(), 0..8)) {
        prop_assert_eq!(read(&write(&parts)), parts);
    }

    #[test]
    fn different_parts_have_different_bytes(a in vec(any_part(), 0..4), b in vec(any_part(), 0..4)) {
        prop_assert_eq!(a == b, write(&a) == write(&b));
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..64)) {
        Parts::new(&bytes).for_each(|part| drop(format!("{part:?}")));
    }
}

#[test]
fn absence_emptiness_and_no_values_are_three_keys() {
    let keys = [Owned::Absent, Owned::Value(vec![]), Owned::Values(vec![])].map(|part| write(&[part]));
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[test]
fn a_value_cannot_imitate_the_next_part() {
    let joined = write(&[Owned::Value(b"a\x01\x01\0\0\0b".to_vec())]);
    assert_ne!(joined, write(&[Owned::Value(b"a".to_vec()), Owned::Value(b"b".to_vec())]));
}

#[test]
fn methods_do_not_share_keys() {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let (hasher, one, two) = (hasher(), prefix("r1"), prefix("r2"));
    let a = KeyWriter::start(&mut a, &one).finish(&hasher).unwrap();
    let b = KeyWriter::start(&mut b, &two).finish(&hasher).unwrap();
    assert_ne!(a, b);
    assert_ne!(a.fingerprint, b.fingerprint);
}

#[test]
fn a_key_beyond_the_limit_is_refused_and_not_buffered() {
    let mut buffer = Vec::new();
    let mut writer = KeyWriter::start(&mut buffer, &prefix("r1"));
    for _ in 0..3 {
        writer.value(&[b'x'; KEY_LIMIT / 2]);
    }
    writer.absent();
    assert_eq!(writer.finish(&hasher()), Err(KeyTooLong));
    assert!(buffer.len() <= KEY_LIMIT);
}

#[test]
fn the_secret_decides_the_fingerprint() {
    let other = KeyHasher::new([9; SECRET_LEN]);
    assert_ne!(hasher().fingerprint(b"k"), other.fingerprint(b"k"));
    assert_eq!(hasher().fingerprint(b"k"), hasher().fingerprint(b"k"));
}
