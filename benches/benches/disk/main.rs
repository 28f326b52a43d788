//! The disk tier against its device: fill, reads, reopening, memory per entry. Needs a directory with room, and `fio`
//! for the comparison.
//!
//! `cargo bench -p sluice-benches --bench disk -- DIRECTORY fill|read|reopen|index [key=value ...]`

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench program that may stop at once")]

mod entries;
mod fio;
mod process;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sluice_cache::Codec;
use sluice_cache::seal::{KeyId, Keyring, Keys, Secret};
use sluice_cache::tier::disk::{Config, Pending, Probe, Refused, Space, Store};

use entries::Entries;

const MB: u64 = 1_000_000;

struct Options {
    directory: PathBuf,
    values: BTreeMap<String, u64>,
}

impl Options {
    fn number(&self, name: &str, default: u64) -> u64 {
        self.values.get(name).copied().unwrap_or(default)
    }

    fn config(&self, capacity_mb: u64) -> Config {
        let mut config = Config::new(&self.directory.join("store"), capacity_mb * MB);
        config.segment_bytes = self.number("segment", u64::from(config.segment_bytes)) as u32;
        if self.number("direct", 0) == 1 { config.direct() } else { config }
    }

    fn open(&self, config: &Config) -> (Store, Space) {
        let store = Store::open(config).unwrap();
        let sealed = self.number("sealed", 0) == 1;
        let space = store.space("bench", |salt| if sealed { Codec::sealed(keyring(), salt) } else { Codec::plain() });
        while !store.is_ready() {
            std::thread::sleep(Duration::from_millis(1));
        }
        (store, space.unwrap())
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [directory, what, values @ ..] = arguments.as_slice() else {
        println!("disk: skipped; give a directory and one of fill, read, reopen, index");
        return;
    };
    let values = values.iter().filter_map(|pair| pair.split_once('='));
    let values = values.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect();
    let options = Options { directory: PathBuf::from(directory), values };
    match what.as_str() {
        "fill" => fill(&options),
        "read" => read(&options),
        "reopen" => reopen(&options),
        "index" => index(&options),
        other => println!("disk: what is {other}?"),
    }
    std::fs::remove_dir_all(options.directory.join("store")).unwrap();
    let _if_there = std::fs::remove_file(options.directory.join("fio"));
}

/// Entries one after another as quickly as the queue takes them; how many bytes of bodies went in.
fn write(store: &Store, space: &Space, entries: &Entries, keys: std::ops::Range<u64>) -> u64 {
    let mut bytes = 0;
    for key in keys {
        let entry = entries.entry(key);
        bytes += entry.body().len() as u64;
        while space.insert(Arc::clone(&entry), space.epoch()).is_err() {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    store.commit().wait().unwrap();
    bytes
}

/// A full tier written over, `fio` before and after each round on a file that is written already.
fn fill(options: &Options) {
    let (size, capacity) = (options.number("size", 100_000), options.number("capacity", 4000));
    let entries = Entries::new(size as usize);
    let (store, space) = options.open(&options.config(capacity));
    let count = capacity * MB / size;
    write(&store, &space, &entries, 0..count + count / 8);
    fio::write(&options.directory, capacity);
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for round in 0..options.number("rounds", 5) {
        let before = fio::write(&options.directory, capacity);
        let (cpu, started) = (process::cpu(), Instant::now());
        let first = (round + 2) * count;
        let bytes = write(&store, &space, &entries, first..first + count);
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), process::cpu() - cpu);
        let after = fio::write(&options.directory, capacity);
        let rate = bytes as f64 / 1e6 / seconds;
        ratios.push(rate * 2.0 / (before + after));
        rates.push(rate);
        let cpu = cpu * 1e9 / bytes as f64;
        println!("fill {size} B: {rate:.0} MB/s, {cpu:.2} CPU-s/GB; fio {before:.0} and {after:.0} MB/s");
    }
    ratios.sort_by(f64::total_cmp);
    println!("fill {size} B: median {:.2} of fio; RSS {} MiB", ratios[ratios.len() / 2], process::resident_mib());
    // What the tier takes by itself, or what was asked for.
    rates.sort_by(f64::total_cmp);
    let own = rates[rates.len() / 2];
    match options.values.get("rate") {
        Some(rate) => paced(options, &store, &space, &entries, count, *rate as f64),
        None => [0.6, 2.0].into_iter().for_each(|part| paced(options, &store, &space, &entries, count, own * part)),
    }
}

/// At a given rate, MB/s, for twice the capacity: what is not kept, by reason, and the most memory that it took.
fn paced(options: &Options, store: &Store, space: &Space, entries: &Entries, count: u64, rate: f64) {
    let (before, started, mut resident) = (store.stats(), Instant::now(), 0);
    for number in 0..count * 2 {
        let due = Duration::from_secs_f64((number * options.number("size", 100_000)) as f64 / 1e6 / rate);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        let _counted = space.insert(entries.entry(1 << 40 | number), space.epoch());
        if number % 256 == 0 {
            resident = resident.max(process::resident_mib());
        }
    }
    let offered = (count * 2 * options.number("size", 100_000)) as f64 / 1e6 / started.elapsed().as_secs_f64();
    store.commit().wait().unwrap();
    let after = store.stats();
    let refused = after.refused.iter().zip(before.refused).map(|(after, before)| after - before);
    let reasons: Vec<_> = Refused::ALL.iter().zip(refused.clone()).filter(|(_, count)| *count > 0).collect();
    let (lost, overtaken) = (after.lost - before.lost, after.overtaken - before.overtaken);
    let part = (refused.sum::<u64>() + lost) as f64 * 100.0 / (count * 2) as f64;
    println!(
        "offered {offered:.0} MB/s: {part:.3} % dropped: {reasons:?}, {lost} lost, {overtaken} overtaken; RSS {resident} MiB at most"
    );
}

/// Random hits from several threads, each with several under way.
fn read(options: &Options) {
    let (size, capacity) = (options.number("size", 10_000), options.number("capacity", 1000));
    let entries = Entries::new(size as usize);
    let config = options.config(capacity * 5 / 4);
    let (store, space) = options.open(&config);
    let count = capacity * MB / size;
    write(&store, &space, &entries, 0..count);
    let direct = options.number("direct", 0) == 1;
    let fio = if direct { fio::read(&options.directory, capacity) } else { 0.0 };
    for _ in 0..options.number("rounds", 3) {
        let (hits, latencies, seconds, cpu) = hits(options, &space, &entries, count);
        let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
        println!(
            "read {size} B: {:.0} hits/s, {:.0} hits per CPU-s, p50 {:?}, p99 {:?}; fio {fio:.0} IOPS",
            hits as f64 / seconds,
            hits as f64 / cpu,
            at(0.5),
            at(0.99),
        );
    }
    let rate = options.number("rate", (fio / 4.0) as u64);
    if rate > 0 {
        arriving(options, &space, &entries, count, rate);
    }
    println!("{:?}", store.stats());
}

/// Hits that arrive at a fixed rate, whether those before are answered or not: latencies from the moment that each was
/// due.
fn arriving(options: &Options, space: &Space, entries: &Entries, count: u64, rate: u64) {
    let (mut under_way, mut latencies, mut state, mut absent): (VecDeque<(Duration, Pending)>, _, _, _) =
        (VecDeque::new(), Vec::new(), 1_u64, 0_u64);
    let (started, wanted) = (Instant::now(), rate * options.number("seconds", 5));
    let (mut sent, cpu) = (0, process::cpu());
    while sent < wanted || !under_way.is_empty() {
        let due = Duration::from_secs_f64(sent as f64 / rate as f64);
        if sent < wanted && started.elapsed() >= due {
            sent += 1;
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = entries::key((state >> 33) % count);
            match space.probe(entries.hasher().key(&bytes), 1) {
                Probe::Ready(_) => latencies.push(started.elapsed() - due),
                Probe::Read(pending) => under_way.push_back((due, pending)),
                Probe::Absent => absent += 1,
            }
            continue;
        }
        let mut context = Context::from_waker(Waker::noop());
        under_way.retain_mut(|(due, pending)| match Pin::new(pending).poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(found) => {
                absent += u64::from(found.is_none());
                latencies.push(started.elapsed() - *due);
                false
            }
        });
        std::thread::sleep(Duration::from_micros(20));
    }
    latencies.sort();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    let each = (process::cpu() - cpu) * 1e6 / wanted as f64;
    println!("read at {rate}/s: p50 {:?}, p99 {:?}, {absent} misses, {each:.0} us of CPU a hit", at(0.5), at(0.99));
}

