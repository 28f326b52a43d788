use bytes::Bytes;

use super::*;
use crate::entry::{Draft, Lifetime};
use crate::invalidate::{Force, Purge, Sequence, Target};
use crate::key::{Fingerprint, KeyHasher};

const MIB: u64 = 1024 * 1024;
const FOREVER: Lifetime = Lifetime::until(0, u64::MAX);

fn hasher() -> KeyHasher {
    KeyHasher::new(std::array::from_fn(|i| (i * 11 + 5) as u8))
}

fn entry(key: KeyRef<'_>, body: usize, lifetime: Lifetime) -> Arc<Entry> {
    let draft = Draft { key, status: 200, notes: b"", head: b"A: b\r\n", lifetime, born: Sequence::default() };
    Arc::new(Entry::new(draft, &[Bytes::from(vec![7; body])]).unwrap())
}

fn store(tier: &MemoryTier, name: &str, body: usize) -> Result<(), NotStored> {
    tier.insert(entry(hasher().key(name.as_bytes()), body, FOREVER), tier.epoch())
}

fn holds(tier: &MemoryTier, name: &str) -> bool {
    matches!(tier.get(hasher().key(name.as_bytes()), 0), Found::Fresh(_))
}

#[test]
fn what_was_stored_is_found_until_it_expires() {
    let tier = MemoryTier::new(MIB, MIB);
    let hasher = hasher();
    let key = hasher.key(b"k");
    assert!(matches!(tier.get(key, 0), Found::Absent));
    let lifetime = Lifetime::until(0, 10);
    tier.insert(entry(key, 3, lifetime), tier.epoch()).unwrap();
    assert!(matches!(tier.get(key, 9), Found::Fresh(found) if found.status() == 200));
    assert!(matches!(tier.get(key, 10), Found::Expired(_)));
}

#[test]
fn keys_with_one_fingerprint_keep_their_own_answers() {
    let tier = MemoryTier::new(MIB, MIB);
    let keys = [b"a", b"b"].map(|bytes| KeyRef { fingerprint: Fingerprint(1), bytes });
    tier.insert(entry(keys[0], 1, FOREVER), tier.epoch()).unwrap();
    assert!(matches!(tier.get(keys[1], 0), Found::Absent));
    tier.insert(entry(keys[1], 2, FOREVER), tier.epoch()).unwrap();
    assert!(matches!(tier.get(keys[0], 0), Found::Fresh(found) if found.body().len() == 1));
    assert!(matches!(tier.get(keys[1], 0), Found::Fresh(found) if found.body().len() == 2));
}

fn sealed() -> MemoryTier {
    MemoryTier::sealed(MemorySeal::random().unwrap(), Arc::default(), MIB, MIB)
}

#[test]
fn a_sealed_tier_gives_what_was_stored() {
    let tier = sealed();
    store(&tier, "k", 50_000).unwrap();
    let Found::Fresh(found) = tier.get(hasher().key(b"k"), 0) else { panic!("not found") };
    assert_eq!(
        (found.key().bytes, found.head(), found.body()),
        (&b"k"[..], &b"A: b\r\n"[..], &Bytes::from(vec![7; 50_000]))
    );
    assert!(tier.bytes() > 50_000);
    let mut seen = 0;
    (0..tier.shards()).for_each(|shard| tier.visit(shard, |entry| seen += entry.body().len()));
    assert_eq!(seen, 50_000);
    assert!(tier.remove(hasher().key(b"k")));
    assert!(!holds(&tier, "k"));
}

#[test]
fn a_sealed_tier_gives_no_answer_of_another_key() {
    let tier = sealed();
    let keys = [b"a", b"b"].map(|bytes| KeyRef { fingerprint: Fingerprint(1), bytes });
    tier.insert(entry(keys[0], 1, FOREVER), tier.epoch()).unwrap();
    assert!(matches!(tier.get(keys[1], 0), Found::Absent));
    tier.insert(entry(keys[1], 2, FOREVER), tier.epoch()).unwrap();
    assert!(matches!(tier.get(keys[0], 0), Found::Absent));
    assert!(matches!(tier.get(keys[1], 0), Found::Fresh(found) if found.body().len() == 2));
}

#[test]
fn a_newer_answer_replaces_the_older_and_its_bytes() {
    let tier = MemoryTier::new(MIB, MIB);
    store(&tier, "k", 100_000).unwrap();
    let large = tier.bytes();
    store(&tier, "k", 10).unwrap();
    assert!(tier.bytes() < large / 10);
    assert_eq!((tier.entries(), tier.departures().replaced()), (1, 1));
}

