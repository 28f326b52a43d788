//! All stores of the node, kept as the plan of the moment wants them, and what is left over of those that it does not.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use sluice_cache::seal::Keyring;
use sluice_cache::tier::disk::{self, Config, OpenError, Reads, Stats, Store};
use thiserror::Error;

use super::attempts::Attempts;
use super::events::Logged;
use super::leftovers::{Leftover, Leftovers, unwanted_stores};
use super::opened::{Opened, Service};
use super::shelf::{Shelf, Shelved, Shelves, own_name, shelves};
use crate::message::date::Epoch;

/// How long somebody waits who wants to look through a store while somebody else does.
const SURVEY_TURN: Duration = Duration::from_secs(10);
/// When a leftover that could not be removed is tried again.
const REMOVED_AGAIN: Duration = Duration::from_secs(60);

/// What the plan of the moment wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The stores.
    pub shelves: Shelves,
    /// Bytes that all of them may take on disk, leftovers among them.
    pub size: u64,
    /// How long what a stage has is kept when the stage is gone.
    pub keep_removed: Duration,
}

/// The node's stores.
pub struct Disks {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Held by whoever closes, until it is done.
    closing: Mutex<()>,
    /// Held by whoever looks through a store.
    survey: Mutex<()>,
}

/// Why a stage's part of the disk was not destroyed for certain.
#[derive(Debug, Error)]
pub enum NotShredded {
    /// There is none.
    #[error("there is nothing of it on disk")]
    Nothing,
    /// The store cannot be had, or the system refuses.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is gone for this process, and not on the device.
    #[error(transparent)]
    NotDurable(#[from] disk::NotDurable),
}

struct Shared {
    directory: PathBuf,
    reads: Reads,
    keyring: Option<Arc<Keyring>>,
    clock: Epoch,
    /// What is wanted, and how often that has changed.
    wanted: Mutex<(Wanted, u64)>,
    /// Locked before `wanted`, where both are.
    state: Mutex<State>,
    /// Says that something is wanted, or that the end has come.
    changed: Condvar,
    ending: AtomicBool,
}

#[derive(Default)]
struct State {
    open: HashMap<String, Opened>,
    attempts: Attempts,
}

impl Disks {
    /// Stores under `directory`; none yet. `clock` tells the time that lifetimes are counted in.
    pub fn new(directory: &Path, reads: Reads, keyring: Option<Arc<Keyring>>, clock: Epoch) -> Self {
        let shared = Shared {
            directory: directory.to_owned(),
            reads,
            keyring,
            clock,
            wanted: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            ending: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), keeper: Mutex::new(None), closing: Mutex::new(()), survey: Mutex::new(()) }
    }

    /// The stores that stages are to have: each stays where it lies.
    pub fn shelves(&self, stages: Vec<Shelved>) -> Shelves {
        shelves(stages, &self.shared.directory)
    }

    /// Has the stores become what the plan of the moment wants. What can be done at once is; the rest a thread tries
    /// again and again.
    pub fn want(&self, wanted: Wanted) {
        wanted.shelves.iter().flat_map(|shelf| &shelf.stages).for_each(|stage| stage.disk.expect());
        {
            let mut current = self.shared.wanted.lock();
            *current = (wanted, current.1 + 1);
        }
        if self.shared.ending.load(Relaxed) {
            return;
        }
        self.shared.reconcile(true);
        self.shared.wake();
        let mut keeper = self.keeper.lock();
        if keeper.is_none() {
            *keeper = self.spawn();
        }
    }

