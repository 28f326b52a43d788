//! A token bucket that any number of threads take from without a lock.
//!
//! The bucket is one number, `spent`: units taken since the anchor of its [`Terms`], never less than what was earned
//! until the last take. What it holds at a time is `burst - (spent - earned(now))`; a take adds one token to the
//! larger of `spent` and `earned(now)`, if the burst allows. (This is the generic cell rate algorithm, counted in tokens
//! instead of time, so that the rate may change and does not round.) Since only comparisons with `earned(now)` admit, a
//! `now` that is older than another core's admits less, never more. In any window of `t` seconds at most
//! `rate * t + burst` requests are admitted, to within one unit of `terms.rs`.
//!
//! A change of limit writes new terms beside the old ones, then switches to them and converts `spent` in one
//! compare-and-swap: four bits of the state count the changes, and their lowest one says which terms hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::terms::Terms;
use super::{Level, RateLimit};

/// What a frozen bucket earned before.
#[derive(Debug, Clone, Copy)]
pub struct Frozen {
    multiplier: u64,
}

/// A token bucket of one cache line. Starts full.
///
/// `now` is nanoseconds of a monotonic clock with any zero. It may lag behind other callers'.
#[derive(Debug)]
#[repr(align(64))]
pub struct Bucket {
    state: AtomicU64,
    even: TermsCell,
    odd: TermsCell,
    /// Held while terms are replaced; takers never touch it.
    replacing: Mutex<()>,
}

impl Bucket {
    /// A full bucket.
    pub fn new(limit: RateLimit, now: u64) -> Self {
        let terms = Terms::new(limit, now);
        Self {
            state: AtomicU64::new(State { generation: 0, spent: 0 }.pack()),
            even: TermsCell::new(terms),
            odd: TermsCell::new(terms),
            replacing: Mutex::new(()),
        }
    }

    /// Takes one token, or none if the bucket does not hold a whole one.
    #[inline]
    pub fn take(&self, now: u64) -> bool {
        loop {
            let (state, terms) = self.current(now);
            let Some(spent) = spent_after_take(&terms, state.spent, now) else { return false };
            if self.advance(state, State { spent, ..state }) {
                return true;
            }
        }
    }

    /// What a take would do now; `None` if the bucket does not hold a whole token. Writes nothing.
    #[inline]
    pub(super) fn offer(&self, now: u64) -> Option<Offer> {
        let (state, terms) = self.current(now);
        let spent = spent_after_take(&terms, state.spent, now)?;
        Some(Offer { from: state.pack(), to: State { spent, ..state }.pack() })
    }

    /// Takes what was offered; if there was no offer or it does not stand any more, what there is now.
    #[inline]
    pub(super) fn take_offered(&self, offer: Option<Offer>, now: u64) -> bool {
        offer.is_some_and(|offer| self.replace_state(offer.from, offer.to)) || self.take(now)
    }

    /// Puts back a token that was taken; a full bucket stays full.
    pub fn give_back(&self) {
        loop {
            let (state, terms) = self.read();
            let spent = state.spent.saturating_sub(terms.token());
            if self.advance(state, State { spent, ..state }) {
                return;
            }
        }
    }

    /// Tokens in the bucket, with fractions.
    pub fn available(&self, now: u64) -> f64 {
        let (state, terms) = self.current(now);
        terms.level(state.spent, now).max(0) as f64 / terms.token() as f64
    }

    /// Changes the limit; takes go on meanwhile.
    ///
    /// The bucket keeps its tokens, clipped to the new burst: a larger one fills at the new rate, not at once. Setting
    /// the same limit again changes nothing.
    pub fn set_limit(&self, limit: RateLimit, now: u64) {
        let replacing = self.lock();
        let (_, old) = self.read();
        let new = Terms::new(limit, now.max(old.anchor));
        if !new.same_limit(old) {
            self.replace(&old, new, &replacing);
        }
    }

    /// Stops earning, so that another bucket may earn in this one's place. What it holds stays, and can be taken.
    pub fn freeze(&self, now: u64) -> Frozen {
        let replacing = self.lock();
        let (_, old) = self.read();
        self.replace(&old, old.anchored_at(now.max(old.anchor)).at_rest(), &replacing);
        Frozen { multiplier: old.multiplier }
    }

    /// Earns again from `now` on, as before it was frozen.
    pub fn thaw(&self, frozen: Frozen, now: u64) {
        let replacing = self.lock();
        let (_, old) = self.read();
        let new = Terms { multiplier: frozen.multiplier, ..old.anchored_at(now.max(old.anchor)) };
        self.replace(&old, new, &replacing);
    }

    /// Takes what it holds but for `keep` tokens: one step, so that nothing is taken twice.
    pub fn take_all_but(&self, keep: u32, now: u64) -> Level {
        loop {
            let (state, terms) = self.current(now);
            let keep = i64::from(keep) << terms.precision;
            let surplus = u64::try_from(terms.level(state.spent, now) - keep).unwrap_or(0);
            let spent = state.spent.max(terms.earned(now)) + surplus;
            if surplus == 0 || self.advance(state, State { spent, ..state }) {
                return Level::of_units(surplus, terms.precision);
            }
        }
    }

