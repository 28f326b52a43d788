//! `POST /sluice/cache/purge` with `"dry_run": true`: what a purge would take, page by page.
//!
//! Memory is seen first, part by part and exactly. Then the disks are searched, a second or [`LISTED`] entries at a time:
//! whoever asks no more for the next page ends the search. At most half of that time is spent on reading, by one thread,
//! so that requests have the rest; keys are looked up and not searched for, unless there are variants of them.
//!
//! [`LISTED`]: super::wish::LISTED

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_cache::Entry;
use sluice_cache::answer::vary::MARKER;
use sluice_cache::invalidate::{Coverage, Target};
use sluice_cache::key::Keyed;
use sluice_cache::notes::NotesRef;
use sluice_cache::tier::disk::{Cursor, Manifest, Space};
use sluice_cache::tier::memory::Swept;

use super::caches::{Aim, Cached};
use super::wish::{Reached, Wish};
use crate::observe::admin::AdminResponse;
use crate::server::gateway::Gateway;

/// A page of a search on disk takes so long.
const PAGE: Duration = Duration::from_secs(1);
/// After so many bytes the search rests for as long as they have taken.
const STRETCH: u64 = 4 * 1024 * 1024;
/// No rest is longer.
const REST: Duration = Duration::from_millis(250);

/// One page: what of it is in memory, or on one disk.
pub(super) fn page(gateway: &Gateway, aims: &[Aim<'_>], wish: &Wish) -> AdminResponse {
    let mut page = Page {
        gateway,
        aims,
        limit: wish.limit,
        listed: vec![],
        memory: Swept::default(),
        disk: Swept::default(),
        unreadable: 0,
    };
    let next = match wish.from {
        Reached::Memory(from) => page.memory(from),
        Reached::Disk(aim, cursor) => match gateway.storage.disks.as_ref().map(|disks| disks.survey_turn()) {
            Some(Some(_turn)) => page.disk(aim, cursor),
            Some(None) => return AdminResponse::error(503, "the disk is being searched for somebody else; try again"),
            None => None,
        },
    };
    page.told(next)
}

struct Page<'p> {
    gateway: &'p Gateway,
    aims: &'p [Aim<'p>],
    limit: usize,
    listed: Vec<Value>,
    memory: Swept,
    disk: Swept,
    unreadable: u64,
}