    fn spawn(&self) -> Option<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        let keeper = Builder::new().name("disk-keeper".into()).spawn(move || shared.keep());
        keeper.inspect_err(|error| tracing::error!(%error, "no thread for stores that are not open")).ok()
    }

    /// Each store that is open, with its figures.
    pub fn stats(&self) -> Vec<(String, Stats)> {
        let state = self.shared.state.lock();
        let mut stats: Vec<_> = state.open.iter().map(|(name, opened)| (name.clone(), opened.store.stats())).collect();
        stats.sort_by(|a, b| a.0.cmp(&b.0));
        stats
    }

    /// Waits until all that was queued is on the device, in every store. What is not open has nothing queued.
    ///
    /// # Errors
    /// A store that has not all of it there, and why.
    pub fn commit(&self) -> Result<(), (String, disk::NotDurable)> {
        let commits: Vec<_> = {
            let state = self.shared.state.lock();
            state.open.iter().map(|(name, opened)| (name.clone(), opened.store.commit())).collect()
        };
        // Each is waited for, so that the next call finds none of these orders before its own.
        let commits = commits.into_iter().map(|(store, commit)| commit.wait().map_err(|error| (store, error)));
        commits.fold(Ok(()), Result::and)
    }

    /// The right to look through a store: one at a time on this node, so that requests have most of the disk. Nothing if
    /// it is not to be had in time.
    pub fn survey_turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.survey.try_lock_for(SURVEY_TURN)
    }

    /// Names of the stores that should be open and are not, and why.
    pub fn missing(&self) -> Vec<(String, String)> {
        let state = self.shared.state.lock();
        let wanted = self.shared.wanted.lock();
        let missing = wanted.0.shelves.iter().filter(|shelf| !state.open.contains_key(&shelf.name));
        let why = |name: &str| state.attempts.why(name).unwrap_or("it has not been tried yet").to_owned();
        missing.map(|shelf| (shelf.name.clone(), why(&shelf.name))).collect()
    }

    /// Destroys what a stage (`API/STAGE`) has on disk, whether it is still there or not, on the device: what was sealed
    /// cannot be read any more by anybody. A stage that is there begins anew.
    ///
    /// # Errors
    /// See [`NotShredded`].
    pub fn shred(&self, stage: &str) -> Result<(), NotShredded> {
        let forgotten: Vec<_> = {
            let state = self.shared.state.lock();
            state.open.values().filter_map(|opened| opened.forget(stage)).collect()
        };
        let own = own_name(stage);
        let directory = self.shared.directory.join(&own);
        let is_open = self.shared.state.lock().open.contains_key(&own);
        let is_closed_store = !is_open && disk::lies_in(&directory);
        if forgotten.is_empty() && !is_closed_store {
            return Err(NotShredded::Nothing);
        }
        let destroyed = if is_closed_store { disk::destroy(&directory) } else { Ok(()) };
        let forgotten = forgotten.into_iter().map(|ack| ack.wait()).fold(Ok(()), Result::and);
        if !self.shared.ending.load(Relaxed) {
            self.shared.reconcile(true);
        }
        forgotten?;
        Ok(destroyed?)
    }

    /// Writes what is queued and gives the directories up. Blocks until that is done.
    pub fn close(&self) {
        let _whole = self.closing.lock();
        self.shared.ending.store(true, Relaxed);
        self.shared.wake();
        if let Some(keeper) = self.keeper.lock().take() {
            // If it has panicked it has said so.
            let _ended = keeper.join();
        }
        let open = std::mem::take(&mut self.shared.state.lock().open);
        open.into_values().for_each(Opened::close);
    }
}

impl Shared {
    fn wake(&self) {
        let _so_that_the_keeper_waits_already = self.wanted.lock();
        self.changed.notify_all();
    }

    fn keep(&self) {
        let mut leftovers = Leftovers::default();
        while !self.ending.load(Relaxed) {
            let turn = self.wanted.lock().1;
            self.reconcile(false);
            let tidied_again = self.tidy(&mut leftovers);
            let again = [self.state.lock().attempts.next(), tidied_again].into_iter().flatten().min();
            let mut wanted = self.wanted.lock();
            if wanted.1 != turn || self.ending.load(Relaxed) {
                continue;
            }
            match again {
                Some(again) => drop(self.changed.wait_until(&mut wanted, again)),
                None => self.changed.wait(&mut wanted),
            }
        }
    }

