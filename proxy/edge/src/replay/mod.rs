//! An access log replayed against caches of other sizes and times to live (`sluice cache plan`).
//!
//! `cache/src/simulate` has the caches; here are the log, the methods and what is shown. The origin's Cache-Control is in
//! no log: what is storable is decided by the status alone.

mod bill;
mod chart;
mod line;
mod methods;
mod table;

use std::collections::HashSet;

use serde::Serialize;
use sluice_cache::simulate::{Case, Outcome, Request, Sampling, Tally, replay};

use crate::config::Configuration;

pub use bill::{CLUSTERS, Cluster};
pub use chart::{ChartError, draw};
pub use line::{Line, Unreadable};
pub use methods::{Methods, Place};
pub use table::Shown;

/// Requests that are kept; when there are more, half of the keys are left out.
const REQUESTS_LIMIT: usize = 16_000_000;

/// Keys that are replayed, times the number of cases: what is kept of one takes about 200 bytes.
const SHADOWED_KEYS: u64 = 8_000_000;

/// A log, read.
#[derive(Debug)]
pub struct Log {
    methods: Methods,
    requests: Vec<Request>,
    sampling: Sampling,
    counts: Counts,
}

/// Lines of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub lines: u64,
    /// That could not be read.
    pub unreadable: u64,
    /// Of verbs that no cache is asked for.
    pub uncached: u64,
}

impl Log {
    /// Nothing read yet.
    #[must_use]
    pub fn new(configuration: Option<&Configuration>) -> Self {
        let methods = Methods::new(configuration);
        Self { methods, requests: Vec::new(), sampling: Sampling::ALL, counts: Counts::default() }
    }

    /// Reads one line more.
    ///
    /// # Errors
    /// It cannot be read; it is counted, and the next one may be.
    pub fn read(&mut self, text: &str) -> Result<(), Unreadable> {
        self.counts.lines += 1;
        let line = Line::parse(text).inspect_err(|_| self.counts.unreadable += 1)?;
        match self.methods.place(&line) {
            Some(place) => self.keep(&line, place),
            None => self.counts.uncached += 1,
        }
        Ok(())
    }

    /// How many lines were read, and how.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What each case would have done. `progress` is told how many of how many requests are replayed.
    pub fn replay(mut self, cases: &[Case], progress: impl FnMut(u64, u64)) -> Report {
        self.requests.sort_by_key(|request| request.at_ns);
        let keys = self.requests.iter().map(|r| r.key).collect::<HashSet<_>>().len() as u64 * self.sampling.one_of();
        let limit = SHADOWED_KEYS / cases.len().max(1) as u64;
        let sampling = Sampling::at_most(limit, keys).max(self.sampling);
        let outcomes = replay(cases, self.methods.names().len(), sampling, &self.requests, progress);
        let at = |request: Option<&Request>| request.map_or(0, |r| r.at_ns);
        let seconds = (at(self.requests.last()) - at(self.requests.first())) as f64 / 1e9;
        Report {
            counts: self.counts,
            keys,
            seconds,
            one_of: sampling.one_of(),
            methods: self.methods.names().to_vec(),
            outcomes,
        }
    }

    fn keep(&mut self, line: &Line<'_>, place: Place) {
        let Place { method, key, storable } = place;
        if !self.sampling.takes(key) {
            return;
        }
        self.requests.push(Request {
            at_ns: line.at_us.saturating_mul(1_000),
            key,
            method,
            bytes: line.bytes,
            storable,
        });
        if self.requests.len() >= REQUESTS_LIMIT {
            self.sampling = self.sampling.halved();
            let sampling = self.sampling;
            self.requests.retain(|request| sampling.takes(request.key));
        }
    }
}

/// What came out.
#[derive(Debug)]
pub struct Report {
    /// Lines of the log.
    pub counts: Counts,
    /// Distinct keys; an estimate where they were sampled.
    pub keys: u64,
    /// From the first to the last request.
    pub seconds: f64,
    /// One key of so many was looked at.
    pub one_of: u64,
    /// Names of the methods, by their places.
    pub methods: Vec<String>,
    /// In the order of the cases.
    pub outcomes: Vec<Outcome>,
}

/// A smaller cache that answers nearly as much as the largest: this share of all requests may be missing.
const GOOD_ENOUGH: f64 = 0.01;

impl Report {
    /// The smallest capacity that is good enough with a time to live; `None` if no case has it.
    #[must_use]
    pub fn recommended(&self, ttl_ns: u64) -> Option<&Outcome> {
        let with_ttl = || self.outcomes.iter().filter(|outcome| outcome.case.ttl_ns == ttl_ns);
        let best = with_ttl().map(|outcome| outcome.total().hit_ratio()).fold(0.0, f64::max);
        let enough = with_ttl().filter(|outcome| outcome.total().hit_ratio() >= best - GOOD_ENOUGH);
        enough.min_by_key(|outcome| outcome.case.capacity)
    }

    /// Requests a second that reach the origin, of those that a cache is asked for.
    #[must_use]
    pub fn origin_load(&self, tally: &Tally) -> f64 {
        let reached = (tally.misses + tally.expired) * self.one_of;
        reached as f64 / self.seconds.max(1.0)
    }

    /// Places of the methods, the most asked for first.
    #[must_use]
    pub fn busiest(&self) -> Vec<usize> {
        let requests = |place: &usize| {
            let tally = self.outcomes.first().and_then(|outcome| outcome.methods.get(*place));
            std::cmp::Reverse(tally.map_or(0, Tally::requests))
        };
        let mut places: Vec<usize> = (0..self.methods.len()).collect();
        places.sort_by_key(requests);
        places
    }
}

#[cfg(test)]
mod tests;
