//! Who may call, how often, with what proof. Pure: no sockets, no clock, no async.
//!
//! Configuration, a view of the request and `now` go in; a small verdict comes out. This crate knows nothing of the
//! cache, of the nouns of an API, of Pingora or of the wall clock.
//!
//! - [`network`]: where a request came from. Sets of CIDR prefixes, allow and deny lists.
//! - [`throttle`]: how often. Rate limits, token buckets and their order, requests in flight.
//!
//! ```
//! use sluice_policy::{Bucket, NetworkRules, NetworkVerdict, RateLimit, take_all};
//!
//! let rules = NetworkRules::new(None, &["192.0.2.0/24".parse()?]);
//! assert_eq!(rules.decide("192.0.2.7".parse()?), NetworkVerdict::ExplicitDeny);
//!
//! let account = Bucket::new(RateLimit::new(10_000.0, 5_000)?, 0);
//! let method = Bucket::new(RateLimit::new(0.5, 1)?, 0);
//! assert_eq!(take_all([Some(&method), Some(&account)], 0), Ok(()));
//! assert_eq!(take_all([Some(&method), Some(&account)], 0), Err(0), "the method's bucket refuses");
//! assert_eq!(account.available(0), 4_999.0, "and the account is not charged");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod invalidation;
pub mod network;
pub mod throttle;

pub use invalidation::{InvalidateCache, Invalidation};
pub use network::{CidrSet, NetworkRules, NetworkVerdict};
pub use throttle::{Bucket, Frozen, InFlight, Lease, Level, RateLimit, RateLimitError, give_back_all, take_all};
