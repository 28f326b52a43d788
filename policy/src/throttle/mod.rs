//! How often: rate limits as token buckets, the order in which a request takes from them, and requests in flight.
//!
//! AWS (API Gateway, "Throttle requests to your REST APIs"): a bucket holds `burst` tokens, refills continuously at
//! `rate` tokens a second, a request costs one token, and an empty bucket answers 429 at once, never later. Time is
//! nanoseconds of a monotonic clock, passed in; nothing here sleeps, queues or blocks on the path of a request.

mod bucket;
mod in_flight;
mod level;
mod limit;
mod order;
mod terms;

pub use bucket::{Bucket, Frozen};
pub use in_flight::{InFlight, Lease};
pub use level::Level;
pub use limit::{RateLimit, RateLimitError};
pub use order::{give_back_all, take_all};
