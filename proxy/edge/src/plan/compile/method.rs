//! One method of one stage.

use std::sync::Arc;

use bytes::Bytes;
use sluice_api::{
    Api, CacheMode, HttpIntegration, IntegrationKind, Method, MethodKey, Profile, Resource, Stage, UpstreamVersion,
    Verb,
};
use sluice_mapping::{Expression, Location, Target};
use xxhash_rust::xxh3::xxh3_128;

use super::content::Contents;
use super::{CompileError, Compiler};
use crate::integration::http::{Endpoint, Origin, OriginKey};
use crate::plan::{HttpPlan, IntegrationPlan, MethodPlan, MockPlan, Parameters, UriTemplate, UriValue};

/// A method, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'c> {
    pub(super) api: &'c Api,
    pub(super) stage: &'c Stage,
    pub(super) contents: &'c Contents,
    pub(super) resource: &'c Resource,
    pub(super) verb: Verb,
    pub(super) method: &'c Method,
}

impl Place<'_> {
    pub(super) fn key(&self) -> MethodKey {
        MethodKey { path: self.resource.path.clone(), verb: self.verb }
    }

    /// The place of a path variable among a request's captures.
    pub(super) fn variable(&self, name: &str) -> Option<usize> {
        self.resource.path.variables().position(|variable| variable == name)
    }
}

impl Compiler<'_> {
    pub(super) fn method(&self, place: Place<'_>, cached: bool) -> Result<MethodPlan, CompileError> {
        let Place { api, stage, resource, verb, .. } = place;
        let key = place.key();
        let name = format!("{}/{}/{key}", api.id, stage.name);
        let own = stage.methods.get(&key);
        let settings = own.unwrap_or(&stage.defaults);
        let throttle = settings.throttle.filter(|_| own.is_some() || api.profile == Profile::Aws);
        Ok(MethodPlan {
            series: self.metrics.series(&api.name, stage.name.as_str(), &key.to_string()),
            verb,
            path: resource.path.as_str().into(),
            bucket: self.bucket(name.clone(), throttle)?,
            invalidates: cached && settings.cache_mode == CacheMode::Rfc9111,
            cache: if cached { self.cache_plan(place, settings)? } else { None },
            integration: self.integration(place)?,
            variables: resource.path.variables().map(Into::into).collect(),
        })
    }

    fn integration(&self, place: Place<'_>) -> Result<IntegrationPlan, CompileError> {
        match &place.method.integration.kind {
            IntegrationKind::Mock(mock) => {
                let lines: String = mock.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
                let (fields, body) = (Bytes::from(lines), Bytes::from(mock.body.clone()));
                Ok(IntegrationPlan::Mock(MockPlan { status: mock.status, fields, body }))
            }
            IntegrationKind::HttpProxy(http) => self.http(place, http),
        }
    }

    fn http(&self, place: Place<'_>, http: &HttpIntegration) -> Result<IntegrationPlan, CompileError> {
        let Place { api, stage, method, .. } = place;
        let mut parameters = named_parameters(http);
        let value = |name: &str| uri_value(name, place, http, &mut parameters.path);
        let uri = match UriTemplate::compile(&http.uri, &stage.variables, value) {
            Ok(uri) => uri,
            Err(error) => {
                tracing::warn!(api = %api.id, stage = %stage.name, uri = %http.uri, %error, "no URI under this stage's variables: its requests get 500");
                return Ok(IntegrationPlan::Unbuildable);
            }
        };
        parameters.needs_body |= parameters.path.iter().any(Expression::needs_body);
        let origin = self.origin(http, &uri)?;
        Ok(IntegrationPlan::Http(Box::new(HttpPlan {
            host: (!http.preserve_host).then(|| uri.authority.clone()),
            uri,
            endpoint: Endpoint {
                origin,
                timeout: method.integration.timeout,
                first_byte_timeout: http.first_byte_timeout,
                idle_timeout: http.idle_timeout,
                total_timeout: http.total_timeout,
                retries: http.retries,
            },
            verb: http.http_method.filter(|v| *v != Verb::Any),
            api_id: api.id.as_str().into(),
            aws: api.profile == Profile::Aws,
            parameters,
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
}

/// What a part of the request to the integration gets its value from: its mapping, or for `{name}` in the URI the path
/// variable of that name.
pub(super) fn source_of(http: &HttpIntegration, location: Location, name: &str) -> Option<Expression> {
    let mapped = mappings(http).find(|(target, _)| target.is(location, name)).map(|(_, source)| source);
    mapped.or_else(|| (location == Location::Path).then(|| Expression::Path(name.into())))
}

/// The configuration has been checked: what cannot be read is not there.
fn mappings(http: &HttpIntegration) -> impl Iterator<Item = (Target, Expression)> {
    let parse =
        |(target, source): (&String, &String)| Some((Target::parse(target).ok()?, Expression::parse(source).ok()?));
    http.request_parameters.iter().filter_map(parse)
}

/// Query parameters and header fields.
fn named_parameters(http: &HttpIntegration) -> Parameters {
    let mut parameters = Parameters::default();
    for (target, source) in mappings(http) {
        let list = match target.location {
            Location::Path => continue,
            Location::Query => &mut parameters.query,
            Location::Header => &mut parameters.fields,
        };
        parameters.needs_body |= source.needs_body();
        list.push((target.name, source));
    }
    parameters
}

/// A path variable's place, or that of an expression among those that are worked out for the URI.
fn uri_value(
    name: &str,
    place: Place<'_>,
    http: &HttpIntegration,
    expressions: &mut Vec<Expression>,
) -> Option<UriValue> {
    match source_of(http, Location::Path, name)? {
        Expression::Path(variable) => place.variable(&variable).map(UriValue::Capture),
        expression => {
            expressions.push(expression);
            Some(UriValue::Mapped(expressions.len() - 1))
        }
    }
}
