//! Gates 1, 4 and 5 on a simulated disk: power cuts that keep any part of what was not synced, kills, and flipped bits.
//! Nothing dropped or overwritten, and acknowledged, is ever found again.

use std::collections::BTreeMap;

use super::super::buffer::PAGE;
use super::super::journal::Ack;
use super::super::{Space, Store};
use super::rig::{Chance, Rig, space};

const KEYS: u64 = 40;

/// How many rounds; the long form is for `make gates`.
fn rounds(short: u64) -> u64 {
    if std::env::var_os("SLUICE_GATES").is_some() { short * 40 } else { short }
}

/// What must hold: of each key, versions below are gone for good; and these were kept and not touched since.
#[derive(Default, Clone)]
struct Model {
    least: BTreeMap<u64, u64>,
    kept: BTreeMap<u64, u64>,
    version: u64,
}

enum Done {
    Insert(u64, u64),
    Remove(u64, u64),
    Flush(u64),
}

impl Model {
    fn acknowledged(&mut self, done: &Done) {
        match done {
            Done::Insert(key, version) => self.raise(*key, *version),
            Done::Remove(key, version) => self.raise(*key, version + 1),
            Done::Flush(version) => (0..KEYS).for_each(|key| self.raise(key, version + 1)),
        }
    }

    fn raise(&mut self, key: u64, version: u64) {
        let least = self.least.entry(key).or_default();
        *least = version.max(*least);
    }

    fn check(&self, rig: &Rig, space: &Space, what: &str) {
        for key in 0..KEYS {
            let found = rig.version(space, key);
            let least = self.least.get(&key).copied().unwrap_or_default();
            assert!(found.is_none_or(|version| version >= least), "{what}: {key} has {found:?}, {least} is the least");
        }
    }

    fn check_kept(&self, rig: &Rig, space: &Space, what: &str) {
        for (key, version) in &self.kept {
            assert_eq!(rig.version(space, *key), Some(*version), "{what}: {key}");
        }
    }
}

/// Some operations, some of which are waited for.
fn work(rig: &Rig, store: &Store, chance: &mut Chance, model: &mut Model) {
    let pets = space(store);
    let mut acks: Vec<(Done, Ack)> = Vec::new();
    for _ in 0..chance.below(120) {
        model.version += 1;
        let (key, version) = (chance.below(KEYS), model.version);
        match chance.below(20) {
            0 => {
                model.kept.clear();
                acks.push((Done::Flush(version), pets.flush()));
            }
            1..5 => {
                model.kept.remove(&key);
                acks.push((Done::Remove(key, version), pets.remove(rig.key(&key.to_le_bytes()))));
            }
            5..12 => {
                model.kept.remove(&key);
                let entry = rig.entry(key, version, chance.below(3000) as usize);
                acks.extend(pets.insert_durably(entry, pets.epoch()).map(|ack| (Done::Insert(key, version), ack)));
            }
            12..19 => {
                model.kept.remove(&key);
                let _full = rig.insert(&pets, key, version, chance.below(6000) as usize);
            }
            _ => settle(&mut acks, model),
        }
    }
    if chance.below(2) == 0 {
        settle(&mut acks, model);
    }
}

fn settle(acks: &mut Vec<(Done, Ack)>, model: &mut Model) {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (done, ack) in acks.drain(..) {
        ack.wait().unwrap();
        model.acknowledged(&done);
        match done {
            Done::Insert(key, version) => drop(last.insert(key, version)),
            Done::Remove(key, _) => drop(last.remove(&key)),
            Done::Flush(_) => last.clear(),
        }
    }
    // What was inserted without an acknowledgement may have come later: only keys at their least count as kept.
    model.kept.extend(last.into_iter().filter(|(key, version)| model.least.get(key) == Some(version)));
}

#[test]
fn no_power_cut_brings_back_what_was_dropped() {
    for seed in 0..rounds(30) {
        let mut chance = Chance(seed);
        let mut rig = Rig::new();
        let mut model = Model::default();
        for boot in 0..5 {
            let store = rig.open();
            let what = format!("seed {seed}, boot {boot}");
            model.check(&rig, &space(&store), &what);
            model.kept.clear();
            work(&rig, &store, &mut chance, &mut model);
            let odds = chance.below(4) + 1;
            rig = rig.cut(|| chance.below(odds) == 0);
        }
    }
}

