//! What a cache of another size or with another time to live would have done with the requests of a log.
//!
//! Every case is a shadow of the memory tier: foyer's S3-FIFO with the tier's own settings and weights, but without the
//! bodies. Requests are pushed in the order of their times; a shadow stores what it misses and forgets what has expired.
//!
//! Of very many keys a part stands for all ([`Sampling`]): keys are chosen by their fingerprint, so that every request
//! of a chosen key is seen, and the capacities shrink with them.

mod replay;
mod sampling;
mod shadow;

pub use replay::replay;
pub use sampling::Sampling;

use crate::key::Fingerprint;
use shadow::Shadow;

/// One request of a log.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// When, nanoseconds of any clock; not before the request that was pushed last.
    pub at_ns: u64,
    /// The cache key's digest.
    pub key: Fingerprint,
    /// Place of the method that it went to, among those that the caller counts apart.
    pub method: usize,
    /// Bytes of head and body of its answer.
    pub bytes: u64,
    /// Its answer may be stored.
    pub storable: bool,
}

/// A cache to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Bytes that it may take.
    pub capacity: u64,
    /// For how long an answer is fresh, nanoseconds.
    pub ttl_ns: u64,
}

/// What became of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Answered from the cache.
    pub hits: u64,
    /// Stored once, but no longer fresh.
    pub expired: u64,
    /// Not stored.
    pub misses: u64,
    /// Of answers from the cache.
    pub hit_bytes: u64,
    /// Of answers from the origin.
    pub origin_bytes: u64,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.hits + self.expired + self.misses
    }

    /// The share that the cache answers, 0 to 1; 0 of none.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        self.hits as f64 / self.requests().max(1) as f64
    }

    /// Both together.
    #[must_use]
    pub const fn and(&self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            expired: self.expired + other.expired,
            misses: self.misses + other.misses,
            hit_bytes: self.hit_bytes + other.hit_bytes,
            origin_bytes: self.origin_bytes + other.origin_bytes,
        }
    }
}

/// All cases beside each other.
#[derive(Debug)]
pub struct Simulation {
    sampling: Sampling,
    shadows: Vec<Shadow>,
    seen: u64,
    left_out: u64,
}

/// What a case would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// By the method's place.
    pub methods: Vec<Tally>,
    /// Bytes that it held at most; an estimate where keys were sampled.
    pub peak_bytes: u64,
}

impl Outcome {
    /// All methods together.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.methods.iter().fold(Tally::default(), |sum, tally| sum.and(tally))
    }
}

impl Simulation {
    /// Empty caches.
    #[must_use]
    pub fn new(cases: &[Case], methods: usize, sampling: Sampling) -> Self {
        let shadows = cases.iter().map(|case| Shadow::new(*case, methods, sampling)).collect();
        Self { sampling, shadows, seen: 0, left_out: 0 }
    }

    /// One request more.
    pub fn push(&mut self, request: &Request) {
        self.seen += 1;
        if !self.sampling.takes(request.key) {
            self.left_out += 1;
            return;
        }
        self.shadows.iter_mut().for_each(|shadow| shadow.push(request));
    }

    /// Requests that were pushed, and those of them whose keys were left out.
    #[must_use]
    pub const fn pushed(&self) -> (u64, u64) {
        (self.seen, self.left_out)
    }

    /// What became of each case, in the order of the cases.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.shadows.iter().map(Shadow::outcome).collect()
    }
}

#[cfg(test)]
mod tests;
