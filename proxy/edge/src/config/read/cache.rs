//! What a stage and its methods say of the cache, beside switching it on and naming its key.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnetwork::IpNetwork;
use sluice_api::{CacheMode, MethodSettings, Profile, StatusPattern, UnauthorizedCacheControl};

use super::{large_objects, network};
use crate::config::keys::{Key, cache as keys, stage};
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::units;

/// AWS's fixed maximum.
const LONGEST: Duration = Duration::from_secs(3600);

/// Which keys say it: a stage's, or a method's.
pub(super) struct CacheKeys {
    mode: &'static Key,
    ttl: &'static Key,
    stale_while_revalidate: &'static Key,
    stale_if_error: &'static Key,
    early_refresh: &'static Key,
    derived: &'static Key,
    large: &'static Key,
    statuses: &'static Key,
    encrypted: &'static Key,
    require: &'static Key,
    strategy: &'static Key,
}

pub(super) static STAGE: CacheKeys = CacheKeys {
    mode: &keys::CACHE_MODE,
    ttl: &stage::CACHE_TTL,
    stale_while_revalidate: &keys::STALE_WHILE_REVALIDATE,
    stale_if_error: &keys::STALE_IF_ERROR,
    early_refresh: &keys::EARLY_REFRESH,
    derived: &keys::DERIVED_ANSWERS,
    large: &keys::LARGE_OBJECTS,
    statuses: &keys::CACHE_STATUSES,
    encrypted: &keys::CACHE_DATA_ENCRYPTED,
    require: &keys::REQUIRE_AUTHORIZATION,
    strategy: &keys::UNAUTHORIZED_STRATEGY,
};
pub(super) static METHOD: CacheKeys = CacheKeys {
    mode: &keys::METHOD_CACHE_MODE,
    ttl: &stage::METHOD_CACHE_TTL,
    stale_while_revalidate: &keys::METHOD_STALE_WHILE_REVALIDATE,
    stale_if_error: &keys::METHOD_STALE_IF_ERROR,
    early_refresh: &keys::METHOD_EARLY_REFRESH,
    derived: &keys::METHOD_DERIVED_ANSWERS,
    large: &keys::METHOD_LARGE_OBJECTS,
    statuses: &keys::METHOD_CACHE_STATUSES,
    encrypted: &keys::METHOD_CACHE_DATA_ENCRYPTED,
    require: &keys::METHOD_REQUIRE_AUTHORIZATION,
    strategy: &keys::METHOD_UNAUTHORIZED_STRATEGY,
};

impl CacheKeys {
    /// Every one of them.
    pub(super) fn all(&self) -> [&'static Key; 10] {
        let of_time = [self.mode, self.stale_while_revalidate, self.stale_if_error, self.early_refresh, self.derived];
        let [mode, revalidate, error, early, derived] = of_time;
        let of_storing = [self.large, self.statuses, self.encrypted];
        let [large, statuses, encrypted] = of_storing;
        [mode, revalidate, error, early, derived, large, statuses, encrypted, self.require, self.strategy]
    }

    /// What is said of answers that are over, or nearly.
    pub(super) const fn of_lives_end(&self) -> [&'static Key; 3] {
        [self.stale_while_revalidate, self.stale_if_error, self.early_refresh]
    }

    /// Reads them into `settings`, which hold what is above them.
    pub(super) fn read(&self, table: &Table<'_>, settings: &mut MethodSettings, profile: Profile) {
        self.read_times(table, settings, profile);
        if table.written(self.statuses).is_some() {
            settings.cache_statuses = statuses(table, self.statuses, profile);
        }
        if let Some(large) = large_objects::read(table, self.large, profile) {
            settings.large_objects = large;
        }
        if let Some(encrypted) = table.flag(self.encrypted) {
            settings.cache_data_encrypted = encrypted;
        }
        if let Some(required) = table.flag(self.require) {
            settings.require_authorization_for_cache_control = required;
        }
        if let Some(name) = table.text(self.strategy) {
            settings.unauthorized_cache_control = UnauthorizedCacheControl::named(&name).unwrap_or_default();
        }
        self.check(table, settings, profile);
    }

    /// Who says how long answers live, and what becomes of them afterwards.
    fn read_times(&self, table: &Table<'_>, settings: &mut MethodSettings, profile: Profile) {
        if let Some(name) = table.text(self.mode) {
            settings.cache_mode = CacheMode::named(&name).unwrap_or_default();
        }
        if table.written(self.ttl).is_some() {
            settings.cache_ttl_cap = table.duration(self.ttl);
        }
        let seconds = |key, to: &mut Duration| *to = whole_seconds(table, key, "nothing").unwrap_or(*to);
        seconds(self.stale_while_revalidate, &mut settings.stale_while_revalidate);
        seconds(self.stale_if_error, &mut settings.stale_if_error);
        settings.early_refresh = table.duration(self.early_refresh).unwrap_or(settings.early_refresh);
        if let Some(derived) = table.flag(self.derived) {
            settings.derived_answers = derived;
        }
        self.check_mode(table, settings, profile);
    }

