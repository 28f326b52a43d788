//! Connections that have not asked for anything yet. When there is no room for another one, that which has waited longest
//! makes room: whoever only holds connections open keeps nobody out.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Those that wait, by when they began to; no more than there are places for connections.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<(u64, BTreeMap<u64, Arc<Notify>>)>);

impl Waiting {
    /// One more waits, from now on.
    pub(super) fn enter(self: &Arc<Self>) -> Turn {
        let told = Arc::new(Notify::new());
        let (next, waiting) = &mut *self.0.lock();
        *next += 1;
        waiting.insert(*next, told.clone());
        Turn { number: *next, told, all: Arc::clone(self) }
    }

    /// Sends the one away that has waited longest; false if none waits.
    pub(super) fn send_oldest_away(&self) -> bool {
        let oldest = self.0.lock().1.pop_first();
        oldest.map(|(_, told)| told.notify_one()).is_some()
    }
}

/// A connection that waits, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    number: u64,
    told: Arc<Notify>,
    all: Arc<Waiting>,
}

impl Turn {
    /// Waits for `event`; `None` if somebody else needs the place.
    pub(super) async fn unless_sent_away<T>(&self, event: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            event = event => Some(event),
            () = self.told.notified() => None,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().1.remove(&self.number);
    }
}
