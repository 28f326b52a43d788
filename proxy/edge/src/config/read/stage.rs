//! Stages: variables, cache, throttles, and the settings of single methods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnetwork::IpNetwork;
use sluice_api::{
    CacheMode, Caching, KeyParameter, MethodKey, MethodSettings, Profile, ResourcePath, Stage, StageName, Throttle,
    UnauthorizedCacheControl, Verb,
};

use super::api::MethodDraft;
use super::policy::{self, PolicyKeys};
use super::settings::Rates;
use super::{cache, cache_key, large_objects, variables};
use crate::config::keys::{Key, api, cache as cache_keys, disk as disk_keys, stage as keys};
use crate::config::nearest::did_you_mean;
use crate::config::report::Mark;
use crate::config::rules;
use crate::config::table::{Located, Table};

/// What the stage knows while its methods are read.
struct Frame<'s> {
    profile: Profile,
    methods: &'s [MethodDraft],
    known: BTreeSet<(&'s ResourcePath, Verb)>,
    /// Who may have entries of the API replaced.
    callers: &'s [IpNetwork],
    cluster: bool,
    defaults: MethodSettings,
    rates: Rates,
}

/// Settings of a method, and where they are.
struct SettingsDraft {
    at: Mark,
    settings: MethodSettings,
}

/// The size of a stage's cache.
pub(super) struct CacheShare {
    /// Memory and disk.
    pub(super) whole: u64,
    /// Of it memory, if that was written.
    pub(super) memory: Option<u64>,
    /// Some of its entries are to be sealed.
    pub(super) sealed: bool,
    /// Up to which size its objects may lie on disk alone, wherever that is written.
    pub(super) large: Vec<Located<u64>>,
}

impl CacheShare {
    pub(super) fn in_memory(&self, is_there_a_disk: bool) -> u64 {
        if is_there_a_disk { sluice_api::memory_share(self.whole, self.memory) } else { self.whole }
    }

    pub(super) fn on_disk(&self) -> u64 {
        self.whole - self.in_memory(true)
    }
}

/// Reads the stages of an API, and the sizes of their caches.
pub(super) fn read_all(
    api: &Table<'_>,
    profile: Profile,
    methods: &[MethodDraft],
) -> (BTreeMap<StageName, Stage>, Vec<Located<CacheShare>>) {
    let mut stages = BTreeMap::new();
    let mut caches = Vec::new();
    let callers = api_callers(api);
    for (name, table) in api.named(&api::STAGE) {
        match StageName::parse(name.value) {
            Ok(name) => {
                let stage = read(name.clone(), &table, profile, methods, &callers.value);
                if stage.cache_cluster_enabled {
                    let (whole, memory) = (stage.cache_cluster_size, stage.cache_memory);
                    let mut settings = stage.methods.values().chain([&stage.defaults]);
                    let sealed = settings.any(|s| s.cache_data_encrypted);
                    let large = large_objects::written(&table, profile);
                    let value = CacheShare { whole, memory, sealed, large };
                    caches.push(Located { at: table.place(&keys::CACHE_CLUSTER_SIZE), value });
                }
                stages.insert(name, stage);
            }
            Err(error) => {
                table.report().error(&rules::BAD_VALUE, name.at, error.to_string(), "choose another name");
            }
        }
    }
    if caches.is_empty()
        && let Some(at) = callers.at
    {
        let message =
            format!("'{}' has no effect: no stage has a cache", cache_keys::API_CACHE_INVALIDATION_CALLERS.name);
        api.report().strict(profile, &rules::NO_EFFECT, at, message, "remove it");
    }
    (stages, caches)
}

/// Who may have entries of the API replaced, and where that was written.
struct Callers {
    at: Option<Mark>,
    value: Vec<IpNetwork>,
}

fn api_callers(api: &Table<'_>) -> Callers {
    let key = &cache_keys::API_CACHE_INVALIDATION_CALLERS;
    Callers { at: api.written(key), value: cache::invalidation_callers(api, key).unwrap_or_default() }
}

