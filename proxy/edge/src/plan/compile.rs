//! Configuration to plan: names become places, texts become bytes ready to send, and what outlives plans is found again.

mod cache;
mod content;
mod method;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sluice_api::{Api, ApiId, NetworkPolicy, Profile, Stage, StageName, Throttle, memory_share};
use sluice_cache::flight::Limits;
use sluice_cache::notes::Separator;
use sluice_cache::{Flights, Turns};
use sluice_policy::{Bucket, CidrSet, InFlight, NetworkRules, RateLimit, RateLimitError};

use content::Contents;
use method::Place;

use super::host::{DomainPlan, Domains, MappingPlan, domain_id};
use super::router::TooManyVariables;
use super::{ApiPlan, ListenerPlan, Plan, Router, StageCache, StagePlan, TagHeader};
use crate::config::{Configuration, ForwardingField, Listener};
use crate::integration::http::{OriginTlsError, Origins};
use crate::message::field::FieldKind;
use crate::observe::metrics::Metrics;
use crate::registry::Registry;
use crate::storage::{Shelved, Storage, Wanted};

/// Why a checked configuration makes no plan.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A path the router does not take.
    #[error(transparent)]
    Path(#[from] TooManyVariables),
    /// A limit out of range.
    #[error("{0}: {1}")]
    Limit(String, RateLimitError),
    /// A cache key rule that is too long.
    #[error("{0}: the cache key's fixed part is too long")]
    Key(String),
    /// A CA file or a server name.
    #[error(transparent)]
    Tls(#[from] OriginTlsError),
}

/// What outlives plans.
#[derive(Debug, Default)]
pub struct Registries {
    /// Token buckets by what they limit.
    pub buckets: Registry<String, Bucket>,
    /// The stages' caches.
    pub caches: Registry<CacheId, StageCache>,
    /// Origins.
    pub origins: Origins,
    /// Requests in flight.
    pub in_flight: Registry<(), InFlight>,
    /// What lies below the caches' memory.
    pub storage: Arc<Storage>,
    versions: AtomicU64,
}

impl Registries {
    /// Nothing yet, over this.
    pub fn over(storage: Arc<Storage>) -> Self {
        Self { storage, ..Self::default() }
    }
}

/// What tells one stage's cache from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheId {
    /// The API's id.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// The largest body, bytes.
    pub limit: u64,
}

/// What a compilation works with.
struct Compiler<'c> {
    configuration: &'c Configuration,
    registries: &'c Registries,
    metrics: &'c Metrics,
    now: u64,
    tags: Arc<[TagHeader]>,
}

/// Compiles a plan. Nothing that runs is touched unless the whole of it compiles, limits of buckets apart. A cache that
/// becomes smaller is shrunk here, which may take a while.
pub fn compile(
    configuration: &Configuration,
    registries: &Registries,
    metrics: &Metrics,
    now: u64,
) -> Result<Plan, CompileError> {
    let tags = tag_headers(&configuration.node.cache.tag_headers);
    let compiler = Compiler { configuration, registries, metrics, now, tags };
    let plan = compiler.plan()?;
    compiler.resize_caches(&plan);
    if let (Some(disks), Some(budget)) = (&registries.storage.disks, &configuration.node.cache.disk) {
        let shelves = disks.shelves(compiler.shelved(&plan));
        disks.want(Wanted { shelves, size: budget.size, keep_removed: budget.keep_removed });
    }
    Ok(plan)
}

fn tag_headers(names: &[Box<str>]) -> Arc<[TagHeader]> {
    names.iter().map(|name| TagHeader { name: name.clone(), separator: Separator::of(name) }).collect()
}