#[test]
fn removal_forgets_one_entry_and_its_bytes() {
    let tier = MemoryTier::new(MIB, MIB);
    store(&tier, "k", 10).unwrap();
    assert!(tier.remove(hasher().key(b"k")) && !tier.remove(hasher().key(b"k")));
    assert_eq!((tier.bytes(), tier.entries(), tier.departures().removed()), (0, 0, 1));
}

#[test]
fn the_object_limit_is_inclusive_and_a_tier_smaller_than_an_object_refuses_it() {
    let tier = MemoryTier::new(512 * MIB, MIB);
    store(&tier, "k", MIB as usize).unwrap();
    assert!(holds(&tier, "k"));
    assert_eq!(store(&tier, "l", MIB as usize + 1), Err(NotStored::TooLarge));
    assert_eq!(store(&MemoryTier::new(MIB, MIB), "k", MIB as usize), Err(NotStored::TooLarge));
}

#[test]
fn a_half_full_tier_keeps_every_largest_object() {
    for (capacity, objects) in [(8 * MIB, 6), (64 * MIB, 24), (512 * MIB, 200)] {
        let tier = MemoryTier::new(capacity, MIB);
        (0..objects).for_each(|i| store(&tier, &format!("k{i}"), MIB as usize).unwrap());
        assert_eq!(tier.entries(), objects, "of {capacity}");
    }
}

#[test]
fn bytes_stay_within_the_capacity() {
    let tier = MemoryTier::new(4 * MIB, MIB);
    (0..20_000).for_each(|i| store(&tier, &format!("k{i}"), 200 + i % 3000).unwrap());
    assert!(tier.bytes() <= tier.capacity(), "{} of {}", tier.bytes(), tier.capacity());
    assert_eq!(tier.entries() + tier.departures().evicted(), 20_000);
}

#[test]
fn what_is_asked_for_again_survives_a_scan() {
    let tier = MemoryTier::new(4 * MIB, MIB);
    store(&tier, "hot", 500).unwrap();
    for i in 0..20_000 {
        assert!(holds(&tier, "hot"), "lost after {i}");
        store(&tier, &format!("k{i}"), 500).unwrap();
    }
}

#[test]
fn a_flush_forgets_at_once_and_gives_memory_back_in_slices() {
    let tier = MemoryTier::new(64 * MIB, MIB);
    (0..4_000).for_each(|i| store(&tier, &format!("k{i}"), 1_000).unwrap());
    let before = tier.bytes();
    tier.flush();
    assert!(!holds(&tier, "k1"));
    assert_eq!((tier.entries(), tier.bytes()), (0, before));
    let mut slices = 0;
    while tier.drain_some(100) > 0 {
        slices += 1;
    }
    assert!(slices > 1);
    assert_eq!((tier.bytes(), tier.departures().flushed(), tier.departures().evicted()), (0, 4_000, 0));
}

#[test]
fn an_answer_that_was_fetched_before_a_flush_is_not_stored_after_it() {
    let tier = MemoryTier::new(MIB, MIB);
    let began = tier.epoch();
    assert_eq!(tier.flush(), tier.epoch());
    let hasher = hasher();
    assert_eq!(tier.insert(entry(hasher.key(b"k"), 1, FOREVER), began), Err(NotStored::Flushed));
    assert!(!holds(&tier, "k"));
}

#[test]
fn a_new_generation_takes_no_more_than_fits_beside_the_old_one() {
    let tier = MemoryTier::new(4 * MIB, MIB);
    (0..30).for_each(|i| store(&tier, &format!("k{i}"), 100_000).unwrap());
    tier.flush();
    let stored = (0..30).filter(|i| store(&tier, &format!("n{i}"), 100_000).is_ok()).count();
    assert!(stored > 0 && tier.bytes() <= tier.capacity(), "{stored}: {}", tier.bytes());
    assert_eq!(store(&tier, "full", 500_000), Err(NotStored::Flushing));
    while tier.drain_some(1) > 0 {}
    store(&tier, "full", 500_000).unwrap();
}

#[test]
fn many_flushes_leave_few_generations() {
    let tier = MemoryTier::new(MIB, MIB);
    for i in 0..50 {
        store(&tier, &format!("k{i}"), 10).unwrap();
        tier.flush();
    }
    assert!(tier.flushed.lock().len() <= FLUSHED_LIMIT);
    while tier.drain_some(1) > 0 {}
    assert_eq!(tier.departures().flushed(), 50);
}

