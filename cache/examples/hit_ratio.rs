//! The memory tier's hit ratio on drawn requests, which are written down as well so that other caches can be asked the
//! same: `loadtest/hit-ratio` compares with libCacheSim.
//!
//!     cargo run --profile fast -p sluice-cache --example hit_ratio -- DIRECTORY
//!
//! Prints one line of JSON per trace and capacity. A trace is a file of libCacheSim's `oracleGeneral` records; an
//! object's size is what the tier counts for its entry, so that both have the same bytes to fill.

#![expect(clippy::unwrap_used, reason = "the inputs are constants")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::entry::Lifetime;
use sluice_cache::key::KeyHasher;
use sluice_cache::{Draft, Entry, Epoch, Found, MemoryTier, Sequence};

const OBJECTS: usize = 200_000;
const REQUESTS: usize = 3_000_000;
/// Parts of a hundred of all objects' bytes.
const CAPACITIES: [u64; 2] = [1, 10];
const OBJECT_LIMIT: u64 = 64 * 1024;
const LARGEST: usize = 16 * 1024;
/// One burst of a scan, requests; between two of them four times as many others.
const BURST: usize = 10_000;

fn main() {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let traces = [
        ("zipf-0.9", zipf(0.9).collect::<Vec<u32>>()),
        ("zipf-1.1", zipf(1.1).collect()),
        ("zipf-0.9-and-scans", with_scans(zipf(0.9)).collect()),
    ];
    let cache = Objects::new();
    for (name, requests) in traces {
        write(&Path::new(&directory).join(format!("{name}.bin")), &requests, &cache);
        let all: u64 = (0..OBJECTS as u32).map(|object| cache.entry(object).weight() as u64).sum();
        for part in CAPACITIES {
            let tier = MemoryTier::new(all * part / 100, OBJECT_LIMIT);
            let hits = requests.iter().filter(|object| cache.is_hit(&tier, **object)).count();
            let (capacity, ratio) = (tier.capacity(), hits as f64 / requests.len() as f64);
            println!(r#"{{"trace":"{name}","part":{part},"capacity":{capacity},"hit_ratio":{ratio:.5}}}"#);
        }
    }
}

/// Objects with a size each, from 350 bytes up, most of them small.
struct Objects {
    hasher: KeyHasher,
    body: Bytes,
}

impl Objects {
    fn new() -> Self {
        Self { hasher: KeyHasher::new(std::array::from_fn(|i| (i * 31 + 7) as u8)), body: vec![b'x'; LARGEST].into() }
    }

    fn entry(&self, object: u32) -> Entry {
        let bytes = object.to_le_bytes();
        let lifetime = Lifetime::until(0, u64::MAX);
        let (key, born) = (self.hasher.key(&bytes), Sequence::default());
        let draft = Draft { key, status: 200, notes: b"", head: b"", lifetime, born };
        let spread = Random(u64::from(object)).unit();
        let size = 350.0 * (LARGEST as f64 / 350.0).powf(spread);
        Entry::new(draft, &[self.body.slice(..size as usize)]).unwrap()
    }

    fn is_hit(&self, tier: &MemoryTier, object: u32) -> bool {
        let found = tier.get(self.hasher.key(&object.to_le_bytes()), 1);
        if let Found::Fresh(_) = found {
            return true;
        }
        tier.insert(Arc::new(self.entry(object)), Epoch::default()).unwrap();
        false
    }
}

fn write(path: &Path, requests: &[u32], objects: &Objects) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for (time, object) in (0_u32..).zip(requests) {
        let size = objects.entry(*object).weight() as u32;
        file.write_all(&time.to_le_bytes()).unwrap();
        file.write_all(&u64::from(*object).to_le_bytes()).unwrap();
        file.write_all(&size.to_le_bytes()).unwrap();
        // When it is asked for next: nobody who is compared looks at it.
        file.write_all(&(-1_i64).to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// Ranks drawn with probability 1 / rank ^ `exponent`.
fn zipf(exponent: f64) -> impl Iterator<Item = u32> {
    let mut sums = Vec::with_capacity(OBJECTS);
    let mut sum = 0.0;
    for rank in 1..=OBJECTS {
        sum += (rank as f64).powf(-exponent);
        sums.push(sum);
    }
    let mut random = Random(1);
    let draw = move || {
        let drawn = random.unit() * sum;
        sums.partition_point(|below| *below < drawn) as u32
    };
    std::iter::repeat_with(draw).take(REQUESTS)
}

/// The same, interrupted by runs of objects that nobody asks for twice.
fn with_scans(mut requests: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    let mut scanned = OBJECTS as u32;
    (0..REQUESTS).filter_map(move |at| {
        if at / BURST % 5 == 4 {
            scanned += 1;
            return Some(scanned);
        }
        requests.next()
    })
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

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
