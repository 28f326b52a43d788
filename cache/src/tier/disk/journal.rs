//! The small file beside the log that remembers [`Fact`]s: appended, synced, and written anew when most of it is old.
//!
//! One thread writes it, so that whoever states a fact waits for the device only if he wants to. After a failed write
//! the end of the file is unknown: then the whole file is written anew, until that succeeds. Nothing is ever read back
//! but at the start.
//!
//! A damaged journal may have lost a flush, so nothing that was cached before is believed: the caller starts empty.

mod facts;
mod file;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;

use super::events::Event;
use super::files::DirectoryIo;
use super::health::Watch;
use super::promise::{Later, Promise, Unkept, promise};

pub use facts::{BANS_LIMIT, NAME_LIMIT, SPACES_LIMIT};
pub(super) use facts::{Fact, Facts};
pub(super) use file::{Identity, JournalFile, NAME, Read, read, shred};

/// Facts that may wait to be written; one more is written with the next whole journal, and not acknowledged.
const QUEUE_LIMIT: usize = 1024;

/// A change that is not on the device, and may be undone by a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotDurable {
    /// The disk refused it. It is tried again.
    #[error("the disk cache cannot write it down")]
    Failed,
    /// Too much waits already.
    #[error("too much waits to be written down")]
    Busy,
    /// The store was closed.
    #[error("the disk cache is closed")]
    Closed,
}

/// Resolves once what was asked for is on the device, or cannot be. What was asked for holds in this process whatever it
/// resolves to.
pub type Ack = Later<Result<(), NotDurable>>;

pub(super) type AckPromise = Promise<Result<(), NotDurable>>;

impl Unkept for Result<(), NotDurable> {
    fn unkept() -> Self {
        Err(NotDurable::Closed)
    }
}

/// The facts, and the way to their file.
pub(super) struct Journal {
    facts: Mutex<Facts>,
    queue: Mutex<Option<SyncSender<Job>>>,
}

enum Job {
    Append(Fact, AckPromise),
    /// Write all anew and destroy what was there.
    Shred(AckPromise),
}

/// What the journal's thread has.
pub(super) struct JournalWriter {
    journal: Arc<Journal>,
    jobs: Receiver<Job>,
    file: JournalFile,
    directory: Arc<dyn DirectoryIo>,
    watch: Arc<Watch>,
    retry: Duration,
    /// The file is not what the facts are.
    dirty: bool,
}

impl Journal {
    pub(super) fn new(
        facts: Facts,
        file: JournalFile,
        directory: Arc<dyn DirectoryIo>,
        watch: Arc<Watch>,
        retry: Duration,
    ) -> (Arc<Self>, JournalWriter) {
        let (queue, jobs) = sync_channel(QUEUE_LIMIT);
        let journal = Arc::new(Self { facts: Mutex::new(facts), queue: Mutex::new(Some(queue)) });
        let writer = JournalWriter { journal: Arc::clone(&journal), jobs, file, directory, watch, retry, dirty: false };
        (journal, writer)
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock()
    }

    /// States a fact.
    pub(super) fn state_in(&self, facts: &mut Facts, fact: Fact) -> Ack {
        facts.apply(fact.clone());
        let (promise, ack) = promise();
        self.send(Job::Append(fact, promise));
        ack
    }

    /// Forgets a space, and destroys its salt on the device.
    pub(super) fn forget(&self, id: u32) -> Ack {
        let mut facts = self.facts();
        facts.apply(Fact::Forgotten { id });
        let (promise, ack) = promise();
        self.send(Job::Shred(promise));
        ack
    }

    /// No more facts: the thread ends when it has written all.
    pub(super) fn close(&self) {
        self.queue.lock().take();
    }

    fn send(&self, job: Job) {
        let queue = self.queue.lock();
        let Some(queue) = queue.as_ref() else { return };
        if let Err(refused) = queue.try_send(job) {
            let (std::sync::mpsc::TrySendError::Full(job) | std::sync::mpsc::TrySendError::Disconnected(job)) = refused;
            job.promise().resolve(Err(NotDurable::Busy));
        }
    }
}

impl Job {
    fn promise(self) -> AckPromise {
        match self {
            Self::Append(_, promise) | Self::Shred(promise) => promise,
        }
    }
}

impl JournalWriter {
    pub(super) fn run(mut self) {
        loop {
            match self.next() {
                Ok(first) => self.write_all(first),
                Err(RecvTimeoutError::Timeout) => drop(self.rewrite()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.dirty {
            drop(self.rewrite());
        }
    }

    fn next(&self) -> Result<Job, RecvTimeoutError> {
        if self.dirty { self.jobs.recv_timeout(self.retry) } else { self.jobs.recv().map_err(RecvTimeoutError::from) }
    }

    /// Writes one job and whatever has come behind it, with one sync for all.
    fn write_all(&mut self, first: Job) {
        let jobs: Vec<Job> = std::iter::once(first).chain(self.jobs.try_iter().take(QUEUE_LIMIT)).collect();
        let written = self.write(&jobs).map_err(|_| NotDurable::Failed);
        jobs.into_iter().for_each(|job| job.promise().resolve(written));
    }

    fn write(&mut self, jobs: &[Job]) -> io::Result<()> {
        let shred = jobs.iter().any(|job| matches!(job, Job::Shred(_)));
        if shred || self.dirty || self.file.is_mostly_old() {
            return self.rewrite();
        }
        let facts = jobs.iter().filter_map(|job| match job {
            Job::Append(fact, _) => Some(fact),
            Job::Shred(_) => None,
        });
        let appended = self.file.append(facts);
        self.noted(appended)
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let facts = {
            let mut facts = self.journal.facts();
            facts.retire(super::clock::seconds());
            facts.records()
        };
        let rewritten = self.file.rewrite(self.directory.as_ref(), &facts);
        self.noted(rewritten)
    }

    fn noted(&mut self, written: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &written
            && !self.dirty
        {
            self.watch.say(&Event::JournalFails { error });
        }
        self.dirty = written.is_err();
        written
    }
}
