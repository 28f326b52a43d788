//! Which answers the cache keeps, and for how long.
//!
//! Under [`Profile::Aws`] API Gateway decides: the method's setting alone gives the time to live, and every status that
//! an integration answers is stored. Under [`Profile::Edge`] what could be private or a passing failure is never stored.
//! The origin's Cache-Control gives no time to live under either; [`origin`] is the mode in which it does. Status rules
//! say for single statuses how long they are kept, where somebody wrote them.

use thiserror::Error;

use crate::entry::Lifetime;

mod control;
pub mod origin;
mod statuses;

pub use control::CacheControl;
pub use statuses::{StatusRule, StatusRules};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// For how long an answer may be served, whole seconds from 0, which switches caching off, to 3600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(u16);

/// More seconds than AWS allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a cache TTL is at most 3600 seconds, not {0}")]
pub struct TtlTooLong(pub u64);

impl Ttl {
    /// Where nothing is set.
    pub const DEFAULT: Self = Self(300);
    /// AWS's fixed maximum.
    pub const MAX: Self = Self(3600);

    /// A time to live of so many seconds.
    ///
    /// # Errors
    /// It is longer than [`Ttl::MAX`].
    pub fn new(seconds: u64) -> Result<Self, TtlTooLong> {
        let ttl = u16::try_from(seconds).map(Self).map_err(|_| TtlTooLong(seconds))?;
        if ttl > Self::MAX { Err(TtlTooLong(seconds)) } else { Ok(ttl) }
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.0
    }

    /// Whether it switches caching off.
    #[must_use]
    pub const fn is_off(self) -> bool {
        self.0 == 0
    }

    /// The lifetime of what is stored now.
    #[must_use]
    pub const fn from(self, stored_at_ns: u64) -> Lifetime {
        let fresh_until_ns = stored_at_ns.saturating_add(self.0 as u64 * NS_PER_SECOND);
        Lifetime::until(stored_at_ns, fresh_until_ns)
    }
}

impl Ttl {
    /// The same, and how it may be served after its end.
    #[must_use]
    pub const fn with(self, grace: origin::Grace, stored_at_ns: u64) -> Lifetime {
        let lifetime = self.from(stored_at_ns);
        let end = lifetime.fresh_until_ns;
        Lifetime {
            revalidate_until_ns: end.saturating_add(grace.stale_while_revalidate as u64 * NS_PER_SECOND),
            error_until_ns: end.saturating_add(grace.stale_if_error as u64 * NS_PER_SECOND),
            ..lifetime
        }
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether something stored may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It may.
    Fresh {
        /// Whole seconds since it was stored.
        age_seconds: u64,
    },
    /// Its time is over.
    Expired {
        /// Whole seconds since it was stored.
        age_seconds: u64,
    },
}

impl Freshness {
    /// The freshness of a lifetime at `now_ns`. A clock read before the entry was stored gives age 0.
    #[must_use]
    pub const fn at(lifetime: Lifetime, now_ns: u64) -> Self {
        let age_seconds = now_ns.saturating_sub(lifetime.stored_at_ns) / NS_PER_SECOND;
        if now_ns < lifetime.fresh_until_ns { Self::Fresh { age_seconds } } else { Self::Expired { age_seconds } }
    }

    /// Whether it may be served.
    #[must_use]
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh { .. })
    }

    /// The value of an Age header.
    #[must_use]
    pub const fn age_seconds(self) -> u64 {
        let (Self::Fresh { age_seconds } | Self::Expired { age_seconds }) = self;
        age_seconds
    }
}

/// Whose rules hold where AWS's are unsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// As API Gateway does.
    Aws,
    /// Never store what could be private or a passing failure.
    #[default]
    Edge,
}

