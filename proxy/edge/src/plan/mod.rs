//! The configuration compiled: one immutable table that a request walks, shared by all workers.
//!
//! A reload compiles a new plan and shares what did not change; buckets, cache tiers, origins and series outlive plans
//! and are looked up by stable ids in a `Registry`.

mod compile;
pub mod host;
mod origin_uri;
pub mod router;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use serde::Serialize;
use sluice_api::{Profile, UnauthorizedCacheControl, Verb, VerbSet};
use sluice_cache::freshness::origin::Grace;
use sluice_cache::freshness::{self, StoreRule};
use sluice_cache::key::KeyPrefix;
use sluice_cache::notes::Separator;
use sluice_cache::{Flights, MemoryTier, Turns};
use sluice_mapping::Expression;
use sluice_policy::{Bucket, CidrSet, InFlight, InvalidateCache, NetworkRules};

pub use compile::{CacheId, Registries};
pub use compile::{CompileError, compile};
pub use origin_uri::{UriError, UriTemplate, UriValue};
pub use router::{Captures, Router};

use crate::config::{Limits, Timeouts};
use crate::integration::http::Endpoint;
use crate::message::field::FieldKind;
use crate::message::head::Head;
use crate::names::Names;
use crate::observe::metrics::SeriesId;
use crate::storage::StageDisk;

/// Everything that a request is decided by.
#[derive(Debug)]
pub struct Plan {
    /// Counts the plans of this process.
    pub version: u64,
    /// Sizes and counts that a client may not pass.
    pub limits: Limits,
    /// Deadlines towards clients.
    pub timeouts: Timeouts,
    /// One per listener, in the order of the sockets.
    pub listeners: Vec<ListenerPlan>,
    /// APIs by place; the other tables hold places in this one.
    pub apis: Vec<Arc<ApiPlan>>,
    /// Places of APIs by id.
    pub api_ids: Names<str, u32>,
    /// Custom domains.
    pub domains: host::Domains,
    /// Peers whose forwarding fields are believed.
    pub trusted_proxies: CidrSet,
    /// Where they tell the client's address.
    pub client_address_field: FieldKind,
    /// Callers who may ask for an explanation.
    pub explain_callers: CidrSet,
    /// The account's bucket.
    pub account: Option<Arc<Bucket>>,
    /// Requests in flight.
    pub in_flight: Arc<InFlight>,
    /// For ARNs.
    pub region: Box<str>,
    /// For ARNs: twelve digits.
    pub account_id: Box<str>,
}

/// API, stage and method, as places in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Of the API.
    pub api: u32,
    /// Of the API's stage.
    pub stage: u32,
    /// Of the stage's method.
    pub method: u32,
}

/// What a listener adds to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPlan {
    /// Place of the API for requests that name none, and of its stage.
    pub default_api: Option<(u32, Option<u32>)>,
    /// `x-apigw-api-id` is believed.
    pub private: bool,
    /// Every request is answered with a redirect to this port.
    pub redirect_to_https: Option<u16>,
}

/// An API, compiled.
#[derive(Debug)]
pub struct ApiPlan {
    /// Its id.
    pub id: Box<str>,
    /// Its name, for the metrics.
    pub name: Box<str>,
    /// Which behaviour is meant.
    pub profile: Profile,
    /// From path and verb to a place in each stage's `methods`.
    pub router: Router,
    /// Who may reach it.
    pub network: NetworkRules,
    /// Neither its own host name nor the path `/_aws/execute-api/…` leads to it.
    pub execute_api_endpoint_disabled: bool,
    /// For the counters of requests that reach none of its stages.
    pub series: SeriesId,
    /// Its stages.
    pub stages: Vec<StagePlan>,
    /// Places of stages by name.
    pub stage_names: BTreeMap<Box<str>, u32>,
}

/// A stage, compiled.
#[derive(Debug)]
pub struct StagePlan {
    /// Its name.
    pub name: Box<str>,
    /// For the counters of requests that reach none of its methods.
    pub series: SeriesId,
    /// The stage's own network policy.
    pub network: NetworkRules,
    /// The stage's bucket.
    pub bucket: Option<Arc<Bucket>>,
    /// Its cache.
    pub cache: Option<Arc<StageCache>>,
    /// Who may have entries of it replaced.
    pub invalidation: Box<dyn InvalidateCache>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// The deployment that it serves.
    pub deployment_id: Option<Box<str>>,
    /// Its methods, in the order of the router's values.
    pub methods: Vec<MethodPlan>,
}

