//! Whether the disk does what it is asked, and the lines when that changes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::events::{Event, Events};

/// How a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The index is being read; look-ups are misses.
    Recovering,
    /// All is well.
    Good,
    /// The last write failed: nothing new is kept. It is tried again all the time.
    WritesFail,
    /// The last read failed: it was a miss.
    ReadsFail,
}

impl Health {
    /// Its name in metrics and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovering => "recovering",
            Self::Good => "good",
            Self::WritesFail => "writes-fail",
            Self::ReadsFail => "reads-fail",
        }
    }
}

pub(super) struct Watch {
    ready: AtomicBool,
    writes_fail: AtomicBool,
    reads_fail: AtomicBool,
    events: Arc<dyn Events>,
}

impl Watch {
    pub(super) fn new(events: Arc<dyn Events>) -> Self {
        Self { ready: false.into(), writes_fail: false.into(), reads_fail: false.into(), events }
    }

    pub(super) fn health(&self) -> Health {
        match () {
            () if self.writes_fail() => Health::WritesFail,
            () if !self.is_ready() => Health::Recovering,
            () if self.reads_fail.load(Relaxed) => Health::ReadsFail,
            () => Health::Good,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    pub(super) fn make_ready(&self) {
        self.ready.store(true, Relaxed);
    }

    pub(super) fn writes_fail(&self) -> bool {
        self.writes_fail.load(Relaxed)
    }

    pub(super) fn write_failed(&self, error: &io::Error) {
        if !self.writes_fail.swap(true, Relaxed) {
            self.say(&Event::WritesFail { error });
        }
    }

    pub(super) fn write_succeeded(&self) {
        if self.writes_fail.load(Relaxed) && self.writes_fail.swap(false, Relaxed) {
            self.say(&Event::WritesResume);
        }
    }

    pub(super) fn read_failed(&self, error: &io::Error) {
        if !self.reads_fail.swap(true, Relaxed) {
            self.say(&Event::ReadsFail { error });
        }
    }

    pub(super) fn read_succeeded(&self) {
        if self.reads_fail.load(Relaxed) && self.reads_fail.swap(false, Relaxed) {
            self.say(&Event::ReadsResume);
        }
    }

    pub(super) fn say(&self, event: &Event<'_>) {
        self.events.event(event);
    }
}
