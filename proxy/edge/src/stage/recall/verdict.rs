//! What `recall` says of a request, and its names in logs, metrics and `Cache-Status`.

use serde::Serialize;

use crate::message::encode::Forward;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// The method is not cached.
    Off,
    /// Answered from the cache.
    Hit {
        /// Seconds since it was stored.
        age: u32,
        /// It came from disk.
        disk: bool,
    },
    /// Answered from memory with what is no longer fresh, while it is fetched anew.
    Stale {
        /// Seconds since it was stored.
        age: u32,
    },
    /// Nothing is stored under the key.
    Miss,
    /// What is stored is no longer fresh.
    Expired,
    /// What is stored was purged.
    Purged {
        /// Only expired by it.
        soft: bool,
    },
    /// A caller who may asked for a fresh answer in place of the stored one.
    Refreshed,
    /// A caller who may not asked for that, and gets a 403.
    Denied,
    /// The method is cached, but not this verb of it.
    Method,
    /// Kept out: an `Authorization` that is not in the key would make one caller's answer another's.
    UnkeyedAuthorization,
    /// Kept out: a body, which is not in the key and which the origin may answer by.
    UnkeyedBody,
    /// Kept out: a `Cookie`, by which the origin may tell one caller from another, and nobody said what the key is.
    UnkeyedCookie,
    /// The key is longer than a key may be.
    KeyTooLong,
    /// Kept out: it is a large object, and too many of them are being sent from disk.
    Busy,
    /// Waited for another request's fetch and got its answer.
    Followed,
}

impl Verdict {
    /// Counts as `CacheHitCount`.
    pub fn is_hit(self) -> bool {
        matches!(self, Verdict::Hit { .. } | Verdict::Stale { .. } | Verdict::Followed)
    }

    /// Counts as `CacheMissCount`, if the request is sent to the endpoint.
    pub const fn is_miss(self) -> bool {
        matches!(self, Verdict::Miss | Verdict::Expired | Verdict::Purged { .. } | Verdict::Refreshed)
            || self.is_bypass()
    }

    /// Kept out of the cache by something in the request.
    const fn is_bypass(self) -> bool {
        use Verdict::{Busy, KeyTooLong, UnkeyedAuthorization, UnkeyedBody, UnkeyedCookie};
        matches!(self, UnkeyedAuthorization | UnkeyedBody | UnkeyedCookie | KeyTooLong | Busy)
    }

    /// Why a request to a cached method goes forward, by place in [`REASONS`].
    pub const fn reason(self) -> Option<usize> {
        Some(match self {
            Verdict::Miss => 0,
            Verdict::Expired => 1,
            Verdict::Refreshed => 2,
            Verdict::Method => 3,
            Verdict::UnkeyedAuthorization => 4,
            Verdict::UnkeyedBody => 5,
            Verdict::UnkeyedCookie => 6,
            Verdict::KeyTooLong => 7,
            Verdict::Purged { .. } => 8,
            Verdict::Busy => 9,
            Verdict::None | Verdict::Off | Verdict::Denied => return None,
            Verdict::Hit { .. } | Verdict::Stale { .. } | Verdict::Followed => return None,
        })
    }

    /// The same for `Cache-Status`: RFC 9211's token, and for a bypass what kept it out.
    pub(super) fn forward(self) -> (Forward, Option<&'static str>) {
        match self {
            Verdict::Expired => (Forward::Stale, None),
            Verdict::Purged { soft: true } => (Forward::Stale, Some("purged")),
            Verdict::Purged { soft: false } => (Forward::UriMiss, Some("purged")),
            Verdict::Refreshed => (Forward::Request, None),
            Verdict::Method => (Forward::Method, None),
            _ if self.is_bypass() => (Forward::Bypass, self.reason().and_then(|at| REASONS.get(at).copied())),
            _ => (Forward::UriMiss, None),
        }
    }

    /// As the access log prints it; `None` where there is no cache.
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Verdict::None | Verdict::Off | Verdict::Method | Verdict::Denied => return None,
            Verdict::Hit { .. } => "hit",
            Verdict::Stale { .. } => "stale",
            Verdict::Miss => "miss",
            Verdict::Expired => "expired",
            Verdict::Purged { .. } => "purged",
            Verdict::Refreshed => "refresh",
            Verdict::Followed => "collapsed",
            _ if self.is_bypass() => "bypass",
            _ => return None,
        })
    }
}

/// Why requests to cached methods go forward.
pub const REASONS: [&str; 10] =
    ["uri-miss", "stale", "request", "method", "authorization", "body", "cookie", "key-too-long", "purged", "busy"];
