//! An unsafe request that succeeds invalidates what is stored for its URI, and for the URIs that the answer's `Location`
//! and `Content-Location` name on the same host (RFC 9111 §4.4). Before the answer is passed on, so that whoever reads it
//! finds nothing older.
//!
//! The keys are those of GET requests for the URI with each coding, and with the same fields otherwise: who writes as one
//! tenant reads as that one. What other clients' fields make of a key is not known here.

use sluice_api::Verb;
use sluice_cache::answer::Fields;

use super::admin::{self, Writer};
use super::core::with;
use super::drive::Trip;
use crate::integration::http::Started;
use crate::message::field::FieldKind;
use crate::message::head::Head;
use crate::stage::prepare;

/// Invalidates what has to be.
pub(super) async fn after(trip: &Trip, started: &Started) {
    let Some(gateway) = with(|core| core.gateway.clone()) else { return };
    let (plan, uris) = (trip.plan.clone(), uris(trip, Fields::of(&started.head.fields)));
    let by = Writer { peer: trip.exchange.connection.peer, headers: headers(&trip.exchange.head) };
    // A tier on disk has to take note of it, which may take a moment.
    let done = tokio::task::spawn_blocking(move || admin::invalidate(&gateway, &plan, uris, &by));
    if done.await.is_err() {
        tracing::warn!("an invalidation after an unsafe request broke off: what is stored for its URI may be old");
    }
}

/// Whether an answer with this status invalidates anything.
pub(super) fn concerns(trip: &Trip, status: u16) -> bool {
    let exchange = &trip.exchange;
    let safe = matches!(exchange.head.verb, Some(Verb::Get | Verb::Head | Verb::Options));
    let method = exchange.route.and_then(|r| trip.plan.method(r));
    !safe && (200..400).contains(&status) && method.is_some_and(|(.., method)| method.invalidates)
}

/// The request's own URI, and those that the answer names.
fn uris(trip: &Trip, answer: Fields<'_>) -> Vec<String> {
    let (exchange, plan) = (&trip.exchange, &trip.plan);
    let head = &exchange.head;
    let uri =
        |scheme: &[u8], host: &[u8]| [&String::from_utf8_lossy(scheme), "://", &String::from_utf8_lossy(host)].concat();
    let origin = uri(exchange.connection.scheme().as_bytes(), head.host());
    // What a proxy in front has been asked.
    let told = uri(prepare::told_scheme(exchange, plan), prepare::told_host(exchange, plan));
    let query = head.query().map(|query| [b"?", query].concat()).unwrap_or_default();
    let own = [head.path(), &query].concat();
    let named = ["location", "content-location"].into_iter().filter_map(|name| answer.single(name));
    let paths = named.filter_map(|uri| path_at(&origin, uri).or_else(|| path_at(&told, uri))).chain([&own[..]]);
    paths.map(|path| format!("{origin}{}", String::from_utf8_lossy(path))).collect()
}

/// Path and query of a URI of this origin; another origin's are none of this one's business.
fn path_at<'u>(origin: &str, uri: &'u [u8]) -> Option<&'u [u8]> {
    let uri = uri.split(|b| *b == b'#').next()?;
    let here = uri.get(..origin.len()).is_some_and(|start| start.eq_ignore_ascii_case(origin.as_bytes()));
    let path = if here { uri.get(origin.len()..)? } else { uri };
    (path.starts_with(b"/") && !path.starts_with(b"//")).then_some(path)
}

/// The request's fields, without what belongs to its body, its connection or its own verb alone.
fn headers(head: &Head<'_>) -> Vec<(String, String)> {
    let fields = head.fields().filter(|(kind, ..)| !is_of_the_write(*kind));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    fields.filter_map(|(_, name, value)| text(name).zip(text(value))).collect()
}

const fn is_of_the_write(kind: FieldKind) -> bool {
    use FieldKind::{
        AcceptEncoding, Connection, ContentLength, Expect, Host, Http2Settings, KeepAlive, ProxyConnection, Te,
        Trailer, TransferEncoding, Upgrade, XHttpMethodOverride,
    };
    matches!(
        kind,
        Host | AcceptEncoding
            | ContentLength
            | TransferEncoding
            | Trailer
            | Te
            | Connection
            | KeepAlive
            | ProxyConnection
            | Upgrade
            | Http2Settings
            | Expect
            | XHttpMethodOverride
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uris_of_the_same_origin_are_meant() {
        let path = |uri: &'static str| path_at("http://a:1", uri.as_bytes());
        assert_eq!(path("/b?c#d"), Some(&b"/b?c"[..]));
        assert_eq!(path("HTTP://A:1/b"), Some(&b"/b"[..]));
        for other in ["//b/c", "http://a:12/b", "https://a:1/b", "http://b/", "b", ""] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
