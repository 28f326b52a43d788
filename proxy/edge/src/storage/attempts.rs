//! When what has failed is tried again, and whether its failure is news.
//!
//! A store that another process has is asked for every second: asking costs nothing, and at an upgrade it is free soon.
//! What fails for another reason is tried after one second, two, four, up to a minute. A reload tries everything at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The first wait, and between questions for a store that is in use.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// What has failed, by its name. As many as there are stores and stages at most.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<String, Failed>);

#[derive(Debug)]
struct Failed {
    why: String,
    wait: Duration,
    again: Instant,
}

impl Attempts {
    /// Whether it is time to try.
    pub(super) fn is_due(&self, name: &str, now: Instant) -> bool {
        self.0.get(name).is_none_or(|failed| failed.again <= now)
    }

    /// It has failed; true if that has not been said yet. `soon`: it will not fail for long.
    pub(super) fn failed(&mut self, name: &str, why: String, soon: bool, now: Instant) -> bool {
        let before = self.0.remove(name);
        let wait = match &before {
            Some(before) if !soon => (before.wait * 2).min(LONGEST),
            _ => SHORTEST,
        };
        let is_news = before.is_none_or(|before| before.why != why);
        self.0.insert(name.to_owned(), Failed { why, wait, again: now + wait });
        is_news
    }

    /// It has succeeded; true if it had failed before.
    pub(super) fn succeeded(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Why it has failed the last time.
    pub(super) fn why(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|failed| failed.why.as_str())
    }

    /// When the next try is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|failed| failed.again).min()
    }

    /// Something has changed: everything is due, and what nobody wants any more is forgotten.
    pub(super) fn begin_anew(&mut self, now: Instant, is_wanted: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_wanted(name));
        self.0.values_mut().for_each(|failed| (failed.wait, failed.again) = (SHORTEST, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_only_news_is_said() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let mut now = start;
        let mut waits = Vec::new();
        for number in 0..8 {
            assert!(attempts.is_due("pool", now));
            assert_eq!(attempts.failed("pool", "no disk".into(), false, now), number == 0);
            let again = attempts.next().unwrap();
            assert!(!attempts.is_due("pool", again - Duration::from_millis(1)));
            waits.push((again - now).as_secs());
            now = again;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(attempts.failed("pool", "another reason".into(), false, now));
        assert_eq!(attempts.why("pool"), Some("another reason"));
        attempts.begin_anew(now, |_| true);
        assert!(attempts.is_due("pool", now));
        assert!(attempts.succeeded("pool") && !attempts.succeeded("pool"));
        assert_eq!((attempts.next(), attempts.why("pool")), (None, None));
    }

    #[test]
    fn what_is_in_use_is_asked_for_every_second() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            attempts.failed("pool", "in use".into(), true, now);
            assert_eq!(attempts.next(), Some(now + SHORTEST));
        }
        attempts.begin_anew(now, |name| name != "pool");
        assert_eq!(attempts.next(), None);
    }
}