/// A stage's response cache, which outlives plans.
#[derive(Debug)]
pub struct StageCache {
    /// The memory tier.
    pub memory: MemoryTier,
    /// The disk below it, if there is one.
    pub disk: Arc<StageDisk>,
    /// Fetches under way.
    pub flights: Arc<Flights>,
    /// Which of several fetches of a key counts.
    pub turns: Turns,
    /// Bytes that the configuration gives it.
    pub size: AtomicU64,
}

/// A method of a stage, compiled.
#[derive(Debug)]
pub struct MethodPlan {
    /// Where its figures are counted.
    pub series: SeriesId,
    /// The method's own verb, perhaps ANY.
    pub verb: Verb,
    /// Its resource's path.
    pub path: Box<str>,
    /// Names of the path variables, in the order of the captures.
    pub variables: Vec<Box<str>>,
    /// The method's bucket.
    pub bucket: Option<Arc<Bucket>>,
    /// How it is cached, if it is.
    pub cache: Option<CachePlan>,
    /// A successful request with an unsafe verb invalidates what is stored for its URI (RFC 9111 §4.4).
    pub invalidates: bool,
    /// Where its requests go.
    pub integration: IntegrationPlan,
}

/// How a method is cached.
#[derive(Debug)]
pub struct CachePlan {
    /// Verbs that take part.
    pub verbs: VerbSet,
    /// The beginning of every key, one per concrete verb.
    pub prefixes: Vec<KeyPrefix>,
    /// What of the request goes into the key.
    pub rule: KeyRule,
    /// Of the client's query the endpoint is told these parameters alone; `None`: all of it.
    pub passes: Option<Box<[Box<str>]>>,
    /// The host is part of the key: the origin is told the client's (`Host`, `X-Forwarded-Host`), and may answer for each
    /// host differently.
    pub keys_host: bool,
    /// `Authorization` is part of the key.
    pub keys_authorization: bool,
    /// An answer to a request with an unkeyed `Authorization` is stored all the same, as AWS does.
    pub stores_authorized: bool,
    /// One fetch per key, however many wait.
    pub collapse: bool,
    /// `Age` and `Cache-Status` are sent.
    pub shows_status: bool,
    /// What is stored, and for how long.
    pub store: StoreRule,
    /// The origin says what is stored and for how long.
    pub origin: Option<OriginRule>,
    /// For how long an answer may be served after its end.
    pub grace: Grace,
    /// In the last so many nanoseconds of its time an answer may be fetched anew.
    pub early_ns: u64,
    /// Conditions, ranges and HEAD are answered from stored answers to GET, and these are validated.
    pub derives: bool,
    /// The key has something of the request's body in it.
    pub needs_body: bool,
    /// Only some callers may have an entry replaced, and this is what happens to the others; `None`: everybody may.
    pub unauthorized: Option<UnauthorizedCacheControl>,
    /// Fields that name an answer's tags.
    pub tags: Arc<[TagHeader]>,
}

/// RFC 9111 instead of a time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginRule {
    /// No answer is fresh for longer, nanoseconds.
    pub cap_ns: Option<u64>,
}

/// A field that names an answer's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagHeader {
    /// Its name, in any case.
    pub name: Box<str>,
    /// What is between two tags.
    pub separator: Separator,
}

impl CachePlan {
    /// AWS's rules hold, its surprises included.
    pub fn is_aws(&self) -> bool {
        self.store.profile == freshness::Profile::Aws
    }

    /// Requests with this verb take part.
    #[inline]
    pub fn caches(&self, verb: Verb) -> bool {
        self.verbs.contains(verb) || (verb == Verb::Head && self.answers_head())
    }

    /// HEAD is answered from what is stored for GET.
    pub fn answers_head(&self) -> bool {
        self.derives && self.verbs.contains(Verb::Get)
    }

    /// The verb under whose key a request is looked up.
    #[inline]
    pub fn keyed_verb(&self, verb: Verb) -> Verb {
        if verb == Verb::Head && self.answers_head() { Verb::Get } else { verb }
    }

