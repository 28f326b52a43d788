//! Parameter mapping expressions: the right-hand side of `request_parameters`.
//!
//! AWS's developer guide, "Map request and response payloads"; those that need a body or `$context` are not served.

/// Where a mapped value comes from. A source that a request does not have gives no value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expression {
    /// `method.request.path.NAME`: a path variable, undecoded.
    Path(Box<str>),
    /// `method.request.querystring.NAME`: the last value.
    Query(Box<str>),
    /// `method.request.header.NAME`: the last value.
    Header(Box<str>),
    /// `stageVariables.NAME`
    StageVariable(Box<str>),
    /// `'literal'`
    Literal(Box<str>),
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// One of AWS's that is not served.
    #[error("'{0}' is not served: only path, querystring, header, stageVariables and 'literal' are")]
    NotServed(String),
    /// None of AWS's.
    #[error("'{0}' is no mapping expression")]
    Unknown(String),
}

impl Expression {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::Unknown(text.into());
        if let Some(literal) = text.strip_prefix('\'') {
            let literal = literal.strip_suffix('\'').filter(|l| !l.contains('\'')).ok_or_else(unknown)?;
            return Ok(Expression::Literal(literal.into()));
        }
        if text.starts_with("context.") || text.starts_with("method.request.body") || text.contains(".multivalue") {
            return Err(ExpressionError::NotServed(text.into()));
        }
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Ok(Expression::StageVariable(named(name).ok_or_else(unknown)?));
        }
        let (source, name) =
            text.strip_prefix("method.request.").and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
        let name = named(name).ok_or_else(unknown)?;
        match source {
            "path" => Ok(Expression::Path(name)),
            "querystring" => Ok(Expression::Query(name)),
            "header" => Ok(Expression::Header(name)),
            _ => Err(unknown()),
        }
    }
}

fn named(name: &str) -> Option<Box<str>> {
    let good = |c: char| !c.is_whitespace() && !c.is_control();
    (!name.is_empty() && name.chars().all(good)).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_ones() {
        let p = |t: &str| Expression::parse(t).unwrap();
        assert_eq!(p("method.request.path.id"), Expression::Path("id".into()));
        assert_eq!(p("method.request.querystring.a.b"), Expression::Query("a.b".into()));
        assert_eq!(p("method.request.header.X-A"), Expression::Header("X-A".into()));
        assert_eq!(p("stageVariables.x"), Expression::StageVariable("x".into()));
        assert_eq!(p("'a b'"), Expression::Literal("a b".into()));
        assert_eq!(p("''"), Expression::Literal("".into()));
    }

    #[test]
    fn refused_ones() {
        for text in ["method.request.body.x", "context.requestId", "method.request.multivalueheader.x"] {
            assert_eq!(Expression::parse(text), Err(ExpressionError::NotServed(text.into())));
        }
        for text in ["", "'", "'a", "a'b'", "'a'b'", "method.request.path.", "method.request.cookie.x", "path.id"] {
            assert_eq!(Expression::parse(text), Err(ExpressionError::Unknown(text.into())), "{text}");
        }
    }
}