#[test]
fn a_killed_process_keeps_all_that_was_acknowledged() {
    for seed in 0..rounds(20) {
        let mut chance = Chance(seed ^ 0x5151);
        let rig = Rig::new();
        let store = rig.open();
        let pets = space(&store);
        let mut model = Model::default();
        for key in 0..KEYS {
            model.version += 1;
            let entry = rig.entry(key, model.version, chance.below(4000) as usize);
            pets.insert_durably(entry, pets.epoch()).unwrap().wait().unwrap();
            model.kept.insert(key, model.version);
            model.acknowledged(&Done::Insert(key, model.version));
        }
        let what = format!("seed {seed}");
        let cut = rig.cut(|| chance.below(2) == 0);
        let store = cut.open();
        model.check_kept(&cut, &space(&store), &what);
        drop(store);
        let again = cut.open();
        model.check_kept(&cut, &space(&again), &what);
    }
}

/// A disk with a history: versions over versions, removed keys, a flush; killed or closed.
fn history(chance: &mut Chance) -> (Rig, Model) {
    let rig = Rig::new();
    let store = rig.open();
    let mut model = Model::default();
    for _ in 0..3 {
        work(&rig, &store, chance, &mut model);
    }
    let pets = space(&store);
    for key in 0..KEYS / 2 {
        rig.remove(&pets, key).unwrap();
        model.acknowledged(&Done::Remove(key, model.version));
    }
    if chance.below(2) == 0 {
        store.close();
        return (rig, model);
    }
    (rig.killed(), model)
}

/// Places where a bit tells most: frames, start pages, footers, the journal; and any.
fn target(rig: &Rig, chance: &mut Chance) -> (String, usize) {
    let files = rig.disk.list();
    let (name, length) = &files[chance.below(files.len() as u64) as usize];
    let pages = (length / PAGE) as u64;
    let at = match chance.below(4) {
        0 if pages > 0 => chance.below(pages) as usize * PAGE + chance.below(64) as usize,
        1 if pages > 0 => length - 1 - chance.below(200) as usize,
        2 if pages > 0 => chance.below(pages.min(12)) as usize * PAGE + chance.below(PAGE as u64) as usize,
        _ => chance.below(*length as u64) as usize,
    };
    (name.clone(), at)
}

fn damaged(rig: &Rig, damage: impl FnOnce(&mut Vec<u8>), name: &str) -> Rig {
    let rig = rig.killed();
    let mut bytes = rig.disk.bytes(name);
    damage(&mut bytes);
    rig.disk.put(name, &bytes);
    rig
}

#[test]
fn no_flipped_bit_brings_back_what_was_dropped() {
    for seed in 0..rounds(8) {
        let mut chance = Chance(seed ^ 0xB17);
        let (rig, model) = history(&mut chance);
        for round in 0..25 {
            let (name, at) = target(&rig, &mut chance);
            let bit = chance.below(8);
            let rig = damaged(&rig, |bytes| bytes[at] ^= 1 << bit, &name);
            let what = format!("seed {seed}, round {round}: bit {bit} of byte {at} of {name}");
            let Ok(store) = rig.try_open() else {
                assert_eq!(name, "journal", "{what}");
                continue;
            };
            super::rig::until(|| store.is_ready());
            model.check(&rig, &space(&store), &what);
        }
    }
}

#[test]
fn no_lost_page_brings_back_what_was_dropped() {
    for seed in 0..rounds(8) {
        let mut chance = Chance(seed ^ 0x9A6E);
        let (rig, model) = history(&mut chance);
        for round in 0..20 {
            let (name, at) = target(&rig, &mut chance);
            if name == "journal" {
                continue;
            }
            let page = at / PAGE * PAGE;
            let rig = damaged(&rig, |bytes| bytes[page..page + PAGE].fill(0), &name);
            let store = rig.open();
            model.check(&rig, &space(&store), &format!("seed {seed}, round {round}: page at {page} of {name}"));
        }
    }
}
