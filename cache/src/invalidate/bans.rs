//! All bans of one cache, and what they say of an entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::birth::Births;
use super::purge::{Force, Purge, Target, TargetKind};
use super::{Ban, BanError, Birth, Sequence};
use crate::entry::Entry;
use crate::key::KeyRef;

/// Bans that are kept; one more and all become one that covers everything.
pub const BANS: usize = 4_096;

/// Bytes of bans that are kept; more and all become one that covers everything.
pub const BAN_BYTES: usize = 4 * 1024 * 1024;

/// What the bans say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No ban covers it.
    Clear,
    /// It has expired before its time.
    Expired,
    /// It is not there any more.
    Gone,
}

/// The bans of one cache. At most [`BANS`] with [`BAN_BYTES`].
#[derive(Debug)]
pub struct Bans {
    /// The number of the last ban. Written after the ban is in the list.
    newest: AtomicU64,
    /// By their numbers, ascending.
    live: ArcSwap<Vec<Arc<Ban>>>,
    changing: Mutex<()>,
    births: Births,
    widened: AtomicU64,
    purges: [[AtomicU64; 2]; TargetKind::ALL.len()],
}

impl Default for Bans {
    fn default() -> Self {
        Self::starting_at(Sequence::default())
    }
}

impl Bans {
    /// No bans, numbered from `began` on. Where entries outlive the process it must be later than any number of an
    /// earlier one: the nanoseconds of the wall clock are.
    #[must_use]
    pub fn starting_at(began: Sequence) -> Self {
        Self {
            newest: AtomicU64::new(began.0),
            live: ArcSwap::default(),
            changing: Mutex::default(),
            births: Births::default(),
            widened: AtomicU64::new(0),
            purges: Default::default(),
        }
    }

