//! Stage 11, `prepare`: the request as the endpoint will see it. AWS's rules are on "Set up HTTP integrations";
//! which fields are dropped, added and overwritten is in `docs/parity.md`.

mod query;

use std::io::Write;
use std::net::IpAddr;

use arrayvec::ArrayVec;
use serde::Serialize;
use sluice_api::Verb;
use sluice_cache::answer::Fields;
use sluice_cache::answer::revalidate::Validators;

use super::mapped::Mapped;
use super::rescue::Fault;
use super::source::Request;
use super::{Context, Exchange, Flow, Need, Reply, recall};
use crate::message::body::BodyLength;
use crate::message::field::{CONDITIONS, FieldKind, HOP_BY_HOP};
use crate::message::gather::Gather;
use crate::message::request_id::RequestIds;
use crate::message::target;
use crate::plan::{HttpPlan, IntegrationPlan, MethodPlan, Plan};
use query::Passing;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Nothing is mapped.
    PassedOn,
    /// Request parameters were mapped.
    Mapped,
    /// Query parameters that the cache key does not name stay behind.
    QueryReduced,
    /// Both.
    MappedQueryReduced,
}

/// Dropped under both profiles: fields of the connection, and those that the new request states itself.
const DROPPED: u64 = HOP_BY_HOP
    | FieldKind::Host.bit()
    | FieldKind::ContentLength.bit()
    | FieldKind::Expect.bit()
    // No field of HTTP: programs behind a CGI-like interface take it for the address of their own proxy.
    | FieldKind::Proxy.bit()
    | FieldKind::ProxyAuthenticate.bit()
    | FieldKind::ProxyAuthorization.bit()
    | FieldKind::XForwardedFor.bit()
    | FieldKind::XForwardedProto.bit()
    | FieldKind::XForwardedHost.bit()
    | FieldKind::Forwarded.bit()
    | FieldKind::XApigwApiId.bit()
    | FieldKind::XSluiceExplain.bit();

/// Dropped by AWS besides.
const DROPPED_BY_AWS: u64 = FieldKind::ContentMd5.bit()
    | FieldKind::ContentEncoding.bit()
    | FieldKind::MaxForwards.bit()
    | FieldKind::Server.bit()
    | FieldKind::WwwAuthenticate.bit()
    | FieldKind::Via.bit()
    | FieldKind::XAmznTraceId.bit()
    | FieldKind::XHttpMethodOverride.bit();

/// Maps what is mapped; the head is written when the endpoint is called.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let http = match exchange.route.and_then(|r| context.plan.method(r)) {
        Some((_, _, MethodPlan { integration: IntegrationPlan::Http(http), .. })) => http,
        _ => return passed_on(exchange),
    };
    let reduces = exchange.head.query().is_some_and(|query| Passing::of(exchange, context.plan, http).reduces(query));
    if http.parameters.is_empty() {
        exchange.ledger.prepare = if reduces { Verdict::QueryReduced } else { Verdict::PassedOn };
        return Flow::Next;
    }
    if http.parameters.needs_body && exchange.lacks_body() {
        return Flow::Await(Need::Body(recall::body_limit(context.plan)));
    }
    match mapped(exchange, context.plan, http) {
        Ok(mapped) => exchange.mapped = Some(Box::new(mapped)),
        Err(fault) => return Flow::Answer(Reply::Fault(fault)),
    }
    exchange.ledger.prepare = if reduces { Verdict::MappedQueryReduced } else { Verdict::Mapped };
    Flow::Next
}

fn passed_on(exchange: &mut Exchange<'_>) -> Flow {
    exchange.ledger.prepare = Verdict::PassedOn;
    Flow::Next
}

/// What is mapped. Values are put together to a path that no origin may read otherwise than it stands there.
fn mapped(exchange: &Exchange<'_>, plan: &Plan, http: &HttpPlan) -> Result<Mapped, Fault> {
    let request = Request::new(exchange, plan).ok_or(Fault::Internal)?;
    let mapped = Mapped::of(&http.parameters, &request)?;
    let mut uri = Vec::new();
    http.uri.write_path(&mut uri, exchange.head.bytes(), &exchange.captures, &mapped.path);
    let mut parts = uri.splitn(2, |b| *b == b'?');
    match target::is_plain(parts.next().unwrap_or_default(), parts.next()) {
        true => Ok(mapped),
        false => Err(Fault::BadParameter),
    }
}

