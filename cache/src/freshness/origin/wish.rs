//! What a request wants of a stored answer (RFC 9111 §5.2.1, §5.4).

use crate::entry::Lifetime;
use crate::freshness::{CacheControl, NS_PER_SECOND};

/// The wishes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Its Cache-Control.
    pub control: CacheControl,
    /// `Pragma: no-cache`, which counts where there is no Cache-Control.
    pub pragma_no_cache: bool,
}

/// What may be done with a stored answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Serve it.
    Serve,
    /// Serve it, though its time is over: the request said that it may.
    ServeStale,
    /// Ask the origin first.
    Validate,
}

impl Wish {
    /// Whether an answer with this lifetime may be served to this request at `now_ns`. `never_stale` is what the answer
    /// itself says.
    #[must_use]
    pub const fn allows(self, stored: Lifetime, never_stale: bool, now_ns: u64) -> Allowed {
        let control = self.control;
        let age = now_ns.saturating_sub(stored.stored_at_ns) / NS_PER_SECOND;
        let left_ns = stored.fresh_until_ns.saturating_sub(now_ns);
        if control.no_cache || (self.pragma_no_cache && !self.says_anything()) {
            return Allowed::Validate;
        }
        if let Some(max_age) = control.max_age
            && age >= max_age as u64
        {
            return Allowed::Validate;
        }
        if let Some(min_fresh) = control.min_fresh
            && left_ns < min_fresh as u64 * NS_PER_SECOND
        {
            return Allowed::Validate;
        }
        if left_ns > 0 {
            return Allowed::Serve;
        }
        match control.max_stale {
            Some(seconds) if !never_stale && is_within(stored, seconds, now_ns) => Allowed::ServeStale,
            _ => Allowed::Validate,
        }
    }

    /// Whether it asks for a stored answer or none.
    #[must_use]
    pub const fn only_if_cached(self) -> bool {
        self.control.only_if_cached
    }

    const fn says_anything(self) -> bool {
        let c = self.control;
        let seconds = c.max_age.is_some() || c.min_fresh.is_some() || c.max_stale.is_some();
        seconds || c.no_store || c.no_cache || c.only_if_cached
    }
}

const fn is_within(stored: Lifetime, seconds: u32, now_ns: u64) -> bool {
    now_ns.saturating_sub(stored.fresh_until_ns) <= seconds as u64 * NS_PER_SECOND
}
