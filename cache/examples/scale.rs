//! What a hit in the memory tier costs with few and with many entries.
//!
//!     cargo run --profile fast -p sluice-cache --example scale -- 1000 100000 10000000
//!
//! Prints nanoseconds of one look-up: 1,024 keys that are spread over all entries, in turn, and keys drawn anew each time.
//! Ten million entries need 6 GB. Instructions: the same under
//! `valgrind --tool=callgrind --toggle-collect="*Filled*ask*"`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the inputs are constants")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sluice_cache::entry::Lifetime;
use sluice_cache::key::KeyHasher;
use sluice_cache::{Draft, Entry, Epoch, Found, MemoryTier, Sequence};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ASKED: u64 = 1_024;
const ROUNDS: usize = 2_000;

fn main() {
    println!("entries, ns in turn (median, least), ns drawn");
    for entries in std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap()) {
        let cache = Filled::new(entries);
        let step = (entries / ASKED).max(1);
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| cache.time((0..ASKED).map(|at| at * step % entries))).collect();
        times.sort_unstable_by(f64::total_cmp);
        let mut random = Random(1);
        let mut drawn: Vec<f64> =
            (0..ROUNDS).map(|_| cache.time((0..ASKED).map(|_| random.next() % entries))).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let middle = ROUNDS / 2;
        println!("{entries}, {:.0}, {:.0}, {:.0}", times[middle], times[0], drawn[middle]);
    }
}

struct Filled {
    tier: MemoryTier,
    hasher: KeyHasher,
}

impl Filled {
    fn new(entries: u64) -> Self {
        let tier = MemoryTier::new(entries * 1_024 + (64 << 20), 64 << 10);
        let this = Self { tier, hasher: KeyHasher::new(std::array::from_fn(|i| (i * 31 + 7) as u8)) };
        let body = Bytes::from(vec![b'x'; 16]);
        for number in 0..entries {
            let bytes = key(number);
            let (key, born, lifetime) = (this.hasher.key(&bytes), Sequence::default(), Lifetime::until(0, u64::MAX));
            let draft = Draft { key, status: 200, notes: b"", head: b"", lifetime, born };
            let entry = Entry::new(draft, std::slice::from_ref(&body)).unwrap();
            this.tier.insert(Arc::new(entry), Epoch::default()).unwrap();
        }
        assert_eq!(this.tier.entries(), entries);
        this
    }

    /// Nanoseconds per look-up.
    fn time(&self, numbers: impl Iterator<Item = u64>) -> f64 {
        let keys: Vec<[u8; 64]> = numbers.map(key).collect();
        let begun = Instant::now();
        self.ask(&keys);
        begun.elapsed().as_nanos() as f64 / keys.len() as f64
    }

    #[inline(never)]
    fn ask(&self, keys: &[[u8; 64]]) {
        let hit =
            |key: &&[u8; 64]| matches!(self.tier.get(self.hasher.key(black_box(key.as_slice())), 1), Found::Fresh(_));
        assert_eq!(keys.iter().filter(hit).count(), keys.len());
    }
}

/// As long as keys are.
fn key(number: u64) -> [u8; 64] {
    let mut bytes = [b'k'; 64];
    bytes.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
