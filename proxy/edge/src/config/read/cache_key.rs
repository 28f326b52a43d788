//! Does the cache key tell apart what the origin tells apart?
//!
//! What is surely read is compared: the path variables in the URI. Query parameters and headers are passed on unseen, and
//! cannot be judged here.

use std::collections::BTreeSet;

use sluice_api::{KeyParameter, KeySource, Profile, ResourcePath};

use super::api::MethodDraft;
use super::origin::{Origin, known_variables};
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::Located;

/// Keeps what can be a key of this path, once each.
pub(super) fn parameters(
    list: Vec<Located<KeyParameter>>,
    path: &ResourcePath,
    report: &Report<'_>,
) -> Vec<KeyParameter> {
    let mut unique = Vec::new();
    for Located { at, value } in list {
        if value.source == KeySource::Path && !path.variables().any(|name| name == &*value.name) {
            let message = format!("{path} has no variable {{{}}}", value.name);
            report.error(&rules::UNKNOWN_VARIABLE, at, message, known_variables(path));
        } else if unique.contains(&value) {
            report.error(&rules::DUPLICATE, at, format!("'{value}' stands there twice"), "write it once");
        } else {
            unique.push(value);
        }
    }
    unique
}

/// A cached method whose integration reads what is not in its key.
pub(super) fn check(
    method: &MethodDraft,
    parameters: Option<&[KeyParameter]>,
    at: Mark,
    profile: Profile,
    report: &Report<'_>,
) {
    let Some(origin) = &method.origin else { return };
    let name = format!("{} {}", method.verb, method.path);
    match (parameters, profile) {
        (Some([]), _) => {}
        (Some(key), _) => {
            let missing: Vec<_> = read_by(origin).into_iter().filter(|p| !key.contains(p)).collect();
            if !missing.is_empty() {
                let message = format!("{name} passes on {}, and its cache key leaves it out", list(&missing));
                let help = format!(
                    "add {} to cache_key_parameters, or write [] if all requests get the same",
                    quoted(&missing)
                );
                report.strict(profile, &rules::UNKEYED_PARAMETER, at, message, help);
            }
        }
        (None, Profile::Aws) => unkeyed_as_aws(&name, origin, at, report),
        // The path and the full query are the key.
        (None, Profile::Edge) => {}
    }
}

/// AWS keys on the method alone where no parameters are named.
fn unkeyed_as_aws(name: &str, origin: &Origin, at: Mark, report: &Report<'_>) {
    let read = read_by(origin);
    let what = if read.is_empty() { "the query string".into() } else { list(&read) };
    let message = format!("{name} has no cache key parameters: whatever {what} is, all requests get the same answer");
    let help = "name cache_key_parameters, or write [] if that is meant";
    report.warning(&rules::UNKEYED_PARAMETER, at, message, help);
}

/// The path variables that the URI is filled with.
fn read_by(origin: &Origin) -> Vec<KeyParameter> {
    let names = origin.template.path_variables().filter_map(|name| origin.sources.get(name));
    let unique: BTreeSet<_> = names.map(|name| KeyParameter { source: KeySource::Path, name: name.clone() }).collect();
    unique.into_iter().collect()
}

fn list(parameters: &[KeyParameter]) -> String {
    parameters.iter().map(KeyParameter::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(parameters: &[KeyParameter]) -> String {
    parameters.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(", ")
}
