//! Parameter mapping expressions: the right-hand side of `request_parameters`.
//!
//! AWS's developer guide, "Map request and response payloads". Header names have no case here, for HTTP/2 sends them in
//! lower case; AWS's have one.

use std::borrow::Cow;
use std::fmt;

use crate::json_path::{JsonPath, JsonPathError};
use crate::target::is_name;

/// Where a mapped value comes from. A source that a request does not have gives no value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expression {
    /// `method.request.path.NAME`: a path variable, undecoded.
    Path(Box<str>),
    /// `method.request.querystring.NAME`: the last value, decoded.
    Query(Box<str>),
    /// `method.request.multivaluequerystring.NAME`: all values, decoded.
    MultivalueQuery(Box<str>),
    /// `method.request.header.NAME`: the last value.
    Header(Box<str>),
    /// `method.request.multivalueheader.NAME`: all values, joined with commas.
    MultivalueHeader(Box<str>),
    /// `method.request.body`: all of it, `{}` if it is empty.
    Body,
    /// `method.request.body.JSONPATH`; a body that is no JSON is passed on as it is.
    BodyField(JsonPath),
    /// `stageVariables.NAME`
    StageVariable(Box<str>),
    /// `context.NAME`, where the name may have dots.
    Context(Box<str>),
    /// `'literal'`
    Literal(Box<str>),
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The path behind `method.request.body.` is none.
    #[error(transparent)]
    JsonPath(#[from] JsonPathError),
    /// None of AWS's.
    #[error("'{0}' is no mapping expression")]
    Unknown(String),
}

/// Why a request gives no value, where it ought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The body begins as JSON does and is none.
    #[error("Invalid JSON in request body")]
    InvalidJson,
}

/// What expressions read.
pub trait Source {
    /// A path variable, undecoded.
    fn path(&self, name: &str) -> Option<&[u8]>;
    /// The values of a query parameter, decoded, in their order.
    fn query(&self, name: &str) -> Vec<Cow<'_, [u8]>>;
    /// The values of a header field in any case, in their order.
    fn header(&self, name: &str) -> Vec<&[u8]>;
    /// The whole body.
    fn body(&self) -> &[u8];
    /// A stage variable.
    fn stage_variable(&self, name: &str) -> Option<&str>;
    /// A text of the request's context, such as `identity.sourceIp`.
    fn context(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// What an expression gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'v> {
    /// One value.
    One(Cow<'v, [u8]>),
    /// Several, at least two.
    Many(Vec<Cow<'v, [u8]>>),
}

impl Expression {
    /// Checks `text`.
    ///
    /// # Errors
    /// It is none of AWS's expressions, or its JSON path is not served.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::Unknown(text.into());
        if let Some(literal) = text.strip_prefix('\'') {
            let literal = literal.strip_suffix('\'').filter(|l| !l.contains('\'')).ok_or_else(unknown)?;
            return Ok(Expression::Literal(literal.into()));
        }
        let named = |name: &str| is_name(name).then(|| Box::from(name)).ok_or_else(unknown);
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Ok(Expression::StageVariable(named(name)?));
        }
        if let Some(name) = text.strip_prefix("context.") {
            return Ok(Expression::Context(named(name)?));
        }
        let rest = text.strip_prefix("method.request.").ok_or_else(unknown)?;
        match rest.split_once('.') {
            None if rest == "body" => Ok(Expression::Body),
            Some(("body", path)) => Ok(Expression::BodyField(JsonPath::parse(path)?)),
            Some(("path", name)) => named(name).map(Expression::Path),
            Some(("querystring", name)) => named(name).map(Expression::Query),
            Some(("multivaluequerystring", name)) => named(name).map(Expression::MultivalueQuery),
            Some(("header", name)) => named(name).map(Expression::Header),
            Some(("multivalueheader", name)) => named(name).map(Expression::MultivalueHeader),
            _ => Err(unknown()),
        }
    }

    /// Its value in a request; `None` if the request does not have it.
    ///
    /// # Errors
    /// The body cannot be read as the expression asks.
    pub fn evaluate<'s>(&'s self, source: &'s impl Source) -> Result<Option<Value<'s>>, EvaluateError> {
        let one = |value: Option<Cow<'s, [u8]>>| value.map(Value::One);
        Ok(match self {
            Expression::Path(name) => one(source.path(name).map(Cow::Borrowed)),
            Expression::Query(name) => one(source.query(name).pop()),
            Expression::MultivalueQuery(name) => several(source.query(name)),
            Expression::Header(name) => one(source.header(name).pop().map(Cow::Borrowed)),
            Expression::MultivalueHeader(name) => one(joined(&source.header(name))),
            Expression::Body => one(Some(Cow::Borrowed(whole(source.body())))),
            Expression::BodyField(path) => one(field(path, source.body())?),
            Expression::StageVariable(name) => one(source.stage_variable(name).map(|v| v.as_bytes().into())),
            Expression::Context(name) => one(source.context(name).map(into_bytes)),
            Expression::Literal(text) => one(Some(text.as_bytes().into())),
        })
    }

    /// It reads the request's body.
    #[must_use]
    pub const fn needs_body(&self) -> bool {
        matches!(self, Expression::Body | Expression::BodyField(_))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Path(name) => write!(f, "method.request.path.{name}"),
            Expression::Query(name) => write!(f, "method.request.querystring.{name}"),
            Expression::MultivalueQuery(name) => write!(f, "method.request.multivaluequerystring.{name}"),
            Expression::Header(name) => write!(f, "method.request.header.{name}"),
            Expression::MultivalueHeader(name) => write!(f, "method.request.multivalueheader.{name}"),
            Expression::Body => f.write_str("method.request.body"),
            Expression::BodyField(path) => write!(f, "method.request.body.{path}"),
            Expression::StageVariable(name) => write!(f, "stageVariables.{name}"),
            Expression::Context(name) => write!(f, "context.{name}"),
            Expression::Literal(text) => write!(f, "'{text}'"),
        }
    }
}