fn hits(options: &Options, space: &Space, entries: &Entries, count: u64) -> (u64, Vec<Duration>, f64, f64) {
    let (threads, depth) = (options.number("threads", 2), options.number("depth", 32) as usize);
    let (hits, cpu, started) = (AtomicU64::new(0), process::cpu(), Instant::now());
    let until = Duration::from_secs(options.number("seconds", 5));
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let work = |seed| {
            let hits = &hits;
            scope.spawn(move || reader(space, entries, count, seed, depth, started, until, hits))
        };
        let readers: Vec<_> = (0..threads).map(work).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    latencies.sort();
    (hits.into_inner(), latencies, started.elapsed().as_secs_f64(), process::cpu() - cpu)
}

#[expect(clippy::too_many_arguments, reason = "one loop of a bench")]
fn reader(
    space: &Space,
    entries: &Entries,
    count: u64,
    seed: u64,
    depth: usize,
    started: Instant,
    until: Duration,
    hits: &AtomicU64,
) -> Vec<Duration> {
    let mut under_way = VecDeque::with_capacity(depth);
    let (mut latencies, mut state, mut found) = (Vec::new(), seed + 1, 0);
    while started.elapsed() < until {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let asked = Instant::now();
        let bytes = entries::key((state >> 33) % count);
        match space.probe(entries.hasher().key(&bytes), 1) {
            Probe::Ready(_) => {
                found += 1;
                latencies.push(asked.elapsed());
            }
            Probe::Read(pending) => under_way.push_back((asked, pending)),
            Probe::Absent => {}
        }
        if under_way.len() >= depth
            && let Some((asked, pending)) = under_way.pop_front()
        {
            found += u64::from(pending.wait().is_some());
            latencies.push(asked.elapsed());
        }
    }
    hits.fetch_add(found, Relaxed);
    latencies
}

