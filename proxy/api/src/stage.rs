//! Stages and what they set per method. AWS's reference: `Stage`, `MethodSetting`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::{NetworkPolicy, ResourcePath, StageName, Verb};

/// A stage of an API.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    /// Stage variables.
    pub variables: BTreeMap<String, String>,
    /// `cacheClusterEnabled`: without it no method of the stage is cached.
    pub cache_cluster_enabled: bool,
    /// `cacheClusterSize` in bytes, of memory until the disk tier comes.
    pub cache_cluster_size: u64,
    /// The `*/*` settings.
    pub defaults: MethodSettings,
    /// Settings of single methods, complete: what they leave out was copied from `defaults`.
    pub methods: BTreeMap<MethodKey, MethodSettings>,
    /// The stage's own network policy, asked after the API's.
    pub network: NetworkPolicy,
}

/// Names a method of a stage: `GET /pets/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodKey {
    /// The resource's path.
    pub path: ResourcePath,
    /// A concrete verb, or `ANY` for an ANY method.
    pub verb: Verb,
}

/// What a stage sets for a method.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodSettings {
    /// `cachingEnabled`. As a stage default it holds for GET only.
    pub caching_enabled: bool,
    /// `cacheTtlInSeconds`: 0 to 3600 s, 300 s; 0 is off.
    pub cache_ttl: Duration,
    /// Which parts of the request are in the key; `None`: the profile's default.
    pub cache_key_parameters: Option<Vec<KeyParameter>>,
    /// `throttlingRateLimit` and `throttlingBurstLimit`.
    pub throttle: Option<Throttle>,
}

/// A token bucket's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests a second; fractions are allowed.
    pub rate: f64,
    /// The bucket's capacity, in requests.
    pub burst: u32,
}

/// Where a key parameter is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeySource {
    /// `path.NAME`: a path variable, undecoded.
    Path,
    /// `query.NAME`: the last value, decoded.
    Query,
    /// `header.NAME`: the last value; names without case.
    Header,
}

/// Not a key parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cache key parameter: path.NAME, query.NAME or header.NAME")]
pub struct KeyParameterError(pub String);

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
    pub fn parse(text: &str) -> Result<Self, KeyParameterError> {
        let short = text.strip_prefix("method.request.").unwrap_or(text);
        let (source, name) = short.split_once('.').ok_or_else(|| KeyParameterError(text.into()))?;
        let source = match source {
            "path" => KeySource::Path,
            "query" | "querystring" => KeySource::Query,
            "header" => KeySource::Header,
            _ => return Err(KeyParameterError(text.into())),
        };
        if name.is_empty() {
            return Err(KeyParameterError(text.into()));
        }
        let name = match source {
            KeySource::Header => name.to_ascii_lowercase().into(),
            KeySource::Path | KeySource::Query => name.into(),
        };
        Ok(Self { source, name })
    }
}

impl fmt::Display for KeyParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            KeySource::Path => "path",
            KeySource::Query => "query",
            KeySource::Header => "header",
        };
        write!(f, "{source}.{}", self.name)
    }
}

impl fmt::Display for MethodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.path)
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
        for bad in ["id", "body.x", "path.", "method.request.path"] {
            assert!(p(bad).is_err(), "{bad}");
        }
    }
}
