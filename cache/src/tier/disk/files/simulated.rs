//! A directory in memory that does what disks do on bad days: it refuses, and at a power cut it forgets whatever was
//! not synced, page by page, or keeps it.
//!
//! Which pages a power cut keeps is drawn from the caller's seed, so every failure can be had again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use super::super::buffer::PAGE;
use super::{DirectoryIo, FileIo, Open};

/// A disk. A clone is the same disk.
#[derive(Clone, Default)]
pub(in super::super) struct Disk {
    state: Arc<Mutex<State>>,
    /// Whoever holds it keeps all writes waiting.
    writing: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Contents>,
    names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    next: u64,
    calls: Vec<Call>,
    faults: Faults,
}

#[derive(Default, Clone)]
struct Contents {
    /// As a reader sees it.
    seen: Vec<u8>,
    /// As it is on the device.
    synced: Vec<u8>,
    dirty: BTreeSet<usize>,
}

/// What goes wrong.
#[derive(Debug, Default, Clone, Copy)]
pub(in super::super) struct Faults {
    pub(in super::super) writes: bool,
    pub(in super::super) reads: bool,
    pub(in super::super) syncs: bool,
    /// Bytes that may be allocated in all; nothing means any number.
    pub(in super::super) room: Option<u64>,
}

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Call {
    Write(String),
    Sync(String),
    SyncNames,
    Rename(String),
}

struct SimulatedFile {
    disk: Disk,
    id: u64,
    name: String,
}

impl Disk {
    pub(in super::super) fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Writes wait until the guard is dropped.
    pub(in super::super) fn stall(&self) -> MutexGuard<'_, ()> {
        self.writing.lock()
    }

    /// The calls since this was asked last.
    pub(in super::super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().calls)
    }

    /// What a machine finds that was cut from power and started again: of what was not synced, some pages, as `keep` says
    /// for each. The old machine writes to its own copy from here on.
    pub(in super::super) fn after_power_cut(&self, mut keep: impl FnMut() -> bool) -> Self {
        let state = self.state.lock();
        let mut files = state.files.clone();
        for contents in files.values_mut() {
            contents.lose(&mut keep);
        }
        let names = if keep() { state.names.clone() } else { state.synced_names.clone() };
        let synced_names = names.clone();
        let next = state.next;
        let state = State { files, names, synced_names, next, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), writing: Arc::default() }
    }

    /// What a process finds that was killed and started again.
    pub(in super::super) fn after_kill(&self) -> Self {
        self.after_power_cut(|| true)
    }

    /// Names and lengths.
    pub(in super::super) fn list(&self) -> Vec<(String, usize)> {
        let state = self.state.lock();
        state.names.iter().map(|(name, id)| (name.clone(), state.files[id].seen.len())).collect()
    }

    pub(in super::super) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state.lock();
        state.files[&state.names[name]].seen.clone()
    }

    pub(in super::super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state.lock();
        let id = state.names.get(name).copied().unwrap_or_else(|| state.create(name));
        let contents = state.files.get_mut(&id).unwrap();
        contents.seen = bytes.to_vec();
        contents.synced = bytes.to_vec();
        contents.dirty.clear();
    }

    pub(in super::super) fn unlink(&self, name: &str) {
        let mut state = self.state.lock();
        state.names.remove(name);
        state.synced_names.remove(name);
    }

    fn fault(&self, which: impl Fn(&Faults) -> bool) -> io::Result<()> {
        if which(&self.state.lock().faults) { Err(Errno::IO.into()) } else { Ok(()) }
    }
}

impl State {
    fn create(&mut self, name: &str) -> u64 {
        self.next += 1;
        self.names.insert(name.to_owned(), self.next);
        self.files.insert(self.next, Contents::default());
        self.next
    }

    fn allocated(&self) -> u64 {
        self.names.values().map(|id| self.files[id].seen.len() as u64).sum()
    }
}

impl Contents {
    fn lose(&mut self, keep: &mut impl FnMut() -> bool) {
        self.keep_dirty(keep);
        self.synced.resize(self.seen.len(), 0);
        self.seen = self.synced.clone();
    }

    fn keep_dirty(&mut self, keep: &mut impl FnMut() -> bool) {
        for page in std::mem::take(&mut self.dirty) {
            let range = page * PAGE..self.seen.len().min((page + 1) * PAGE);
            if keep() {
                self.synced.resize(self.synced.len().max(range.end), 0);
                self.synced[range.clone()].copy_from_slice(&self.seen[range]);
            }
        }
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        self.seen.resize(self.seen.len().max(end), 0);
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / PAGE..end.div_ceil(PAGE));
    }
}

impl DirectoryIo for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, how: Open) -> io::Result<Arc<dyn FileIo>> {
        let mut state = self.state.lock();
        let id = match (how, state.names.get(name)) {
            (Open::Existing | Open::ExistingBuffered | Open::ExistingDirect, Some(id)) => *id,
            (Open::Existing | Open::ExistingBuffered | Open::ExistingDirect, None) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            (_, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (_, None) if state.faults.writes => return Err(Errno::IO.into()),
            (_, None) => state.create(name),
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), id, name: name.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.fault(|faults| faults.writes)?;
        let mut state = self.state.lock();
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        state.calls.push(Call::Rename(to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.state.lock().names.remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.fault(|faults| faults.syncs)?;
        let mut state = self.state.lock();
        state.synced_names = state.names.clone();
        state.calls.push(Call::SyncNames);
        Ok(())
    }

    fn available(&self) -> io::Result<u64> {
        let state = self.state.lock();
        Ok(state.faults.room.map_or(u64::MAX, |room| room.saturating_sub(state.allocated())))
    }
}

impl FileIo for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.fault(|faults| faults.reads)?;
        let state = self.disk.state.lock();
        let start = offset as usize;
        let bytes = state.files[&self.id].seen.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn read_parts(&self, head: &mut [u8], rest: &mut [u8], offset: u64, _wait: bool) -> io::Result<bool> {
        self.read_at(head, offset)?;
        self.read_at(rest, offset + head.len() as u64)?;
        Ok(true)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let _turn = self.disk.writing.lock();
        self.disk.fault(|faults| faults.writes)?;
        let mut state = self.disk.state.lock();
        state.calls.push(Call::Write(self.name.clone()));
        state.files.get_mut(&self.id).unwrap().write(bytes, offset as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.fault(|faults| faults.syncs)?;
        let mut state = self.disk.state.lock();
        state.calls.push(Call::Sync(self.name.clone()));
        state.files.get_mut(&self.id).unwrap().keep_dirty(&mut || true);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.fault(|faults| faults.writes)?;
        let mut state = self.disk.state.lock();
        if state.faults.room.is_some_and(|room| state.allocated() + len > room) {
            return Err(Errno::NOSPC.into());
        }
        let contents = state.files.get_mut(&self.id).unwrap();
        contents.seen.resize(len as usize, 0);
        contents.synced.resize(len as usize, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state.lock().files[&self.id].seen.len() as u64)
    }
}
