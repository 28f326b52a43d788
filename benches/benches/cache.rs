//! What the cache costs a request: building a key, its fingerprint, a look-up among a thousand and a hundred thousand
//! entries, under bans, an insert into a full tier.
//!
//! `cargo bench -p sluice-benches --bench cache`. Look-ups go through 1,024 keys spread over all entries; "one" asks for
//! the same key each time. The allocator is the product's; allocations per call are printed, and must be none on a hit.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the inputs are constants")]

use std::hint::black_box;
use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use sluice_cache::entry::Lifetime;
use sluice_cache::invalidate::{self, Force, Purge, Target, Volatile};
use sluice_cache::key::{KeyHasher, KeyPrefix, KeyWriter, Scope};
use sluice_cache::notes::{Notes, Separator, Tags};
use sluice_cache::{Draft, Entry, Epoch, Found, KeyRef, MemoryTier, Sequence};

#[global_allocator]
static ALLOCATOR: AllocProfiler<mimalloc::MiMalloc> = AllocProfiler::new(mimalloc::MiMalloc);

const ENTRIES: [usize; 2] = [1_000, 100_000];
const ASKED: usize = 1_024;
const LIFETIME: Lifetime = Lifetime::until(0, u64::MAX);

fn main() {
    divan::main();
}

/// A path and a query parameter, and a header that is absent.
#[divan::bench]
fn key_of_three_parameters(bencher: Bencher<'_, '_>) {
    let (hasher, prefix) = (hasher(), prefix());
    let mut buffer = Vec::new();
    bencher.bench_local(|| black_box(write(&mut buffer, &prefix, &hasher, 42).fingerprint));
}

#[divan::bench(args = [64, 128, 256, 1_024])]
fn fingerprint(bencher: Bencher<'_, '_>, length: usize) {
    let (hasher, key) = (hasher(), vec![7; length]);
    bencher.counter(BytesCount::new(length)).bench_local(|| hasher.fingerprint(black_box(&key)));
}

#[divan::bench(args = ENTRIES, sample_count = 1_000)]
fn get(bencher: Bencher<'_, '_>, entries: usize) {
    let tier = filled(entries);
    let step = (entries / ASKED).max(1);
    let keys = keys((0..ASKED).map(|at| at * step % entries));
    bencher.counter(ItemsCount::new(ASKED)).bench_local(|| keys.iter().filter(|key| hit(&tier, key.as_ref())).count());
}

#[divan::bench(args = ENTRIES, sample_count = 1_000)]
fn get_one(bencher: Bencher<'_, '_>, entries: usize) {
    let tier = filled(entries);
    let keys = keys([entries / 2]);
    bencher.counter(ItemsCount::new(ASKED)).bench_local(|| (0..ASKED).filter(|_| hit(&tier, keys[0].as_ref())).count());
}

/// The same keys from two threads at once.
#[divan::bench(args = ENTRIES, sample_count = 1_000, threads = 2)]
fn get_from_two_threads(bencher: Bencher<'_, '_>, entries: usize) {
    let tier = filled(entries);
    let step = (entries / ASKED).max(1);
    let keys = keys((0..ASKED).map(|at| at * step % entries));
    bencher.counter(ItemsCount::new(ASKED)).bench(|| keys.iter().filter(|key| hit(&tier, key.as_ref())).count());
}

#[divan::bench(args = ENTRIES, sample_count = 1_000)]
fn get_absent(bencher: Bencher<'_, '_>, entries: usize) {
    let tier = filled(entries);
    let keys = keys((0..ASKED).map(|at| entries + at));
    bencher.counter(ItemsCount::new(ASKED)).bench_local(|| keys.iter().filter(|key| hit(&tier, key.as_ref())).count());
}

/// Bans that are kept since a fetch is older than all of them.
const BANS: [usize; 2] = [0, 1_000];

/// Every entry was fetched after the bans.
#[divan::bench(args = BANS, sample_count = 1_000)]
fn get_under_older_bans(bencher: Bencher<'_, '_>, bans: usize) {
    let tier = MemoryTier::new(1 << 30, 1 << 20);
    let _old = tier.bans().birth();
    ban(&tier, bans);
    fill(&tier, ASKED);
    let keys = keys(0..ASKED);
    bencher.counter(ItemsCount::new(ASKED)).bench_local(|| keys.iter().filter(|key| hit(&tier, key.as_ref())).count());
}

/// Every entry was fetched before the bans, and has been asked about them.
#[divan::bench(args = BANS, sample_count = 1_000)]
fn get_under_newer_bans(bencher: Bencher<'_, '_>, bans: usize) {
    let tier = MemoryTier::new(1 << 30, 1 << 20);
    let _old = tier.bans().birth();
    fill(&tier, ASKED);
    ban(&tier, bans);
    let keys = keys(0..ASKED);
    bencher.counter(ItemsCount::new(ASKED)).bench_local(|| keys.iter().filter(|key| hit(&tier, key.as_ref())).count());
}

