//! Fetches under way, by the last purge before they began.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Bans, Sequence};

/// Held by a fetch from before it begins until what it brought is stored or not: as long as it is, no later ban goes away.
#[derive(Debug)]
pub struct Birth {
    bans: Arc<Bans>,
    sequence: Sequence,
}

impl Birth {
    pub(super) fn new(bans: Arc<Bans>, sequence: Sequence) -> Self {
        Self { bans, sequence }
    }

    /// The last purge before the fetch began.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl Clone for Birth {
    fn clone(&self) -> Self {
        self.bans.births().again(self.sequence);
        Self { bans: Arc::clone(&self.bans), sequence: self.sequence }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        if self.bans.births().end(self.sequence) {
            self.bans.retire(0);
        }
    }
}

/// How many hold which number. One entry per purge that a fetch under way has outlived, so never more than fetches.
#[derive(Debug, Default)]
pub(super) struct Births(Mutex<BTreeMap<Sequence, usize>>);

impl Births {
    /// `newest` is asked while no ban can be retired in between.
    pub(super) fn begin(&self, newest: impl FnOnce() -> Sequence) -> Sequence {
        let mut births = self.0.lock();
        let sequence = newest();
        *births.entry(sequence).or_default() += 1;
        sequence
    }

    fn again(&self, sequence: Sequence) {
        *self.0.lock().entry(sequence).or_default() += 1;
    }

    /// Whether the oldest is another one now.
    fn end(&self, sequence: Sequence) -> bool {
        let mut births = self.0.lock();
        let was_oldest = births.keys().next() == Some(&sequence);
        let Some(count) = births.get_mut(&sequence) else { return false };
        *count -= 1;
        let is_last = *count == 0;
        if is_last {
            births.remove(&sequence);
        }
        was_oldest && is_last
    }

    pub(super) fn oldest(&self) -> Option<Sequence> {
        self.0.lock().keys().next().copied()
    }
}
