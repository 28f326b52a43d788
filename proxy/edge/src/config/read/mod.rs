//! Values get their meaning, and what does not fit together is found. One file per part of the configuration.

mod api;
mod cache;
mod cache_key;
mod disk;
mod domain;
mod http;
mod integration;
mod large_objects;
mod listener;
mod mock;
mod node;
mod origin;
mod policy;
mod reach;
mod routes;
mod settings;
mod stage;
mod variables;

pub(crate) use disk::index_memory;

use ipnetwork::IpNetwork;
use toml::de::DeTable;

use super::keys::{api::API, front, node::ROOT};
use super::model::Configuration;
use super::report::{Mark, Report};
use super::table::Table;

/// Reads the whole file. `None`, or an error in the report, if it cannot be used.
pub(super) fn configuration(document: &DeTable<'_>, report: &Report<'_>) -> Option<Configuration> {
    let root = Table::open(&ROOT, Mark(0), document, report);
    let node = node::read(&root);
    let apis = api::read_all(&root.tables(&API), &node);
    let domains = domain::read_all(&root.tables(&front::DOMAIN), &apis, &node);
    let listeners = listener::read_all(&root, &apis, &node, &domains);
    reach::check(&root, &node, &apis, &domains, &listeners);
    Some(Configuration {
        node,
        listeners: listeners.into_iter().map(|l| l.value).collect(),
        domains: domains.into_iter().map(|d| d.value).collect(),
        apis: apis.drafts.into_iter().map(|a| a.api).collect(),
        files: report.files(),
    })
}

/// An address, or a network without bits beside its prefix.
fn network(text: &str) -> Result<IpNetwork, String> {
    let network: IpNetwork = text.parse().map_err(|_| format!("'{text}' is no address and no network"))?;
    match network.ip() == network.network() {
        true => Ok(network),
        false => {
            Err(format!("'{text}' has bits beside its prefix; {}/{} is meant", network.network(), network.prefix()))
        }
    }
}