    /// Brings the stores closer to what is wanted; with `anew`, also what is not due yet.
    fn reconcile(&self, anew: bool) {
        let mut state = self.state.lock();
        let wanted = self.wanted.lock().0.shelves.clone();
        let (State { open, attempts }, now) = (&mut *state, Instant::now());
        if anew {
            let is_wanted = |name: &str| {
                wanted.iter().any(|shelf| shelf.name == name || shelf.stages.iter().any(|stage| stage.name == name))
            };
            attempts.begin_anew(now, is_wanted);
        }
        let needless = open.extract_if(|name, _| wanted.iter().all(|shelf| shelf.name != *name));
        needless.for_each(|(_, opened)| opened.dismiss());
        let service = Service { keyring: self.keyring.as_ref(), clock: self.clock, now };
        for shelf in wanted {
            if !open.contains_key(&shelf.name) && attempts.is_due(&shelf.name, now) {
                self.open(&shelf, open, attempts, now);
            }
            if let Some(opened) = open.get_mut(&shelf.name) {
                opened.adjust(shelf, &service, attempts);
            }
        }
    }

    fn open(&self, shelf: &Shelf, open: &mut HashMap<String, Opened>, attempts: &mut Attempts, now: Instant) {
        let store = &shelf.name;
        let mut config = Config::new(&self.directory.join(store), shelf.capacity);
        if self.reads == Reads::Direct {
            config = config.direct();
        }
        config.events = Arc::new(Logged { store: store.clone() });
        match Store::open(&config) {
            Ok(opened) => {
                if attempts.succeeded(store) {
                    tracing::info!(store, "a disk cache is open after all");
                }
                open.insert(store.clone(), Opened::new(opened, shelf.capacity));
            }
            Err(error) => {
                let soon = matches!(error, OpenError::InUse(_));
                if attempts.failed(store, error.to_string(), soon, now) {
                    tracing::warn!(store, %error, "a disk cache is not open; it is tried again");
                }
            }
        }
    }

    /// Removes what nobody wants any more and has been kept for long enough. When to do so again, if there is anything.
    fn tidy(&self, leftovers: &mut Leftovers) -> Option<Instant> {
        let (now, state) = (Instant::now(), self.state.lock());
        let wanted = self.wanted.lock().0.clone();
        let is_wanted = |name: &str| wanted.shelves.iter().any(|shelf| shelf.name == name);
        let spaces = state.open.iter().flat_map(|(name, opened)| opened.leftovers(name)).map(|space| (space, 0));
        let found = unwanted_stores(&self.directory, is_wanted).into_iter().chain(spaces).collect();
        let taken = wanted.shelves.iter().map(|shelf| shelf.capacity).sum();
        let due = leftovers.due(now, found, wanted.keep_removed, wanted.size.saturating_sub(taken));
        for leftover in &due {
            match leftover {
                Leftover::Space(store, space) => {
                    // Nobody waits for it.
                    drop(state.open.get(store).and_then(|opened| opened.forget_unread(space)));
                }
                Leftover::Store(name) => self.free(name),
            }
        }
        let again = (!due.is_empty()).then(|| now + REMOVED_AGAIN);
        leftovers.next(now, wanted.keep_removed).into_iter().chain(again).min()
    }

    /// Should the process end meanwhile, the next one does the rest.
    fn free(&self, store: &str) {
        let (directory, store) = (self.directory.join(store), store.to_owned());
        let free = move || match disk::destroy(&directory) {
            Ok(()) => tracing::info!(store, "no stage has this disk cache any more: it is removed"),
            Err(error) => tracing::warn!(store, %error, "a disk cache that no stage has any more is not removed"),
        };
        // Should there be no thread, it is tried again.
        let _ = Builder::new().name("disk-free".into()).spawn(free);
    }
}

impl fmt::Debug for Disks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disks({})", self.shared.directory.display())
    }
}