    /// Takes over bans that an earlier process left, as [`Ban::encode`] wrote them: the tier that they are for has been
    /// opened just now. Nothing that this process has fetched is covered by them.
    ///
    /// # Errors
    /// One cannot be read. Then nobody knows what must not be served: nothing of that process may be.
    pub fn adopt<'b>(&self, left: impl IntoIterator<Item = &'b [u8]>) -> Result<(), BanError> {
        let adopted = left.into_iter().map(|bytes| Ban::decode(bytes).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        adopted.iter().for_each(|ban| ban.settle());
        let _one_at_a_time = self.changing.lock();
        let mut bans: Vec<_> = self.live.load().iter().cloned().chain(adopted).collect();
        bans.sort_by_key(|ban| ban.sequence());
        bans.dedup_by_key(|ban| ban.sequence());
        let newest = bans.last().map_or(0, |ban| ban.sequence().0);
        self.live.store(Arc::new(bans));
        self.newest.fetch_max(newest, Ordering::AcqRel);
        Ok(())
    }

    /// The number of the last purge.
    #[must_use]
    pub fn newest(&self) -> Sequence {
        Sequence(self.newest.load(Ordering::Acquire))
    }

    /// For a fetch that begins now. Take it before the fetch and keep it until the answer is stored.
    #[must_use]
    pub fn birth(self: &Arc<Self>) -> Birth {
        Birth::new(Arc::clone(self), self.births.begin(|| self.newest()))
    }

    /// Bans what was fetched until now. From here on no look-up finds it. `until_ns` is when the last of it would have
    /// expired in the tiers below; 0 if there are none.
    pub fn publish(&self, purge: Purge, until_ns: u64) -> Arc<Ban> {
        self.count(purge.target.kind(), purge.force);
        let _one_at_a_time = self.changing.lock();
        let sequence = self.newest().next();
        let mut bans: Vec<_> = self.live.load().iter().cloned().collect();
        let until_ns = overtake(&mut bans, &purge, until_ns);
        let mut ban = Arc::new(Ban::new(sequence, purge, until_ns));
        bans.push(Arc::clone(&ban));
        if bans.len() > BANS || bans.iter().map(|ban| ban.weight()).sum::<usize>() > BAN_BYTES {
            self.widened.fetch_add(1, Ordering::Relaxed);
            ban = Arc::new(widest(&bans, sequence));
            bans = vec![Arc::clone(&ban)];
        }
        self.live.store(Arc::new(bans));
        self.newest.store(sequence.0, Ordering::Release);
        ban
    }

    /// What the bans say of an entry that was found. One load and a comparison where there is no ban that it has not been
    /// asked about.
    #[inline]
    #[must_use]
    pub fn judge(&self, entry: &Entry) -> Coverage {
        let newest = self.newest.load(Ordering::Acquire);
        match entry.judged().is_clear_until(newest) {
            true => Coverage::Clear,
            false => self.judge_anew(entry, newest),
        }
    }

    #[cold]
    fn judge_anew(&self, entry: &Entry, newest: u64) -> Coverage {
        let (asked, was_expired) = entry.judged().read();
        let live = self.live.load();
        let later = live.iter().rev().take_while(|ban| ban.sequence().0 > asked);
        let force = later.filter(|ban| ban.purge().target.covers(entry)).map(|ban| ban.purge().force).max();
        if force == Some(Force::Hard) {
            return Coverage::Gone;
        }
        let is_expired = was_expired || force == Some(Force::Soft);
        entry.judged().raise(newest, is_expired);
        if is_expired { Coverage::Expired } else { Coverage::Clear }
    }

    /// Whether what a fetch brings under `key` may be covered by a ban since `born`, with what is known before its answer
    /// has come: a purge by tag may cover anything.
    #[must_use]
    pub fn may_cover(&self, key: KeyRef<'_>, notes: &[u8], born: Sequence) -> bool {
        self.newest() > born && self.since(born, |target| target.may_cover(key, notes))
    }

    /// Whether an entry that an earlier process stored can be compared with the bans at all: a clock that was set back
    /// since makes it seem younger than they are.
    #[must_use]
    pub fn accepts(&self, entry: &Entry) -> bool {
        entry.born() <= self.newest()
    }

    fn since(&self, born: Sequence, is_meant: impl Fn(&Target) -> bool) -> bool {
        let live = self.live.load();
        live.iter().rev().take_while(|ban| ban.sequence() > born).any(|ban| is_meant(&ban.purge().target))
    }

    /// Everything in memory that the bans up to `sequence` cover has been dealt with: those that nothing else needs go.
    pub fn settle(&self, sequence: Sequence, now_ns: u64) {
        self.live.load().iter().filter(|ban| ban.sequence() <= sequence).for_each(|ban| ban.settle());
        self.retire(now_ns);
    }

    /// Lets go of bans that can cover nothing any more: memory has been searched, no fetch under way is older, and in the
    /// tiers below everything that old has expired.
    pub fn retire(&self, now_ns: u64) {
        if self.live.load().is_empty() {
            return;
        }
        let _one_at_a_time = self.changing.lock();
        let oldest = self.births.oldest().unwrap_or(Sequence(u64::MAX));
        let is_over = |ban: &Ban| ban.is_settled() && ban.sequence() <= oldest && ban.until_ns() <= now_ns;
        let live = self.live.load();
        if live.iter().any(|ban| is_over(ban)) {
            let kept = live.iter().filter(|ban| !is_over(ban)).cloned().collect();
            self.live.store(Arc::new(kept));
        }
    }

    /// Bans that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often there were too many, and all became one that covers everything.
    #[must_use]
    pub fn widened(&self) -> u64 {
        self.widened.load(Ordering::Relaxed)
    }

    /// Purges so far of that kind; flushes are purges of everything.
    #[must_use]
    pub fn purges(&self, kind: TargetKind, force: Force) -> u64 {
        let counts = self.purges.get(kind as usize).and_then(|counts| counts.get(force as usize));
        counts.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// All of them, each as [`Ban::encode`] writes it.
    #[must_use]
    pub fn encoded(&self) -> Vec<Vec<u8>> {
        let encode = |ban: &Arc<Ban>| {
            let mut bytes = Vec::new();
            ban.encode(&mut bytes);
            bytes
        };
        self.live.load().iter().map(encode).collect()
    }

    pub(super) const fn births(&self) -> &Births {
        &self.births
    }

    /// A flush is a purge of everything that needs no ban.
    pub(super) fn flushed(&self) {
        self.count(TargetKind::Everything, Force::Hard);
    }

    fn count(&self, kind: TargetKind, force: Force) {
        let counts = self.purges.get(kind as usize);
        if let Some(count) = counts.and_then(|counts| counts.get(force as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Takes the bans out that a new one makes needless. Until when it has to be kept then.
fn overtake(bans: &mut Vec<Arc<Ban>>, purge: &Purge, until_ns: u64) -> u64 {
    let overtaken = bans.extract_if(.., |ban| purge.includes(ban.purge()));
    overtaken.map(|ban| ban.until_ns()).fold(until_ns, u64::max)
}

/// One ban in place of all: of their greatest force, for as long as the longest.
fn widest(bans: &[Arc<Ban>], sequence: Sequence) -> Ban {
    let force = bans.iter().map(|ban| ban.purge().force).max().unwrap_or(Force::Hard);
    let until_ns = bans.iter().map(|ban| ban.until_ns()).max().unwrap_or(u64::MAX);
    Ban::new(sequence, Purge { target: Target::Everything, force }, until_ns)
}
