//! The URI of an `HTTP_PROXY` integration as a list of pieces, compiled once per stage.
//!
//! `{name}` takes a path variable's value, undecoded; `${stageVariables.name}` is filled in when the plan is compiled,
//! for a stage's variables change with the plan only. AWS's page: "Set up HTTP integrations".

use std::collections::BTreeMap;

use sluice_api::Address;

use crate::config::{Scheme, UriPart};
use crate::message::head::Span;

/// Why a URI cannot be compiled, or why a request's cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Neither `http://` nor `https://`.
    #[error("the URI must begin with http:// or https://")]
    Scheme,
    /// No host, or one with odd characters or a path variable in it.
    #[error("'{0}' is no host")]
    Authority(String),
    /// `{name}` without a source.
    #[error("'{{{0}}}' is neither a path variable nor mapped")]
    Variable(String),
    /// A byte that may not stand in a URI.
    #[error("the URI has a byte that must be escaped")]
    Byte,
}

/// A compiled URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    /// TLS is spoken.
    pub https: bool,
    /// Host and port.
    pub address: Address,
    /// As it is sent in `Host`.
    pub authority: Box<str>,
    pieces: Vec<Piece>,
    has_query: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Value(UriValue),
}

/// Where `{name}` gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriValue {
    /// A capture, by its place.
    Capture(usize),
    /// What a request parameter maps, by its place.
    Mapped(usize),
}

impl UriTemplate {
    /// Compiles `uri`. `place` finds out where a name gets its value.
    pub fn compile(
        uri: &str,
        variables: &BTreeMap<String, String>,
        place: impl FnMut(&str) -> Option<UriValue>,
    ) -> Result<Self, UriError> {
        let mut pieces = pieces(uri, variables, place)?;
        let first = match pieces.first() {
            Some(Piece::Text(text)) => std::str::from_utf8(text).unwrap_or_default().to_owned(),
            _ => return Err(UriError::Scheme),
        };
        let (scheme, rest) = crate::config::scheme(&first).ok_or(UriError::Scheme)?;
        let end = match rest.find(['/', '?']) {
            Some(end) => end,
            None if pieces.len() == 1 => rest.len(),
            None => return Err(UriError::Authority(rest.into())),
        };
        let (authority, path) = rest.split_at(end);
        let address = Address::parse(authority, Some(scheme.default_port()));
        let address = address.map_err(|_| UriError::Authority(authority.into()))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        if let Some(first) = pieces.first_mut() {
            *first = Piece::Text(format!("{slash}{path}").into_bytes().into());
        }
        let has_query = pieces.iter().any(|p| matches!(p, Piece::Text(t) if t.contains(&b'?')));
        let https = scheme == Scheme::Https;
        Ok(Self { https, address, authority: authority.into(), pieces, has_query })
    }

    /// Writes the URI's path and query; more of a query may follow.
    pub fn write_path(&self, out: &mut Vec<u8>, head: &[u8], captures: &[Span], mapped: &[Vec<u8>]) {
        for piece in &self.pieces {
            out.extend_from_slice(match piece {
                Piece::Text(text) => text,
                Piece::Value(UriValue::Capture(place)) => captures.get(*place).map(|s| s.of(head)).unwrap_or_default(),
                Piece::Value(UriValue::Mapped(place)) => mapped.get(*place).map(Vec::as_slice).unwrap_or_default(),
            });
        }
    }

    /// What stands before the client's query.
    pub fn query_mark(&self) -> u8 {
        if self.has_query { b'&' } else { b'?' }
    }
}

/// Stage variables become text; an undefined one is empty, as AWS has it.
fn pieces(
    uri: &str,
    variables: &BTreeMap<String, String>,
    mut place: impl FnMut(&str) -> Option<UriValue>,
) -> Result<Vec<Piece>, UriError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    for part in crate::config::UriTemplate::parse(uri).parts {
        match part {
            UriPart::Text(t) | UriPart::LeftAlone(t) => text.push_str(&t),
            UriPart::StageVariable(name) => text.push_str(variables.get(&*name).map_or("", String::as_str)),
            UriPart::Path(name) => {
                push_text(&mut pieces, &mut text)?;
                pieces.push(Piece::Value(place(&name).ok_or(UriError::Variable(name.into()))?));
            }
        }
    }
    push_text(&mut pieces, &mut text)?;
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut String) -> Result<(), UriError> {
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(UriError::Byte);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text).into_bytes().into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(uri: &str) -> Result<UriTemplate, UriError> {
        let variables = [("host".to_string(), "origin.internal:81".to_string())].into();
        let place = |n: &str| match n {
            "mapped" => Some(UriValue::Mapped(0)),
            _ => ["id", "proxy"].iter().position(|v| *v == n).map(UriValue::Capture),
        };
        UriTemplate::compile(uri, &variables, place)
    }

    fn target(uri: &str, query: Option<&str>) -> String {
        let head = b"/pets/7/a%2Fb/c";
        let captures = [Span::new(6, 7), Span::new(8, 15)];
        let mut out = Vec::new();
        let uri = compile(uri).unwrap();
        uri.write_path(&mut out, head, &captures, &[b"M".to_vec()]);
        if let Some(query) = query {
            out.push(uri.query_mark());
            out.extend_from_slice(query.as_bytes());
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn targets_are_put_together() {
        assert_eq!(target("http://o/x/{id}", None), "/x/7");
        assert_eq!(target("http://o/{proxy}", Some("a=1")), "/a%2Fb/c?a=1");
        assert_eq!(target("http://o/{proxy+}?k=v", Some("a=1&a=2")), "/a%2Fb/c?k=v&a=1&a=2");
        assert_eq!(target("http://o/{mapped}/{id}?v={mapped}", None), "/M/7?v=M");
        assert_eq!(target("http://o?k=v", None), "/?k=v");
    }

    #[test]
    fn stage_variables_may_be_the_host() {
        let t = compile("https://${stageVariables.host}/x").unwrap();
        assert!(t.https);
        assert_eq!((t.address.to_string().as_str(), &*t.authority), ("origin.internal:81", "origin.internal:81"));
        assert_eq!(compile("https://o/x").unwrap().address.port, 443);
        assert_eq!(compile("HTTP://o/x"), compile("http://o/x"), "a scheme's letters have no case");
        assert_eq!(compile("HTTPS://o/x"), compile("https://o/x"));
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        assert_eq!(compile("ftp://o/"), Err(UriError::Scheme));
        assert_eq!(compile("http://${stageVariables.none}/"), Err(UriError::Authority("".into())));
        assert_eq!(compile("http://{id}.o/"), Err(UriError::Authority("".into())));
        assert_eq!(compile("http://o/{nope}"), Err(UriError::Variable("nope".into())));
        assert_eq!(compile("http://o/a b"), Err(UriError::Byte));
    }
}
