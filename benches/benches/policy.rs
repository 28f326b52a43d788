//! What the decisions on every request cost: CIDR sets of ten and ten thousand prefixes, buckets.
//!
//! `cargo bench -p sluice-benches --bench policy`. Set figures are for 1,024 addresses, "in" the set or drawn at random
//! ("any", nearly all outside); prefixes are spread evenly, or "crowded" into a few blocks as those of a provider are.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the inputs are constants")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use sluice_policy::{Bucket, CidrSet, RateLimit, take_all};

const SIZES: [usize; 2] = [10, 10_000];
const ADDRESSES: usize = 1_024;
/// A million seconds after the buckets were made.
const NOW: u64 = 1_000_000_000_000_000;

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn v4_in(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v4_network), true);
}

#[divan::bench(args = SIZES)]
fn v4_any(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v4_network), false);
}

#[divan::bench(args = SIZES)]
fn v4_crowded_in(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v4_crowded), true);
}

#[divan::bench(args = SIZES)]
fn v6_in(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v6_network), true);
}

#[divan::bench(args = SIZES)]
fn v6_any(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v6_network), false);
}

#[divan::bench(args = SIZES)]
fn v6_crowded_in(bencher: Bencher<'_, '_>, size: usize) {
    contains(bencher, &prefixes(size, v6_crowded), true);
}

#[divan::bench(args = SIZES)]
fn build_v6(bencher: Bencher<'_, '_>, size: usize) {
    let prefixes = prefixes(size, v6_network);
    bencher.bench(|| CidrSet::new(black_box(&prefixes)));
}

#[divan::bench(threads = [1, 2])]
fn take(bencher: Bencher<'_, '_>) {
    let bucket = never_empty();
    bencher.bench(|| bucket.take(black_box(NOW)));
}

#[divan::bench]
fn take_refused(bencher: Bencher<'_, '_>) {
    let bucket = bucket(0.0, 0);
    bencher.bench(|| bucket.take(black_box(NOW)));
}

#[divan::bench(threads = [1, 2])]
fn take_all_of_three(bencher: Bencher<'_, '_>) {
    let [method, stage, account] = [never_empty(), never_empty(), never_empty()];
    bencher.bench(|| take_all(black_box([&method, &stage, &account].map(Some)), black_box(NOW)));
}

#[divan::bench]
fn take_all_of_three_refused_by_the_last(bencher: Bencher<'_, '_>) {
    let [method, stage, account] = [never_empty(), never_empty(), bucket(0.0, 0)];
    bencher.bench(|| take_all(black_box([&method, &stage, &account].map(Some)), black_box(NOW)));
}

fn bucket(rate: f64, burst: u32) -> Bucket {
    Bucket::new(RateLimit::new(rate, burst).unwrap(), 0)
}

fn never_empty() -> Bucket {
    bucket(RateLimit::MAX_RATE, u32::MAX)
}

fn contains(bencher: Bencher<'_, '_>, prefixes: &[IpNetwork], inside: bool) {
    let set = CidrSet::new(prefixes);
    let mut random = Random(2);
    let addresses: Vec<IpAddr> = (0..ADDRESSES)
        .map(|_| {
            let at = prefixes[random.below(prefixes.len() as u64) as usize];
            if inside { random.within(at) } else { random.beside(at) }
        })
        .collect();
    let count = || black_box(&addresses).iter().filter(|address| set.contains(**address)).count();
    bencher.counter(ItemsCount::new(ADDRESSES)).bench_local(count);
}

fn prefixes(size: usize, draw: fn(&mut Random) -> IpNetwork) -> Vec<IpNetwork> {
    let mut random = Random(1);
    std::iter::repeat_with(|| draw(&mut random)).take(size).collect()
}

fn v4_network(random: &mut Random) -> IpNetwork {
    let length = 16 + random.below(13) as u8;
    Ipv4Network::new((random.next() as u32).into(), length).unwrap().into()
}

fn v4_crowded(random: &mut Random) -> IpNetwork {
    let block = [3, 13, 18, 34, 35, 44, 52, 54][random.below(8) as usize] << 24;
    let bits = (block | random.below(32) << 16 | random.below(1 << 16)) as u32;
    Ipv4Network::new(bits.into(), 24 + random.below(9) as u8).unwrap().into()
}

/// Global unicast, 2000::/3.
fn v6_network(random: &mut Random) -> IpNetwork {
    let length = 32 + random.below(33) as u8;
    Ipv6Network::new((1 << 125 | random.wide() >> 3).into(), length).unwrap().into()
}

fn v6_crowded(random: &mut Random) -> IpNetwork {
    let block = [0x2001_0db8, 0x2600_1f00, 0x2606_4700, 0x2a05_d000][random.below(4) as usize] << 96;
    let bits = block | u128::from(random.below(1 << 12)) << 80 | u128::from(random.below(16)) << 64;
    Ipv6Network::new(bits.into(), 48 + random.below(17) as u8).unwrap().into()
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

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An address inside `network`.
    fn within(&mut self, network: IpNetwork) -> IpAddr {
        match network {
            IpNetwork::V4(v4) => {
                let host = self.next() as u32 & !v4.mask().to_bits();
                Ipv4Addr::from_bits(v4.network().to_bits() | host).into()
            }
            IpNetwork::V6(v6) => {
                let host = self.wide() & !v6.mask().to_bits();
                Ipv6Addr::from_bits(v6.network().to_bits() | host).into()
            }
        }
    }

    /// An address of the same family, from anywhere.
    fn beside(&mut self, network: IpNetwork) -> IpAddr {
        match network {
            IpNetwork::V4(_) => Ipv4Addr::from_bits(self.next() as u32).into(),
            IpNetwork::V6(_) => Ipv6Addr::from_bits(1 << 125 | self.wide() >> 3).into(),
        }
    }
}
