//! What the integration's request parameters make of a request, in the form in which it is sent.
//!
//! AWS's page: "Map method request data to integration request parameters". A source that a request does not have leaves
//! its target out, and the client's field of that name with it; so with query parameters under `edge`, where AWS appends
//! what is mapped to what the client has sent. Values are what strangers send: in a URI they are
//! escaped, and one that cannot stand in a header field is refused.

use std::borrow::Cow;

use sluice_mapping::{EvaluateError, Expression, Value};

use super::rescue::Fault;
use super::source::Request;
use crate::plan::Parameters;

/// Mapped parameters, ready to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Values for the URI, by their place in the template.
    pub path: Vec<Vec<u8>>,
    /// `name=value` pairs with `&` between them.
    pub query: Vec<u8>,
    /// Header lines.
    pub fields: Vec<u8>,
}

impl Mapped {
    /// Evaluates everything that is mapped.
    ///
    /// # Errors
    /// The body is no JSON where it ought to be, the URI lacks a value, or a value has no place in a header field.
    pub fn of(parameters: &Parameters, request: &Request<'_>) -> Result<Self, Fault> {
        let mut mapped = Self::default();
        for expression in &parameters.path {
            mapped.path.push(segment(value(expression, request)?)?);
        }
        for (name, expression) in &parameters.query {
            for value in values(value(expression, request)?) {
                mapped.pair(name.as_bytes(), &value);
            }
        }
        for (name, expression) in &parameters.fields {
            if let Some(value) = joined(value(expression, request)?) {
                mapped.field(name.as_bytes(), &value)?;
            }
        }
        Ok(mapped)
    }

    fn pair(&mut self, name: &[u8], value: &[u8]) {
        if !self.query.is_empty() {
            self.query.push(b'&');
        }
        escape(&mut self.query, name);
        self.query.push(b'=');
        escape(&mut self.query, value);
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        if !value.iter().all(|b| *b == b'\t' || (*b >= b' ' && *b != 0x7f)) {
            return Err(Fault::BadParameter);
        }
        for part in [name, b": ", value.trim_ascii(), b"\r\n"] {
            self.fields.extend_from_slice(part);
        }
        Ok(())
    }
}

/// An expression's value; a body that cannot be read becomes a fault.
pub fn value<'s>(expression: &'s Expression, request: &'s Request<'_>) -> Result<Option<Value<'s>>, Fault> {
    expression.evaluate(request).map_err(|EvaluateError::InvalidJson| Fault::InvalidJson)
}

/// A value for the URI: whatever it is, it is one piece of text there, and no dot segment.
fn segment(value: Option<Value<'_>>) -> Result<Vec<u8>, Fault> {
    let value = joined(value).ok_or(Fault::MissingParameter)?;
    if matches!(&*value, b"." | b"..") {
        return Err(Fault::BadParameter);
    }
    let mut text = Vec::with_capacity(value.len());
    escape(&mut text, &value);
    Ok(text)
}

fn values(value: Option<Value<'_>>) -> Vec<Cow<'_, [u8]>> {
    match value {
        None => Vec::new(),
        Some(Value::One(value)) => vec![value],
        Some(Value::Many(values)) => values,
    }
}

fn joined(value: Option<Value<'_>>) -> Option<Cow<'_, [u8]>> {
    match value? {
        Value::One(value) => Some(value),
        Value::Many(values) => Some(Cow::Owned(values.join(&b","[..]))),
    }
}

/// RFC 3986's unreserved characters stand for themselves, everything else is escaped.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            _ => out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

const fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'A' + half - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &'static [u8]) -> Option<Value<'static>> {
        Some(Value::One(value.into()))
    }

    #[test]
    fn values_stay_one_piece_of_a_uri() {
        assert_eq!(segment(one(b"a/b?c=d&e#%2F \r\n\xff")), Ok(b"a%2Fb%3Fc%3Dd%26e%23%252F%20%0D%0A%FF".to_vec()));
        assert_eq!(segment(one(b"..")), Err(Fault::BadParameter));
        assert_eq!(segment(None), Err(Fault::MissingParameter));
    }

    #[test]
    fn a_value_cannot_begin_another_field() {
        let mut mapped = Mapped::default();
        for bad in [&b"a\r\nX-Evil: 1"[..], b"a\n", b"\0", b"a\x7f"] {
            assert_eq!(mapped.field(b"X", bad), Err(Fault::BadParameter));
        }
        assert_eq!(mapped.field(b"X", b" a\tb \xc3\xa4 "), Ok(()));
        assert_eq!(mapped.fields, b"X: a\tb \xc3\xa4\r\n");
    }

    #[test]
    fn pairs_repeat_their_name() {
        let mut mapped = Mapped::default();
        mapped.pair(b"a b", b"1&2");
        mapped.pair(b"a b", b"");
        assert_eq!(mapped.query, b"a%20b=1%262&a%20b=");
    }
}
