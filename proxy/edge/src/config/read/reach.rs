//! What only shows when all is read: addresses taken twice, caches beyond the budget, APIs that nobody can reach,
//! certificates that no listener shows.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use sluice_api::{Api, ApiId};

use super::api::Apis;
use super::disk;
use crate::config::keys::{api as api_keys, front, node as keys};
use crate::config::model::{AdminEndpoint, Domain, Listener, Node};
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::units::show_size;

pub(super) fn check(
    root: &Table<'_>,
    node: &Node,
    apis: &Apis,
    domains: &[Located<Domain>],
    listeners: &[Located<Listener>],
) {
    let report = root.report();
    addresses(root, node, listeners);
    budget(node, apis, report);
    disk::check(node, apis, root.written(&keys::CACHE), report);
    stages(apis, report);
    certificates(node, domains, listeners, report);
    shadowed_hosts(apis, domains, report);
    around_client_ca(apis, domains, listeners, report);
}

fn addresses(root: &Table<'_>, node: &Node, listeners: &[Located<Listener>]) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    let mut claim = |address: SocketAddr, who: &'static str, at: Mark| {
        if let Some((other, owner)) = taken.iter().find(|(other, _)| collide(*other, address)) {
            let message = format!("{address} is taken: {owner} listens on {other}");
            root.report().error(&rules::DUPLICATE, at, message, "choose another port");
        }
        taken.push((address, who));
    };
    for listener in listeners {
        claim(listener.value.address, "a [[listener]]", listener.at);
    }
    if let Some(AdminEndpoint::Tcp(address)) = node.admin.as_ref().map(|admin| &admin.endpoint) {
        claim(*address, "[admin]", root.place(&keys::ADMIN));
    }
    if let Some(address) = node.demo {
        claim(address, "[demo]", root.place(&keys::DEMO));
    }
}

/// The same port on the same address, or on all of them. Port 0 is any free one.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_family = a.is_ipv4() == b.is_ipv4();
    let overlap = a.ip() == b.ip() || same_family && (a.ip().is_unspecified() || b.ip().is_unspecified());
    a.port() == b.port() && a.port() != 0 && overlap
}

fn budget(node: &Node, apis: &Apis, report: &Report<'_>) {
    let mut sum: u64 = 0;
    for cache in apis.drafts.iter().flat_map(|draft| &draft.caches) {
        sum = sum.saturating_add(cache.value.in_memory(node.cache.disk.is_some()));
        if sum > node.cache.memory {
            let (sum, memory) = (show_size(sum), show_size(node.cache.memory));
            let message = format!("the stages' caches take {sum} up to here, and [cache] memory is {memory}");
            let help = "write less here, or raise 'memory'";
            report.error(&rules::CACHE_BUDGET, cache.at, message, help);
            return;
        }
    }
}

fn stages(apis: &Apis, report: &Report<'_>) {
    for draft in apis.drafts.iter().filter(|draft| draft.api.stages.is_empty()) {
        let message = format!("the API '{}' has no stage, so no request can reach it", draft.api.id);
        report.warning(&rules::UNREACHABLE_API, draft.at, message, "add [api.stage.NAME]");
    }
}

fn certificates(node: &Node, domains: &[Located<Domain>], listeners: &[Located<Listener>], report: &Report<'_>) {
    if listeners.iter().any(|l| l.value.tls.is_some()) {
        return;
    }
    for domain in domains.iter().filter(|d| d.value.certificate.is_some()) {
        let message = format!("the certificate of '{}' has no effect: no listener speaks TLS", domain.value.name);
        let help = format!("add [{}.{}] to a listener", front::LISTENER.name, front::TLS.name);
        report.strict(node.profile, &rules::NO_EFFECT, domain.at, message, help);
    }
}

/// A custom domain comes before the host `{api-id}.execute-api.…`.
fn shadowed_hosts(apis: &Apis, domains: &[Located<Domain>], report: &Report<'_>) {
    for domain in domains {
        let id = domain.value.name.split_once(".execute-api.").and_then(|(id, _)| ApiId::parse(id).ok());
        if let Some(draft) = id.and_then(|id| apis.find(&id)) {
            let message = format!("the domain takes the host by which the API '{}' would be reached", draft.api.id);
            report.warning(&rules::SHADOWED, domain.at, message, "choose another name");
        }
    }
}

/// Mutual TLS is a domain's: who takes another way to the API is not asked for a certificate.
fn around_client_ca(apis: &Apis, domains: &[Located<Domain>], listeners: &[Located<Listener>], report: &Report<'_>) {
    for domain in domains.iter().filter(|domain| domain.value.client_ca.is_some() && domain.value.certificate.is_some())
    {
        let mapped: BTreeSet<&ApiId> = domain.value.mappings.iter().map(|mapping| &mapping.api).collect();
        for draft in mapped.into_iter().filter_map(|id| apis.find(id)) {
            open_endpoint(&draft.api, domain, report);
            open_default(&draft.api, domain, listeners, report);
        }
    }
}

fn open_endpoint(api: &Api, domain: &Located<Domain>, report: &Report<'_>) {
    if !api.execute_api_endpoint_disabled {
        let (id, name) = (&api.id, &domain.value.name);
        let message = format!(
            "'{name}' asks for client certificates, but the API '{id}' is also served without: as {id}.execute-api.… and under /_aws/execute-api/{id}/"
        );
        let help = format!("set '{} = true' in the API", api_keys::DISABLE_EXECUTE_API_ENDPOINT.name);
        report.warning(&rules::AROUND_CLIENT_CA, domain.at, message, help);
    }
}

fn open_default(api: &Api, domain: &Located<Domain>, listeners: &[Located<Listener>], report: &Report<'_>) {
    let is_default = |listener: &&Located<Listener>| listener.value.default_api.as_ref() == Some(&api.id);
    for listener in listeners.iter().filter(is_default) {
        let (id, name, address) = (&api.id, &domain.value.name, listener.value.address);
        let message = format!("'{name}' asks for client certificates, but {address} serves the API '{id}' without");
        report.warning(&rules::AROUND_CLIENT_CA, listener.at, message, "remove 'default_api' there");
    }
}
