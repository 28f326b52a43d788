//! A field of a JSON body: `pets[0].name`, `['odd name'].x`; the leading `$.` is left out or not.
//!
//! The simple part of AWS's dialect: names, quoted names and indexes. Wildcards, filters, slices and deep scans are
//! refused when they are parsed. Values come out as they were written, so no number is rounded.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most steps of a path.
const STEPS: usize = 32;

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// Wildcards, filters, slices, deep scans.
    #[error("'{0}' is not served: only names, ['names'] and [indexes] are")]
    NotServed(String),
    /// No path at all.
    #[error("'{0}' is no JSON path")]
    Malformed(String),
}

/// The body is no JSON, or a name on the path comes twice, so that readers may differ on its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON")]
pub(crate) struct InvalidJson;

/// A checked path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Name(Box<str>),
    Index(usize),
}

impl JsonPath {
    /// Checks `text`.
    ///
    /// # Errors
    /// It is no path, or of the part of the dialect that is not served.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let malformed = || JsonPathError::Malformed(text.into());
        if text.contains(['*', '?', ':', '@', '(']) || text.contains("..") {
            return Err(JsonPathError::NotServed(text.into()));
        }
        let mut rest = text.strip_prefix("$.").unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest, steps.is_empty()).ok_or_else(malformed)?;
            steps.push(step);
            rest = after;
        }
        if steps.is_empty() || steps.len() > STEPS { Err(malformed()) } else { Ok(Self(steps)) }
    }

    /// The value in a JSON text: the text of a string, anything else as JSON without blanks. `None` if there is none, or
    /// `null`.
    pub(crate) fn find<'b>(&self, body: &'b [u8]) -> Result<Option<Cow<'b, [u8]>>, InvalidJson> {
        let mut value: &RawValue = serde_json::from_slice(body).map_err(|_| InvalidJson)?;
        for step in &self.0 {
            match step.of(value)? {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        match value.get() {
            "null" => Ok(None),
            text if text.starts_with('"') => string(text).map(Some),
            text => Ok(Some(Cow::Owned(compact(text)))),
        }
    }
}

impl Step {
    fn of<'b>(&self, value: &'b RawValue) -> Result<Option<&'b RawValue>, InvalidJson> {
        let text = value.get();
        match self {
            Step::Name(name) if text.starts_with('{') => member(text, name),
            Step::Index(index) if text.starts_with('[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| InvalidJson)?;
                Ok(items.get(*index).copied())
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if is_plain(name) => write!(f, "{}{name}", if at == 0 { "" } else { "." })?,
                Step::Name(name) if name.contains('\'') => write!(f, "[\"{name}\"]")?,
                Step::Name(name) => write!(f, "['{name}']")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The first step of `text`, and what follows.
fn step(text: &str, first: bool) -> Option<(Step, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        return match inner.chars().next()? {
            quote @ ('\'' | '"') => {
                let (name, after) = inner.get(1..)?.split_once(quote)?;
                Some((Step::Name(name.into()), after.strip_prefix(']')?))
            }
            _ => {
                let (index, after) = inner.split_once(']')?;
                Some((Step::Index(index.parse().ok()?), after))
            }
        };
    }
    let text = if first { text } else { text.strip_prefix('.')? };
    let (name, after) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    is_plain(name).then(|| (Step::Name(name.into()), after))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || ".[]'\"".contains(c))
}

/// The value of a name. Readers differ on which of two counts, so a name that comes twice has none.
fn member<'b>(object: &'b str, name: &str) -> Result<Option<&'b RawValue>, InvalidJson> {
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Member(name)).map_err(|_| InvalidJson)
}

struct Member<'n>(&'n str);

impl<'b> Visitor<'b> for Member<'_> {
    type Value = Option<&'b RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'b>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(Name(name)) = map.next_key()? {
            if name != self.0 {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::custom("a name comes twice"));
            }
        }
        Ok(found)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);