/// The verb that the endpoint is called with.
pub fn verb(exchange: &Exchange<'_>, http: &HttpPlan) -> Verb {
    http.verb.or(exchange.head.verb).unwrap_or(Verb::Get)
}

/// AWS sends no body with these verbs.
pub fn carries_no_body(exchange: &Exchange<'_>, http: &HttpPlan) -> bool {
    http.aws && matches!(verb(exchange, http), Verb::Get | Verb::Head | Verb::Options)
}

/// Writes the request head for the endpoint, in HTTP/1.1's form.
pub fn write_head(out: &mut Vec<u8>, exchange: &Exchange<'_>, plan: &Plan, http: &HttpPlan, body: BodyLength) {
    out.extend_from_slice(verb(exchange, http).as_str().as_bytes());
    out.push(b' ');
    write_target(out, exchange, plan, http);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_fields(out, exchange, plan, http, body);
    out.extend_from_slice(b"\r\n");
}

/// The URI's path and query, then what passes of the client's query, and what is mapped.
fn write_target(out: &mut Vec<u8>, exchange: &Exchange<'_>, plan: &Plan, http: &HttpPlan) {
    let mapped = exchange.mapped.as_deref();
    let path = mapped.map(|m| m.path.as_slice()).unwrap_or_default();
    http.uri.write_path(out, exchange.head.bytes(), &exchange.captures, path);
    let mut mark = http.uri.query_mark();
    let mut append = |part: &[u8]| {
        out.push(std::mem::replace(&mut mark, b'&'));
        out.extend_from_slice(part);
    };
    let passing = Passing::of(exchange, plan, http);
    passing.pairs(exchange.head.query().unwrap_or_default()).for_each(&mut append);
    if let Some(mapped) = mapped.filter(|m| !m.query.is_empty()) {
        append(&mapped.query);
    }
}

/// Writes the fields alone.
pub fn write_fields(out: &mut Vec<u8>, exchange: &Exchange<'_>, plan: &Plan, http: &HttpPlan, body: BodyLength) {
    let host = http.host.as_deref().map_or(exchange.head.host(), str::as_bytes);
    field(out, b"Host", host);
    pass_fields(out, exchange, plan, http);
    if let Some(mapped) = &exchange.mapped {
        out.extend_from_slice(&mapped.fields);
    }
    if let Some(validators) = validators(exchange, plan) {
        validators.write(out);
    }
    if let Some(class) = normalised_encoding(exchange, http) {
        field(out, b"Accept-Encoding", class);
    }
    forwarding_fields(out, exchange, plan);
    if http.aws {
        aws_fields(out, exchange, http);
    }
    // Writing to a Vec cannot fail.
    let _ = match body {
        BodyLength::Empty => Ok(()),
        BodyLength::Known(n) => write!(out, "Content-Length: {n}\r\n"),
        BodyLength::Unknown => write!(out, "Transfer-Encoding: chunked\r\n"),
    };
}

fn pass_fields(out: &mut Vec<u8>, exchange: &Exchange<'_>, plan: &Plan, http: &HttpPlan) {
    let mut dropped = DROPPED;
    if http.aws {
        dropped |= DROPPED_BY_AWS | dropped_by_aws_here(exchange, http);
    }
    if !comes_from_a_trusted_proxy(exchange, plan) {
        dropped |= FieldKind::XForwardedPort.bit();
    }
    if !http.aws && exchange.key.is_some() {
        // The coding is asked for below, as the key names it; another method than the key's must not fill the entry.
        dropped |= FieldKind::AcceptEncoding.bit() | FieldKind::XHttpMethodOverride.bit();
    }
    if holds_conditions(exchange, plan) {
        dropped |= CONDITIONS;
    }
    let crumbs = exchange.head.values(FieldKind::Cookie).count();
    let mut joined = false;
    for (place, (kind, name, value)) in exchange.head.fields().enumerate() {
        if dropped & kind.bit() != 0 || is_nominated(exchange, name) || http.parameters.has_field(name) {
            continue;
        }
        // HTTP/2 may send one field per cookie; HTTP/1.1 has one line (RFC 9113 §8.2.3).
        match (kind == FieldKind::Cookie && crumbs > 1, joined) {
            (false, _) if http.aws => join_field(out, exchange, place, (name, value)),
            (false, _) => field(out, name, value),
            (true, false) => join_cookies(out, exchange),
            (true, true) => {}
        }
        joined |= kind == FieldKind::Cookie;
    }
}