/// The first look-up after the bans, which asks about each of them.
#[divan::bench(args = [1, 1_000], sample_count = 20)]
fn first_get_after_bans(bencher: Bencher<'_, '_>, bans: usize) {
    let keys = keys(0..ASKED);
    let prepare = || {
        let tier = MemoryTier::new(1 << 28, 1 << 20);
        let old = tier.bans().birth();
        fill(&tier, ASKED);
        ban(&tier, bans);
        (tier, old)
    };
    let bencher = bencher.counter(ItemsCount::new(ASKED)).with_inputs(prepare);
    bencher.bench_local_refs(|(tier, _)| keys.iter().filter(|key| hit(tier, key.as_ref())).count());
}

/// A purge by tag that nothing has, from its call to its answer: memory is searched.
#[divan::bench(args = ENTRIES, sample_count = 20)]
fn purge_by_tag(bencher: Bencher<'_, '_>, entries: usize) {
    let (tier, hasher) = (filled(entries), hasher());
    bencher.bench_local(|| invalidate::purge(&tier, &Volatile, &hasher, tagged(0), 1));
}

fn ban(tier: &MemoryTier, bans: usize) {
    (0..bans).for_each(|number| drop(tier.bans().publish(tagged(number), 0)));
}

fn tagged(number: usize) -> Purge {
    Purge { target: Target::Tag(format!("tag-{number}").into_bytes().into()), force: Force::Hard }
}

#[divan::bench(args = [350, 10_240, 102_400])]
fn insert_into_a_full_tier(bencher: Bencher<'_, '_>, body: usize) {
    let tier = MemoryTier::new(64 << 20, 1 << 20);
    let (hasher, prefix, body) = (hasher(), prefix(), bytes::Bytes::from(vec![b'x'; body]));
    let mut buffer = Vec::new();
    let mut number = 0;
    let mut insert = || {
        number += 1;
        let key = write(&mut buffer, &prefix, &hasher, number);
        let entry = Entry::new(draft(key), std::slice::from_ref(&body)).unwrap();
        tier.insert(Arc::new(entry), Epoch::default()).unwrap();
    };
    (0..(80 << 20) / body.len()).for_each(|_| insert());
    bencher.bench_local(insert);
}

const HEAD: &[u8] = b"Content-Type: application/json\r\nContent-Length: 350\r\nETag: \"5d8c72a5edda8d6a:3239\"\r\n";

fn draft(key: KeyRef<'_>) -> Draft<'_> {
    Draft { key, status: 200, notes: b"", head: HEAD, lifetime: LIFETIME, born: Sequence::default() }
}

/// A key that owns its bytes.
struct Key {
    hasher: Arc<KeyHasher>,
    bytes: Vec<u8>,
}

impl Key {
    /// Digests the bytes, as a request must.
    fn as_ref(&self) -> KeyRef<'_> {
        self.hasher.key(&self.bytes)
    }
}

fn hit(tier: &MemoryTier, key: KeyRef<'_>) -> bool {
    matches!(tier.get(black_box(key), 1), Found::Fresh(_))
}

fn filled(entries: usize) -> MemoryTier {
    let tier = MemoryTier::new(1 << 30, 1 << 20);
    fill(&tier, entries);
    tier
}

fn fill(tier: &MemoryTier, entries: usize) {
    let (hasher, prefix, body) = (hasher(), prefix(), bytes::Bytes::from(vec![b'x'; 350]));
    let (mut buffer, mut notes) = (Vec::new(), Vec::new());
    let tags = Tags::collect([(Separator::Blank, &b"pets pet-42 shop"[..])]).unwrap();
    Notes { verb: "GET", resource: "/pets/{id}", path: b"/pets/42", tags: &tags }.encode(&mut notes);
    for number in 0..entries {
        let key = write(&mut buffer, &prefix, &hasher, number);
        let draft = Draft { notes: &notes, born: tier.bans().newest(), ..draft(key) };
        let entry = Entry::new(draft, std::slice::from_ref(&body)).unwrap();
        tier.insert(Arc::new(entry), Epoch::default()).unwrap();
    }
}

fn keys(numbers: impl IntoIterator<Item = usize>) -> Vec<Key> {
    let (hasher, prefix) = (Arc::new(hasher()), prefix());
    let key = |number| {
        let mut bytes = Vec::new();
        let _ = write(&mut bytes, &prefix, &hasher, number);
        Key { hasher: Arc::clone(&hasher), bytes }
    };
    numbers.into_iter().map(key).collect()
}

fn write<'a>(buffer: &'a mut Vec<u8>, prefix: &KeyPrefix, hasher: &KeyHasher, number: usize) -> KeyRef<'a> {
    let mut key = KeyWriter::start(buffer, prefix);
    key.value(&number.to_le_bytes());
    key.value(b"view=full");
    key.absent();
    key.finish(hasher).unwrap()
}

fn hasher() -> KeyHasher {
    KeyHasher::new(std::array::from_fn(|i| (i * 31 + 7) as u8))
}

fn prefix() -> KeyPrefix {
    let scope = Scope { api: "petstore1", stage: "prod", namespace: "res01", verb: "GET", content: &[7; 16] };
    KeyPrefix::new(scope).unwrap()
}
