//! The memory tier keeps its bound: filled with 50 times its capacity, the process has grown by at most capacity × 1.1
//! + 32 MiB, with the allocator that the product uses, whatever the sizes of the bodies and whichever threads insert.
//!
//! Without arguments every case runs in a process of its own; with the name of a case, that case runs here. `--list`
//! tells their names, as runners ask for them.

#![expect(clippy::unwrap_used, reason = "a test program that may stop at once")]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Barrier};

use bytes::Bytes;
use sluice_cache::entry::Lifetime;
use sluice_cache::key::{KeyHasher, KeyPrefix, KeyWriter, Scope};
use sluice_cache::{Draft, Entry, MemoryTier, NotStored, Sequence};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: u64 = 1024 * 1024;
const CAPACITY: u64 = 64 * MIB;
const FILLS: u64 = 50;
const SLACK: u64 = 32 * MIB;

/// Lengths of bodies as inserted in turn.
type Sizes = &'static [usize];

const CASES: [(&str, Sizes, Threads); 8] = [
    ("bodies-200-b", &[200], Threads::One),
    ("bodies-4-kb", &[4_096], Threads::One),
    ("bodies-10-kb", &[10_240], Threads::One),
    ("bodies-100-kb", &[102_400], Threads::One),
    ("bodies-1-mb", &[1_000_000], Threads::One),
    ("bodies-mixed", MIX, Threads::One),
    ("bodies-mixed-two-threads", MIX, Threads::Two),
    ("bodies-mixed-threads-in-turn", MIX, Threads::InTurn),
];

const MIX: Sizes = &[200, 4_096, 350, 102_400, 1_200, 9_000, 200, 33_000, 4_000, 77_000, 600, 15_000];

#[derive(Clone, Copy)]
enum Threads {
    One,
    Two,
    /// Each fills the tier while the other, which owns what is evicted, sleeps.
    InTurn,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        return list(has("--ignored"));
    }
    match CASES.into_iter().find(|(name, ..)| has(name)) {
        Some((name, _, Threads::InTurn)) if std::env::var_os(PURGE_DELAY).is_none() => run_apart(name, Threads::InTurn),
        Some((_, sizes, threads)) => run(sizes, threads),
        None => run_all(),
    }
}

/// None is ignored.
fn list(ignored: bool) -> ExitCode {
    CASES.iter().filter(|_| !ignored).for_each(|(name, ..)| println!("{name}: test"));
    ExitCode::SUCCESS
}

fn run_apart(name: &str, threads: Threads) -> ExitCode {
    let own = std::env::current_exe().unwrap();
    if passes(&own, name, threads) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Read by the allocator when the process begins.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

fn run_all() -> ExitCode {
    let own = std::env::current_exe().unwrap();
    let failed = CASES.iter().filter(|(name, _, threads)| !passes(&own, name, *threads)).count();
    ExitCode::from(u8::try_from(failed).unwrap())
}

fn passes(own: &Path, name: &str, threads: Threads) -> bool {
    let mut case = Command::new(own);
    case.arg(name);
    if matches!(threads, Threads::InTurn) {
        // mimalloc returns free pages a second after they became free; a turn here is shorter than that.
        case.env(PURGE_DELAY, "0");
    }
    case.status().unwrap().success()
}

fn run(sizes: Sizes, threads: Threads) -> ExitCode {
    let before = resident();
    let tier = MemoryTier::new(CAPACITY, MIB);
    fill(&tier, sizes, threads);
    let grown = resident() - before;
    let bound = CAPACITY * 11 / 10 + SLACK;
    println!(
        "{}: grown {} MiB (bound {}), {:.3} of the capacity; counted {:.3}; {} entries",
        std::env::args().nth(1).unwrap_or_default(),
        grown / MIB,
        bound / MIB,
        grown as f64 / CAPACITY as f64,
        tier.bytes() as f64 / CAPACITY as f64,
        tier.entries(),
    );
    ExitCode::from(u8::from(grown > bound))
}

fn fill(tier: &MemoryTier, sizes: Sizes, threads: Threads) {
    match threads {
        Threads::One => insert(tier, sizes, 0, FILLS * CAPACITY),
        Threads::Two => std::thread::scope(|scope| {
            for thread in [0, 1] {
                scope.spawn(move || insert(tier, sizes, thread << 40, FILLS * CAPACITY / 2));
            }
        }),
        Threads::InTurn => in_turn(tier, sizes),
    }
}

fn in_turn(tier: &MemoryTier, sizes: Sizes) {
    let done = &Barrier::new(2);
    std::thread::scope(|scope| {
        let turn = |mine: u64| {
            for now in 0..4 {
                if now == mine {
                    insert(tier, sizes, mine << 40, FILLS * CAPACITY / 4);
                }
                done.wait();
            }
        };
        for mine in [0, 1] {
            scope.spawn(move || turn(mine));
        }
    });
}

/// Inserts entries under new keys until they weigh `weight` in all, and asks for some again as real traffic does.
fn insert(tier: &MemoryTier, sizes: Sizes, first: u64, weight: u64) {
    let hasher = KeyHasher::new(std::array::from_fn(|i| i as u8));
    let scope = Scope { api: "petstore1", stage: "prod", namespace: "res01", verb: "GET", content: &[7; 16] };
    let prefix = KeyPrefix::new(scope).unwrap();
    let body = Bytes::from(vec![b'x'; MIB as usize]);
    let head = [b'h'; 120];
    let mut buffer = Vec::new();
    let mut weighed = 0;
    for (number, size) in (first..).zip(sizes.iter().cycle()) {
        if weighed >= weight {
            break;
        }
        let entry = {
            let mut key = KeyWriter::start(&mut buffer, &prefix);
            key.value(&number.to_le_bytes());
            let key = key.finish(&hasher).unwrap();
            let (lifetime, born) = (Lifetime::until(0, u64::MAX), Sequence::default());
            let draft = Draft { key, status: 200, notes: b"", head: &head, lifetime, born };
            Entry::new(draft, &[body.slice(..*size)]).unwrap()
        };
        weighed += entry.weight() as u64;
        assert_ne!(tier.insert(Arc::new(entry), tier.epoch()), Err(NotStored::TooLarge));
        if number % 5 == 0 {
            let _found = tier.get(hasher.key(&buffer), 1);
        }
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
