//! All cases over a whole log, on all cores.
//!
//! Cases share nothing, so each is replayed by itself, by one thread after the other's end. In caches into which all of
//! the log fits nothing is ever evicted: they are one case for each time to live.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use parking_lot::Mutex;

use super::shadow::{Shadow, room_for};
use super::{Case, Outcome, Request, Sampling};

/// Requests after which a thread tells how far it has come.
const STEP: usize = 65_536;

/// What each case would have done with requests in the order of their times, in the order of the cases. `progress` is
/// told how many of how many replayed requests are done.
pub fn replay(
    cases: &[Case],
    methods: usize,
    sampling: Sampling,
    requests: &[Request],
    progress: impl FnMut(u64, u64),
) -> Vec<Outcome> {
    let (different, place_of) = without_repeats(cases, sampling, room_for_all(requests, sampling));
    let work =
        Work { methods, sampling, requests, cases: &different, next: AtomicUsize::new(0), done: Mutex::default() };
    work.on_all_cores(progress);
    let outcomes = work.done.into_inner();
    let outcome = |(case, place): (&Case, &usize)| Some(Outcome { case: *case, ..outcomes.get(place)?.clone() });
    cases.iter().zip(&place_of).filter_map(outcome).collect()
}

/// The cases that may differ, and which of them each case is.
fn without_repeats(cases: &[Case], sampling: Sampling, all: u64) -> (Vec<Case>, Vec<usize>) {
    let (mut different, mut places) = (Vec::new(), HashMap::new());
    let mut place = |case: &Case| {
        let capacity = Some(case.capacity).filter(|bytes| sampling.scaled(*bytes) < all);
        *places.entry((capacity, case.ttl_ns)).or_insert_with(|| {
            different.push(*case);
            different.len() - 1
        })
    };
    let place_of = cases.iter().map(&mut place).collect();
    (different, place_of)
}

/// A cache with so many bytes never evicts anything: each key at its largest, and one more while it is exchanged.
fn room_for_all(requests: &[Request], sampling: Sampling) -> u64 {
    let mut largest = HashMap::new();
    for request in requests.iter().filter(|request| request.storable && sampling.takes(request.key)) {
        let room = largest.entry(request.key.low()).or_insert(0);
        *room = room_for(request).max(*room);
    }
    let once_more = largest.values().max().copied().unwrap_or(0);
    largest.values().fold(once_more, |sum: u64, room| sum.saturating_add(*room))
}

struct Work<'a> {
    methods: usize,
    sampling: Sampling,
    requests: &'a [Request],
    cases: &'a [Case],
    /// The case that nobody has begun.
    next: AtomicUsize,
    done: Mutex<HashMap<usize, Outcome>>,
}

impl Work<'_> {
    fn on_all_cores(&self, mut progress: impl FnMut(u64, u64)) {
        let all = (self.cases.len() * self.requests.len()) as u64;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (tell, told) = channel();
        thread::scope(|scope| {
            for _ in 0..cores.min(self.cases.len()) {
                let tell = tell.clone();
                scope.spawn(move || self.run(&tell));
            }
            drop(tell);
            let mut done = 0;
            for step in told {
                done += step as u64;
                progress(done, all);
            }
        });
    }

    fn run(&self, tell: &Sender<usize>) {
        loop {
            let place = self.next.fetch_add(1, Relaxed);
            let Some(case) = self.cases.get(place) else { return };
            let mut shadow = Shadow::new(*case, self.methods, self.sampling);
            for some in self.requests.chunks(STEP) {
                some.iter().filter(|request| self.sampling.takes(request.key)).for_each(|request| shadow.push(request));
                // Who is told outlives the threads.
                let _told = tell.send(some.len());
            }
            self.done.lock().insert(place, shadow.outcome());
        }
    }
}
