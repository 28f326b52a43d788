//! Purges that came while a stage's part of the disk was not open: they are made up for before anything is served from
//! it.

use sluice_cache::invalidate::{BANS, Ban, NotDurable};
use sluice_cache::tier::disk::{self, Space};

/// What is owed to a disk. At most [`BANS`] bans; one more and all of it is dropped.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// There is a disk to come.
    is_awaited: bool,
    everything: bool,
    bans: Vec<Vec<u8>>,
}

const NOT_OPEN: &str = "its disk cache is not open, and will take note of it once it is";

impl Owed {
    pub(super) const fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Whether a disk is to come at all.
    pub(super) fn await_disk(&mut self, is_awaited: bool) {
        self.is_awaited = is_awaited;
        if !is_awaited {
            (self.everything, self.bans) = (false, Vec::new());
        }
    }

    pub(super) fn ban(&mut self, ban: &Ban) -> Result<(), NotDurable> {
        if !self.is_awaited {
            return Ok(());
        }
        // One that says it is not needed was made for a disk that has just gone.
        match self.bans.len() < BANS && ban.until_ns() > 0 {
            true => self.bans.push(super::stage_disk::encoded(ban)),
            false => self.everything = true,
        }
        Err(NotDurable(NOT_OPEN.into()))
    }

    pub(super) fn flush(&mut self) -> Result<(), NotDurable> {
        if !self.is_awaited {
            return Ok(());
        }
        (self.everything, self.bans) = (true, Vec::new());
        Err(NotDurable(NOT_OPEN.into()))
    }

    /// Makes up for it, each until it is on the device. Bans are kept until `expires`, seconds since 1970.
    pub(super) fn settle(&mut self, space: &Space, expires: u32) -> Result<(), NotDurable> {
        let failed = |error: disk::NotDurable| NotDurable(error.to_string());
        if self.everything {
            space.flush().wait().map_err(failed)?;
        }
        for ban in &self.bans {
            space.ban(ban, expires).wait().map_err(failed)?;
        }
        (self.everything, self.bans) = (false, Vec::new());
        Ok(())
    }
}