/// Dropped by AWS where the signature is for API Gateway itself, and where there is no body.
fn dropped_by_aws_here(exchange: &Exchange<'_>, http: &HttpPlan) -> u64 {
    let is_signature = |value: &[u8]| value.starts_with(b"AWS4-");
    let signed = exchange.head.values(FieldKind::Authorization).any(is_signature);
    let bare = carries_no_body(exchange, http);
    let bits = [(signed, FieldKind::Authorization), (bare, FieldKind::ContentType)];
    bits.iter().filter(|(drops, _)| *drops).map(|(_, kind)| kind.bit()).sum()
}

/// AWS makes one line of all fields of a name, where the first of them stands.
fn join_field(out: &mut Vec<u8>, exchange: &Exchange<'_>, place: usize, (name, value): (&[u8], &[u8])) {
    let fields = || exchange.head.fields().map(|(_, name, value)| (name, value));
    let same = |(other, _): &(&[u8], &[u8])| other.eq_ignore_ascii_case(name);
    if fields().take(place).any(|field| same(&field)) {
        return;
    }
    for part in [name, b": ", value] {
        out.extend_from_slice(part);
    }
    for (_, more) in fields().skip(place + 1).filter(same) {
        out.push(b',');
        out.extend_from_slice(more);
    }
    out.extend_from_slice(b"\r\n");
}

/// The answer may be for others, too: the client's own conditions are asked of it afterwards.
fn holds_conditions(exchange: &Exchange<'_>, plan: &Plan) -> bool {
    let rule = exchange.route.and_then(|r| plan.method(r)).and_then(|(.., method)| method.cache.as_ref());
    exchange.key.is_some() && rule.is_some_and(|rule| rule.derives)
}

/// Those of a stored answer that the endpoint is asked about.
pub fn validators<'e>(exchange: &'e Exchange<'_>, plan: &Plan) -> Option<Validators<'e>> {
    let stored = exchange.stored.as_deref().filter(|_| !exchange.head.has_body && holds_conditions(exchange, plan))?;
    Validators::of(Fields::of(stored.head()))
}

fn join_cookies(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    out.extend_from_slice(b"cookie: ");
    for (i, value) in exchange.head.values(FieldKind::Cookie).enumerate() {
        out.extend_from_slice(if i > 0 { b"; " } else { b"" });
        out.extend_from_slice(value);
    }
    out.extend_from_slice(b"\r\n");
}

/// The client's `Connection` names this field as one of its own connection. Asked of its fields only: what Sluice adds
/// comes afterwards and cannot be named away.
pub(super) fn is_nominated(exchange: &Exchange<'_>, name: &[u8]) -> bool {
    let named = |v: &[u8]| v.split(|b| *b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(name));
    exchange.head.has(FieldKind::Connection) && exchange.head.values(FieldKind::Connection).any(named)
}

