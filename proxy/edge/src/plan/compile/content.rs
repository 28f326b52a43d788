//! What shapes an answer, as a hash that is the same on every node and after every restart: a changed method starts cold,
//! an unrelated edit leaves it warm.
//!
//! Methods with a cache namespace in common share entries, so they share a hash: that of all of them. Under `aws` the
//! deployment's id stands in its place where the stage has one.

use std::collections::BTreeMap;
use std::hash::Hash;

use sluice_api::{Api, IntegrationKind, KeyParameter, Method, MethodKey, Profile, ResourcePath, Stage, Verb};
use xxhash_rust::xxh3::Xxh3;

/// The hashes of a stage's methods.
#[derive(Debug)]
pub(super) struct Contents {
    aws: bool,
    deployment: Option<String>,
    methods: BTreeMap<MethodKey, u128>,
    /// Of all methods that have a namespace in common.
    namespaces: BTreeMap<String, u128>,
}

impl Contents {
    pub(super) fn of(api: &Api, stage: &Stage) -> Self {
        let aws = api.profile == Profile::Aws;
        let mut methods = BTreeMap::new();
        let mut shared: BTreeMap<String, Vec<u128>> = BTreeMap::new();
        for (path, verb, method) in methods_of(api) {
            let key = MethodKey { path: path.clone(), verb };
            let hash = of_method(path, method, stage);
            if let Some(namespace) = stage.methods.get(&key).and_then(|own| own.cache_namespace.clone()) {
                shared.entry(namespace).or_default().push(hash);
            }
            methods.insert(key, hash);
        }
        let namespaces = shared.into_iter().map(|(name, hashes)| (name, of_all(hashes))).collect();
        Self { aws, deployment: stage.deployment_id.clone().filter(|_| aws), methods, namespaces }
    }

    /// What stands in the key of a method for all that shapes its answers: the content or the deployment, and the rule by
    /// which the rest of the key is made, for values alone do not tell of what they are the values.
    pub(super) fn of_key(&self, key: &MethodKey, namespace: Option<&str>, rule: Option<&[KeyParameter]>) -> Vec<u8> {
        let content = match namespace {
            Some(name) => self.namespaces.get(name),
            None => self.methods.get(key),
        };
        let mut bytes = match &self.deployment {
            Some(id) => [b"deployment ", id.as_bytes()].concat(),
            None => content.copied().unwrap_or_default().to_be_bytes().to_vec(),
        };
        bytes.extend_from_slice(&of_rule(rule, self.aws).to_be_bytes());
        bytes
    }
}

fn methods_of(api: &Api) -> impl Iterator<Item = (&ResourcePath, Verb, &Method)> {
    api.resources.iter().flat_map(|r| r.methods.iter().map(|(verb, method)| (&r.path, *verb, method)))
}

/// In any order: which of them stands first in the file makes no difference.
fn of_all(mut hashes: Vec<u128>) -> u128 {
    hashes.sort_unstable();
    let mut hasher = Xxh3::new();
    hashes.hash(&mut hasher);
    hasher.digest128()
}

fn of_rule(parameters: Option<&[KeyParameter]>, aws: bool) -> u128 {
    let mut hasher = Xxh3::new();
    aws.hash(&mut hasher);
    parameters.is_some().hash(&mut hasher);
    for parameter in parameters.unwrap_or_default() {
        parameter.to_string().hash(&mut hasher);
    }
    hasher.digest128()
}

fn of_method(path: &ResourcePath, method: &Method, stage: &Stage) -> u128 {
    let mut hasher = Xxh3::new();
    path.as_str().hash(&mut hasher);
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
            for (name, value) in &stage.variables {
                let uses = |text: &str| text.contains(&format!("stageVariables.{name}"));
                if uses(&h.uri) || h.request_parameters.values().any(|text| uses(text)) {
                    (name, value).hash(&mut hasher);
                }
            }
        }
    }
    hasher.digest128()
}
