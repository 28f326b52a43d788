//! A hit on an object that lies on disk in chunks: its first bytes are read before it is answered, so that one that is
//! no longer whole can still be fetched.

use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::tier::disk::{HEAD, Manifest, ObjectReader};
use sluice_cache::{Entry, Found};

use super::Verdict;
use crate::storage::SendSeat;

/// What is stored of a large object.
#[derive(Debug)]
pub struct Object {
    /// Its head: field lines, key and lifetime.
    pub head: Arc<Entry>,
    /// Where its body is.
    pub manifest: Manifest,
    /// The endpoint has had a say in it: its field lines are those of the endpoint's answer.
    pub renewed: bool,
    /// That is still to be stored.
    pub to_store: bool,
}

/// How far a request has come with a large object.
#[derive(Debug, Default)]
pub enum Opening {
    /// Not opened.
    #[default]
    Closed,
    /// No byte of its body is to be sent.
    HeadOnly,
    /// Its first bytes are at hand.
    Open(Box<Opened>),
    /// It is not whole, or does not come in time: it is fetched anew.
    Lost,
    /// Too many are sent already: this one is passed through.
    Busy,
}

/// A large object that is about to be sent.
#[derive(Debug)]
pub struct Opened {
    /// Its first bytes.
    pub first: Bytes,
    /// The rest.
    pub rest: ObjectReader,
    /// The right to send it.
    pub seat: SendSeat,
}

impl Object {
    /// The object whose head an entry is.
    pub fn of(entry: Arc<Entry>) -> Result<Box<Self>, Arc<Entry>> {
        match Manifest::of(&entry) {
            Some(manifest) => Ok(Box::new(Self { head: entry, manifest, renewed: false, to_store: false })),
            None => Err(entry),
        }
    }
}

impl Opening {
    /// Whether the answer can leave.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::HeadOnly | Self::Open(_))
    }

    /// Why an object that was found is not served, where opening it has failed.
    #[inline]
    pub(super) fn refuses(&self, found: &Found) -> Option<Verdict> {
        match self {
            Self::Lost | Self::Busy => self.refuses_head(found),
            _ => None,
        }
    }

    #[cold]
    fn refuses_head(&self, found: &Found) -> Option<Verdict> {
        let (Found::Fresh(entry) | Found::Expired(entry)) = found else { return None };
        let verdict = if matches!(self, Self::Busy) { Verdict::Busy } else { Verdict::Miss };
        (entry.status() == HEAD).then_some(verdict)
    }
}
