//! Custom domains and their base path mappings.

use std::collections::BTreeSet;

use sluice_api::{ApiId, StageName};

use super::api::{ApiDraft, Apis};
use crate::config::keys::{Key, front as keys};
use crate::config::model::{BasePathMapping, CertificateFiles, Domain, Node};
use crate::config::nearest::did_you_mean;
use crate::config::pem::{self, Holds};
use crate::config::report::Mark;
use crate::config::rules;
use crate::config::table::{Located, Table};

pub(super) fn read_all(tables: &[Table<'_>], apis: &Apis, node: &Node) -> Vec<Located<Domain>> {
    let mut names = BTreeSet::new();
    let mut domains = Vec::new();
    for table in tables {
        let Some(domain) = read(table, apis, node) else { continue };
        if names.insert(domain.name.clone()) {
            domains.push(Located { at: table.at, value: domain });
        } else {
            let message = format!("there is another domain '{}'", domain.name);
            let help = "put its mappings under the first one; names have no case";
            table.report().error(&rules::DUPLICATE, table.place(&keys::DOMAIN_NAME), message, help);
        }
    }
    domains
}

fn read(table: &Table<'_>, apis: &Apis, node: &Node) -> Option<Domain> {
    let name = table.parse(&keys::DOMAIN_NAME, domain_name);
    let certificate = certificate(table, &keys::CERTIFICATE, &keys::PRIVATE_KEY);
    if let Some((files, name)) =
        certificate.as_ref().zip(name.as_deref()).filter(|(files, name)| pem::is_foreign(files, name))
    {
        let message = format!("{} is not for '{name}': clients will refuse it", files.certificate.display());
        let help = "name a certificate with this name among its subject alternative names";
        table.report().warning(&rules::FOREIGN_CERTIFICATE, table.place(&keys::CERTIFICATE), message, help);
    }
    let client_ca = pem::file(table, &keys::CLIENT_CA, Holds::Authorities);
    if let Some(path) = &client_ca {
        let help = "clients are let in whatever the time of the authority is: name the one that is in use";
        pem::warn_of_time(table, &keys::CLIENT_CA, path, help);
    }
    if client_ca.is_some() && certificate.is_none() {
        let message = "mutual TLS needs a certificate of the domain's own";
        let help = "add 'certificate' and 'private_key', or remove 'client_ca'";
        table.report().error(&rules::INCOMPLETE_PAIR, table.place(&keys::CLIENT_CA), message, help);
    }
    let mappings = mappings(table, apis);
    if mappings.is_empty() && table.tables(&keys::MAPPING).is_empty() {
        let message = "the domain has no mapping: every request gets 403";
        table.report().strict(node.profile, &rules::UNREACHABLE_API, table.at, message, "add a [[domain.mapping]]");
    }
    Some(Domain { name: name?, certificate, client_ca, mappings })
}

/// A certificate and its key: both, or neither.
pub(super) fn certificate(table: &Table<'_>, chain: &'static Key, key: &'static Key) -> Option<CertificateFiles> {
    match (pem::file(table, chain, Holds::Chain), pem::file(table, key, Holds::PrivateKey)) {
        (Some(certificate), Some(private_key)) => {
            pem::warn_of_time(table, chain, &certificate, "clients refuse a certificate out of its time: renew it");
            let files = CertificateFiles { certificate, private_key };
            if let Some(message) = pem::mismatch(&files) {
                let help = "name the key with which the certificate was requested, unencrypted";
                table.report().error(&rules::BAD_PEM, table.place(key), message, help);
            }
            Some(files)
        }
        (None, None) => None,
        (found, _) => {
            let (there, lacks) = if found.is_some() { (chain, key) } else { (key, chain) };
            let message = format!("'{}' stands there without '{}'", there.name, lacks.name);
            table.report().error(&rules::INCOMPLETE_PAIR, table.place(there), message, format!("add '{}'", lacks.name));
            None
        }
    }
}

fn mappings(table: &Table<'_>, apis: &Apis) -> Vec<BasePathMapping> {
    let mut mappings: Vec<BasePathMapping> = Vec::new();
    for entry in table.tables(&keys::MAPPING) {
        let Some(mapping) = mapping(&entry, apis) else { continue };
        if mappings.iter().any(|m| m.base_path == mapping.base_path) {
            let message = format!("there is another mapping of '{}'", mapping.base_path);
            entry.report().error(&rules::DUPLICATE, entry.place(&keys::BASE_PATH), message, "choose another base path");
        } else {
            mappings.push(mapping);
        }
    }
    shadowed_stages(table, &mappings, apis);
    mappings
}

fn mapping(table: &Table<'_>, apis: &Apis) -> Option<BasePathMapping> {
    let base_path = table.parse(&keys::BASE_PATH, base_path);
    let (api, stage) = reference(table, &keys::MAPPING_API, &keys::MAPPING_STAGE, apis);
    Some(BasePathMapping { base_path: base_path?, api: api?, stage })
}

/// An API and perhaps one of its stages, both of which must be there.
pub(super) fn reference(
    table: &Table<'_>,
    api_key: &'static Key,
    stage_key: &'static Key,
    apis: &Apis,
) -> (Option<ApiId>, Option<StageName>) {
    let api = table.parse(api_key, ApiId::parse);
    let stage = table.parse(stage_key, StageName::parse);
    let Some(id) = &api else { return (None, stage) };
    match apis.find(id) {
        None => {
            let known: Vec<&str> = apis.drafts.iter().map(|draft| draft.api.id.as_str()).collect();
            let message = format!("there is no API '{id}'");
            table.report().error(&rules::UNKNOWN_API, table.place(api_key), message, did_you_mean(id.as_str(), &known));
        }
        Some(draft) => unknown_stage(table, table.place(stage_key), stage.as_ref(), draft),
    }
    (api, stage)
}

fn unknown_stage(table: &Table<'_>, at: Mark, stage: Option<&StageName>, draft: &ApiDraft) {
    let Some(stage) = stage.filter(|stage| !draft.api.stages.contains_key(stage)) else { return };
    let known: Vec<&str> = draft.api.stages.keys().map(StageName::as_str).collect();
    let message = format!("the API '{}' has no stage '{stage}'", draft.api.id);
    table.report().error(&rules::UNKNOWN_STAGE, at, message, did_you_mean(stage.as_str(), &known));
}

/// A mapping without a stage takes `base/STAGE`; a longer mapping of that very path takes the stage away.
fn shadowed_stages(table: &Table<'_>, mappings: &[BasePathMapping], apis: &Apis) {
    for open in mappings.iter().filter(|m| m.stage.is_none()) {
        let Some(draft) = apis.find(&open.api) else { continue };
        for stage in draft.api.stages.keys() {
            let path = format!("{}/{stage}", open.base_path);
            if mappings.iter().any(|m| m.base_path == path.trim_start_matches('/')) {
                let message = format!("stage '{stage}' of '{}' cannot be reached: '{path}' is mapped too", open.api);
                let help = "give one of the mappings another base path";
                table.report().warning(&rules::SHADOWED, table.at, message, help);
            }
        }
    }
}

fn domain_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let host = name.strip_prefix("*.").unwrap_or(&name);
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match host.len() <= 253 && host.split('.').all(good) {
        true => Ok(name),
        false => Err(format!("'{text}' is no host name")),
    }
}

fn base_path(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "(none)" {
        return Ok(String::new());
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || b"$-_.+!*'()/".contains(&b);
    if text.split('/').any(str::is_empty) {
        return Err(format!("the base path '{text}' has slashes around it, or two side by side"));
    }
    match text.len() <= 300 && text.bytes().all(good) {
        true => Ok(text.into()),
        false => Err(format!("'{text}' is no base path: at most 300 of A-Z a-z 0-9 $ - _ . + ! * ' ( ) /")),
    }
}
