//! HTTP/2 towards endpoints (RFC 9113), on the `h2` crate: few connections per worker and origin, shared by its calls.
//!
//! Under TLS the origin chooses by ALPN, and may choose HTTP/1.1; without TLS it must speak HTTP/2 (prior knowledge).
//! Nothing is pushed, nothing prioritised, and trailers are read over.

mod answer;
mod body;
mod call;
mod request;
mod session;
mod sessions;

pub(super) use body::Http2Body;
pub(super) use call::attempt;
pub(super) use session::{SessionId, Slot};
pub(super) use sessions::{link, sweep};

use std::io;

use super::call::CallError;
use super::head::Malformed;

/// What a failure before the answer's head means for the call.
fn failure(error: h2::Error) -> CallError {
    let refused = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
    match error {
        // A GOAWAY reaches only the streams that it excludes (RFC 9113 §6.8): like a refusal, it says that nothing was
        // done.
        e if e.is_remote() && refused => CallError::Refused,
        e if e.is_remote() => CallError::Broken(io::Error::new(io::ErrorKind::ConnectionReset, e)),
        e if e.is_io() => CallError::Broken(broken(e)),
        _ => CallError::Malformed(Malformed),
    }
}

fn broken(error: h2::Error) -> io::Error {
    match error.is_io() {
        true => error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
        false => io::Error::new(io::ErrorKind::ConnectionAborted, error),
    }
}
