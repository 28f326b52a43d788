//! The upgrade: another process takes over, and no request is lost on the way.
//!
//! The process that runs listens on `upgrade_socket`. The next one, started with `--upgrade`, makes itself ready as far
//! as it can, and then:
//!
//! ```text
//!  next                              running
//!   TakeOver { version }       ──►
//!                              ◄──   Sockets …          the listening sockets, in batches
//!   Ready                      ──►                      all that can fail has been done
//!                              ◄──   Levels             it accepts no more; its buckets earn no more;
//!                                                       with them go the keys of TLS tickets
//!   Serving { sockets }        ──►                      from here on there is no way back
//!   accepts                          drains
//!                              ◄──   Settle …           every few milliseconds: what it admitted since, what it needs
//!   Granted …                  ──►                      as much as the buckets here have
//!                              ◄──   Gone
//! ```
//!
//! Until `Serving` the running process takes everything back if anything goes wrong, whatever it is, and goes on. Tokens
//! are never in two processes: what the running one keeps for requests that it still gets is missing in what it hands
//! over, and it earns nothing, so both together admit what one would have.

mod channel;
mod launch;
mod message;
mod predecessor;
mod reserve;
mod successor;

pub use channel::{Channel, ChannelError};
pub use launch::{LaunchError, Launcher, request};
pub use message::{Held, Message, VERSION};
pub use predecessor::{Predecessor, TakeOverError};
pub use successor::await_successor;
