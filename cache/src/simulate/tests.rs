use super::*;
use crate::key::{KeyHasher, SECRET_LEN};

const SECOND: u64 = 1_000_000_000;
const MIB: u64 = 1024 * 1024;

fn request(at: u64, key: u64, method: usize) -> Request {
    let hasher = KeyHasher::new([3; SECRET_LEN]);
    let key = hasher.fingerprint(&key.to_le_bytes());
    Request { at_ns: at * SECOND, key, method, bytes: 1_000, storable: true }
}

fn case(capacity: u64, ttl: u64) -> Case {
    Case { capacity, ttl_ns: ttl * SECOND }
}

#[test]
fn a_longer_time_to_live_answers_more() {
    let cases = [case(MIB, 0), case(MIB, 5), case(MIB, 60)];
    let mut simulation = Simulation::new(&cases, 1, Sampling::ALL);
    (0..20).for_each(|second| simulation.push(&request(second, 7, 0)));
    let hits: Vec<u64> = simulation.outcomes().iter().map(|o| o.total().hits).collect();
    assert_eq!(hits, [0, 16, 19]);
    let Some(five) = simulation.outcomes().get(1).map(Outcome::total) else { unreachable!() };
    assert_eq!((five.misses, five.expired), (1, 3));
    assert_eq!((five.hit_bytes, five.origin_bytes), (16_000, 4_000));
}

#[test]
fn methods_are_counted_apart_and_share_the_room() {
    let mut simulation = Simulation::new(&[case(MIB, 60)], 2, Sampling::ALL);
    (0..3).for_each(|second| simulation.push(&request(second, 1, 0)));
    simulation.push(&request(3, 2, 1));
    let outcomes = simulation.outcomes();
    let ratios: Vec<f64> = outcomes.iter().flat_map(|o| &o.methods).map(Tally::hit_ratio).collect();
    assert_eq!(ratios, [2.0 / 3.0, 0.0]);
}

#[test]
fn what_may_not_be_stored_never_hits_and_what_does_not_fit_is_evicted() {
    let mut simulation = Simulation::new(&[case(64 * 1024, 3600)], 1, Sampling::ALL);
    let private = Request { storable: false, ..request(0, 1, 0) };
    (0..2).for_each(|_| simulation.push(&private));
    (0..2).for_each(|round| (10..1_000).for_each(|key| simulation.push(&request(1 + round, key, 0))));
    let outcomes = simulation.outcomes();
    let Some(outcome) = outcomes.first() else { unreachable!() };
    assert!(outcome.total().hits < 200, "{:?}", outcome.total());
    assert!(outcome.peak_bytes <= 64 * 1024, "{}", outcome.peak_bytes);
}

#[test]
fn large_answers_take_more_room() {
    let hits = |bytes: u64| {
        let mut simulation = Simulation::new(&[case(MIB, 3600)], 1, Sampling::ALL);
        (0..2).for_each(|round| (0..64).for_each(|key| simulation.push(&Request { bytes, ..request(round, key, 0) })));
        simulation.outcomes().first().map_or(0, |outcome| outcome.total().hits)
    };
    assert_eq!(hits(1_000), 64);
    assert!(hits(64 * 1024) < 32, "{}", hits(64 * 1024));
    assert_eq!(hits(2 * MIB), 0, "one that does not fit is not stored");
}

#[test]
fn the_peak_of_a_sample_is_that_of_all() {
    let peak = |sampling| {
        let mut simulation = Simulation::new(&[case(1024 * MIB, 3600)], 1, sampling);
        (0..10_000).for_each(|key| simulation.push(&request(0, key, 0)));
        simulation.outcomes().first().map_or(0, |outcome| outcome.peak_bytes) as f64
    };
    let ratio = peak(Sampling::at_most(2_500, 10_000)) / peak(Sampling::ALL);
    assert!((0.8..1.2).contains(&ratio), "{ratio}");
}

#[test]
fn a_sample_tells_nearly_what_all_keys_tell() {
    let ratio = |sampling| {
        let mut simulation = Simulation::new(&[case(4 * MIB, 3600)], 1, sampling);
        let mut state = 1_u64;
        for at in 0..200_000 {
            // A few keys are asked for often, many seldom.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 33) as f64 / (1_u64 << 31) as f64;
            simulation.push(&request(at / 1_000, (20_000.0 * uniform.powi(3)) as u64, 0));
        }
        simulation.outcomes().first().map_or(0.0, |outcome| outcome.total().hit_ratio())
    };
    let (all, sampled) = (ratio(Sampling::ALL), ratio(Sampling::at_most(5_000, 20_000)));
    assert!((all - sampled).abs() < 0.05, "{all} against {sampled}");
    assert!(all > 0.3, "{all}");
}

#[test]
fn a_sample_is_as_small_as_asked_for() {
    assert_eq!(Sampling::at_most(1_000, 1_000).one_of(), 1);
    assert_eq!(Sampling::at_most(1_000, 1_001).one_of(), 2);
    assert_eq!(Sampling::at_most(1_000, 100_000).one_of(), 128);
}

/// Requests of many keys, sizes and methods, some of which may not be stored.
fn drawn(number: u64) -> Vec<Request> {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let drawn = |at| {
        let most = 1 + draw(3_000);
        let key = draw(most);
        Request { bytes: 100 + draw(1 + key * 10), storable: draw(9) > 0, ..request(at / 50, key, draw(3) as usize) }
    };
    (0..number).map(drawn).collect()
}

#[test]
fn all_cores_come_to_what_one_comes_to() {
    // Some of these hold all, some are equal to others, one never stores.
    let sizes = [64 * 1024, MIB, MIB, 3 * MIB, 12 * MIB, 40 * MIB, 1024 * MIB, 4096 * MIB];
    let cases: Vec<Case> = sizes.iter().flat_map(|size| [0, 7, 3600].map(|ttl| case(*size, ttl))).collect();
    let requests = drawn(20_000);
    for sampling in [Sampling::ALL, Sampling::ALL.halved().halved()] {
        let mut one = Simulation::new(&cases, 3, sampling);
        requests.iter().for_each(|request| one.push(request));
        let mut told = (0, 0);
        let all = replay(&cases, 3, sampling, &requests, |done, of| told = (done, of));
        assert_eq!(all, one.outcomes());
        assert!(told.0 == told.1 && told.1 > 0 && told.1 < 24 * 20_000, "{told:?}: what holds all is replayed once");
    }
    assert_eq!(replay(&cases, 3, Sampling::ALL, &[], |_, _| {}), Simulation::new(&cases, 3, Sampling::ALL).outcomes());
}
