//! Stages and what they set per method. AWS's reference: `Stage`, `MethodSetting`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::{KeyParameter, NetworkPolicy, ResourcePath, StageName, StatusPattern, Verb, VerbSet};

/// A stage of an API.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    /// Stage variables.
    pub variables: BTreeMap<String, String>,
    /// `cacheClusterEnabled`: without it no method of the stage is cached.
    pub cache_cluster_enabled: bool,
    /// `cacheClusterSize` in bytes: memory, or memory and disk where the node has one.
    pub cache_cluster_size: u64,
    /// Of it memory, bytes, where the node has a disk; see [`memory_share`].
    pub cache_memory: Option<u64>,
    /// Networks whose callers may have entries replaced.
    pub cache_invalidation_callers: Vec<IpNetwork>,
    /// `deploymentId`: another one is another deployment.
    pub deployment_id: Option<String>,
    /// The `*/*` settings.
    pub defaults: MethodSettings,
    /// Settings of single methods, complete: what they leave out was copied from `defaults`.
    pub methods: BTreeMap<MethodKey, MethodSettings>,
    /// The stage's own network policy, asked after the API's.
    pub network: NetworkPolicy,
}

/// The part of a cache of `whole` bytes that is memory where the rest lies on disk: as stated, or an eighth.
#[must_use]
pub fn memory_share(whole: u64, stated: Option<u64>) -> u64 {
    stated.unwrap_or(whole / 8).min(whole)
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
    /// `cachingEnabled`, and who said it.
    pub caching: Caching,
    /// `cacheTtlInSeconds`: 0 to 3600 s, 300 s; 0 is off.
    pub cache_ttl: Duration,
    /// Whose word holds on what is stored and for how long.
    pub cache_mode: CacheMode,
    /// Under [`CacheMode::Rfc9111`] no answer lives longer; `None`: as long as the origin says.
    pub cache_ttl_cap: Option<Duration>,
    /// For how long after its end an answer may be served while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// The same where no new one can be had.
    pub stale_if_error: Duration,
    /// In the last so much of its time an answer is fetched anew, at a moment of its own.
    pub early_refresh: Duration,
    /// Conditions, ranges and HEAD are answered from stored answers to GET, and these are validated.
    pub derived_answers: bool,
    /// Bodies that are too large for memory are kept on disk up to this size, bytes; 0: none is.
    pub large_objects: u64,
    /// Times to live of single statuses, 0 to 3600 s; 0: not stored.
    pub cache_statuses: BTreeMap<StatusPattern, Duration>,
    /// Which parts of the request are in the key; `None`: the profile's default.
    pub cache_key_parameters: Option<Vec<KeyParameter>>,
    /// `cacheNamespace`: methods with the same one share entries; `None`: the resource's own.
    pub cache_namespace: Option<String>,
    /// `cacheDataEncrypted`: entries are sealed at rest.
    pub cache_data_encrypted: bool,
    /// `requireAuthorizationForCacheControl`: only an authorised caller may have an entry replaced.
    pub require_authorization_for_cache_control: bool,
    /// `unauthorizedCacheControlHeaderStrategy`: what happens to all others who ask for it.
    pub unauthorized_cache_control: UnauthorizedCacheControl,
    /// `throttlingRateLimit` and `throttlingBurstLimit`.
    pub throttle: Option<Throttle>,
}

impl MethodSettings {
    /// The verbs whose answers are kept for a method of `verb`, if the stage has a cache.
    pub fn cached_verbs(&self, verb: Verb) -> VerbSet {
        if self.cache_ttl.is_zero() { VerbSet::EMPTY } else { self.caching.verbs(verb) }
    }
}

/// Who has switched a method's cache on. A stage does it for GET alone, a method for itself: nothing else that is said
/// of a method has a part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Nobody, or the method has switched it off.
    #[default]
    Off,
    /// Its stage, and the method says nothing of it.
    ByStage,
    /// The method itself.
    ByMethod,
}

impl Caching {
    /// The verbs that take part through a method of `verb`: by its stage's word GET, also through an `ANY` method; by its
    /// own the verb that it names, which for `ANY` is GET with the HEAD that belongs to it.
    pub const fn verbs(self, verb: Verb) -> VerbSet {
        const GET: VerbSet = VerbSet::one(Verb::Get);
        match (self, verb) {
            (Self::ByStage | Self::ByMethod, Verb::Get) | (Self::ByStage, Verb::Any) => GET,
            (Self::ByMethod, Verb::Any) => GET.and(VerbSet::one(Verb::Head)),
            (Self::ByMethod, verb) => VerbSet::one(verb),
            (Self::Off | Self::ByStage, _) => VerbSet::EMPTY,
        }
    }
}

/// Who says what is stored, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// The method's settings.
    #[default]
    Ttl,
    /// The origin, by RFC 9111.
    Rfc9111,
}

impl CacheMode {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["ttl", "rfc9111"];

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ttl" => Some(Self::Ttl),
            "rfc9111" => Some(Self::Rfc9111),
            _ => None,
        }
    }
}

/// What becomes of a request for a fresh answer by a caller who may not ask for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnauthorizedCacheControl {
    /// `FAIL_WITH_403`
    FailWith403,
    /// `SUCCEED_WITH_RESPONSE_HEADER`: answered as if it had not asked, with a `Warning`.
    #[default]
    SucceedWithResponseHeader,
    /// `SUCCEED_WITHOUT_RESPONSE_HEADER`
    SucceedWithoutResponseHeader,
}

impl UnauthorizedCacheControl {
    /// AWS's names, in AWS's order.
    pub const NAMES: &'static [&'static str] =
        &["FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER"];

    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "FAIL_WITH_403" => Some(Self::FailWith403),
            "SUCCEED_WITH_RESPONSE_HEADER" => Some(Self::SucceedWithResponseHeader),
            "SUCCEED_WITHOUT_RESPONSE_HEADER" => Some(Self::SucceedWithoutResponseHeader),
            _ => None,
        }
    }
}

/// A token bucket's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests a second; fractions are allowed.
    pub rate: f64,
    /// The bucket's capacity, in requests.
    pub burst: u32,
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
    fn only_get_takes_part_unless_a_method_says_so_itself() {
        let get = VerbSet::one(Verb::Get);
        assert_eq!(Caching::ByStage.verbs(Verb::Get), get);
        assert_eq!(Caching::ByStage.verbs(Verb::Any), get);
        assert_eq!(Caching::ByMethod.verbs(Verb::Any), get.and(VerbSet::one(Verb::Head)));
        for verb in [Verb::Head, Verb::Options, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete] {
            assert_eq!(Caching::ByStage.verbs(verb), VerbSet::EMPTY);
            assert_eq!(Caching::ByMethod.verbs(verb), VerbSet::one(verb));
        }
        assert!([Verb::Get, Verb::Any, Verb::Post].into_iter().all(|verb| Caching::Off.verbs(verb).is_empty()));
    }
}