    fn check_mode(&self, table: &Table<'_>, settings: &MethodSettings, profile: Profile) {
        if settings.cache_mode != CacheMode::Rfc9111 {
            return;
        }
        if let Some(at) = table.written(self.mode).filter(|_| profile == Profile::Aws) {
            let message = "AWS's cache does not go by what the origin says";
            table.report().error(&rules::BAD_VALUE, at, message, "set profile = \"edge\", or cache_mode = \"ttl\"");
        }
        if let Some(at) = table.written(self.statuses) {
            let message = format!("'{}' has no effect: the origin says how long answers are kept", self.statuses.name);
            table.report().strict(profile, &rules::NO_EFFECT, at, message, "remove it, or set cache_mode = \"ttl\"");
        }
        let is_at_odds = !settings.derived_answers && profile == Profile::Edge;
        let at = table.written(self.derived).or_else(|| table.written(self.mode));
        if let Some(at) = at.filter(|_| is_at_odds) {
            let message = format!("'{}' cannot be false: validation is part of RFC 9111", self.derived.name);
            table.report().error(&rules::BAD_VALUE, at, message, "set it to true, or set cache_mode = \"ttl\"");
        }
    }

    fn check(&self, table: &Table<'_>, settings: &MethodSettings, profile: Profile) {
        if let Some(at) = table.written(self.strategy).filter(|_| !settings.require_authorization_for_cache_control) {
            let message = format!("'{}' has no effect: everybody may have entries replaced", self.strategy.name);
            let help = format!("set {} = true, or remove it", self.require.name);
            table.report().strict(profile, &rules::NO_EFFECT, at, message, help);
        }
    }
}

/// AWS counts a TTL in seconds, and so does the cache. `zero` is what "0s" stands for.
pub(super) fn whole_seconds(table: &Table<'_>, key: &'static Key, zero: &str) -> Option<Duration> {
    let time = table.duration(key)?;
    if time.subsec_nanos() > 0 {
        let message = format!("'{}' is a number of whole seconds", key.name);
        let help = format!("round it, or write \"0s\" for {zero}");
        table.report().error(&rules::OUT_OF_RANGE, table.place(key), message, help);
    }
    Some(time)
}

/// What is written as `{ "404" = "10s" }`.
fn statuses(table: &Table<'_>, key: &'static Key, profile: Profile) -> BTreeMap<StatusPattern, Duration> {
    let rules = table.texts(key).into_iter().filter_map(|(status, ttl)| {
        let status = pattern(table, &status);
        let ttl = time_to_live(table, &ttl);
        Some((status?, ttl?))
    });
    let rules: BTreeMap<_, _> = rules.collect();
    match (profile, table.written(key)) {
        (Profile::Aws, Some(at)) => {
            let message = format!("'{}' has no effect: AWS keeps every status for the TTL", key.name);
            table.report().warning(&rules::NO_EFFECT, at, message, "remove it, or set profile = \"edge\"");
            BTreeMap::new()
        }
        _ => rules,
    }
}

fn pattern(table: &Table<'_>, text: &Located<&str>) -> Option<StatusPattern> {
    let never = |p: &StatusPattern| matches!(p, StatusPattern::Code(206 | 304));
    match StatusPattern::parse(text.value) {
        Ok(pattern) if never(&pattern) => {
            let message = format!("{pattern} is never stored: it is no whole answer");
            table.report().error(&rules::BAD_VALUE, text.at, message, "remove it");
            None
        }
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let help = "write a status such as \"404\", or a class such as \"5xx\"";
            table.report().error(&rules::BAD_VALUE, text.at, error.to_string(), help);
            None
        }
    }
}

fn time_to_live(table: &Table<'_>, text: &Located<&str>) -> Option<Duration> {
    let help = "write whole seconds from \"0s\", which keeps nothing, to \"3600s\"";
    match units::duration(text.value) {
        Ok(ttl) if ttl <= LONGEST && ttl.subsec_nanos() == 0 => Some(ttl),
        Ok(_) => {
            let message = format!("'{}' is no whole number of seconds up to 3600", text.value);
            table.report().error(&rules::OUT_OF_RANGE, text.at, message, help);
            None
        }
        Err(error) => {
            let message = format!("'{}' {error}", text.value);
            table.report().error(&rules::WRONG_UNIT, text.at, message, help);
            None
        }
    }
}

/// Networks whose callers may have entries replaced; `None` if they were not written.
pub(super) fn invalidation_callers(table: &Table<'_>, key: &'static Key) -> Option<Vec<IpNetwork>> {
    table.list(key, network).map(|list| list.into_iter().map(|l| l.value).collect())
}

/// A text of these characters, up to a length.
pub(super) fn label(table: &Table<'_>, key: &'static Key, others: &str, longest: usize) -> Option<String> {
    table.parse(key, |text| {
        let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        let fits = (1..=longest).contains(&text.len()) && text.chars().all(good);
        if fits { Ok(text.to_owned()) } else { Err(format!("'{text}' is no '{}'", key.name)) }
    })
}