/// What decides whether an integration's answer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its status code.
    pub status: u16,
    /// It has a Set-Cookie field.
    pub set_cookie: bool,
    /// Its Cache-Control.
    pub cache_control: CacheControl,
    /// The request carried an Authorization that is not part of the key.
    pub unkeyed_authorization: bool,
    /// It varies by something that is not part of the key.
    pub unkeyed_vary: bool,
    /// The body's length, bytes, where it is known.
    pub length: Option<u64>,
}

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error("not stored: {}", self.as_str())]
pub enum NotStored {
    /// The status code may not be stored.
    Status,
    /// It sets a cookie.
    SetCookie,
    /// The request had an Authorization that is not part of the key.
    Authorization,
    /// It varies by something that is not part of the key.
    Vary,
    /// The origin said `no-store`.
    NoStore,
    /// The origin said `private`.
    Private,
    /// It is larger than the object limit, or than the cache.
    TooLarge,
    /// The cache was flushed after the fetch began.
    Flushed,
    /// What a flush left behind still fills the cache.
    Flushing,
    /// It was purged after the fetch began.
    Purged,
    /// It has more tags than an answer may have.
    Tags,
    /// Bodies on their way fill all the room for them.
    NoRoom,
    /// The body did not arrive whole.
    Incomplete,
    /// The origin gives it no time to live, and nothing to ask about it by.
    NoLifetime,
    /// The body ends with its connection, so nobody can tell whether it is whole.
    CloseDelimited,
    /// Somebody asked for a fresh answer after its fetch began.
    Superseded,
    /// It is so large that it is kept on disk alone, and another request is just bringing it there.
    Filling,
    /// It is kept on disk alone, and the disk has not taken all of it.
    Disk,
}

impl NotStored {
    /// All reasons, for metrics that count each.
    pub const ALL: [Self; 18] = [
        Self::Status,
        Self::SetCookie,
        Self::Authorization,
        Self::Vary,
        Self::NoStore,
        Self::Private,
        Self::TooLarge,
        Self::Flushed,
        Self::Flushing,
        Self::Purged,
        Self::Tags,
        Self::NoRoom,
        Self::Incomplete,
        Self::NoLifetime,
        Self::CloseDelimited,
        Self::Superseded,
        Self::Filling,
        Self::Disk,
    ];

    /// Its name in logs, metrics and Cache-Status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Vary => "vary",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::TooLarge => "too-large",
            Self::Flushed => "flushed",
            Self::Flushing => "flushing",
            Self::Purged => "purged",
            Self::Tags => "tags",
            Self::NoRoom => "no-room",
            Self::Incomplete => "incomplete",
            Self::NoLifetime => "no-lifetime",
            Self::CloseDelimited => "close-delimited",
            Self::Superseded => "superseded",
            Self::Filling => "filling",
            Self::Disk => "disk",
        }
    }
}

/// What a method stores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreRule {
    /// Whose rules hold.
    pub profile: Profile,
    /// How long answers live.
    pub ttl: Ttl,
    /// How long those of single statuses live.
    pub statuses: StatusRules,
    /// The largest body in memory, bytes.
    pub object_limit: u64,
    /// The largest one on disk, bytes; 0: none that is too large for memory.
    pub large_limit: u64,
}

impl StoreRule {
    /// Whether an answer may be stored, as far as its head tells, and for how long.
    ///
    /// # Errors
    /// Why it may not.
    pub fn judge(&self, answer: &Candidate) -> Result<Ttl, NotStored> {
        // A part of a body, or a statement about a body elsewhere, is no answer to the next request.
        if matches!(answer.status, ..200 | 206 | 304) {
            return Err(NotStored::Status);
        }
        if answer.length.is_some_and(|length| length > self.longest()) {
            return Err(NotStored::TooLarge);
        }
        if self.profile == Profile::Edge {
            is_public(answer)?;
        }
        match self.ttl_of(answer.status) {
            Some(ttl) if !ttl.is_off() => Ok(ttl),
            _ => Err(NotStored::Status),
        }
    }

    /// The largest body that is stored, bytes.
    #[must_use]
    pub const fn longest(&self) -> u64 {
        if self.large_limit > self.object_limit { self.large_limit } else { self.object_limit }
    }

    /// Whether a body of this length, as far as it is known, is kept on disk alone.
    #[must_use]
    pub fn is_large(&self, length: Option<u64>) -> bool {
        length.is_some_and(|length| length > self.object_limit && length <= self.large_limit)
    }

    fn ttl_of(&self, status: u16) -> Option<Ttl> {
        let usual =
            || (self.profile == Profile::Aws || matches!(status, 200 | 203 | 204 | 301 | 308)).then_some(self.ttl);
        self.statuses.ttl(status).or_else(usual)
    }
}

/// Nothing in it says that it is for one caller alone.
fn is_public(answer: &Candidate) -> Result<(), NotStored> {
    match answer {
        Candidate { set_cookie: true, .. } => Err(NotStored::SetCookie),
        Candidate { unkeyed_authorization: true, .. } => Err(NotStored::Authorization),
        Candidate { unkeyed_vary: true, .. } => Err(NotStored::Vary),
        Candidate { cache_control: CacheControl { no_store: true, .. }, .. } => Err(NotStored::NoStore),
        Candidate { cache_control: CacheControl { private: true, .. }, .. } => Err(NotStored::Private),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