fn read(name: StageName, table: &Table<'_>, profile: Profile, methods: &[MethodDraft], above: &[IpNetwork]) -> Stage {
    let cluster = table.flag(&keys::CACHE_CLUSTER_ENABLED).unwrap_or_default();
    let rates = Rates::read(table, &keys::THROTTLING_RATE_LIMIT, &keys::THROTTLING_BURST_LIMIT);
    let mut defaults = MethodSettings {
        caching: by_stage(table, cluster),
        cache_ttl: cache::whole_seconds(table, &keys::CACHE_TTL, "no caching").unwrap_or_default(),
        cache_mode: CacheMode::default(),
        cache_ttl_cap: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        early_refresh: Duration::ZERO,
        large_objects: 0,
        derived_answers: profile == Profile::Edge,
        cache_statuses: BTreeMap::new(),
        cache_key_parameters: None,
        cache_namespace: None,
        cache_data_encrypted: false,
        require_authorization_for_cache_control: true,
        unauthorized_cache_control: UnauthorizedCacheControl::default(),
        throttle: rates.throttle(),
    };
    cache::STAGE.read(table, &mut defaults, profile);
    let known = methods.iter().map(|m| (&m.path, m.verb)).collect();
    let frame = Frame { profile, methods, known, callers: above, cluster, defaults, rates };
    let settings = method_settings(table, &frame);
    stage_without_effect(table, &frame, &settings);
    cache_keys(table, &frame, &settings);
    let callers = cache::invalidation_callers(table, &cache_keys::CACHE_INVALIDATION_CALLERS);
    let variables = variables::read(table);
    variables::check(table, &name, &variables, methods, profile);
    let policy = PolicyKeys { table: &keys::POLICY, allow: &keys::ALLOW, deny: &keys::DENY };
    Stage {
        name,
        variables,
        cache_cluster_enabled: cluster,
        cache_cluster_size: table.size(&keys::CACHE_CLUSTER_SIZE).unwrap_or_default(),
        cache_memory: table.size(&disk_keys::CACHE_MEMORY),
        cache_invalidation_callers: callers.unwrap_or_else(|| frame.callers.to_vec()),
        deployment_id: cache::label(table, &cache_keys::DEPLOYMENT_ID, "-_.", 64),
        defaults: frame.defaults,
        methods: settings.into_iter().map(|(key, draft)| (key, draft.settings)).collect(),
        network: policy::read(table, &policy, profile),
    }
}

fn by_stage(table: &Table<'_>, cluster: bool) -> Caching {
    if table.flag(&keys::CACHING_ENABLED).unwrap_or(cluster) { Caching::ByStage } else { Caching::Off }
}

fn by_method(table: &Table<'_>, above: Caching) -> Caching {
    match table.flag(&keys::METHOD_CACHING_ENABLED) {
        None => above,
        Some(true) => Caching::ByMethod,
        Some(false) => Caching::Off,
    }
}

fn method_settings(stage: &Table<'_>, frame: &Frame<'_>) -> BTreeMap<MethodKey, SettingsDraft> {
    let mut all = BTreeMap::new();
    for (name, table) in stage.named(&keys::METHOD) {
        let Some(key) = method_key(&name, &table) else { continue };
        let settings = read_method(&key, &table, frame);
        if frame.known.contains(&(&key.path, key.verb)) {
            all.insert(key, SettingsDraft { at: table.at, settings });
        } else {
            let message = format!("the API has no method {key}");
            table.report().error(&rules::UNKNOWN_METHOD, name.at, message, nearest_method(&key, frame.methods));
        }
    }
    all
}