/// Under `edge` a cached method asks for the coding that its key names.
fn normalised_encoding(exchange: &Exchange<'_>, http: &HttpPlan) -> Option<&'static [u8]> {
    let class = recall::encoding_class(exchange);
    (exchange.key.is_some() && !http.aws && !class.is_empty()).then_some(class)
}

/// Appended for a trusted proxy, begun anew for anybody else.
fn forwarding_fields(out: &mut Vec<u8>, exchange: &Exchange<'_>, plan: &Plan) {
    let peer = exchange.connection.address();
    let trusted = comes_from_a_trusted_proxy(exchange, plan);
    let scheme = exchange.connection.scheme();
    let before = |kind| exchange.head.values(kind).filter(move |_| trusted);
    let mut text = ArrayVec::<u8, ADDRESS>::new();
    write_address(&mut text, peer);
    out.extend_from_slice(b"X-Forwarded-For: ");
    list(out, before(FieldKind::XForwardedFor));
    out.extend_from_slice(&text);
    out.extend_from_slice(b"\r\n");
    field(out, b"X-Forwarded-Proto", told_scheme(exchange, plan));
    field(out, b"X-Forwarded-Host", told_host(exchange, plan));
    out.extend_from_slice(b"Forwarded: ");
    list(out, before(FieldKind::Forwarded));
    let mut gather = Gather::new(out);
    gather.push(if peer.is_ipv6() { b"for=\"[" } else { b"for=" });
    gather.push(&text);
    gather.push(if peer.is_ipv6() { b"]\";host=\"" } else { b";host=\"" });
    gather.push(exchange.head.host());
    gather.push(b"\";proto=");
    gather.push(scheme.as_bytes());
    gather.push(b"\r\n");
    gather.finish();
}

/// `X-Forwarded-Proto` as the origin gets it.
pub fn told_scheme<'e>(exchange: &'e Exchange<'_>, plan: &Plan) -> &'e [u8] {
    believed(exchange, plan, FieldKind::XForwardedProto).unwrap_or(exchange.connection.scheme().as_bytes())
}

/// `X-Forwarded-Host` as the origin gets it.
pub fn told_host<'e>(exchange: &'e Exchange<'_>, plan: &Plan) -> &'e [u8] {
    believed(exchange, plan, FieldKind::XForwardedHost).unwrap_or(exchange.head.host())
}

fn believed<'e>(exchange: &'e Exchange<'_>, plan: &Plan, kind: FieldKind) -> Option<&'e [u8]> {
    let there = exchange.head.has(kind) && comes_from_a_trusted_proxy(exchange, plan);
    there.then(|| exchange.head.values(kind).next_back()).flatten()
}

/// Bytes of the longest address.
const ADDRESS: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();

/// The usual form of an address; for IPv4 without the formatting machinery, as this is on every call's path.
fn write_address(text: &mut ArrayVec<u8, ADDRESS>, address: IpAddr) {
    let IpAddr::V4(v4) = address else {
        // There is room for every one.
        let _ = write!(text, "{address}");
        return;
    };
    for octet in v4.octets() {
        for (digit, from) in [(octet / 100, 100), (octet / 10 % 10, 10), (octet % 10, 0)] {
            if octet >= from {
                text.push(b'0' + digit);
            }
        }
        text.push(b'.');
    }
    text.pop();
}

fn comes_from_a_trusted_proxy(exchange: &Exchange<'_>, plan: &Plan) -> bool {
    !plan.trusted_proxies.is_empty() && plan.trusted_proxies.contains(exchange.connection.address())
}

fn list<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = &'v [u8]>) {
    for value in values.filter(|value| !value.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

/// What AWS adds to an HTTP_PROXY call.
fn aws_fields(out: &mut Vec<u8>, exchange: &Exchange<'_>, http: &HttpPlan) {
    let head = &exchange.head;
    let mapped = |name: &[u8]| http.parameters.has_field(name);
    if !head.has(FieldKind::Accept) && !mapped(b"accept") {
        field(out, b"Accept", b"application/json");
    }
    if !head.has(FieldKind::UserAgent) && !mapped(b"user-agent") {
        let _ = write!(out, "User-Agent: AmazonAPIGateway_{}\r\n", http.api_id);
    }
    let _ = write!(out, "X-Amzn-Apigateway-Api-Id: {}\r\n", http.api_id);
    out.extend_from_slice(b"X-Amzn-Trace-Id: ");
    match head.value(FieldKind::XAmznTraceId).filter(|v| v.starts_with(b"Root=")) {
        Some(trace) => out.extend_from_slice(trace),
        None => {
            let id = RequestIds::new().draw().0;
            let seconds = exchange.now.unix_seconds() as u32;
            let _ = write!(out, "Root=1-{seconds:08x}-{:024x}", id >> 32);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "10.20.30.40",
            "255.255.255.255",
            "9.99.100.205",
            "100.1.0.10",
            "::1",
            "2001:db8::7",
        ] {
            let mut out = ArrayVec::new();
            write_address(&mut out, text.parse().unwrap());
            assert_eq!(out.as_slice(), text.as_bytes());
        }
    }
}
