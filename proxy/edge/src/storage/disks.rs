//! All stores of the node, kept as the plan of the moment wants them.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use sluice_cache::invalidate::Bans;
use sluice_cache::record::Codec;
use sluice_cache::seal::Keyring;
use sluice_cache::tier::disk::{Config, Reads, Stats, Store};

use super::events::Logged;
use super::stage_disk::StageDisk;
use crate::message::date::Epoch;

/// How often a store that is not open is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How long somebody waits who wants to look through a store while somebody else does.
const SURVEY_TURN: Duration = Duration::from_secs(10);

/// A store as it should be.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Its name, and that of its directory.
    pub name: String,
    /// Bytes.
    pub capacity: u64,
    /// The stages in it.
    pub stages: Vec<Shelved>,
}

/// A stage's part of a store.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// `API/STAGE`.
    pub name: String,
    /// Bytes.
    pub share: u64,
    /// Where it is served from.
    pub disk: Arc<StageDisk>,
    /// What is forbidden.
    pub bans: Arc<Bans>,
}

/// All stores as they should be.
pub type Shelves = Vec<Shelf>;

/// The node's stores.
pub struct Disks {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Held by whoever closes, until it is done.
    closing: Mutex<()>,
    /// Held by whoever looks through a store.
    survey: Mutex<()>,
}

struct Shared {
    directory: PathBuf,
    reads: Reads,
    keyring: Option<Arc<Keyring>>,
    clock: Epoch,
    wanted: Mutex<Shelves>,
    open: Mutex<HashMap<String, Opened>>,
    /// Says that something is wanted, or that the end has come.
    changed: Condvar,
    ending: AtomicBool,
}

struct Opened {
    store: Store,
    capacity: u64,
    stages: Vec<Shelved>,
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
            open: Mutex::default(),
            changed: Condvar::new(),
            ending: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), keeper: Mutex::new(None), closing: Mutex::new(()), survey: Mutex::new(()) }
    }

    /// Has the stores become what the plan of the moment wants. What can be done at once is; the rest a thread tries
    /// again and again.
    pub fn want(&self, shelves: Shelves) {
        shelves.iter().flat_map(|shelf| &shelf.stages).for_each(|stage| stage.disk.expect());
        *self.shared.wanted.lock() = shelves;
        if self.shared.ending.load(Relaxed) {
            return;
        }
        let complete = self.shared.reconcile();
        let mut keeper = self.keeper.lock();
        match &*keeper {
            Some(_) => drop(self.shared.changed.notify_all()),
            None if !complete => *keeper = self.spawn(),
            None => {}
        }
    }

    fn spawn(&self) -> Option<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        let keeper = std::thread::Builder::new().name("disk-keeper".into()).spawn(move || shared.keep());
        keeper.inspect_err(|error| tracing::error!(%error, "no thread for stores that are not open")).ok()
    }

    /// Each store that is open, with its figures.
    pub fn stats(&self) -> Vec<(String, Stats)> {
        let open = self.shared.open.lock();
        let mut stats: Vec<_> = open.iter().map(|(name, opened)| (name.clone(), opened.store.stats())).collect();
        stats.sort_by(|a, b| a.0.cmp(&b.0));
        stats
    }

    /// The right to look through a store: one at a time on this node, so that requests have most of the disk. Nothing if
    /// it is not to be had in time.
    pub fn survey_turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.survey.try_lock_for(SURVEY_TURN)
    }

    /// Names of the stores that should be open and are not.
    pub fn missing(&self) -> Vec<String> {
        let open = self.shared.open.lock();
        let wanted = self.shared.wanted.lock();
        wanted.iter().map(|shelf| shelf.name.clone()).filter(|name| !open.contains_key(name)).collect()
    }

    /// Writes what is queued and gives the directories up. Blocks until that is done.
    pub fn close(&self) {
        let _whole = self.closing.lock();
        self.shared.ending.store(true, Relaxed);
        self.shared.changed.notify_all();
        if let Some(keeper) = self.keeper.lock().take() {
            // If it has panicked it has said so.
            let _ended = keeper.join();
        }
        let open: Vec<Opened> = self.shared.open.lock().drain().map(|(_, opened)| opened).collect();
        open.iter().flat_map(|opened| &opened.stages).for_each(|stage| stage.disk.detach());
        open.into_iter().for_each(|opened| opened.store.close());
    }
}