impl Compiler<'_> {
    fn plan(&self) -> Result<Plan, CompileError> {
        let node = &self.configuration.node;
        let apis = self.configuration.apis.iter().map(|api| self.api(api).map(Arc::new));
        let apis = apis.collect::<Result<Vec<_>, _>>()?;
        let in_flight = self.registries.in_flight.get_or_make((), || InFlight::new(node.throttle.in_flight));
        in_flight.set_limit(node.throttle.in_flight);
        Ok(Plan {
            version: self.registries.versions.fetch_add(1, Relaxed) + 1,
            limits: node.limits,
            timeouts: node.timeouts,
            listeners: self.configuration.listeners.iter().map(|l| self.listener(l)).collect(),
            api_ids: apis.iter().enumerate().map(|(i, api)| (api.id.clone(), i as u32)).collect(),
            apis,
            domains: self.domains(),
            trusted_proxies: CidrSet::new(&node.trusted_proxies),
            client_address_field: match node.client_address_field {
                ForwardingField::XForwardedFor => FieldKind::XForwardedFor,
                ForwardingField::Forwarded => FieldKind::Forwarded,
            },
            explain_callers: CidrSet::new(&node.explain_callers),
            account: self.bucket("account".into(), node.throttle.account)?,
            in_flight,
            region: node.region.as_str().into(),
            account_id: node.account_id.as_str().into(),
        })
    }

    fn api(&self, api: &Api) -> Result<ApiPlan, CompileError> {
        let mut router = Router::default();
        let methods = api.resources.iter().flat_map(|r| r.methods.iter().map(move |(verb, m)| (r, *verb, m)));
        for (place, (resource, verb, _)) in methods.enumerate() {
            router.insert(&resource.path, verb, place as u32)?;
        }
        let stages = api.stages.values().map(|stage| self.stage(api, stage)).collect::<Result<Vec<_>, _>>()?;
        Ok(ApiPlan {
            id: api.id.as_str().into(),
            name: api.name.as_str().into(),
            profile: api.profile,
            router,
            network: network_rules(&api.network),
            execute_api_endpoint_disabled: api.execute_api_endpoint_disabled,
            stage_names: stages.iter().enumerate().map(|(i, s)| (s.name.clone(), i as u32)).collect(),
            series: self.metrics.series(&api.name, "-", "-"),
            stages,
        })
    }

    fn stage(&self, api: &Api, stage: &Stage) -> Result<StagePlan, CompileError> {
        let name = format!("{}/{}", api.id, stage.name);
        // AWS gives every method the stage's limit in a bucket of its own; the edge has one for the stage besides.
        let shared = stage.defaults.throttle.filter(|_| api.profile == Profile::Edge);
        let cache = stage.cache_cluster_enabled.then(|| self.cache(api, stage));
        let contents = Contents::of(api, stage);
        let mut methods = Vec::new();
        for resource in &api.resources {
            for (verb, method) in &resource.methods {
                let place = Place { api, stage, contents: &contents, resource, verb: *verb, method };
                methods.push(self.method(place, cache.is_some())?);
            }
        }
        Ok(StagePlan {
            name: stage.name.as_str().into(),
            series: self.metrics.series(&api.name, stage.name.as_str(), "-"),
            network: network_rules(&stage.network),
            bucket: self.bucket(name, shared)?,
            cache,
            invalidation: Box::new(CidrSet::new(&stage.cache_invalidation_callers)),
            variables: stage.variables.clone(),
            deployment_id: stage.deployment_id.as_deref().map(Into::into),
            methods,
        })
    }

    fn cache(&self, api: &Api, stage: &Stage) -> Arc<StageCache> {
        let limit = self.configuration.node.cache.object_size_limit;
        let key = CacheId { api: api.id.to_string(), stage: stage.name.to_string(), limit };
        let size = self.memory_share(stage);
        self.registries.caches.get_or_make(key, || StageCache {
            memory: self.registries.storage.memory(size, limit, self.now),
            disk: Arc::default(),
            flights: Flights::new(flight_limits(limit)),
            turns: Turns::new(),
            size: AtomicU64::new(size),
        })
    }

    /// Caches that were found again take the sizes of this configuration.
    fn resize_caches(&self, plan: &Plan) {
        let sizes = self.configuration.apis.iter().flat_map(|api| api.stages.values().map(|s| self.memory_share(s)));
        let caches = plan.apis.iter().flat_map(|api| api.stages.iter().map(|s| s.cache.as_ref()));
        for (cache, size) in caches.zip(sizes) {
            if let Some(cache) = cache.filter(|c| c.size.swap(size, Relaxed) != size) {
                cache.memory.resize(size);
                while cache.memory.drain_some(SLICE) > 0 {}
            }
        }
    }

    /// Of a stage's cache the part that is memory: all of it where there is no disk.
    fn memory_share(&self, stage: &Stage) -> u64 {
        match self.registries.storage.disks {
            Some(_) => memory_share(stage.cache_cluster_size, stage.cache_memory),
            None => stage.cache_cluster_size,
        }
    }

    /// The stages that have something on disk, and how much.
    fn shelved(&self, plan: &Plan) -> Vec<Shelved> {
        let stages = self.configuration.apis.iter().flat_map(|api| api.stages.values().map(move |stage| (api, stage)));
        let caches = plan.apis.iter().flat_map(|api| api.stages.iter().map(|stage| stage.cache.as_ref()));
        let shelved = stages.zip(caches).filter_map(|((api, stage), cache)| {
            let (cache, share) = (cache?, stage.cache_cluster_size - self.memory_share(stage));
            let (name, disk, bans) = (format!("{}/{}", api.id, stage.name), &cache.disk, cache.memory.bans());
            (share > 0).then(|| Shelved { name, share, disk: Arc::clone(disk), bans: Arc::clone(bans) })
        });
        shelved.collect()
    }

    /// The bucket called `name`, with its limit changed if the configuration has.
    fn bucket(&self, name: String, throttle: Option<Throttle>) -> Result<Option<Arc<Bucket>>, CompileError> {
        let Some(throttle) = throttle else { return Ok(None) };
        let limit = RateLimit::new(throttle.rate, throttle.burst).map_err(|e| CompileError::Limit(name.clone(), e))?;
        let bucket = self.registries.buckets.get_or_make(name, || Bucket::new(limit, self.now));
        bucket.set_limit(limit, self.now);
        Ok(Some(bucket))
    }

    fn listener(&self, listener: &Listener) -> ListenerPlan {
        let api = listener.default_api.as_ref().and_then(|id| self.api_place(id));
        let stage = |api| listener.default_stage.as_ref().and_then(|name| self.stage_place(api, name));
        ListenerPlan {
            default_api: api.map(|api| (api, stage(api))),
            private: listener.private,
            redirect_to_https: listener.redirect_to_https,
        }
    }

    fn domains(&self) -> Domains {
        let mut domains = Domains::default();
        for domain in &self.configuration.domains {
            let mappings = domain.mappings.iter().filter_map(|m| {
                let api = self.api_place(&m.api)?;
                let base_path = match m.base_path.as_str() {
                    "" => Box::default(),
                    path => format!("/{path}").into_bytes().into(),
                };
                let stage = m.stage.as_ref().and_then(|name| self.stage_place(api, name));
                Some(MappingPlan { base_path, api, stage })
            });
            let mutual = domain.client_ca.as_ref().map(|_| domain_id(&domain.name));
            domains.insert(&domain.name, DomainPlan { mappings: mappings.collect(), mutual });
        }
        domains
    }

    fn api_place(&self, id: &ApiId) -> Option<u32> {
        self.configuration.apis.iter().position(|a| a.id == *id).map(|at| at as u32)
    }

    fn stage_place(&self, api: u32, name: &StageName) -> Option<u32> {
        let stages: &BTreeMap<StageName, Stage> = &self.configuration.apis.get(api as usize)?.stages;
        stages.keys().position(|n| n == name).map(|at| at as u32)
    }
}

/// Entries that are freed at a time when a cache is made anew in another size.
const SLICE: usize = 4096;

/// Room for a few of the largest objects on their way at a time.
fn flight_limits(object_bytes: u64) -> Limits {
    let default = Limits::default();
    Limits { object_bytes, buffered_bytes: default.buffered_bytes.max(object_bytes.saturating_mul(4)), ..default }
}

fn network_rules(policy: &NetworkPolicy) -> NetworkRules {
    NetworkRules::new(policy.allow.as_deref(), &policy.deny)
}
