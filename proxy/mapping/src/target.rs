//! The left-hand side of `request_parameters`: `integration.request.header.X-Tenant`.

use std::fmt;

/// Which part of the request to the integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// `{name}` in the URI.
    Path,
    /// A query parameter.
    Query,
    /// A header field.
    Header,
}

/// Not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no target: integration.request.path.NAME, .querystring.NAME or .header.NAME")]
pub struct TargetError(pub String);

/// A named part of the request to the integration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Where it is.
    pub location: Location,
    /// Its name, as it was written; header names have no case.
    pub name: Box<str>,
}

impl Target {
    /// Checks `text`.
    ///
    /// # Errors
    /// It is none of the three forms, or has no name.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let parts = text.strip_prefix("integration.request.").and_then(|rest| rest.split_once('.'));
        let location = match parts {
            Some(("path", _)) => Location::Path,
            Some(("querystring", _)) => Location::Query,
            Some(("header", _)) => Location::Header,
            _ => return Err(TargetError(text.into())),
        };
        let name = parts.map(|(_, name)| name).filter(|name| is_name(name)).ok_or_else(|| TargetError(text.into()))?;
        Ok(Self { location, name: name.into() })
    }

    /// It names this part of the request.
    #[must_use]
    pub fn is(&self, location: Location, name: &str) -> bool {
        let same = match location {
            Location::Header => self.name.eq_ignore_ascii_case(name),
            Location::Path | Location::Query => *self.name == *name,
        };
        self.location == location && same
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Location::Path => "path",
            Location::Query => "querystring",
            Location::Header => "header",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "integration.request.{}.{}", self.location, self.name)
    }
}

/// Neither blanks nor control characters.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for text in
            ["integration.request.path.id", "integration.request.querystring.a.b", "integration.request.header.X"]
        {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        for bad in ["integration.request.path.", "integration.request.body", "method.request.path.x", "path.x", "x y"] {
            assert_eq!(Target::parse(bad), Err(TargetError(bad.into())), "{bad}");
        }
    }

    #[test]
    fn header_names_have_no_case() {
        let target = Target::parse("integration.request.header.X-Tenant").unwrap();
        assert!(target.is(Location::Header, "x-tenant"));
        assert!(!target.is(Location::Query, "X-Tenant"));
        assert!(!Target::parse("integration.request.path.Id").unwrap().is(Location::Path, "id"));
    }
}