impl Shared {
    fn keep(&self) {
        let mut said = false;
        while !self.ending.load(Relaxed) {
            let complete = self.reconcile();
            if complete && said {
                tracing::info!("every disk cache is open");
            }
            said = !complete;
            let mut wanted = self.wanted.lock();
            if complete {
                self.changed.wait(&mut wanted);
            } else {
                self.changed.wait_for(&mut wanted, RETRY);
            }
        }
    }

    /// Whether everything is as it should be.
    fn reconcile(&self) -> bool {
        let wanted = self.wanted.lock().clone();
        let mut open = self.open.lock();
        let needless = open.extract_if(|name, _| wanted.iter().all(|shelf| shelf.name != *name));
        let needless: Vec<Opened> = needless.map(|(_, opened)| opened).collect();
        needless.iter().flat_map(|opened| &opened.stages).for_each(|stage| stage.disk.dismiss());
        let mut complete = true;
        for shelf in wanted {
            complete &= match open.get_mut(&shelf.name) {
                Some(opened) => self.adjust(opened, shelf),
                None => self.open(shelf, &mut open),
            };
        }
        complete
    }

    fn open(&self, shelf: Shelf, open: &mut HashMap<String, Opened>) -> bool {
        let mut config = Config::new(&self.directory.join(&shelf.name), shelf.capacity);
        if self.reads == Reads::Direct {
            config = config.direct();
        }
        config.events = Arc::new(Logged { store: shelf.name.clone() });
        match Store::open(&config) {
            Ok(store) => {
                let opened = Opened { store, capacity: shelf.capacity, stages: Vec::new() };
                let opened = open.entry(shelf.name.clone()).or_insert(opened);
                self.adjust(opened, shelf)
            }
            Err(error) => {
                tracing::warn!(store = shelf.name, %error, "a disk cache is not open; it is tried again");
                false
            }
        }
    }

    fn adjust(&self, opened: &mut Opened, shelf: Shelf) -> bool {
        if opened.capacity != shelf.capacity {
            match opened.store.resize(shelf.capacity) {
                Ok(_will_hold_soon) => opened.capacity = shelf.capacity,
                Err(error) => tracing::warn!(store = shelf.name, %error, "a disk cache keeps its size"),
            }
        }
        let left = |stage: &&Shelved| shelf.stages.iter().all(|wanted| !Arc::ptr_eq(&wanted.disk, &stage.disk));
        opened.stages.iter().filter(left).for_each(|stage| stage.disk.dismiss());
        let served = shelf.stages.iter().map(|stage| self.serve(&opened.store, stage)).fold(true, |all, one| all & one);
        opened.stages = shelf.stages;
        served
    }

    fn serve(&self, store: &Store, stage: &Shelved) -> bool {
        if let Some(space) = stage.disk.space() {
            space.set_share(stage.share);
            return true;
        }
        let codec = |salt| match &self.keyring {
            Some(keyring) => Codec::sealed(Arc::clone(keyring), salt),
            None => Codec::plain(),
        };
        match store.space(&stage.name, codec) {
            Ok(space) => {
                space.set_share(stage.share);
                stage.disk.attach(space, &stage.bans, self.clock.mono());
                stage.disk.space().is_some()
            }
            Err(error) => {
                tracing::warn!(stage = stage.name, %error, "no place on disk");
                false
            }
        }
    }
}

impl fmt::Debug for Disks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disks({})", self.shared.directory.display())
    }
}
