//! What must outlive the log's eviction: which spaces there are, their epochs and salts, and the bans on them.
//!
//! Facts are kept in memory and written down as records; applying all records in their order gives the facts again.

use std::collections::BTreeMap;

use thiserror::Error;

use super::super::bytes::{u32_at, u64_at};
use crate::seal::Salt;

/// Bytes of a space's salt.
const SALT_LEN: usize = Salt::LEN;
/// Bytes of bans that one space may have; one more is refused.
pub const BANS_LIMIT: usize = 8 * 1024 * 1024;
/// The longest name of a space, bytes.
pub const NAME_LIMIT: usize = 1024;
/// Spaces that a store may have.
pub const SPACES_LIMIT: usize = 65_536;

/// Random bytes of one space, from which its records' keys are derived: without them its records say nothing.
pub(in super::super) type SpaceSalt = [u8; SALT_LEN];

/// One change of the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Fact {
    /// A space begins.
    Space { id: u32, name: String, epoch: u64, salt: SpaceSalt },
    /// It was flushed.
    Epoch { id: u32, epoch: u64 },
    /// It has a ban until a second since 1970.
    Ban { id: u32, expires: u32, bytes: Vec<u8> },
    /// It is gone, and with it its salt.
    Forgotten { id: u32 },
    /// Ids below are taken.
    NextSpace { id: u32 },
}

/// Bytes that are no fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no fact")]
pub(in super::super) struct NoFact;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct SpaceFacts {
    pub(in super::super) name: String,
    pub(in super::super) epoch: u64,
    pub(in super::super) salt: SpaceSalt,
    /// Expiry, bytes.
    pub(in super::super) bans: Vec<(u32, Vec<u8>)>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Facts {
    pub(in super::super) spaces: BTreeMap<u32, SpaceFacts>,
    pub(in super::super) next_space: u32,
}

impl Facts {
    pub(in super::super) fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Space { id, name, epoch, salt } => self.begin(id, SpaceFacts { name, epoch, salt, bans: Vec::new() }),
            Fact::Epoch { id, epoch } => self.start_epoch(id, epoch),
            Fact::Ban { id, expires, bytes } => {
                if let Some(space) = self.spaces.get_mut(&id) {
                    space.bans.push((expires, bytes));
                }
            }
            Fact::Forgotten { id } => drop(self.spaces.remove(&id)),
            Fact::NextSpace { id } => self.next_space = self.next_space.max(id),
        }
    }

    /// Drops bans whose time is over.
    pub(in super::super) fn retire(&mut self, now: u32) {
        for space in self.spaces.values_mut() {
            space.bans.retain(|(expires, _)| *expires > now);
        }
    }

    /// Records that give these facts again.
    pub(in super::super) fn records(&self) -> Vec<Fact> {
        let mut records = vec![Fact::NextSpace { id: self.next_space }];
        for (&id, space) in &self.spaces {
            records.push(Fact::Space { id, name: space.name.clone(), epoch: space.epoch, salt: space.salt });
            let bans = space.bans.iter();
            records.extend(bans.map(|(expires, bytes)| Fact::Ban { id, expires: *expires, bytes: bytes.clone() }));
        }
        records
    }

    pub(in super::super) fn by_name(&self, name: &str) -> Option<u32> {
        self.spaces.iter().find(|(_, space)| space.name == name).map(|(id, _)| *id)
    }

    pub(in super::super) fn salt(&self, id: u32) -> Option<Salt> {
        self.spaces.get(&id).map(|space| Salt::from_bytes(space.salt))
    }

    pub(in super::super) fn ban_bytes(&self, id: u32) -> usize {
        self.spaces.get(&id).map_or(0, |space| space.bans.iter().map(|(_, bytes)| bytes.len() + 64).sum())
    }

    fn begin(&mut self, id: u32, space: SpaceFacts) {
        self.next_space = self.next_space.max(id.saturating_add(1));
        self.spaces.insert(id, space);
    }

    /// A flush takes the bans along: what they covered is gone.
    fn start_epoch(&mut self, id: u32, epoch: u64) {
        if let Some(space) = self.spaces.get_mut(&id) {
            space.epoch = space.epoch.max(epoch);
            space.bans.clear();
        }
    }
}