/// How long until everything is found again.
fn reopen(options: &Options) {
    let (size, capacity) = (options.number("size", 10_000), options.number("capacity", 10_000));
    let config = options.config(capacity * 21 / 20);
    let (store, space) = options.open(&config);
    write(&store, &space, &Entries::new(size as usize), 0..capacity * MB / size);
    drop(space);
    store.close();
    reopened(options, &config);
}

fn reopened(options: &Options, config: &Config) {
    process::drop_caches();
    let (resident, started, cpu) = (process::resident_mib(), Instant::now(), process::cpu());
    let (store, _space) = options.open(config);
    let (took, stats) = (started.elapsed(), store.stats());
    println!(
        "reopened {} entries in {took:?}, {:.2} CPU-s; index {:.1} B an entry; RSS {resident} -> {} MiB, peak of the process {} MiB",
        stats.entries,
        process::cpu() - cpu,
        stats.index_bytes as f64 / stats.entries as f64,
        process::resident_mib(),
        process::peak_mib(),
    );
}

/// Memory per entry, with many small ones; every step of the way.
fn index(options: &Options) {
    let count = options.number("count", 2_300_000);
    let config = options.config(count * 300 / MB + 500);
    let (store, space) = options.open(&config);
    let (entries, mut worst) = (Entries::new(1), 0.0_f64);
    for part in 0..20 {
        write(&store, &space, &entries, part * count / 20..(part + 1) * count / 20);
        let stats = store.stats();
        worst = worst.max(stats.index_bytes as f64 / stats.entries as f64);
    }
    let stats = store.stats();
    let each = stats.index_bytes as f64 / stats.entries as f64;
    println!(
        "{} entries: index {each:.1} B an entry, {worst:.1} at worst on the way; RSS {} MiB, peak {} MiB",
        stats.entries,
        process::resident_mib(),
        process::peak_mib(),
    );
    drop(space);
    store.close();
    reopened(options, &config);
}

fn keyring() -> Arc<Keyring> {
    let id = KeyId(1);
    Arc::new(Keyring::new(Keys::new(vec![(id, Secret::from_bytes([7; 32]))], id).unwrap()))
}
