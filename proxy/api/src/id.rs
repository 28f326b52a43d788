//! Identifiers of APIs and stages.

use std::fmt;

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// AWS makes ten characters; any length from 1 to 64 is taken here.
    #[error("an API id has 1 to 64 characters out of a-z, 0-9 and '-', and does not begin with '-'")]
    Api,
    /// AWS's rule for stage names.
    #[error("a stage name has 1 to 128 characters out of A-Z, a-z, 0-9, '_' and '-'")]
    Stage,
}

/// An API's id: lower case, so that it can stand in a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiId(Box<str>);

impl ApiId {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ok = (1..=64).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('-');
        if ok { Ok(Self(text.into())) } else { Err(IdError::Api) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stage's name, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageName(Box<str>);

impl StageName {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let ok = (1..=128).contains(&text.len()) && text.bytes().all(good);
        if ok { Ok(Self(text.into())) } else { Err(IdError::Stage) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
