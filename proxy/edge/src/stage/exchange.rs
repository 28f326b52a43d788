//! One request on its way: what came in, what was found out, what will be answered.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use sluice_cache::Entry;

use super::accept::Connection;
use super::authorize::Permit;
use super::derive::Derived;
use super::mapped::Mapped;
use super::recall::{Object, OnDisk, Opening, StorageKey};
use super::{Ledger, Reply};
use crate::message::date::Now;
use crate::message::encode::{CacheStatus, Framing};
use crate::message::head::{Head, Span};
use crate::message::request_id::RequestId;
use crate::plan::{Captures, Route};

/// The head of an endpoint's answer.
#[derive(Clone, Debug, Default)]
pub struct OriginAnswer {
    /// Its status; 0 before there is one.
    pub status: u16,
    /// Its fields as they came, `Name: value\r\n` lines.
    pub raw: Bytes,
    /// The fields that are passed on, by `shape`.
    pub fields: Vec<u8>,
    /// How its body ends.
    pub framing: Option<Framing>,
    /// Its body ends with a connection that may be cut, and nothing would show it.
    pub may_be_cut: bool,
    /// From the call to the end of its head, nanoseconds.
    pub latency: u64,
    /// When its head came, by the monotonic clock.
    pub came: u64,
    /// Why there is none, for the log only.
    pub error: Option<Box<str>>,
}

/// One request on its way.
#[derive(Debug)]
pub struct Exchange<'b> {
    /// The request's head.
    pub head: Head<'b>,
    /// The connection that it came over.
    pub connection: Connection,
    /// Who is calling: the peer, or what trusted proxies say.
    pub client: IpAddr,
    /// When its head was complete.
    pub now: Now,
    /// Its id.
    pub request_id: RequestId,
    /// The stage that comes next.
    pub at: usize,
    /// Place of the API that it names, whether or not it reaches a method there.
    pub api: Option<u32>,
    /// Place of that API's stage, likewise.
    pub stage: Option<u32>,
    /// What it reached.
    pub route: Option<Route>,
    /// The path behind base path and stage.
    pub path: Span,
    /// Values of the path variables.
    pub captures: Captures,
    /// That it may be served.
    pub permit: Option<Permit>,
    /// Its cache key, kept from the look-up for the store.
    pub key: Option<StorageKey>,
    /// What the disk has to say, where memory has nothing.
    pub disk: OnDisk,
    /// How far it has come with a large object that it is to be answered with.
    pub opening: Opening,
    /// It goes forward for itself: no flight to join.
    pub alone: bool,
    /// It asks for a fresh answer in place of the stored one, and may.
    pub refreshes: bool,
    /// What is stored and may not be served as it is: to be validated, or served where nothing better can be had.
    pub stored: Option<Arc<Entry>>,
    /// The same, where the endpoint's answer came to that, and its body lies on disk in chunks.
    pub confirmed: Option<Box<Object>>,
    /// That had to be served.
    pub serves_stale: bool,
    /// What it is answered with is to be fetched anew, by nobody's leave but its own.
    pub refetches: bool,
    /// Nobody waits for its answer: it is fetched for the cache.
    pub in_background: bool,
    /// The answer's fields tell when the origin made it.
    pub dated: bool,
    /// What its conditions make of the answer.
    pub derived: Option<Box<Derived>>,
    /// It asked for that, may not, and is told so.
    pub warns: bool,
    /// Its body, where somebody had to see all of it.
    pub body: Option<Bytes>,
    /// What the integration's request parameters make of it.
    pub mapped: Option<Box<Mapped>>,
    /// What the cache did.
    pub cache_status: CacheStatus,
    /// Age of what is delivered from the cache, seconds.
    pub age: Option<u32>,
    /// The endpoint's answer.
    pub origin: OriginAnswer,
    /// The caller wants to be told the ledger, and may.
    pub explain: bool,
    /// What it is answered with.
    pub reply: Reply,
    /// The verdicts so far.
    pub ledger: Ledger,
}

impl<'b> Exchange<'b> {
    /// A request that has just arrived.
    #[inline]
    pub fn new(head: Head<'b>, connection: Connection, now: Now, request_id: RequestId) -> Self {
        let ledger = Ledger { accept: connection.verdict, ..Ledger::default() };
        Self {
            head,
            connection,
            client: connection.address(),
            now,
            request_id,
            at: 0,
            api: None,
            stage: None,
            route: None,
            path: Span::default(),
            captures: Captures::new(),
            permit: None,
            key: None,
            disk: OnDisk::NotAsked,
            opening: Opening::Closed,
            alone: false,
            refreshes: false,
            stored: None,
            confirmed: None,
            serves_stale: false,
            refetches: false,
            in_background: false,
            dated: false,
            derived: None,
            warns: false,
            body: None,
            mapped: None,
            cache_status: CacheStatus::Silent,
            age: None,
            origin: OriginAnswer::default(),
            explain: false,
            reply: Reply::None,
            ledger,
        }
    }

    /// The same with bytes of its own.
    pub fn into_owned(self) -> Exchange<'static> {
        Exchange {
            head: self.head.into_owned(),
            connection: self.connection,
            client: self.client,
            now: self.now,
            request_id: self.request_id,
            at: self.at,
            api: self.api,
            stage: self.stage,
            route: self.route,
            path: self.path,
            captures: self.captures,
            permit: self.permit,
            key: self.key,
            disk: self.disk,
            opening: self.opening,
            alone: self.alone,
            refreshes: self.refreshes,
            stored: self.stored,
            confirmed: self.confirmed,
            serves_stale: self.serves_stale,
            refetches: self.refetches,
            in_background: self.in_background,
            dated: self.dated,
            derived: self.derived,
            warns: self.warns,
            body: self.body,
            mapped: self.mapped,
            cache_status: self.cache_status,
            age: self.age,
            origin: self.origin,
            explain: self.explain,
            reply: self.reply,
            ledger: self.ledger,
        }
    }

    /// There is a body, and it was not read yet.
    pub fn lacks_body(&self) -> bool {
        self.head.has_body && self.body.is_none()
    }

    /// The path behind base path and stage, undecoded.
    pub fn routed_path(&self) -> &[u8] {
        self.path.of(self.head.bytes())
    }
}