impl Fact {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.code()];
        match self {
            Self::Space { id, name, epoch, salt } => {
                bytes.extend(id.to_le_bytes());
                bytes.extend(epoch.to_le_bytes());
                bytes.extend(salt);
                bytes.extend(name.as_bytes());
            }
            Self::Epoch { id, epoch } => {
                bytes.extend(id.to_le_bytes());
                bytes.extend(epoch.to_le_bytes());
            }
            Self::Ban { id, expires, bytes: ban } => {
                bytes.extend(id.to_le_bytes());
                bytes.extend(expires.to_le_bytes());
                bytes.extend(ban);
            }
            Self::Forgotten { id } | Self::NextSpace { id } => bytes.extend(id.to_le_bytes()),
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoFact> {
        let (code, rest) = bytes.split_first().ok_or(NoFact)?;
        let (id, rest) = rest.split_at_checked(4).ok_or(NoFact)?;
        let id = u32_at(id, 0);
        match code {
            1 => Self::read_space(id, rest),
            2 if rest.len() == 8 => Ok(Self::Epoch { id, epoch: u64_at(rest, 0) }),
            3 => {
                let (expires, ban) = rest.split_at_checked(4).ok_or(NoFact)?;
                Ok(Self::Ban { id, expires: u32_at(expires, 0), bytes: ban.to_vec() })
            }
            4 if rest.is_empty() => Ok(Self::Forgotten { id }),
            5 if rest.is_empty() => Ok(Self::NextSpace { id }),
            _ => Err(NoFact),
        }
    }

    fn read_space(id: u32, rest: &[u8]) -> Result<Self, NoFact> {
        let (epoch, rest) = rest.split_at_checked(8).ok_or(NoFact)?;
        let (salt, name) = rest.split_first_chunk().ok_or(NoFact)?;
        let name = std::str::from_utf8(name).map_err(|_| NoFact)?.to_owned();
        Ok(Self::Space { id, name, epoch: u64_at(epoch, 0), salt: *salt })
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Space { .. } => 1,
            Self::Epoch { .. } => 2,
            Self::Ban { .. } => 3,
            Self::Forgotten { .. } => 4,
            Self::NextSpace { .. } => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Fact> {
        vec![
            Fact::NextSpace { id: 4 },
            Fact::Space { id: 1, name: "pets/prod".to_owned(), epoch: 3, salt: [9; SALT_LEN] },
            Fact::Ban { id: 1, expires: 50, bytes: b"ban".to_vec() },
            Fact::Epoch { id: 1, epoch: 4 },
            Fact::Ban { id: 1, expires: 60, bytes: Vec::new() },
            Fact::Space { id: 6, name: String::new(), epoch: 0, salt: [8; SALT_LEN] },
            Fact::Forgotten { id: 6 },
        ]
    }

    #[test]
    fn facts_come_back_from_their_bytes() {
        for fact in all() {
            assert_eq!(Fact::read(&fact.to_bytes()), Ok(fact));
        }
        assert_eq!(Fact::read(&[]), Err(NoFact));
        assert_eq!(Fact::read(&[9, 0, 0, 0, 0]), Err(NoFact));
        assert_eq!(Fact::read(&[1, 0, 0, 0, 0, 1]), Err(NoFact));
    }

    #[test]
    fn records_give_the_same_facts_again() {
        let mut facts = Facts::default();
        all().into_iter().for_each(|fact| facts.apply(fact));
        assert_eq!((facts.next_space, facts.spaces[&1].epoch, facts.spaces.len()), (7, 4, 1));
        assert_eq!(facts.spaces[&1].bans, [(60, Vec::new())]);
        let mut again = Facts::default();
        facts.records().into_iter().for_each(|fact| again.apply(fact));
        assert_eq!(again, facts);
    }

    #[test]
    fn a_ban_is_retired_when_its_time_is_over() {
        let mut facts = Facts::default();
        all().into_iter().for_each(|fact| facts.apply(fact));
        facts.retire(59);
        assert_eq!(facts.spaces[&1].bans.len(), 1);
        facts.retire(60);
        assert_eq!(facts.ban_bytes(1), 0);
    }
}
