//! A store that is open, and the stages that it serves.

use std::sync::Arc;
use std::time::Instant;

use sluice_cache::record::Codec;
use sluice_cache::seal::Keyring;
use sluice_cache::tier::disk::{Ack, Store};

use super::attempts::Attempts;
use super::leftovers::Leftover;
use super::shelf::{Shelf, Shelved};
use crate::message::date::Epoch;

pub(super) struct Opened {
    pub(super) store: Store,
    capacity: u64,
    stages: Vec<Shelved>,
}

/// What stages are served with.
pub(super) struct Service<'s> {
    pub(super) keyring: Option<&'s Arc<Keyring>>,
    pub(super) clock: Epoch,
    pub(super) now: Instant,
}

impl Opened {
    pub(super) const fn new(store: Store, capacity: u64) -> Self {
        Self { store, capacity, stages: Vec::new() }
    }

    /// Has it become what is wanted, as far as it is time to try.
    pub(super) fn adjust(&mut self, shelf: Shelf, service: &Service<'_>, attempts: &mut Attempts) {
        if self.capacity != shelf.capacity {
            self.resize(&shelf, service, attempts);
        }
        let left = |stage: &&Shelved| shelf.stages.iter().all(|wanted| !Arc::ptr_eq(&wanted.disk, &stage.disk));
        self.stages.iter().filter(left).for_each(|stage| stage.disk.dismiss());
        for stage in &shelf.stages {
            self.serve(stage, service, attempts);
        }
        self.stages = shelf.stages;
    }

    fn resize(&mut self, shelf: &Shelf, service: &Service<'_>, attempts: &mut Attempts) {
        match self.store.resize(shelf.capacity) {
            Ok(_will_hold_soon) => {
                self.capacity = shelf.capacity;
                attempts.succeeded(&shelf.name);
            }
            Err(error) => {
                if attempts.failed(&shelf.name, error.to_string(), false, service.now) {
                    tracing::warn!(store = shelf.name, %error, "a disk cache keeps its size");
                }
            }
        }
    }

    fn serve(&self, stage: &Shelved, service: &Service<'_>, attempts: &mut Attempts) {
        if let Some(space) = stage.disk.space() {
            space.set_share(stage.share);
            return;
        }
        if !attempts.is_due(&stage.name, service.now) {
            return;
        }
        match self.attach(stage, service) {
            Ok(()) => drop(attempts.succeeded(&stage.name)),
            Err(why) => {
                if attempts.failed(&stage.name, why.clone(), false, service.now) {
                    tracing::warn!(stage = stage.name, why, "no place on disk; it is tried again");
                }
            }
        }
    }

    fn attach(&self, stage: &Shelved, service: &Service<'_>) -> Result<(), String> {
        let codec = |salt| match service.keyring {
            Some(keyring) => Codec::sealed(Arc::clone(keyring), salt),
            None => Codec::plain(),
        };
        let space = self.store.space(&stage.name, codec).map_err(|error| error.to_string())?;
        space.set_share(stage.share);
        stage.disk.attach(space, &stage.bans, service.clock.mono());
        stage.disk.space().map(drop).ok_or_else(|| "its bans cannot be read".to_owned())
    }

    /// Spaces that no stage has.
    pub(super) fn leftovers(&self, name: &str) -> impl Iterator<Item = Leftover> {
        let wanted = |space: &String| self.stages.iter().any(|stage| stage.name == *space);
        let left = self.store.spaces().into_iter().filter(|space| !wanted(space)).collect::<Vec<_>>();
        left.into_iter().map(move |space| Leftover::Space(name.to_owned(), space))
    }

    /// Destroys what a stage has here. If the stage is there it begins anew with the next [`Opened::adjust`].
    pub(super) fn forget(&self, stage: &str) -> Option<Ack> {
        self.stages.iter().filter(|shelved| shelved.name == stage).for_each(|shelved| shelved.disk.detach());
        self.store.forget(stage)
    }

    /// The same for a stage that is gone, unless something of it is being sent: then it is for later.
    pub(super) fn forget_unread(&self, stage: &str) -> Option<Ack> {
        if self.store.is_read(stage) { None } else { self.forget(stage) }
    }

    /// Serves nobody any more and writes what is queued. Blocks until that is done.
    pub(super) fn close(self) {
        self.stages.iter().for_each(|stage| stage.disk.detach());
        self.store.close();
    }

    /// The same, and none of its stages is to come back.
    pub(super) fn dismiss(self) {
        self.stages.iter().for_each(|stage| stage.disk.dismiss());
        self.store.close();
    }
}
