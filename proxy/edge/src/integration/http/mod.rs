//! HTTP endpoints: a pool of connections per worker, several addresses with health, deadlines, and strict reading of
//! what comes back.
//!
//! Reuse is our own (`docs/decisions.md`): a connection is registered with its worker once and is not probed by a
//! system call before each use; a dead one shows when it is used, and an idempotent request is tried once more.

mod allowance;
mod body;
mod buffer;
mod call;
mod connection;
mod head;
mod http1;
mod http1_body;
mod http2;
mod origin;
mod pool;
mod tls;

pub use body::BodyReader;
pub use call::{Call, CallError, Endpoint, Started, call};
pub use head::{AnswerHead, BodyEnd, Malformed, parse as parse_head};
pub use origin::{ConnectError, Origin, OriginId, OriginKey, Origins};
pub use tls::TlsError as OriginTlsError;
pub(crate) use tls::client_config;

/// Closes what has been idle for too long; a worker calls it now and then.
pub fn sweep() {
    pool::sweep();
    http2::sweep();
}