fn string(text: &str) -> Result<Cow<'_, [u8]>, InvalidJson> {
    let Name(text) = serde_json::from_str(text).map_err(|_| InvalidJson)?;
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// JSON without the blanks between its tokens.
fn compact(text: &str) -> Vec<u8> {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |b: &u8| {
        let blank = !quoted && matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        quoted ^= *b == b'"' && !escaped;
        escaped = quoted && *b == b'\\' && !escaped;
        !blank
    };
    text.bytes().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(path: &str, body: &str) -> Result<Option<String>, InvalidJson> {
        let found = JsonPath::parse(path).unwrap().find(body.as_bytes())?.map(Cow::into_owned);
        Ok(found.map(|value| String::from_utf8(value).unwrap()))
    }

    #[test]
    fn paths_are_read_and_written() {
        for (text, canonical) in [
            ("a", "a"),
            ("$.a.b", "a.b"),
            ("a[0].b", "a[0].b"),
            ("[1]", "[1]"),
            ("['a b'][\"c'd\"].e", "['a b'][\"c'd\"].e"),
            ("['a'].b", "a.b"),
        ] {
            assert_eq!(JsonPath::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_not_served_is_refused() {
        for text in ["a[*]", "a..b", "a[?(@.x)]", "a[1:2]", "a.length()"] {
            assert_eq!(JsonPath::parse(text), Err(JsonPathError::NotServed(text.into())), "{text}");
        }
        for text in ["", "$.", ".a", "a.", "a[", "a[x]", "a['b]", "a b", "a[0]b", "a[-1]"] {
            assert_eq!(JsonPath::parse(text), Err(JsonPathError::Malformed(text.into())), "{text}");
        }
        assert!(JsonPath::parse(&"a.".repeat(40)).is_err());
        assert!(JsonPath::parse(&vec!["a"; 33].join(".")).is_err());
    }

    #[test]
    fn values_come_out_as_they_were_written() {
        let body = r#"{"a": {"b": [10, {"c d": "x\ny"}]}, "n": 12345678901234567890123, "f": 1.50, "t": true, "z": null,
            "o": { "k" : [ 1 , "a \" b" ] }}"#;
        assert_eq!(find("a.b[0]", body), Ok(Some("10".into())));
        assert_eq!(find("a.b[1]['c d']", body), Ok(Some("x\ny".into())));
        assert_eq!(find("n", body), Ok(Some("12345678901234567890123".into())));
        assert_eq!(find("f", body), Ok(Some("1.50".into())));
        assert_eq!(find("t", body), Ok(Some("true".into())));
        assert_eq!(find("o", body), Ok(Some(r#"{"k":[1,"a \" b"]}"#.into())));
        for absent in ["z", "x", "a.x", "a.b[2]", "a.b.c", "n.x", "[0]"] {
            assert_eq!(find(absent, body), Ok(None), "{absent}");
        }
    }

    #[test]
    fn what_readers_may_differ_on_has_no_value() {
        assert_eq!(find("a", r#"{"a": 1, "a": 2}"#), Err(InvalidJson));
        assert_eq!(find("a", r#"{"a": 1, "\u0061": 2}"#), Err(InvalidJson));
        assert_eq!(find("a", r#"{"a": 1, "b": 2, "b": 3}"#), Ok(Some("1".into())));
        for bad in ["{", "{\"a\":1}x", "", "{'a': 1}", "{\"a\": }"] {
            assert_eq!(find("a", bad), Err(InvalidJson), "{bad}");
        }
    }

    #[test]
    fn a_deep_body_costs_no_stack() {
        let body = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(find("a", &body).unwrap_or(None), None);
    }

    proptest! {
        #[test]
        fn strings_survive(text in any::<String>(), name in "[a-z]{1,8}") {
            let body = serde_json::json!({ name.clone(): [{ "v": text.clone() }] }).to_string();
            prop_assert_eq!(find(&format!("{name}[0].v"), &body), Ok(Some(text)));
        }

        #[test]
        fn arbitrary_texts_panic_nowhere(path in any::<String>(), body in any::<Vec<u8>>()) {
            if let Ok(path) = JsonPath::parse(&path) {
                let _ = path.find(&body);
                prop_assert_eq!(JsonPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
