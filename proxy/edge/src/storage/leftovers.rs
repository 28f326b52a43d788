//! What lies on disk of stages that the configuration does not have any more, and when it goes.
//!
//! A stage may be left out by mistake and come back in the next reload: what it has is kept for a while. It goes earlier
//! if the disk that the configuration allows has no room for it beside what is wanted, the one that was left out first
//! before others.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use sluice_cache::tier::disk;

/// Something that nobody wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Leftover {
    /// A stage's part of an open store: the store's name, the stage's.
    Space(String, String),
    /// A store, by its name.
    Store(String),
}

/// What is left over, and since when. As much as there is on disk.
#[derive(Debug, Default)]
pub(super) struct Leftovers(HashMap<Leftover, Instant>);

impl Leftovers {
    /// Notes what is left over now, each with the bytes that it takes beside what is wanted, and tells what has to go.
    /// `room` is what they may take together.
    pub(super) fn due(
        &mut self,
        now: Instant,
        found: Vec<(Leftover, u64)>,
        kept_for: Duration,
        room: u64,
    ) -> Vec<Leftover> {
        self.0.retain(|known, _| found.iter().any(|(one, _)| one == known));
        let mut aged: Vec<_> =
            found.into_iter().map(|(one, bytes)| (*self.0.entry(one.clone()).or_insert(now), one, bytes)).collect();
        aged.sort_by_key(|(since, _, _)| *since);
        let mut over = aged.iter().map(|(_, _, bytes)| bytes).sum::<u64>().saturating_sub(room);
        let mut must_go = |(since, one, bytes)| {
            let is_over = over > 0 && bytes > 0;
            over = if is_over { over.saturating_sub(bytes) } else { over };
            (is_over || now.duration_since(since) >= kept_for).then_some(one)
        };
        aged.into_iter().filter_map(&mut must_go).collect()
    }

    /// When the next of them, of those that still may stay, will have been kept for long enough.
    pub(super) fn next(&self, now: Instant, kept_for: Duration) -> Option<Instant> {
        self.0.values().map(|since| *since + kept_for).filter(|until| *until > now).min()
    }
}

/// Stores under `directory` that are not among `wanted`, with their bytes.
pub(super) fn unwanted_stores(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<(Leftover, u64)> {
    let Ok(entries) = directory.read_dir() else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let unwanted = names.filter(|name| !is_wanted(name) && disk::lies_in(&directory.join(name)));
    unwanted.map(|name| (Leftover::Store(name.clone()), disk::bytes_in(&directory.join(name)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> Leftover {
        Leftover::Store(name.to_owned())
    }

    #[test]
    fn what_is_left_over_goes_after_its_time_unless_it_is_wanted_again() {
        let (hour, start) = (Duration::from_secs(3600), Instant::now());
        let mut leftovers = Leftovers::default();
        let found = || vec![(store("a"), 10), (store("b"), 10)];
        assert_eq!(leftovers.due(start, found(), hour, 100), []);
        assert_eq!(leftovers.next(start, hour), Some(start + hour));
        assert_eq!(leftovers.due(start + hour / 2, vec![(store("a"), 10)], hour, 100), []);
        let mut due = leftovers.due(start + hour, found(), hour, 100);
        assert_eq!(due.pop(), Some(store("a")), "b was wanted in between");
        assert_eq!(due, []);
        assert_eq!(leftovers.due(start + hour * 2, vec![(store("b"), 10)], hour, 100), [store("b")]);
        assert_eq!((leftovers.due(start, vec![], hour, 100), leftovers.next(start, hour)), (vec![], None));
    }

    #[test]
    fn what_there_is_no_room_for_goes_at_once_the_oldest_first() {
        let (start, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let (mut leftovers, hour) = (Leftovers::default(), Duration::from_secs(3600));
        let space = Leftover::Space("pool".into(), "a/s".into());
        leftovers.due(start, vec![(store("old"), 60), (space.clone(), 0)], hour, 100);
        let found = vec![(store("new"), 60), (store("old"), 60), (space, 0)];
        assert_eq!(leftovers.due(later, found, hour, 100), [store("old")]);
    }
}
