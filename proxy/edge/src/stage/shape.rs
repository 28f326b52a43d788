//! Stage 13, `shape`: the endpoint's fields as the client will see them.
//!
//! Fields of the connection never pass. Under `aws` some come back as `x-amzn-Remapped-…`; under `edge` they pass.

use serde::Serialize;

use super::rescue::Fault;
use super::{Context, Exchange, Flow, Reply};
use crate::message::encode::fields_of;
use crate::message::field::{FieldKind, HOP_BY_HOP};
use crate::plan::IntegrationPlan;

/// What this stage leaves in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not reached.
    #[default]
    None,
    /// Passed on as it came.
    PassedOn,
}

/// The answer states these itself.
const DROPPED: u64 = HOP_BY_HOP
    | FieldKind::ContentLength.bit()
    | FieldKind::ProxyAuthenticate.bit()
    | FieldKind::ProxyAuthorization.bit()
    | FieldKind::XAmzApigwId.bit();

/// Renamed under `aws`; under `edge` `Date` is replaced by ours and the rest passes.
const REMAPPED: u64 = FieldKind::Date.bit()
    | FieldKind::Server.bit()
    | FieldKind::WwwAuthenticate.bit()
    | FieldKind::XAmznRequestId.bit();

/// Dropped by AWS besides.
const DROPPED_BY_AWS: u64 = FieldKind::ContentEncoding.bit() | FieldKind::Via.bit();

/// Turns the endpoint's fields into the client's.
pub fn advance(exchange: &mut Exchange<'_>, context: &mut Context<'_>) -> Flow {
    let Some((_, _, method)) = exchange.route.and_then(|r| context.plan.method(r)) else {
        return Flow::Answer(Reply::Fault(Fault::Internal));
    };
    let by_origin = method.cache.as_ref().is_some_and(|rule| rule.origin.is_some());
    let aws = matches!(&method.integration, IntegrationPlan::Http(http) if http.aws);
    let raw = std::mem::take(&mut exchange.origin.raw);
    let nominated = if has_connection(&raw) { nominated(&raw) } else { Vec::new() };
    let mut fields = Vec::with_capacity(raw.len());
    for (name, value) in fields_of(&raw) {
        let kind = FieldKind::of(name);
        let is = |set: u64| set & kind.bit() != 0;
        let is_known = kind != FieldKind::Other || !name.eq_ignore_ascii_case(b"proxy-authentication-info");
        if is(DROPPED)
            || !is_known
            || (aws && is(DROPPED_BY_AWS))
            || nominated.iter().any(|n| n.eq_ignore_ascii_case(name))
        {
            continue;
        }
        if is(REMAPPED) {
            match (aws, kind) {
                (true, _) => push(&mut fields, &[b"x-amzn-Remapped-", name], value),
                // Ages are counted from it.
                (false, FieldKind::Date) if by_origin => push(&mut fields, &[name], value),
                (false, FieldKind::Date | FieldKind::XAmznRequestId) => {}
                (false, _) => push(&mut fields, &[name], value),
            }
            continue;
        }
        push(&mut fields, &[name], value);
    }
    exchange.origin.fields = fields;
    exchange.ledger.shape = Verdict::PassedOn;
    Flow::Next
}

fn push(out: &mut Vec<u8>, name: &[&[u8]], value: &[u8]) {
    name.iter().for_each(|n| out.extend_from_slice(n));
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a line begins like `Connection`: most answers have none, and need not be taken apart for it.
fn has_connection(raw: &[u8]) -> bool {
    const NAME: &[u8] = b"connection";
    let begins = |line: &[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    begins(raw) || memchr::memchr_iter(b'\n', raw).any(|end| raw.get(end + 1..).is_some_and(begins))
}

/// Names that the endpoint's `Connection` declares to be of its own connection.
fn nominated(raw: &[u8]) -> Vec<&[u8]> {
    let connection = fields_of(raw).filter(|(name, _)| FieldKind::of(name) == FieldKind::Connection);
    let tokens = connection.flat_map(|(_, value)| value.split(|b| *b == b',').map(<[u8]>::trim_ascii));
    tokens.filter(|t| !t.eq_ignore_ascii_case(b"keep-alive") && !t.eq_ignore_ascii_case(b"close")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_endpoint_keeps_to_its_connection_is_found_wherever_it_is_named() {
        for (raw, named) in [
            (&b"A: b\r\nConnection: x-mine, close\r\n"[..], 1),
            (b"connection: X-Mine\r\nA: b\r\n", 1),
            (b"CONNECTION: keep-alive\r\n", 0),
            (b"A: connection\r\nX-Connection: x\r\nConnection-Id: 7\r\n", 0),
            (b"", 0),
        ] {
            let found = if has_connection(raw) { nominated(raw) } else { Vec::new() };
            assert_eq!(found.len(), named, "{}", String::from_utf8_lossy(raw));
            assert_eq!(found, nominated(raw));
        }
    }
}