impl Page<'_> {
    /// Whole parts of the caches, until enough is listed.
    fn memory(&mut self, from: usize) -> Option<Reached> {
        let mut seen = 0;
        for (cached, targets) in self.aims {
            for part in 0..cached.cache.memory.shards() {
                seen += 1;
                if seen <= from {
                    continue;
                }
                self.memory_part(cached, targets, part);
                if self.is_full() {
                    return Some(Reached::Memory(seen));
                }
            }
        }
        self.next_disk(0)
    }

    fn memory_part(&mut self, cached: &Cached<'_>, targets: &[Target], part: usize) {
        let (mut here, room) = (Vec::new(), self.limit - self.listed.len());
        cached.cache.memory.visit(part, |entry| {
            if targets.iter().any(|target| target.covers(entry)) {
                count(&mut self.memory, entry.weight() as u64);
                if here.len() < room {
                    here.push(Arc::clone(entry));
                }
            }
        });
        // Told apart from the look at them, which holds others up.
        for entry in here {
            self.list(cached, &entry, "memory", entry.weight() as u64);
        }
    }

    fn disk(&mut self, aim: usize, from: Cursor) -> Option<Reached> {
        let (cached, targets) = self.aims.get(aim)?;
        let Some(space) = cached.cache.disk.space() else { return self.next_disk(aim + 1) };
        if from == Cursor::default() && self.keys(&space, cached, targets) {
            return self.next_disk(aim + 1);
        }
        match self.search(&space, cached, targets, from) {
            Some(cursor) => Some(Reached::Disk(aim, cursor)),
            None => self.next_disk(aim + 1),
        }
    }

    /// The first cache from there on that has a disk.
    fn next_disk(&self, from: usize) -> Option<Reached> {
        let has_disk = |aim: &usize| self.aims.get(*aim).is_some_and(|aim| aim.0.cache.disk.space().is_some());
        (from..self.aims.len()).find(has_disk).map(|aim| Reached::Disk(aim, Cursor::default()))
    }

    /// Looks keys up, if keys are all that is meant. False if that does not tell: a key has variants.
    fn keys(&mut self, space: &Space, cached: &Cached<'_>, targets: &[Target]) -> bool {
        let keys: Option<Vec<_>> = targets
            .iter()
            .map(|target| match target {
                Target::Key(key) => Some(self.gateway.hasher.key(key)),
                _ => None,
            })
            .collect();
        let Some(keys) = keys else { return false };
        let found: Vec<_> = keys.into_iter().filter_map(|key| space.peek(key)).collect();
        if found.iter().any(|(entry, _)| entry.status() == MARKER) {
            return false;
        }
        found.into_iter().for_each(|(entry, bytes)| self.on_disk(cached, &entry, bytes));
        true
    }

    fn search(&mut self, space: &Space, cached: &Cached<'_>, targets: &[Target], from: Cursor) -> Option<Cursor> {
        let (mut effort, full) = (Effort::new(), std::cell::Cell::new(false));
        let go_on = |read| effort.go_on(read) && !full.get();
        let survey = space.survey(from, go_on, |entry, bytes| {
            if targets.iter().any(|target| target.covers(&entry)) {
                self.on_disk(cached, &entry, bytes);
                full.set(self.is_full());
            }
        });
        self.unreadable += survey.unreadable;
        survey.next
    }

    /// As a look-up would judge it. What is in memory too has been listed.
    fn on_disk(&mut self, cached: &Cached<'_>, entry: &Entry, bytes: u64) {
        let bans = cached.cache.memory.bans();
        if !bans.accepts(entry) || bans.judge(entry) == Coverage::Gone {
            return;
        }
        count(&mut self.disk, bytes);
        if self.listed.len() < self.limit && !cached.cache.memory.holds(entry.key()) {
            self.list(cached, entry, "disk", bytes);
        }
    }

    fn is_full(&self) -> bool {
        self.limit > 0 && self.listed.len() >= self.limit
    }

    fn list(&mut self, Cached { api, stage, .. }: &Cached<'_>, entry: &Entry, tier: &str, bytes: u64) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let notes = NotesRef::read(entry.notes());
        let freshness = entry.freshness(self.gateway.epoch.mono());
        self.listed.push(json!({
            "api": api.id,
            "stage": stage.name,
            "tier": tier,
            "method": notes.map(|notes| text(notes.method())),
            "path": notes.map(|notes| text(notes.path())),
            "tags": notes.map(|notes| notes.tags().map(text).collect::<Vec<_>>()),
            "status": Manifest::of(entry).map_or(entry.status(), |object| object.status()),
            "bytes": bytes,
            "age": freshness.age_seconds(),
            "fresh": freshness.is_fresh() && !entry.is_purged_softly(),
        }));
    }

    fn told(self, next: Option<Reached>) -> AdminResponse {
        let (done, parts) = self.progress(next);
        AdminResponse::json(
            200,
            &json!({
                "found": self.memory.entries,
                "bytes": self.memory.bytes,
                "disk_found": self.disk.entries,
                "disk_bytes": self.disk.bytes,
                "disk_unreadable": self.unreadable,
                "entries": self.listed,
                "next": next.map(Reached::to_json),
                "done": done,
                "parts": parts,
            }),
        )
    }

    /// Parts of memory and segments that have been seen, and all of them.
    fn progress(&self, next: Option<Reached>) -> (u64, u64) {
        let memory: usize = self.aims.iter().map(|aim| aim.0.cache.memory.shards()).sum();
        let spaces = || self.aims.iter().map(|aim| aim.0.cache.disk.space());
        let segments = |aims: usize| -> u64 { spaces().take(aims).flatten().map(|space| space.segments()).sum() };
        let all = memory as u64 + segments(self.aims.len());
        let done = match next {
            Some(Reached::Memory(parts)) => parts as u64,
            Some(Reached::Disk(aim, cursor)) => {
                let here = spaces().nth(aim).flatten().map_or(0, |space| space.segments_before(cursor));
                memory as u64 + segments(aim) + here
            }
            None => all,
        };
        (done, all)
    }
}

fn count(swept: &mut Swept, bytes: u64) {
    swept.entries += 1;
    swept.bytes += bytes;
}

/// What a page may ask of the disk.
struct Effort {
    ends: Instant,
    stretch_began: Instant,
    rested_at: u64,
}

impl Effort {
    fn new() -> Self {
        let now = Instant::now();
        Self { ends: now + PAGE, stretch_began: now, rested_at: 0 }
    }

    /// Rests where that is due, and says whether there is time left.
    fn go_on(&mut self, read_bytes: u64) -> bool {
        if read_bytes - self.rested_at >= STRETCH {
            std::thread::sleep(self.stretch_began.elapsed().min(REST));
            (self.stretch_began, self.rested_at) = (Instant::now(), read_bytes);
        }
        Instant::now() < self.ends
    }
}
