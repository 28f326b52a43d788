//! What may be stored, for how long, under which key, in which tier.
//!
//! - [`answer`]: what can be answered from a stored answer: 304, a range, a variant, after asking the origin.
//! - [`key`]: the parts of a request become injective bytes and a 128-bit fingerprint.
//! - [`freshness`]: which answers are kept, and for how long.
//! - [`entry`]: a stored answer, ready to be written to a socket, and what it weighs.
//! - [`record`]: an entry as bytes that outlive the process, proven when they are read.
//! - [`seal`]: who can read what is stored: keys, where they come from, how they change.
//! - [`tier`]: where answers are kept; the memory tier and the disk tier.
//! - [`flight`]: one fetch per key however many wait for it.
//! - [`turn`]: which of several fetches of one key counts.
//! - [`invalidate`]: how flushes, purges and bans make entries unreachable before their time.
//! - [`notes`]: what an answer carries for purges to ask about.
//! - [`simulate`]: what a cache of another size would have done with a log.
//!
//! Nothing here reads a clock that decides what is served, or a socket, and nothing knows HTTP beyond status codes and
//! field lines: monotonic nanoseconds, verdicts and bytes are handed in.

pub mod answer;
pub mod entry;
pub mod flight;
pub mod freshness;
pub mod invalidate;
pub mod key;
pub mod notes;
pub mod record;
pub mod seal;
pub mod simulate;
pub mod tier;
pub mod turn;

pub use entry::{Draft, Entry};
pub use flight::{Flights, Role};
pub use freshness::NotStored;
pub use invalidate::{Bans, Birth, Epoch, Purge, Sequence};
pub use key::{Fingerprint, KeyHasher, KeyRef};
pub use record::{Codec, RecordError, SealError};
pub use seal::{Keyring, Salt};
pub use tier::memory::{Found, MemoryTier};
pub use turn::{Turn, Turns};
