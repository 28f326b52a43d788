//! To which method a logged request went, and under which key its answer would lie.
//!
//! With a configuration the gateway's own router tells. Without one the resource that the log names does, or else the
//! first segment of the path.

use std::collections::HashMap;

use sluice_api::{Api, KeySource, Profile, Verb};
use sluice_cache::Fingerprint;
use sluice_cache::key::{KEY_LIMIT, KeyHasher, KeyPrefix, KeyWriter, SECRET_LEN, Scope};

use super::line::Line;
use crate::config::Configuration;
use crate::plan::{Captures, Router};
use crate::stage::recall::query_values;

/// More methods than this are counted together.
const METHODS_LIMIT: usize = 500;

const OTHERS: &str = "(others)";

/// All methods that a log has.
#[derive(Debug)]
pub struct Methods {
    apis: Vec<Routes>,
    hasher: KeyHasher,
    places: HashMap<String, usize>,
    names: Vec<String>,
    buffer: Vec<u8>,
    captures: Captures,
}

#[derive(Debug)]
struct Routes {
    api: String,
    stages: Vec<String>,
    router: Router,
    methods: Vec<Keyed>,
}

/// A method and what of a request is in its key.
#[derive(Debug)]
struct Keyed {
    name: String,
    profile: Profile,
    /// `None`: path and query.
    rule: Option<Vec<Part>>,
}

#[derive(Debug)]
enum Part {
    Path(usize),
    Query(Box<str>),
}

/// Where a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Place of the method among [`Methods::names`].
    pub method: usize,
    /// The digest of its key.
    pub key: Fingerprint,
    /// A cache would store its answer.
    pub storable: bool,
}

impl Methods {
    /// Those of a configuration, or those that the log will name.
    #[must_use]
    pub fn new(configuration: Option<&Configuration>) -> Self {
        let apis = configuration.map_or_else(Vec::new, |c| c.apis.iter().map(Routes::of).collect());
        Self {
            apis,
            // Fingerprints are compared within one run only, which should give the same figures each time.
            hasher: KeyHasher::new([0x5a; SECRET_LEN]),
            places: HashMap::new(),
            names: Vec::new(),
            buffer: Vec::new(),
            captures: Captures::new(),
        }
    }

    /// Their names, by place.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a request belongs; `None` if no cache would be asked for it.
    pub fn place(&mut self, line: &Line<'_>) -> Option<Place> {
        if line.verb != "GET" {
            return None;
        }
        let mut captures = std::mem::take(&mut self.captures);
        let found = self.apis.iter().find_map(|routes| routes.find(line, &mut captures));
        let name = match found {
            Some((_, method)) => method.name.clone(),
            None => guessed(line),
        };
        let profile = found.map_or(Profile::Edge, |(_, method)| method.profile);
        let rule = found.and_then(|(_, method)| method.rule.as_deref());
        let key = key(&mut self.buffer, &self.hasher, &name, rule, &captures, line);
        self.captures = captures;
        let method = self.method(name);
        Some(Place { method, key, storable: is_stored(profile, line.status) })
    }

    fn method(&mut self, name: String) -> usize {
        let name = if self.names.len() < METHODS_LIMIT { name } else { OTHERS.to_owned() };
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = self.names.len();
        self.names.push(name.clone());
        self.places.insert(name, place);
        place
    }
}

impl Routes {
    fn of(api: &Api) -> Self {
        let (mut router, mut methods) = (Router::default(), Vec::new());
        for resource in &api.resources {
            for verb in resource.methods.keys() {
                let variables: Vec<&str> = resource.path.variables().collect();
                let place = methods.len() as u32;
                if router.insert(&resource.path, *verb, place).is_ok() {
                    let name = format!("{} {verb} {}", api.id, resource.path);
                    methods.push(Keyed { name, profile: api.profile, rule: rule(api, resource, *verb, &variables) });
                }
            }
        }
        let stages = api.stages.keys().map(ToString::to_string).collect();
        Self { api: api.id.to_string(), stages, router, methods }
    }

