//! One method of one stage.

use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use sluice_api::{
    Api, HttpIntegration, IntegrationKind, KeyParameter, KeySource, Method, MethodKey, MethodSettings, Profile,
    Resource, Stage, UpstreamVersion, Verb,
};
use sluice_cache::freshness::{self, StatusRules, StoreRule, Ttl};
use sluice_cache::key::{KeyPrefix, Scope};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{CompileError, Compiler};
use crate::config::Expression;
use crate::integration::http::{Origin, OriginKey};
use crate::plan::{CachePlan, HttpPlan, IntegrationPlan, KeyPart, KeyRule, MethodPlan, MockPlan, UriTemplate};

impl Compiler<'_> {
    pub(super) fn method(
        &self,
        api: &Api,
        stage: &Stage,
        resource: &Resource,
        verb: Verb,
        method: &Method,
        cached: bool,
    ) -> Result<MethodPlan, CompileError> {
        let key = MethodKey { path: resource.path.clone(), verb };
        let name = format!("{}/{}/{key}", api.id, stage.name);
        let own = stage.methods.get(&key);
        let settings = own.unwrap_or(&stage.defaults);
        let throttle = settings.throttle.filter(|_| own.is_some() || api.profile == Profile::Aws);
        let variables: Vec<Box<str>> = resource.path.variables().map(Into::into).collect();
        Ok(MethodPlan {
            series: self.metrics.series(&api.name, stage.name.as_str(), &key.to_string()),
            verb,
            path: resource.path.as_str().into(),
            bucket: self.bucket(name.clone(), throttle)?,
            // A fixed answer costs no more than a stored one.
            cache: match cached && !matches!(method.integration.kind, IntegrationKind::Mock(_)) {
                true => self.cache_plan(api, stage, &key, method, settings, own.is_some(), &variables)?,
                false => None,
            },
            integration: self.integration(api, stage, method, &variables)?,
            variables,
        })
    }

    fn integration(
        &self,
        api: &Api,
        stage: &Stage,
        method: &Method,
        variables: &[Box<str>],
    ) -> Result<IntegrationPlan, CompileError> {
        match &method.integration.kind {
            IntegrationKind::Mock(mock) => {
                let lines: String = mock.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
                let (fields, body) = (Bytes::from(lines), Bytes::from(mock.body.clone()));
                Ok(IntegrationPlan::Mock(MockPlan { status: mock.status, fields, body }))
            }
            IntegrationKind::HttpProxy(http) => self.http(api, stage, method, http, variables),
        }
    }

    fn http(
        &self,
        api: &Api,
        stage: &Stage,
        method: &Method,
        http: &HttpIntegration,
        variables: &[Box<str>],
    ) -> Result<IntegrationPlan, CompileError> {
        let place = |name: &str| capture_place(http, variables, name);
        let uri = match UriTemplate::compile(&http.uri, &stage.variables, place) {
            Ok(uri) => uri,
            Err(error) => {
                tracing::warn!(api = %api.id, stage = %stage.name, uri = %http.uri, %error, "its requests get 500");
                return Ok(IntegrationPlan::Unbuildable);
            }
        };
        let origin = self.origin(http, &uri)?;
        Ok(IntegrationPlan::Http(Box::new(HttpPlan {
            host: (!http.preserve_host).then(|| uri.authority.clone()),
            uri,
            origin,
            verb: http.http_method.filter(|v| *v != Verb::Any),
            timeout: method.integration.timeout,
            first_byte_timeout: http.first_byte_timeout,
            idle_timeout: http.idle_timeout,
            retries: http.retries,
            api_id: api.id.as_str().into(),
            aws: api.profile == Profile::Aws,
        })))
    }

    fn origin(&self, http: &HttpIntegration, uri: &UriTemplate) -> Result<Arc<Origin>, CompileError> {
        let name = || http.tls.server_name.clone().unwrap_or_else(|| uri.address.host.to_string());
        let addresses = match http.addresses.is_empty() {
            true => vec![uri.address.clone()],
            false => http.addresses.clone(),
        };
        let key = OriginKey {
            addresses,
            tls: uri.https.then(|| (name(), http.tls.ca_file.clone())),
            trust: http.tls.ca_file.as_deref().and_then(|file| Some(xxh3_128(&std::fs::read(file).ok()?))),
            connect_timeout: http.connect_timeout,
            http2: http.version == UpstreamVersion::Http2,
        };
        let origin = Origin::new(&key)?;
        Ok(self.registries.origins.get_or_make(key, || origin))
    }

    fn store_rule(&self, settings: &MethodSettings, aws: bool) -> StoreRule {
        StoreRule {
            profile: if aws { freshness::Profile::Aws } else { freshness::Profile::Edge },
            ttl: ttl(settings.cache_ttl),
            statuses: StatusRules::default(),
            object_limit: self.configuration.node.cache.object_size_limit,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a method's settings lie in several places")]
    fn cache_plan(
        &self,
        api: &Api,
        stage: &Stage,
        key: &MethodKey,
        method: &Method,
        settings: &MethodSettings,
        own: bool,
        variables: &[Box<str>],
    ) -> Result<Option<CachePlan>, CompileError> {
        let verbs = cached_verbs(key.verb, own);
        if !settings.caching_enabled || settings.cache_ttl.is_zero() || verbs == 0 {
            return Ok(None);
        }
        let aws = api.profile == Profile::Aws;
        let parameters = settings.cache_key_parameters.as_deref();
        let rule = key_rule(aws, parameters, variables);
        let content = content_hash(&key.path, method, parameters, aws);
        let prefix = |verb: Verb| {
            KeyPrefix::new(Scope {
                api: api.id.as_str(),
                stage: stage.name.as_str(),
                namespace: key.path.as_str(),
                verb: verb.as_str(),
                content: &content.to_be_bytes(),
            })
        };
        let prefixes = Verb::CONCRETE.iter().map(|v| prefix(*v)).collect::<Result<Vec<_>, _>>();
        Ok(Some(CachePlan {
            verbs,
            prefixes: prefixes.map_err(|_| CompileError::Key(key.to_string()))?,
            rule,
            keys_host: parameters.is_none_or(|p| !p.is_empty()) && (!aws || preserves_host(method)),
            keys_authorization: parameters.is_some_and(|p| p.iter().any(is_authorization)),
            stores_authorized: aws,
            collapse: !aws,
            shows_status: !aws,
            store: self.store_rule(settings, aws),
            tags: self.tags.clone(),
        }))
    }
}

fn ttl(time: std::time::Duration) -> Ttl {
    Ttl::new(time.as_secs()).unwrap_or(Ttl::MAX)
}

/// A stage's default holds for GET alone; a method's own setting for the verb that it names.
fn cached_verbs(verb: Verb, own: bool) -> u8 {
    match (verb, own) {
        (Verb::Get, _) | (Verb::Any, false) => 1 << Verb::Get as u8,
        (Verb::Any, true) => 1 << Verb::Get as u8 | 1 << Verb::Head as u8,
        (verb, true) => 1 << verb as u8,
        (_, false) => 0,
    }
}

/// AWS's key has the named parameters only; the edge's has path and query where none are named, and the coding always.
fn key_rule(aws: bool, parameters: Option<&[KeyParameter]>, variables: &[Box<str>]) -> KeyRule {
    let part = |p: &KeyParameter| match p.source {
        KeySource::Path => variables.iter().position(|v| **v == *p.name).map(KeyPart::Path),
        KeySource::Query => Some(KeyPart::Query(p.name.clone())),
        KeySource::Header => Some(KeyPart::Header(p.name.clone())),
    };
    match (aws, parameters) {
        (false, None) => KeyRule::PathAndQuery,
        (true, parameters) => KeyRule::Parameters(parameters.unwrap_or_default().iter().filter_map(part).collect()),
        (false, Some(parameters)) => {
            let named = parameters.iter().filter_map(part);
            KeyRule::Parameters(named.chain([KeyPart::AcceptEncoding]).collect())
        }
    }
}

fn preserves_host(method: &Method) -> bool {
    matches!(&method.integration.kind, IntegrationKind::HttpProxy(http) if http.preserve_host)
}

fn is_authorization(parameter: &KeyParameter) -> bool {
    parameter.source == KeySource::Header && &*parameter.name == "authorization"
}

/// A hash of what shapes an answer, the same on every node and after every restart.
fn content_hash(
    path: &sluice_api::ResourcePath,
    method: &Method,
    parameters: Option<&[KeyParameter]>,
    aws: bool,
) -> u128 {
    let mut hasher = Xxh3::new();
    path.as_str().hash(&mut hasher);
    aws.hash(&mut hasher);
    for parameter in parameters.unwrap_or_default() {
        parameter.to_string().hash(&mut hasher);
    }
    parameters.is_some().hash(&mut hasher);
    match &method.integration.kind {
        IntegrationKind::Mock(m) => {
            m.status.hash(&mut hasher);
            m.headers.hash(&mut hasher);
            m.body.hash(&mut hasher);
        }
        IntegrationKind::HttpProxy(h) => {
            h.uri.hash(&mut hasher);
            h.http_method.map(Verb::as_str).hash(&mut hasher);
            h.request_parameters.hash(&mut hasher);
            h.preserve_host.hash(&mut hasher);
            h.addresses.hash(&mut hasher);
        }
    }
    hasher.digest128()
}

/// `{name}` is what is mapped to `integration.request.path.name`, or the path variable of that name.
fn capture_place(http: &HttpIntegration, variables: &[Box<str>], name: &str) -> Option<usize> {
    let mapped = http.request_parameters.get(&format!("integration.request.path.{name}"));
    let source = match mapped.and_then(|text| Expression::parse(text).ok()) {
        Some(Expression::Path(source)) => source.to_string(),
        Some(_) => return None,
        None => name.to_owned(),
    };
    variables.iter().position(|v| **v == *source)
}
