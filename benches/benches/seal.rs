//! What records and sealing cost: writing and reading one, plain and sealed, and a hit in memory that is plain or sealed.
//!
//!     cargo bench -p sluice-benches --bench seal --profile fast

#![expect(clippy::unwrap_used, reason = "the inputs are constants")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use sluice_cache::entry::Lifetime;
use sluice_cache::key::{KeyHasher, Keyed, SECRET_LEN};
use sluice_cache::seal::{KeyId, Keys, MemorySeal, Secret};
use sluice_cache::{Codec, Draft, Entry, Epoch, Found, KeyRef, Keyring, MemoryTier, Salt, Sequence};

#[global_allocator]
static ALLOCATOR: AllocProfiler<mimalloc::MiMalloc> = AllocProfiler::new(mimalloc::MiMalloc);

const BODIES: [usize; 3] = [350, 10_240, 102_400];
const BOUND: [u8; 56] = [1; 56];

fn main() {
    divan::main();
}

#[divan::bench(args = BODIES)]
fn encode_plain(bencher: Bencher<'_, '_>, body: usize) {
    encode(bencher, &Codec::plain(), body);
}

#[divan::bench(args = BODIES)]
fn encode_sealed(bencher: Bencher<'_, '_>, body: usize) {
    encode(bencher, &sealed(), body);
}

#[divan::bench(args = BODIES)]
fn decode_plain(bencher: Bencher<'_, '_>, body: usize) {
    decode(bencher, &Codec::plain(), body);
}

#[divan::bench(args = BODIES)]
fn decode_sealed(bencher: Bencher<'_, '_>, body: usize) {
    decode(bencher, &sealed(), body);
}

#[divan::bench(args = BODIES)]
fn hit_plain(bencher: Bencher<'_, '_>, body: usize) {
    hit(bencher, &MemoryTier::new(64 << 20, 1 << 20), body);
}

#[divan::bench(args = BODIES)]
fn hit_sealed(bencher: Bencher<'_, '_>, body: usize) {
    let seal = MemorySeal::random().unwrap();
    hit(bencher, &MemoryTier::sealed(seal, Arc::default(), 64 << 20, 1 << 20), body);
}

fn encode(bencher: Bencher<'_, '_>, codec: &Codec, body: usize) {
    let (entry, mut out) = (entry(body), Vec::with_capacity(2 * body + 1_024));
    bencher.counter(BytesCount::new(body)).bench_local(|| {
        out.clear();
        codec.encode(black_box(&entry), &BOUND, &mut out).unwrap();
    });
}

fn decode(bencher: Bencher<'_, '_>, codec: &Codec, body: usize) {
    let (entry, mut record) = (entry(body), Vec::new());
    codec.encode(&entry, &BOUND, &mut record).unwrap();
    let fingerprint = entry.key().fingerprint;
    bencher
        .counter(BytesCount::new(body))
        .with_inputs(|| record.clone())
        .bench_local_values(|record| codec.decode(fingerprint, &BOUND, record).unwrap());
}

fn hit(bencher: Bencher<'_, '_>, tier: &MemoryTier, body: usize) {
    let stored = Arc::new(entry(body));
    tier.insert(Arc::clone(&stored), Epoch::default()).unwrap();
    bencher.counter(BytesCount::new(body)).bench_local(|| {
        let found = tier.get(black_box(stored.key()), 1);
        assert!(matches!(found, Found::Fresh(_)));
        found
    });
}

fn sealed() -> Codec {
    let keys = Keys::new(vec![(KeyId(1), Secret::from_bytes([7; 32]))], KeyId(1)).unwrap();
    Codec::sealed(Arc::new(Keyring::new(keys)), Salt::random().unwrap())
}

fn entry(body: usize) -> Entry {
    let hasher = KeyHasher::new([3; SECRET_LEN]);
    let key: KeyRef<'_> = hasher.key(b"petstore1 prod res01 GET 0123456789abcdef 7 view=full");
    let head = b"Content-Type: application/json\r\nContent-Length: 350\r\nETag: \"5d8c72a5edda8d6a:3239\"\r\n";
    let lifetime = Lifetime::until(0, u64::MAX);
    let draft = Draft { key, status: 200, notes: b"", head, lifetime, born: Sequence::default() };
    Entry::new(draft, &[Bytes::from(vec![b'x'; body])]).unwrap()
}