fn read_method(key: &MethodKey, table: &Table<'_>, frame: &Frame<'_>) -> MethodSettings {
    let rates = Rates::read(table, &keys::METHOD_THROTTLING_RATE_LIMIT, &keys::METHOD_THROTTLING_BURST_LIMIT);
    let mut settings = MethodSettings {
        caching: by_method(table, frame.defaults.caching),
        cache_ttl: cache::whole_seconds(table, &keys::METHOD_CACHE_TTL, "no caching")
            .unwrap_or(frame.defaults.cache_ttl),
        cache_key_parameters: key_parameters(table, key, frame),
        cache_namespace: cache::label(table, &cache_keys::CACHE_NAMESPACE, "-_.:", 128),
        throttle: method_throttle(rates, frame),
        ..frame.defaults.clone()
    };
    cache::METHOD.read(table, &mut settings, frame.profile);
    method_without_effect(table, key.verb, frame, &settings);
    settings
}

/// AWS gives each method the stage's limit. The edge has a bucket for the stage, and one for each method that has a word to
/// say about its own.
fn method_throttle(rates: Rates, frame: &Frame<'_>) -> Option<Throttle> {
    let is_silent = rates == Rates::default();
    if is_silent && frame.profile == Profile::Edge { None } else { rates.or(frame.rates).throttle() }
}

fn key_parameters(table: &Table<'_>, key: &MethodKey, frame: &Frame<'_>) -> Option<Vec<KeyParameter>> {
    let parameters = table.list(&keys::CACHE_KEY_PARAMETERS, KeyParameter::parse)?;
    let method = frame.methods.iter().find(|m| m.path == key.path && m.verb == key.verb);
    let origin = method.and_then(|m| m.origin.as_ref());
    Some(cache_key::parameters(parameters, &key.path, origin, table.report()))
}

fn method_key(name: &Located<&str>, table: &Table<'_>) -> Option<MethodKey> {
    let parsed = name.value.split_once(' ').and_then(|(verb, path)| {
        Some(MethodKey { verb: Verb::parse(verb).ok()?, path: ResourcePath::parse(path).ok()? })
    });
    if parsed.is_none() {
        let message = format!("'{}' is no method", name.value);
        let help = "write VERB PATH, such as \"GET /pets/{id}\"";
        table.report().error(&rules::BAD_VALUE, name.at, message, help);
    }
    parsed
}

