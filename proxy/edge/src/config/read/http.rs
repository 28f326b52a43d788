//! An `HTTP_PROXY` integration: which origin, how it is called, and whether its URI can be built.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_api::{Address, HttpIntegration, OriginTls, Profile, ResourcePath, UpstreamVersion, Verb};

use super::origin::{self, Origin};
use crate::config::keys::api as keys;
use crate::config::pem::{self, Holds};
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::uri::{self, Scheme};

pub(super) fn read(
    table: &Table<'_>,
    path: &ResourcePath,
    verb: Verb,
    profile: Profile,
    timeout: Duration,
) -> Option<(HttpIntegration, Origin)> {
    let Some(uri) = table.text(&keys::URI) else {
        if table.written(&keys::URI).is_none() {
            table.report().error(&rules::MISSING_KEY, table.at, "HTTP_PROXY needs 'uri'", "write uri = \"http://…\"");
        }
        return None;
    };
    let origin = origin::read(table, &uri, path, profile);
    let http_method = http_method(table);
    let http = HttpIntegration {
        http_method,
        request_parameters: request_parameters(table),
        addresses: addresses(table, &uri),
        connect_timeout: limited(table, &keys::CONNECT_TIMEOUT, timeout, profile),
        first_byte_timeout: limited(table, &keys::FIRST_BYTE_TIMEOUT, timeout, profile),
        idle_timeout: table.duration(&keys::IDLE_TIMEOUT).unwrap_or_default(),
        total_timeout: None,
        retries: retries(table, http_method.unwrap_or(verb), profile),
        preserve_host: table.flag(&keys::PRESERVE_HOST).unwrap_or_default(),
        version: version(table),
        tls: tls(table, &uri, profile),
        uri,
    };
    Some((http, origin))
}

fn http_method(table: &Table<'_>) -> Option<Verb> {
    let verb = table.text(&keys::HTTP_METHOD).and_then(|text| Verb::parse(&text).ok());
    verb.filter(|verb| *verb != Verb::Any)
}

fn version(table: &Table<'_>) -> UpstreamVersion {
    match table.text(&keys::HTTP_VERSION).as_deref() {
        Some("2") => UpstreamVersion::Http2,
        _ => UpstreamVersion::Http1,
    }
}

fn request_parameters(table: &Table<'_>) -> BTreeMap<String, String> {
    let parameters = table.texts(&keys::REQUEST_PARAMETERS).into_iter();
    parameters.map(|(target, source)| (target.value.to_owned(), source.value.to_owned())).collect()
}

fn addresses(table: &Table<'_>, uri: &str) -> Vec<Address> {
    let port = uri::scheme(uri).map(|(scheme, _)| scheme.default_port());
    let addresses = table.list(&keys::ADDRESSES, |text| Address::parse(text, port)).unwrap_or_default();
    let mut unique: Vec<Address> = Vec::new();
    for Located { at, value } in addresses {
        if unique.contains(&value) {
            table.report().error(&rules::DUPLICATE, at, format!("{value} stands there twice"), "write it once");
        } else {
            unique.push(value);
        }
    }
    unique
}

/// A part of the call cannot take longer than the whole.
fn limited(table: &Table<'_>, key: &'static crate::config::Key, whole: Duration, profile: Profile) -> Duration {
    let part = table.duration(key).unwrap_or(whole);
    if let Some(at) = table.written(key).filter(|_| part > whole) {
        let message = format!("'{}' is longer than 'timeout', which ends the call before", key.name);
        table.report().strict(profile, &rules::NO_EFFECT, at, message, "write less, or raise 'timeout'");
    }
    part.min(whole)
}

fn retries(table: &Table<'_>, verb: Verb, profile: Profile) -> u32 {
    let retries = table.integer(&keys::RETRIES).and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let never = verb != Verb::Any && !verb.is_idempotent();
    if let Some(at) = table.written(&keys::RETRIES).filter(|_| never && retries > 0) {
        let message = format!("{verb} is never sent again: it is not idempotent");
        table.report().strict(profile, &rules::NO_EFFECT, at, message, "remove 'retries'");
    }
    retries
}

fn tls(table: &Table<'_>, uri: &str, profile: Profile) -> OriginTls {
    if uri::scheme(uri).is_some_and(|(scheme, _)| scheme == Scheme::Http) {
        for key in [&keys::CA_FILE, &keys::SERVER_NAME] {
            if let Some(at) = table.written(key) {
                let message = format!("'{}' means nothing to an origin without TLS", key.name);
                table.report().strict(profile, &rules::NO_EFFECT, at, message, "write https:// in 'uri', or remove it");
            }
        }
    }
    OriginTls {
        ca_file: pem::file(table, &keys::CA_FILE, Holds::Authorities),
        server_name: table.parse(&keys::SERVER_NAME, server_name),
    }
}

fn server_name(text: &str) -> Result<String, String> {
    match Address::parse(text, Some(443)) {
        Ok(address) if *address.host == text.to_ascii_lowercase() => Ok(address.host.into()),
        _ => Err(format!("'{text}' is no host name")),
    }
}
