//! Parts of a request by which cached answers are told apart. AWS's reference: `cacheKeyParameters` of `Integration`.

use std::fmt;

/// Where a key parameter is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeySource {
    /// `path.NAME`: a path variable, undecoded.
    Path,
    /// `query.NAME`: all values, decoded.
    Query,
    /// `multivaluequery.NAME`: the same; AWS has both.
    MultivalueQuery,
    /// `header.NAME`: all values; names without case.
    Header,
    /// `multivalueheader.NAME`: the same; AWS has both.
    MultivalueHeader,
    /// `integration.request.path.NAME`: what the integration's `request_parameters` map to it.
    IntegrationPath,
    /// `integration.request.querystring.NAME`
    IntegrationQuery,
    /// `integration.request.header.NAME`
    IntegrationHeader,
}

/// Not a key parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyParameterError {
    /// Another form.
    #[error(
        "'{0}' is not a cache key parameter: path.NAME, query.NAME, header.NAME, multivaluequery.NAME, multivalueheader.NAME or integration.request.….NAME"
    )]
    Form(String),
    /// No request can have such a field.
    #[error("'{0}' is no header name")]
    HeaderName(String),
}

/// A named part of the request: `path.id`, or AWS's `method.request.path.id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyParameter {
    /// Where it is.
    pub source: KeySource,
    /// Its name; lower case for a header.
    pub name: Box<str>,
}

impl KeyParameter {
    /// Checks `text`; AWS's long form and its `querystring` are understood.
    ///
    /// # Errors
    /// It names no such part, or none that a request can have.
    pub fn parse(text: &str) -> Result<Self, KeyParameterError> {
        let bad = || KeyParameterError::Form(text.into());
        let (source, name) = match text.strip_prefix("integration.request.") {
            Some(rest) => integration(rest),
            None => method(text.strip_prefix("method.request.").unwrap_or(text)),
        }
        .filter(|(_, name)| !name.is_empty())
        .ok_or_else(bad)?;
        let name = match source {
            KeySource::Header | KeySource::MultivalueHeader | KeySource::IntegrationHeader if !is_token(name) => {
                return Err(KeyParameterError::HeaderName(name.into()));
            }
            KeySource::Header | KeySource::MultivalueHeader | KeySource::IntegrationHeader => name.to_ascii_lowercase(),
            _ => name.to_owned(),
        };
        Ok(Self { source, name: name.into() })
    }

    /// It is taken from what the integration is sent, not from what the client sent.
    pub fn is_integration(&self) -> bool {
        matches!(self.source, KeySource::IntegrationPath | KeySource::IntegrationQuery | KeySource::IntegrationHeader)
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn method(text: &str) -> Option<(KeySource, &str)> {
    let (source, name) = text.split_once('.')?;
    let source = match source {
        "path" => KeySource::Path,
        "query" | "querystring" => KeySource::Query,
        "multivaluequery" | "multivaluequerystring" => KeySource::MultivalueQuery,
        "header" => KeySource::Header,
        "multivalueheader" => KeySource::MultivalueHeader,
        _ => return None,
    };
    Some((source, name))
}

fn integration(text: &str) -> Option<(KeySource, &str)> {
    let (source, name) = text.split_once('.')?;
    let source = match source {
        "path" => KeySource::IntegrationPath,
        "querystring" => KeySource::IntegrationQuery,
        "header" => KeySource::IntegrationHeader,
        _ => return None,
    };
    Some((source, name))
}

impl fmt::Display for KeyParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            KeySource::Path => "path",
            KeySource::Query => "query",
            KeySource::MultivalueQuery => "multivaluequery",
            KeySource::Header => "header",
            KeySource::MultivalueHeader => "multivalueheader",
            KeySource::IntegrationPath => "integration.request.path",
            KeySource::IntegrationQuery => "integration.request.querystring",
            KeySource::IntegrationHeader => "integration.request.header",
        };
        write!(f, "{source}.{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_parameters_in_both_spellings() {
        let p = |t: &str| KeyParameter::parse(t).map(|p| p.to_string());
        assert_eq!(p("path.id").unwrap(), "path.id");
        assert_eq!(p("method.request.querystring.View").unwrap(), "query.View");
        assert_eq!(p("header.Accept-Language").unwrap(), "header.accept-language");
        assert_eq!(p("method.request.multivaluequerystring.v").unwrap(), "multivaluequery.v");
        assert_eq!(p("multivalueheader.X-A").unwrap(), "multivalueheader.x-a");
        assert_eq!(p("integration.request.header.X-A").unwrap(), "integration.request.header.x-a");
        assert_eq!(p("integration.request.querystring.A.b").unwrap(), "integration.request.querystring.A.b");
        for bad in
            ["id", "body.x", "path.", "method.request.path", "integration.request.body", "integration.request.path."]
        {
            assert!(p(bad).is_err(), "{bad}");
        }
        for bad in ["header.X y", "multivalueheader.a:", "integration.request.header.ä"] {
            assert!(matches!(KeyParameter::parse(bad), Err(KeyParameterError::HeaderName(_))), "{bad}");
        }
        assert_eq!(p("query.a b").unwrap(), "query.a b", "a query may have any name");
    }
}
