//! What can be answered from a stored answer, and what it asks of a request first.
//!
//! - [`Fields`]: the stored field lines.
//! - [`conditional`]: whether the client holds it already (RFC 9110 §13).
//! - [`marker`]: what stands under a key whose answers vary.
//! - [`range`]: a part of it (RFC 9110 §14).
//! - [`revalidate`]: asking the origin whether it still holds, and bringing it up to date (RFC 9111 §4.3).
//! - [`vary`]: which fields of a request choose among several answers under one key (RFC 9111 §4.1).

pub mod conditional;
mod fields;
pub mod marker;
pub mod range;
pub mod revalidate;
pub mod vary;

pub use fields::Fields;
pub(crate) use fields::members;

/// Seconds since 1970 of a date in one of HTTP's three forms.
pub(crate) fn date(value: &[u8]) -> Option<u64> {
    let moment = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    moment.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}