    /// The answer to this request may be the answer to others: it is neither a part nor without its body, nor does it
    /// hang on what the client has.
    pub fn is_for_all(&self, head: &Head<'_>) -> bool {
        const OWN: u64 = FieldKind::Range.bit() | FieldKind::IfMatch.bit() | FieldKind::IfUnmodifiedSince.bit();
        !self.derives || !(head.has_any(OWN) || head.verb == Some(Verb::Head) && self.answers_head())
    }
}

/// What of the request goes into a key.
#[derive(Debug)]
pub enum KeyRule {
    /// Path, whole query, and the normalised `Accept-Encoding`.
    PathAndQuery,
    /// These, in order.
    Parameters(Vec<KeyPart>),
}

impl KeyRule {
    /// The parts that are named.
    pub fn parts(&self) -> &[KeyPart] {
        match self {
            KeyRule::PathAndQuery => &[],
            KeyRule::Parameters(parts) => parts,
        }
    }
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// A path variable, by its place among the captures.
    Path(usize),
    /// The values of a query parameter, decoded.
    Query(Box<str>),
    /// The values of a header field.
    Header(Box<str>),
    /// What the integration's request parameters make of the request.
    Mapped(Expression),
    /// What `prepare` asks the origin for: `br`, `gzip` or nothing.
    AcceptEncoding,
}

/// Where a method's requests go.
#[derive(Debug)]
pub enum IntegrationPlan {
    /// A fixed answer.
    Mock(MockPlan),
    /// Passed on over HTTP.
    Http(Box<HttpPlan>),
    /// A URI that cannot be built under the stage's variables: 500.
    Unbuildable,
}

/// A fixed answer, ready to send.
#[derive(Debug)]
pub struct MockPlan {
    /// Its status.
    pub status: u16,
    /// Its fields as lines.
    pub fields: Bytes,
    /// Its body.
    pub body: Bytes,
}

/// How a request is passed on.
#[derive(Debug)]
pub struct HttpPlan {
    /// Where to, under this stage's variables.
    pub uri: UriTemplate,
    /// The servers behind it, and how long they may take.
    pub endpoint: Endpoint,
    /// The verb to send instead of the request's.
    pub verb: Option<Verb>,
    /// `Host: …\r\n`; `None` sends the client's.
    pub host: Option<Box<str>>,
    /// The API's id, for `User-Agent` and `X-Amzn-Apigateway-Api-Id`.
    pub api_id: Box<str>,
    /// AWS's header rules instead of the edge's.
    pub aws: bool,
    /// What of the request it is told by another name.
    pub parameters: Parameters,
}

/// The integration's request parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// For `{name}` in the URI where that is not simply a path variable, by their place in the template.
    pub path: Vec<Expression>,
    /// Query parameters, by name.
    pub query: Vec<(Box<str>, Expression)>,
    /// Header fields, by name.
    pub fields: Vec<(Box<str>, Expression)>,
    /// One of them reads the request's body.
    pub needs_body: bool,
}

impl Parameters {
    /// Nothing is mapped but path variables.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty() && self.query.is_empty() && self.fields.is_empty()
    }

    /// A query parameter of this name is mapped: under `edge` it is the mapping's, not the client's.
    pub fn has_query(&self, name: &[u8]) -> bool {
        self.query.iter().any(|(own, _)| own.as_bytes() == name)
    }

    /// A field of this name is the mapping's, not the client's.
    pub fn has_field(&self, name: &[u8]) -> bool {
        self.fields.iter().any(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Plan {
    /// The API, stage and method at these places.
    #[inline]
    pub fn method(&self, route: Route) -> Option<(&ApiPlan, &StagePlan, &MethodPlan)> {
        let api = self.apis.get(route.api as usize)?;
        let stage = api.stages.get(route.stage as usize)?;
        Some((api, stage, stage.methods.get(route.method as usize)?))
    }

    /// The API at a place, and the stage at a place in it, as far as they are known.
    pub fn api_and_stage(&self, api: Option<u32>, stage: Option<u32>) -> (Option<&ApiPlan>, Option<&StagePlan>) {
        let api = api.and_then(|place| self.apis.get(place as usize)).map(|api| &**api);
        (api, api.zip(stage).and_then(|(api, place)| api.stages.get(place as usize)))
    }
}
