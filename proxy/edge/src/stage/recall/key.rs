//! The parts of a request's key, as the method's rule names them.

use std::borrow::Cow;

use sluice_cache::key::KeyWriter;
use sluice_mapping::Value;

use super::super::Exchange;
use super::super::mapped;
use super::super::prepare::is_nominated;
use super::super::rescue::Fault;
use super::super::source::Request;
use crate::message::field::FieldKind;
use crate::plan::{KeyPart, KeyRule, Plan};

/// Writes what the rule asks for behind the prefix.
///
/// # Errors
/// The request's body cannot be read as the rule asks.
#[inline]
pub(super) fn write_parts(
    writer: &mut KeyWriter<'_>,
    rule: &KeyRule,
    exchange: &Exchange<'_>,
    plan: &Plan,
) -> Result<(), Fault> {
    match rule {
        KeyRule::PathAndQuery => {
            writer.value(exchange.routed_path());
            writer.part(exchange.head.query());
            writer.value(encoding_class(exchange));
            Ok(())
        }
        KeyRule::Parameters(parts) => parts.iter().try_for_each(|part| write_part(writer, part, exchange, plan)),
    }
}

fn write_part(writer: &mut KeyWriter<'_>, part: &KeyPart, exchange: &Exchange<'_>, plan: &Plan) -> Result<(), Fault> {
    match part {
        KeyPart::Path(place) => writer.part(exchange.captures.get(*place).map(|s| s.of(exchange.head.bytes()))),
        KeyPart::Header(name) => write_values(writer, || header_values(exchange, name.as_bytes())),
        KeyPart::Query(name) => {
            let query = exchange.head.query().unwrap_or_default();
            write_values(writer, || query_values(query, name.as_bytes()));
        }
        KeyPart::Mapped(expression) => {
            let request = Request::new(exchange, plan).ok_or(Fault::Internal)?;
            match mapped::value(expression, &request)? {
                None => writer.absent(),
                Some(Value::One(value)) => writer.value(&value),
                Some(Value::Many(values)) => writer.values(values.iter().map(|v| &**v)),
            }
        }
        KeyPart::AcceptEncoding => writer.value(encoding_class(exchange)),
    }
    Ok(())
}

/// None, the one, or all of them; `values` is asked anew to see how many there are.
fn write_values<'v, V: AsRef<[u8]> + 'v, I: Iterator<Item = V>>(writer: &mut KeyWriter<'_>, values: impl Fn() -> I) {
    let mut some = values();
    match (some.next(), some.next()) {
        (None, _) => writer.absent(),
        (Some(value), None) => writer.value(value.as_ref()),
        _ => {
            let all: Vec<V> = values().collect();
            writer.values(all.iter().map(AsRef::as_ref));
        }
    }
}

/// The values of a field as the origin will get them: a field that `Connection` names stays behind.
pub fn header_values<'e>(exchange: &'e Exchange<'_>, name: &[u8]) -> impl Iterator<Item = &'e [u8]> {
    let passed = !is_nominated(exchange, name);
    let fields = exchange.head.fields().filter(move |(_, n, _)| passed && n.eq_ignore_ascii_case(name));
    fields.map(|(_, _, value)| value)
}

/// `br`, `gzip` or nothing: what `prepare` asks the origin for, so that codings are kept apart by it.
pub fn encoding_class(exchange: &Exchange<'_>) -> &'static [u8] {
    let Some(accepted) = exchange.head.value(FieldKind::AcceptEncoding) else { return b"" };
    let wants = |coding: &[u8]| accepted.split(|b| *b == b',').any(|item| accepts(item, coding));
    if wants(b"br") {
        b"br"
    } else if wants(b"gzip") {
        b"gzip"
    } else {
        b""
    }
}

fn accepts(item: &[u8], coding: &[u8]) -> bool {
    let mut parts = item.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
    let refused = |p: &[u8]| p.strip_prefix(b"q=").is_some_and(|q| q.iter().all(|b| matches!(b, b'0' | b'.')));
    named && !parts.any(refused)
}

/// The values of a query parameter, decoded: `+` is a blank, `%xx` a byte.
pub fn query_values<'q>(query: &'q [u8], name: &[u8]) -> impl Iterator<Item = Cow<'q, [u8]>> {
    let pairs = query.split(|b| *b == b'&').map(|pair| match memchr::memchr(b'=', pair) {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &b""[..]),
    });
    pairs.filter(move |(n, _)| *decoded(n) == *name).map(|(_, value)| decoded(value))
}

/// The decoded name of a `name=value` pair.
pub fn query_name(pair: &[u8]) -> Cow<'_, [u8]> {
    decoded(pair.split(|b| *b == b'=').next().unwrap_or_default())
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8);
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(b) = text.get(at) {
        let escape = (*b == b'%').then(|| Some(hex(text.get(at + 1))? << 4 | hex(text.get(at + 2))?)).flatten();
        out.push(escape.unwrap_or(if *b == b'+' { b' ' } else { *b }));
        at += if escape.is_some() { 3 } else { 1 };
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_are_found_and_decoded() {
        let values = |query: &'static str| -> Vec<String> {
            query_values(query.as_bytes(), b"a").map(|v| String::from_utf8_lossy(&v).into_owned()).collect()
        };
        assert_eq!(values("a=1&b=2&a=3"), ["1", "3"]);
        assert_eq!(values("a=x%20y+z&b"), ["x y z"]);
        assert_eq!(values("%61=1"), ["1"]);
        assert_eq!(values("a"), [""]);
        assert_eq!(values("ab=1&&="), [""; 0]);
        assert_eq!(values("a=%zz"), ["%zz"]);
    }

    #[test]
    fn codings_with_weight_zero_are_refused() {
        assert!(accepts(b" gzip;q=0.5", b"gzip"));
        assert!(!accepts(b"gzip;q=0", b"gzip"));
        assert!(!accepts(b"gzip; q=0.0", b"gzip"));
        assert!(!accepts(b"xgzip", b"gzip"));
    }
}