fn several(mut values: Vec<Cow<'_, [u8]>>) -> Option<Value<'_>> {
    match values.len() {
        0 | 1 => values.pop().map(Value::One),
        _ => Some(Value::Many(values)),
    }
}

fn joined<'s>(values: &[&'s [u8]]) -> Option<Cow<'s, [u8]>> {
    match values {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        _ => Some(Cow::Owned(values.join(&b","[..]))),
    }
}

fn whole(body: &[u8]) -> &[u8] {
    if body.is_empty() { b"{}" } else { body }
}

fn field<'b>(path: &JsonPath, body: &'b [u8]) -> Result<Option<Cow<'b, [u8]>>, EvaluateError> {
    let body = whole(body);
    match path.find(body) {
        Ok(found) => Ok(found),
        Err(_) if looks_like_json(body) => Err(EvaluateError::InvalidJson),
        Err(_) => Ok(Some(Cow::Borrowed(body))),
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"' | b'\''))
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Request {
        body: &'static [u8],
    }

    impl Source for Request {
        fn path(&self, name: &str) -> Option<&[u8]> {
            (name == "id").then_some(b"a%2Fb")
        }

        fn query(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
            match name {
                "one" => vec![b"1"[..].into()],
                "two" => vec![b"1"[..].into(), b"2"[..].into()],
                _ => Vec::new(),
            }
        }

        fn header(&self, name: &str) -> Vec<&[u8]> {
            match name.to_ascii_lowercase().as_str() {
                "x-one" => vec![b"1"],
                "x-two" => vec![b"1", b"2"],
                _ => Vec::new(),
            }
        }

        fn body(&self) -> &[u8] {
            self.body
        }

        fn stage_variable(&self, name: &str) -> Option<&str> {
            (name == "v").then_some("var")
        }

        fn context(&self, name: &str) -> Option<Cow<'_, str>> {
            (name == "identity.sourceIp").then(|| "10.0.0.1".into())
        }
    }

    fn value(text: &str, body: &'static [u8]) -> Result<Option<Vec<String>>, EvaluateError> {
        let text_of = |v: &Cow<'_, [u8]>| String::from_utf8_lossy(v).into_owned();
        let expression = Expression::parse(text).unwrap();
        Ok(expression.evaluate(&Request { body })?.map(|value| match value {
            Value::One(value) => vec![text_of(&value)],
            Value::Many(values) => values.iter().map(text_of).collect(),
        }))
    }

    #[test]
    fn each_source() {
        let body = br#"{"a": {"b": "deep"}}"#;
        for (text, expected) in [
            ("method.request.path.id", &["a%2Fb"][..]),
            ("method.request.querystring.two", &["2"]),
            ("method.request.multivaluequerystring.two", &["1", "2"]),
            ("method.request.multivaluequerystring.one", &["1"]),
            ("method.request.header.X-Two", &["2"]),
            ("method.request.multivalueheader.x-two", &["1,2"]),
            ("method.request.multivalueheader.x-one", &["1"]),
            ("method.request.body", &[r#"{"a": {"b": "deep"}}"#]),
            ("method.request.body.a.b", &["deep"]),
            ("stageVariables.v", &["var"]),
            ("context.identity.sourceIp", &["10.0.0.1"]),
            ("'a b'", &["a b"]),
            ("''", &[""]),
        ] {
            assert_eq!(value(text, body).unwrap().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_source_that_is_not_there_has_no_value() {
        for text in [
            "method.request.path.x",
            "method.request.querystring.x",
            "method.request.multivaluequerystring.x",
            "method.request.header.x",
            "method.request.multivalueheader.x",
            "method.request.body.x",
            "stageVariables.x",
            "context.x",
        ] {
            assert_eq!(value(text, b"{}"), Ok(None), "{text}");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(value("method.request.body", b"").unwrap().unwrap(), ["{}"]);
        assert_eq!(value("method.request.body.a", b""), Ok(None));
        assert_eq!(value("method.request.body.a", b"plain text").unwrap().unwrap(), ["plain text"]);
        for bad in [&b"{\"a\": 1"[..], b"[1", b"\"a", b"'a'"] {
            assert_eq!(value("method.request.body.a", bad), Err(EvaluateError::InvalidJson));
        }
    }

    #[test]
    fn other_texts_are_no_expressions() {
        for text in
            ["", "'", "'a", "a'b'", "'a'b'", "method.request.path.", "method.request.cookie.x", "path.id", "context."]
        {
            assert_eq!(Expression::parse(text), Err(ExpressionError::Unknown(text.into())), "{text}");
        }
        assert!(matches!(Expression::parse("method.request.body.a[*]"), Err(ExpressionError::JsonPath(_))));
        assert!(matches!(Expression::parse("method.request.body."), Err(ExpressionError::JsonPath(_))));
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_the_same(text in "(method.request|stageVariables|context).{0,12}|'.{0,5}'|\\PC{0,20}") {
            if let Ok(expression) = Expression::parse(&text) {
                prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression));
            }
        }
    }
}
