//! How a method of a stage is cached: which verbs, under which key, for how long, and who may have entries replaced.

use sluice_api::{
    CacheMode, HttpIntegration, IntegrationKind, KeyParameter, KeySource, MethodSettings, Profile,
    UnauthorizedCacheControl, Verb,
};
use sluice_cache::freshness::origin::Grace;
use sluice_cache::freshness::{self, StatusRule, StatusRules, StoreRule, Ttl};
use sluice_cache::key::{KeyPrefix, Scope};
use sluice_mapping::{Expression, Location};

use super::method::{Place, source_of};
use super::{CompileError, Compiler};
use crate::plan::{CachePlan, KeyPart, KeyRule, OriginRule};

impl Compiler<'_> {
    pub(super) fn cache_plan(
        &self,
        place: Place<'_>,
        settings: &MethodSettings,
    ) -> Result<Option<CachePlan>, CompileError> {
        let verbs = settings.cached_verbs(place.verb);
        // A fixed answer costs no more than a stored one.
        let IntegrationKind::HttpProxy(http) = &place.method.integration.kind else { return Ok(None) };
        if verbs.is_empty() {
            return Ok(None);
        }
        let aws = place.api.profile == Profile::Aws;
        let parameters = settings.cache_key_parameters.as_deref();
        let rule = key_rule(aws, parameters, place, http);
        Ok(Some(CachePlan {
            verbs,
            prefixes: prefixes(place, settings)?,
            passes: passes(aws, parameters),
            needs_body: rule.parts().iter().any(needs_body),
            keys_host: parameters.is_none_or(|p| !p.is_empty()) && (!aws || http.preserve_host),
            keys_authorization: rule.parts().iter().any(is_authorization),
            rule,
            stores_authorized: aws,
            collapse: !aws,
            shows_status: !aws,
            store: self.store_rule(settings, aws),
            origin: origin_rule(settings),
            grace: grace(settings),
            early_ns: u64::try_from(settings.early_refresh.as_nanos()).unwrap_or(u64::MAX),
            derives: settings.derived_answers,
            unauthorized: unauthorized(settings),
            tags: self.tags.clone(),
        }))
    }

    fn store_rule(&self, settings: &MethodSettings, aws: bool) -> StoreRule {
        let rules = settings.cache_statuses.iter();
        StoreRule {
            profile: if aws { freshness::Profile::Aws } else { freshness::Profile::Edge },
            ttl: ttl(settings.cache_ttl),
            statuses: StatusRules::new(rules.map(|(s, time)| StatusRule { statuses: s.range(), ttl: ttl(*time) })),
            object_limit: self.configuration.node.cache.object_size_limit,
            large_limit: settings.large_objects,
        }
    }
}

fn origin_rule(settings: &MethodSettings) -> Option<OriginRule> {
    let cap = settings.cache_ttl_cap.map(|cap| u64::try_from(cap.as_nanos()).unwrap_or(u64::MAX));
    (settings.cache_mode == CacheMode::Rfc9111).then_some(OriginRule { cap_ns: cap })
}

fn grace(settings: &MethodSettings) -> Grace {
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    Grace {
        stale_while_revalidate: seconds(settings.stale_while_revalidate),
        stale_if_error: seconds(settings.stale_if_error),
    }
}

fn ttl(time: std::time::Duration) -> Ttl {
    Ttl::new(time.as_secs()).unwrap_or(Ttl::MAX)
}

fn unauthorized(settings: &MethodSettings) -> Option<UnauthorizedCacheControl> {
    settings.require_authorization_for_cache_control.then_some(settings.unauthorized_cache_control)
}

/// The beginning of the keys of each verb. Methods with a namespace in common share them, whatever their verbs; only
/// what answers HEAD, which has no body, never answers anything else.
fn prefixes(place: Place<'_>, settings: &MethodSettings) -> Result<Vec<KeyPrefix>, CompileError> {
    let key = place.key();
    let namespace = settings.cache_namespace.as_deref();
    let content = place.contents.of_key(&key, namespace, settings.cache_key_parameters.as_deref());
    let prefix = |verb: Verb| {
        KeyPrefix::new(Scope {
            api: place.api.id.as_str(),
            stage: place.stage.name.as_str(),
            namespace: namespace.unwrap_or(key.path.as_str()),
            verb: if namespace.is_some() && verb != Verb::Head { "" } else { verb.as_str() },
            content: &content,
        })
    };
    let prefixes = Verb::CONCRETE.iter().map(|v| prefix(*v)).collect::<Result<Vec<_>, _>>();
    prefixes.map_err(|_| CompileError::Key(key.to_string()))
}

/// AWS's key has the named parameters only; the edge's has path and query where none are named, and the coding always.
fn key_rule(aws: bool, parameters: Option<&[KeyParameter]>, place: Place<'_>, http: &HttpIntegration) -> KeyRule {
    let part = |p: &KeyParameter| key_part(p, place, http);
    match (aws, parameters) {
        (false, None) => KeyRule::PathAndQuery,
        (true, parameters) => KeyRule::Parameters(parameters.unwrap_or_default().iter().filter_map(part).collect()),
        (false, Some(parameters)) => {
            let named = parameters.iter().filter_map(part);
            KeyRule::Parameters(named.chain([KeyPart::AcceptEncoding]).collect())
        }
    }
}

/// Where the edge's key names parameters, the endpoint is told no others of the query.
fn passes(aws: bool, parameters: Option<&[KeyParameter]>) -> Option<Box<[Box<str>]>> {
    let parameters = parameters.filter(|parameters| !aws && !parameters.is_empty())?;
    let of_query = |p: &&KeyParameter| matches!(p.source, KeySource::Query | KeySource::MultivalueQuery);
    Some(parameters.iter().filter(of_query).map(|p| p.name.clone()).collect())
}

fn key_part(parameter: &KeyParameter, place: Place<'_>, http: &HttpIntegration) -> Option<KeyPart> {
    let name = &parameter.name;
    let mapped = |location| match source_of(http, location, name)? {
        Expression::Path(variable) => place.variable(&variable).map(KeyPart::Path),
        expression => Some(KeyPart::Mapped(expression)),
    };
    match parameter.source {
        KeySource::Path => place.variable(name).map(KeyPart::Path),
        KeySource::Query | KeySource::MultivalueQuery => Some(KeyPart::Query(name.clone())),
        KeySource::Header | KeySource::MultivalueHeader => Some(KeyPart::Header(name.clone())),
        KeySource::IntegrationPath => mapped(Location::Path),
        KeySource::IntegrationQuery => mapped(Location::Query),
        KeySource::IntegrationHeader => mapped(Location::Header),
    }
}

fn needs_body(part: &KeyPart) -> bool {
    matches!(part, KeyPart::Mapped(expression) if expression.needs_body())
}

fn is_authorization(part: &KeyPart) -> bool {
    match part {
        KeyPart::Header(name) | KeyPart::Mapped(Expression::MultivalueHeader(name)) => {
            name.eq_ignore_ascii_case("authorization")
        }
        _ => false,
    }
}
