//! The addresses on which requests come in.

use super::api::Apis;
use super::domain::{certificate, reference};
use super::node::socket;
use crate::config::keys::{Key, front as keys};
use crate::config::model::{Domain, Listener, ListenerTls, Node};
use crate::config::rules;
use crate::config::table::{Located, Table};

pub(super) fn read_all(
    root: &Table<'_>,
    apis: &Apis,
    node: &Node,
    domains: &[Located<Domain>],
) -> Vec<Located<Listener>> {
    let tables = root.tables(&keys::LISTENER);
    if tables.is_empty() {
        let help = "add [[listener]] with address = \"127.0.0.1:8080\"";
        root.report().error(&rules::NO_LISTENER, root.at, "there is no [[listener]]", help);
    }
    tables.iter().filter_map(|table| read(table, apis, node, domains)).collect()
}

fn read(table: &Table<'_>, apis: &Apis, node: &Node, domains: &[Located<Domain>]) -> Option<Located<Listener>> {
    let address = table.parse(&keys::ADDRESS, socket);
    let (default_api, default_stage) = reference(table, &keys::DEFAULT_API, &keys::DEFAULT_STAGE, apis);
    let redirect = table.integer(&keys::REDIRECT_TO_HTTPS).and_then(|n| u16::try_from(n).ok());
    let listener = Listener {
        tls: tls(table, domains),
        proxy_protocol: table.flag(&keys::PROXY_PROTOCOL).unwrap_or_default(),
        redirect_to_https: redirect,
        private: table.flag(&keys::PRIVATE).unwrap_or_default(),
        default_api,
        default_stage,
        address: address?,
    };
    without_effect(table, &listener, node);
    Some(Located { at: table.place(&keys::ADDRESS), value: listener })
}

fn tls(table: &Table<'_>, domains: &[Located<Domain>]) -> Option<ListenerTls> {
    let table = table.table(&keys::TLS)?;
    let fallback = certificate(&table, &keys::TLS_CERTIFICATE, &keys::TLS_PRIVATE_KEY);
    let written = table.written(&keys::TLS_CERTIFICATE).or(table.written(&keys::TLS_PRIVATE_KEY));
    if written.is_none() && !domains.iter().any(|d| d.value.certificate.is_some()) {
        let message = "no certificate is configured, so no TLS handshake can succeed";
        let help = "add 'certificate' and 'private_key' here, or to a [[domain]]";
        table.report().error(&rules::NO_CERTIFICATE, table.at, message, help);
    }
    Some(ListenerTls { fallback })
}

fn without_effect(table: &Table<'_>, listener: &Listener, node: &Node) {
    let no_effect = |key: &'static Key, why: &str, help: &str| {
        if let Some(at) = table.written(key) {
            let message = format!("'{}' has no effect: {why}", key.name);
            table.report().strict(node.profile, &rules::NO_EFFECT, at, message, help);
        }
    };
    if table.written(&keys::DEFAULT_API).is_none() {
        no_effect(&keys::DEFAULT_STAGE, "the listener has no default API", "add 'default_api'");
    }
    if listener.redirect_to_https.is_none() {
        return;
    }
    let why = "the listener redirects every request";
    no_effect(&keys::DEFAULT_API, why, "remove it");
    if listener.private {
        no_effect(&keys::PRIVATE, why, "remove it");
    }
    if listener.tls.is_some() {
        no_effect(&keys::REDIRECT_TO_HTTPS, "requests come by https already", "remove it, or [listener.tls]");
    }
}
