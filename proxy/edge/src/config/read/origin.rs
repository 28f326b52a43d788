//! What of a request goes to an origin: the variables of the URI and where each gets its value.
//!
//! AWS's developer guide, "Set up request parameter mappings".

use std::collections::BTreeMap;

use sluice_api::{Profile, ResourcePath};

use crate::config::expression::Expression;
use crate::config::keys::api as keys;
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::uri::{self, UriTemplate};

/// How an origin is addressed.
pub(super) struct Origin {
    /// Where the URI stands.
    pub(super) at: Mark,
    pub(super) template: UriTemplate,
    /// Which path variable each `{name}` of the URI is filled with.
    pub(super) sources: BTreeMap<String, Box<str>>,
}

const TARGET: &str = "integration.request.path.";

pub(super) fn read(table: &Table<'_>, uri: &str, path: &ResourcePath, profile: Profile) -> Origin {
    let template = UriTemplate::parse(uri);
    let at = table.place(&keys::URI);
    let mut sources: BTreeMap<_, _> = mapped(table, &template, path, profile).into_iter().collect();
    let parameters = table.texts(&keys::REQUEST_PARAMETERS);
    let is_target = |name: &str| parameters.iter().any(|(target, _)| target.value.strip_prefix(TARGET) == Some(name));
    for name in template.path_variables().filter(|name| !is_target(name)) {
        if path.variables().any(|variable| variable == name) {
            sources.insert(name.into(), name.into());
        } else {
            let message = format!("{{{name}}} is no variable of {path}, and nothing is mapped to it");
            let help = format!("add request_parameters = {{ \"{TARGET}{name}\" = \"method.request.path.…\" }}");
            table.report().error(&rules::UNMAPPED_VARIABLE, at, message, help);
        }
    }
    if template.stage_variables().next().is_none() {
        check_uri(table, at, &template);
    }
    Origin { at, template, sources }
}

/// A URI without stage variables is the same in every stage, so it is checked once.
fn check_uri(table: &Table<'_>, at: Mark, template: &UriTemplate) {
    if let Err(error) = uri::check(template, |_| "") {
        table.report().error(&rules::BAD_URI, at, error.to_string(), "write http://HOST[:PORT]/PATH or https://…");
    }
}

fn mapped(table: &Table<'_>, template: &UriTemplate, path: &ResourcePath, profile: Profile) -> Vec<(String, Box<str>)> {
    let parameters = table.texts(&keys::REQUEST_PARAMETERS).into_iter();
    parameters.filter_map(|(target, source)| parameter(table, template, path, profile, &target, &source)).collect()
}

fn parameter(
    table: &Table<'_>,
    template: &UriTemplate,
    path: &ResourcePath,
    profile: Profile,
    target: &Located<&str>,
    source: &Located<&str>,
) -> Option<(String, Box<str>)> {
    let report = table.report();
    let Some(name) = target.value.strip_prefix(TARGET).filter(|name| !name.is_empty()) else {
        let message = format!("'{}' is not served as a target", target.value);
        report.error(&rules::BAD_MAPPING, target.at, message, format!("write \"{TARGET}NAME\""));
        return None;
    };
    if !template.path_variables().any(|variable| variable == name) {
        let message = format!("the URI has no {{{name}}}");
        report.strict(profile, &rules::NO_EFFECT, target.at, message, "remove the mapping, or use it in 'uri'");
    }
    let variable = path_variable(source, report)?;
    if !path.variables().any(|name| name == &*variable) {
        let message = format!("{path} has no variable {{{variable}}}");
        report.error(&rules::UNKNOWN_VARIABLE, source.at, message, known_variables(path));
    }
    Some((name.into(), variable))
}

/// Of AWS's expressions, those of a path variable are served.
fn path_variable(source: &Located<&str>, report: &Report<'_>) -> Option<Box<str>> {
    let message = match Expression::parse(source.value) {
        Ok(Expression::Path(variable)) => return Some(variable),
        Ok(_) => format!("'{}' is not served in a URI", source.value),
        Err(error) => error.to_string(),
    };
    report.error(&rules::BAD_MAPPING, source.at, message, "write \"method.request.path.NAME\"");
    None
}

/// Which variables a path has, for help texts.
pub(super) fn known_variables(path: &ResourcePath) -> String {
    let names: Vec<_> = path.variables().collect();
    if names.is_empty() { format!("{path} has no variables") } else { format!("it has {}", names.join(", ")) }
}