fn hot_and_cold(capacity: u64) -> MemoryTier {
    let tier = MemoryTier::new(capacity, MIB);
    (0..3_000).for_each(|i| store(&tier, &format!("k{i}"), 2_000).unwrap());
    for _ in 0..3 {
        assert!((0..300).all(|i| holds(&tier, &format!("k{i}"))));
    }
    tier
}

#[test]
fn a_smaller_tier_keeps_what_was_asked_for() {
    let tier = hot_and_cold(64 * MIB);
    tier.resize(6 * MIB);
    assert!(tier.capacity() <= 6 * MIB && tier.bytes() <= tier.capacity(), "{} of {}", tier.bytes(), tier.capacity());
    assert!(tier.departures().evicted() > 0, "something had to go");
    let kept = (0..300).filter(|i| holds(&tier, &format!("k{i}"))).count();
    assert!(kept >= 290, "{kept} of 300 hot entries");
    (0..3_000).for_each(|i| store(&tier, &format!("n{i}"), 2_000).unwrap());
    assert!(tier.bytes() <= tier.capacity(), "the new capacity holds from now on");
}

#[test]
fn a_larger_tier_keeps_everything_and_takes_more() {
    let tier = hot_and_cold(16 * MIB);
    let before = tier.entries();
    let epoch = tier.epoch();
    tier.resize(64 * MIB);
    assert_eq!((tier.entries(), tier.capacity(), tier.epoch()), (before, 64 * MIB, epoch));
    (0..9_000).for_each(|i| store(&tier, &format!("n{i}"), 2_000).unwrap());
    assert!(tier.bytes() > 20 * MIB, "{}", tier.bytes());
}

#[test]
fn shards_that_would_be_too_small_for_the_largest_object_are_made_anew() {
    let tier = MemoryTier::new(512 * MIB, MIB);
    store(&tier, "k", 10).unwrap();
    tier.resize(4 * MIB);
    assert!(!holds(&tier, "k"));
    while tier.drain_some(100) > 0 {}
    store(&tier, "large", MIB as usize).unwrap();
    assert!(holds(&tier, "large"));
}

#[test]
fn a_flush_keeps_the_new_capacity() {
    let tier = MemoryTier::new(64 * MIB, MIB);
    tier.resize(32 * MIB);
    tier.flush();
    assert_eq!(tier.capacity(), 32 * MIB);
}

#[test]
fn entries_can_be_asked_for_and_replaced_while_all_are_looked_at() {
    let tier = MemoryTier::new(MIB, MIB);
    for name in ["a", "b", "c"] {
        store(&tier, name, 10).unwrap();
    }
    let mut seen = 0;
    // Under the shard's lock this would wait for itself.
    for shard in 0..tier.shards() {
        tier.visit(shard, |entry| {
            assert!(matches!(tier.get(entry.key(), 0), Found::Fresh(_)));
            assert!(tier.insert(Arc::clone(entry), tier.epoch()).is_ok());
            seen += 1;
        });
    }
    assert_eq!(seen, 3);
}

#[test]
fn what_a_tier_below_has_found_is_judged_and_kept() {
    let tier = MemoryTier::new(MIB, MIB);
    let hasher = hasher();
    let made = |name: &'static str, status: u16, lifetime: Lifetime, born: u64| {
        let (key, born) = (hasher.key(name.as_bytes()), Sequence(born));
        let draft = Draft { key, status, notes: b"", head: b"", lifetime, born };
        Arc::new(Entry::new(draft, &[]).unwrap())
    };
    let over = Lifetime::until(0, 1);
    let _old = tier.bans().birth();
    let wish = Purge { target: Target::Key(b"purged".as_slice().into()), force: Force::Hard };
    tier.bans().publish(wish, u64::MAX);
    let take_up = |entry| tier.take_up(entry, tier.epoch(), 5);
    assert!(matches!(take_up(made("fresh", 200, FOREVER, 0)), Found::Fresh(_)));
    assert!(matches!(take_up(made("expired", 200, over, 0)), Found::Expired(_)));
    assert!(matches!(take_up(made("marker", MARKER, over, 0)), Found::Expired(_)));
    assert!(matches!(take_up(made("purged", 200, FOREVER, 0)), Found::Purged));
    assert!(matches!(take_up(made("later", 200, FOREVER, 2)), Found::Absent), "from a clock that was set back since");
    let kept = ["fresh", "expired", "marker", "purged", "later"].map(|name| holds(&tier, name));
    assert_eq!(kept, [true, false, true, false, false]);
}
