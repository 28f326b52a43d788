//! Where the body of an answer goes that is to be stored, while it is sent: into memory up to the object limit, in
//! chunks to the disk beyond it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_cache::NotStored;
use sluice_cache::freshness::Ttl;
use sluice_cache::tier::disk::{HEAD, Manifest, ObjectSize};

use tokio::time::{Instant, timeout};

use super::accounts;
use super::drive::{Trip, now};
use super::storing::Answer;
use crate::plan::StageCache;
use crate::stage::recall::StorageKey;
use crate::storage::{Fill, FillSeat};

/// For how long in all a client waits for the disk that its answer is written to at the same time.
const PATIENCE: Duration = Duration::from_millis(500);

/// Takes the body of an answer that is to be stored.
#[derive(Debug)]
pub(super) enum Keeper {
    /// It may fit into memory.
    Whole(Collector),
    /// It does not.
    Large(Box<LargeFill>),
}

/// The body of an answer that is to be stored.
#[derive(Debug)]
pub(super) struct Collector {
    ttl: Ttl,
    body: Vec<u8>,
    limit: usize,
}

/// What is known of an answer whose body is too large for memory.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    ttl: Ttl,
    status: u16,
    fields: Bytes,
    cache: Arc<StageCache>,
    key: StorageKey,
    size: ObjectSize,
}

/// A large object on its way to the disk.
#[derive(Debug)]
pub(super) struct LargeFill {
    terms: Terms,
    fill: Fill,
    /// For how long its client may still be kept waiting for the disk.
    patience: Duration,
}

impl Keeper {
    /// For the answer that the trip has, if it is to be stored.
    ///
    /// # Errors
    /// It is not, after all.
    pub(super) fn new(trip: &Trip) -> Result<Option<Self>, NotStored> {
        let Some(ttl) = trip.exchange.ledger.store.storing() else { return Ok(None) };
        if is_large(trip) {
            let large = Terms::of(trip).ok_or(NotStored::TooLarge).and_then(LargeFill::begin)?;
            return Ok(Some(Self::Large(Box::new(large))));
        }
        Ok(Collector::new(trip, ttl).map(Self::Whole))
    }

    /// Nothing comes back once it is not stored.
    pub(super) fn push(self, piece: &[u8], trip: &Trip) -> Option<Self> {
        match self {
            Self::Whole(mut collector) if collector.fits(piece) => {
                collector.body.extend_from_slice(piece);
                Ok(Self::Whole(collector))
            }
            Self::Whole(collector) => {
                let large = Terms::of(trip).ok_or(NotStored::TooLarge);
                large.and_then(|terms| LargeFill::after(terms, &[&collector.body, piece])).map(Self::large)
            }
            Self::Large(mut large) => large.push(piece).map(|()| Self::Large(large)),
        }
        .map_err(accounts::note_not_stored)
        .ok()
    }

    fn large(large: LargeFill) -> Self {
        Self::Large(Box::new(large))
    }

    /// Lets a disk that is a little behind catch up.
    pub(super) async fn catch_up(&mut self) {
        if let Self::Large(large) = self {
            large.catch_up().await;
        }
    }

    /// The body is whole. What lies on disk takes a moment more until it is found; nobody waits for that.
    pub(super) fn finish(self, trip: &Trip) {
        match self {
            Self::Whole(collector) => collector.store(trip),
            Self::Large(large) => drop(tokio::spawn(large.finish())),
        }
    }
}

impl Collector {
    fn new(trip: &Trip, ttl: Ttl) -> Option<Self> {
        let (_, _, method) = trip.plan.method(trip.exchange.route?)?;
        let rule = method.cache.as_ref()?;
        let room = trip.length_of_answer().unwrap_or_default().min(rule.store.object_limit);
        Some(Self { ttl, body: Vec::with_capacity(room as usize), limit: rule.store.object_limit as usize })
    }

    const fn fits(&self, piece: &[u8]) -> bool {
        self.body.len() + piece.len() <= self.limit
    }

    fn store(self, trip: &Trip) {
        let (Some(cache), Some(key)) = (trip.cache(), &trip.exchange.key) else { return };
        let origin = &trip.exchange.origin;
        let answer = Answer { ttl: self.ttl, status: origin.status, head: &origin.fields, body: &[self.body.into()] };
        answer.store(cache, key, now());
    }
}

/// Whether the trip's answer is to be stored, and known to be too large for memory.
pub(super) fn is_large(trip: &Trip) -> bool {
    let method = trip.exchange.route.and_then(|route| trip.plan.method(route));
    let rule = method.and_then(|(.., method)| method.cache.as_ref());
    let storing = trip.exchange.ledger.store.storing().is_some();
    storing && rule.is_some_and(|rule| rule.store.is_large(trip.length_of_answer()))
}

impl Terms {
    /// Of an answer that may be large and is to be stored.
    pub(super) fn of(trip: &Trip) -> Option<Self> {
        let (_, stage, method) = trip.plan.method(trip.exchange.route?)?;
        let limit = method.cache.as_ref().map(|rule| rule.store.large_limit).filter(|limit| *limit > 0)?;
        let origin = &trip.exchange.origin;
        Some(Self {
            ttl: trip.exchange.ledger.store.storing()?,
            status: origin.status,
            fields: Bytes::copy_from_slice(&origin.fields),
            cache: Arc::clone(stage.cache.as_ref()?),
            key: trip.exchange.key.clone()?,
            size: ObjectSize { declared: trip.length_of_answer(), limit },
        })
    }

    fn store(&self, manifest: Manifest, _seat: FillSeat) {
        let body = [manifest.with_status(self.status).to_bytes()];
        Answer { ttl: self.ttl, status: HEAD, head: &self.fields, body: &body }.store(&self.cache, &self.key, now());
        self.cache.disk.count_object();
    }
}

impl LargeFill {
    fn begin(terms: Terms) -> Result<Self, NotStored> {
        let fill = Fill::begin(&terms.cache.disk, terms.key.fingerprint, terms.key.below, terms.size)?;
        Ok(Self { terms, fill, patience: PATIENCE })
    }

    /// The same once it turns out to be large: behind what has come so far.
    ///
    /// # Errors
    /// It is not kept.
    pub(super) fn after(terms: Terms, pieces: &[&[u8]]) -> Result<Self, NotStored> {
        let mut large = Self::begin(terms)?;
        pieces.iter().try_for_each(|piece| large.push(piece))?;
        Ok(large)
    }

    /// Takes more of the body. Never waits.
    ///
    /// # Errors
    /// It is not kept.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), NotStored> {
        self.fill.push(piece)
    }

    /// Waits until the disk has room: only where no client waits meanwhile.
    pub(super) async fn room(&mut self) {
        self.fill.room().await;
    }

    /// Lets the disk catch up, for as long as a client can be asked to wait. A disk that is slower than the client by
    /// more does not get the object: what is pushed next is refused.
    pub(super) async fn catch_up(&mut self) {
        if self.patience.is_zero() || self.fill.has_room() {
            return;
        }
        let began = Instant::now();
        // In time or not, it is the time that counts.
        let _caught_up = timeout(self.patience, self.fill.room()).await;
        self.patience = self.patience.saturating_sub(began.elapsed());
    }

    /// The body is whole: waits until all of it is found, and stores the head.
    pub(super) async fn finish(self) {
        let Self { terms, fill, .. } = self;
        match fill.finish().await {
            Ok((manifest, seat)) => terms.store(manifest, seat),
            Err(reason) => accounts::note_not_stored(reason),
        }
    }
}