fn nearest_method(key: &MethodKey, methods: &[MethodDraft]) -> String {
    let here: Vec<&MethodDraft> = methods.iter().filter(|m| m.path == key.path).collect();
    if here.iter().any(|m| m.verb == Verb::Any) {
        return format!("write \"ANY {}\": its ANY method serves {}", key.path, key.verb);
    }
    if !here.is_empty() {
        let verbs: Vec<_> = here.iter().map(|m| m.verb.as_str()).collect();
        return format!("{} has {}", key.path, verbs.join(", "));
    }
    let names: Vec<String> = methods.iter().map(|m| format!("{} {}", m.verb, m.path)).collect();
    did_you_mean(&key.to_string(), &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Every cached method, whether it has settings of its own or not.
fn cache_keys(stage: &Table<'_>, frame: &Frame<'_>, settings: &BTreeMap<MethodKey, SettingsDraft>) {
    for method in frame.methods {
        let own = settings.get(&MethodKey { path: method.path.clone(), verb: method.verb });
        let (at, settings) = own.map_or((stage.at, &frame.defaults), |draft| (draft.at, &draft.settings));
        if frame.cluster && !settings.cached_verbs(method.verb).is_empty() {
            cache_key::check(method, settings.cache_key_parameters.as_deref(), at, frame.profile, stage.report());
        }
    }
}

fn stage_without_effect(table: &Table<'_>, frame: &Frame<'_>, methods: &BTreeMap<MethodKey, SettingsDraft>) {
    if !frame.cluster {
        let help = "set cache_cluster_enabled = true, or remove it";
        if table.flag(&keys::CACHING_ENABLED) == Some(true) {
            no_effect(table, &keys::CACHING_ENABLED, frame, "the stage has no cache", help);
        }
        no_effect(table, &keys::CACHE_CLUSTER_SIZE, frame, "the stage has no cache", help);
        no_effect(table, &keys::CACHE_TTL, frame, "the stage has no cache", help);
        no_effect(table, &cache_keys::CACHE_INVALIDATION_CALLERS, frame, "the stage has no cache", help);
        cache::STAGE.all().into_iter().for_each(|key| no_effect(table, key, frame, "the stage has no cache", help));
    } else if is_nothing_cached(frame, methods) {
        no_effect(table, &keys::CACHE_TTL, frame, "nothing of the stage is cached", "remove it");
        let help = "set caching_enabled = true at a method, or remove it";
        no_effect(table, &keys::CACHE_CLUSTER_ENABLED, frame, "nothing of the stage is cached", help);
    } else {
        cached_stage_without_effect(table, frame, methods);
    }
    let rate = table.written(&keys::THROTTLING_RATE_LIMIT);
    if rate.is_none() && !methods.values().any(|m| m.settings.throttle.is_some()) {
        let help = "add 'throttling_rate_limit'";
        no_effect(table, &keys::THROTTLING_BURST_LIMIT, frame, "a burst without a rate limits nothing", help);
    }
}

fn cached_stage_without_effect(table: &Table<'_>, frame: &Frame<'_>, methods: &BTreeMap<MethodKey, SettingsDraft>) {
    let all = |is_so: fn(&MethodSettings) -> bool| {
        is_so(&frame.defaults) && methods.values().all(|draft| is_so(&draft.settings))
    };
    if all(|settings| settings.cache_ttl.is_zero()) {
        for key in cache::STAGE.of_lives_end() {
            no_effect(table, key, frame, NOTHING_LIVES, "give answers a cache_ttl, or remove it");
        }
    }
    if all(|settings| !settings.require_authorization_for_cache_control) {
        let help = "set require_authorization_for_cache_control = true, or remove it";
        no_effect(table, &cache_keys::CACHE_INVALIDATION_CALLERS, frame, "everybody may have entries replaced", help);
    }
}

const NOTHING_LIVES: &str = "with a cache_ttl of 0s no answer is kept";

fn is_nothing_cached(frame: &Frame<'_>, methods: &BTreeMap<MethodKey, SettingsDraft>) -> bool {
    let by_method = |(key, draft): (&MethodKey, &SettingsDraft)| !draft.settings.caching.verbs(key.verb).is_empty();
    frame.defaults.caching == Caching::Off && !methods.iter().any(by_method)
}

fn method_without_effect(table: &Table<'_>, verb: Verb, frame: &Frame<'_>, settings: &MethodSettings) {
    let mut cache_keys = vec![&keys::METHOD_CACHE_TTL, &keys::CACHE_KEY_PARAMETERS, &cache_keys::CACHE_NAMESPACE];
    cache_keys.extend(cache::METHOD.all());
    if !frame.cluster {
        let help = "set cache_cluster_enabled = true at the stage, or remove it";
        if settings.caching == Caching::ByMethod {
            no_effect(table, &keys::METHOD_CACHING_ENABLED, frame, "the stage has no cache", help);
        }
        cache_keys.into_iter().for_each(|key| no_effect(table, key, frame, "the stage has no cache", help));
    } else if settings.caching.verbs(verb).is_empty() {
        let help = "set caching_enabled = true, or remove it";
        cache_keys.into_iter().for_each(|key| no_effect(table, key, frame, "the method is not cached", help));
    } else if settings.cache_ttl.is_zero() {
        for key in cache::METHOD.of_lives_end() {
            no_effect(table, key, frame, NOTHING_LIVES, "give answers a cache_ttl, or remove it");
        }
    }
    if settings.throttle.is_none() && table.written(&keys::METHOD_THROTTLING_RATE_LIMIT).is_none() {
        let help = "add 'throttling_rate_limit'";
        no_effect(table, &keys::METHOD_THROTTLING_BURST_LIMIT, frame, "a burst without a rate limits nothing", help);
    }
}

fn no_effect(table: &Table<'_>, key: &'static Key, frame: &Frame<'_>, why: &str, help: &str) {
    if let Some(at) = table.written(key) {
        let message = format!("'{}' has no effect: {why}", key.name);
        table.report().strict(frame.profile, &rules::NO_EFFECT, at, message, help);
    }
}