    /// Puts in what another bucket held; what is over the burst is lost.
    pub fn add(&self, level: Level) {
        loop {
            let (state, terms) = self.read();
            let spent = state.spent.saturating_sub(level.in_units(terms.precision));
            if self.advance(state, State { spent, ..state }) {
                return;
            }
        }
    }

    /// Takes up to so many tokens, and says how many there were.
    pub fn take_up_to(&self, tokens: u32, now: u64) -> u32 {
        (0..tokens).take_while(|_| self.take(now)).count() as u32
    }

    /// State and terms, with the anchor near enough to `now` for amounts to fit.
    #[inline]
    fn current(&self, now: u64) -> (State, Terms) {
        loop {
            let (state, terms) = self.read();
            if !terms.is_past_horizon(now) {
                return (state, terms);
            }
            self.renew(now);
        }
    }

    /// State and the terms that belong to it.
    #[inline]
    fn read(&self) -> (State, Terms) {
        loop {
            let state = State::unpack(self.state.load(Ordering::Acquire));
            let terms = self.cell(state.generation).load();
            // Terms are overwritten only two generations later: if this one still stands, they are whole.
            if State::unpack(self.state.load(Ordering::Relaxed)).generation == state.generation {
                return (state, terms);
            }
        }
    }

    #[inline]
    fn advance(&self, from: State, to: State) -> bool {
        self.replace_state(from.pack(), to.pack())
    }

    #[inline]
    fn replace_state(&self, from: u64, to: u64) -> bool {
        self.state.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn cell(&self, generation: u8) -> &TermsCell {
        if generation & 1 == 0 { &self.even } else { &self.odd }
    }

    /// Moves the anchor to `now`, once in a horizon.
    #[cold]
    fn renew(&self, now: u64) {
        let replacing = self.lock();
        let (_, old) = self.read();
        if old.is_past_horizon(now) {
            self.replace(&old, old.anchored_at(now), &replacing);
        }
    }

    fn replace(&self, old: &Terms, new: Terms, _replacing: &MutexGuard<'_, ()>) {
        let next = State::after(self.read().0.generation);
        self.cell(next).store(new);
        loop {
            let (state, _) = self.read();
            let level = old.level(state.spent, new.anchor);
            let spent = new.spent_to_hold(level, old.precision).min(State::MAX_SPENT);
            if self.advance(state, State { generation: next, spent }) {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // Nothing is half done when a holder panics: terms count only once the state points at them.
        self.replacing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn spent_after_take(terms: &Terms, spent: u64, now: u64) -> Option<u64> {
    let earned = terms.earned(now);
    let after = spent.max(earned) + terms.token();
    (after - earned <= terms.capacity()).then_some(after)
}

/// A take that succeeds if the bucket still stands as it was seen: [`State`]s, packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    from: u64,
    to: u64,
}

/// What the one atomic number holds: which terms count, and the units spent since their anchor.
#[derive(Debug, Clone, Copy)]
struct State {
    generation: u8,
    spent: u64,
}

impl State {
    const SPENT_BITS: u32 = 60;
    const MAX_SPENT: u64 = (1 << Self::SPENT_BITS) - 1;

    #[inline]
    fn pack(self) -> u64 {
        u64::from(self.generation) << Self::SPENT_BITS | self.spent
    }

    #[inline]
    fn unpack(packed: u64) -> Self {
        Self { generation: (packed >> Self::SPENT_BITS) as u8, spent: packed & Self::MAX_SPENT }
    }

    /// The generation after this one; a reader would have to sleep through sixteen changes to mistake one for another.
    fn after(generation: u8) -> u8 {
        (generation + 1) & 0xf
    }
}

/// [`Terms`] that are read and written field by field. Acquire and release let a reader who saw a field of a later
/// generation see that the generation has changed.
#[derive(Debug)]
struct TermsCell {
    anchor: AtomicU64,
    multiplier: AtomicU64,
    /// Burst in the upper half, then shift and precision.
    shape: AtomicU64,
}

impl TermsCell {
    fn new(terms: Terms) -> Self {
        let cell = Self { anchor: AtomicU64::new(0), multiplier: AtomicU64::new(0), shape: AtomicU64::new(0) };
        cell.store(terms);
        cell
    }

    fn store(&self, terms: Terms) {
        let shape = u64::from(terms.burst) << 32 | u64::from(terms.shift) << 8 | u64::from(terms.precision);
        self.anchor.store(terms.anchor, Ordering::Release);
        self.multiplier.store(terms.multiplier, Ordering::Release);
        self.shape.store(shape, Ordering::Release);
    }

    #[inline]
    fn load(&self) -> Terms {
        let shape = self.shape.load(Ordering::Acquire);
        Terms {
            anchor: self.anchor.load(Ordering::Acquire),
            multiplier: self.multiplier.load(Ordering::Acquire),
            burst: (shape >> 32) as u32,
            shift: (shape >> 8) as u8,
            precision: shape as u8,
        }
    }
}

#[cfg(test)]
mod hand_over;
#[cfg(test)]
mod tests;