    fn find(&self, line: &Line<'_>, captures: &mut Captures) -> Option<(&Self, &Keyed)> {
        if line.api.as_deref().is_some_and(|api| api != self.api) {
            return None;
        }
        // Captures are places in the whole path.
        let mut at = |path: &str| {
            self.router.find(path.as_bytes(), line.path.len().saturating_sub(path.len()), Verb::Get, captures)
        };
        let place = at(&line.path).or_else(|| at(self.behind_stage(&line.path)?))?;
        Some((self, self.methods.get(place as usize)?))
    }

    /// The rest of a path that begins with a stage's name.
    fn behind_stage<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix('/')?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (stage, behind) = rest.split_at_checked(end)?;
        self.stages.iter().any(|s| s == stage).then_some(behind).filter(|behind| !behind.is_empty())
    }
}

/// What the first stage that caches says; parameters that no log has are left out.
fn rule(api: &Api, resource: &sluice_api::Resource, verb: Verb, variables: &[&str]) -> Option<Vec<Part>> {
    let key = sluice_api::MethodKey { path: resource.path.clone(), verb };
    let stage = api.stages.values().find(|stage| stage.cache_cluster_enabled)?;
    let settings = stage.methods.get(&key).unwrap_or(&stage.defaults);
    let named = match (&settings.cache_key_parameters, api.profile) {
        (None, Profile::Edge) => return None,
        (named, _) => named.as_deref().unwrap_or_default(),
    };
    let part = |p: &sluice_api::KeyParameter| match p.source {
        KeySource::Path => variables.iter().position(|v| **v == *p.name).map(Part::Path),
        KeySource::Query => Some(Part::Query(p.name.clone())),
        _ => None,
    };
    Some(named.iter().filter_map(part).collect())
}

fn key(
    buffer: &mut Vec<u8>,
    hasher: &KeyHasher,
    method: &str,
    rule: Option<&[Part]>,
    captures: &Captures,
    line: &Line<'_>,
) -> Fingerprint {
    let scope = Scope { api: "", stage: "", namespace: method, verb: "GET", content: b"" };
    // A method's name alone is never that long.
    let Ok(prefix) = KeyPrefix::new(scope) else { return Fingerprint(0) };
    let mut writer = KeyWriter::start(buffer, &prefix);
    let query = line.query.as_deref().map(str::as_bytes);
    match rule {
        None => {
            writer.value(line.path.as_bytes());
            writer.part(query);
        }
        Some(parts) => parts.iter().for_each(|part| match part {
            Part::Path(place) => writer.part(captures.get(*place).map(|span| span.of(line.path.as_bytes()))),
            Part::Query(name) => {
                let values: Vec<_> = query_values(query.unwrap_or_default(), name.as_bytes()).collect();
                writer.values(values.iter().map(AsRef::as_ref));
            }
        }),
    }
    let cut = |bytes: &[u8]| hasher.fingerprint(bytes.get(..KEY_LIMIT).unwrap_or(bytes));
    writer.finish(hasher).map_or_else(|_| cut(line.path.as_bytes()), |key| key.fingerprint)
}

fn guessed(line: &Line<'_>) -> String {
    if let Some(resource) = &line.resource {
        return format!("{} {} {resource}", line.api.as_deref().unwrap_or("-"), line.verb);
    }
    let mut segments = line.path.split('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next()) {
        (Some(first), Some(_)) => format!("{} /{first}/…", line.verb),
        _ => format!("{} {}", line.verb, line.path),
    }
}

/// What a cache stores where nothing else is said.
const fn is_stored(profile: Profile, status: u16) -> bool {
    match profile {
        Profile::Aws => !matches!(status, ..200 | 206 | 304),
        Profile::Edge => matches!(status, 200 | 203 | 204 | 301 | 308),
    }
}
