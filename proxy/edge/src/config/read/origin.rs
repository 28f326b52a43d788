//! What of a request goes to an origin: the variables of the URI and where each gets its value.
//!
//! AWS's developer guide, "Set up request parameter mappings".

use std::collections::BTreeMap;

use sluice_api::{Profile, ResourcePath};

use crate::config::expression::Expression;
use crate::config::keys::api as keys;
use crate::config::report::Mark;
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::uri::{self, UriTemplate};

/// How an origin is addressed.
pub(super) struct Origin {
    /// Where the URI stands.
    pub(super) at: Mark,
    pub(super) template: UriTemplate,
    /// What each `{name}` of the URI is filled with.
    pub(super) sources: BTreeMap<String, Expression>,
}

const TARGET: &str = "integration.request.path.";

pub(super) fn read(table: &Table<'_>, uri: &str, path: &ResourcePath, profile: Profile) -> Origin {
    let template = UriTemplate::parse(uri);
    let at = table.place(&keys::URI);
    let mut sources: BTreeMap<_, _> = mapped(table, &template, path, profile).into_iter().collect();
    for name in template.path_variables() {
        if sources.contains_key(name) {
            continue;
        }
        if path.variables().any(|variable| variable == name) {
            sources.insert(name.into(), Expression::Path(name.into()));
        } else {
            let message = format!("{{{name}}} is no variable of {path}, and nothing is mapped to it");
            let help = format!("add request_parameters = {{ \"{TARGET}{name}\" = \"method.request.…\" }}");
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
    if let Err(error) = uri::check(&template.fill(|_| "x", |_| "")) {
        table.report().error(&rules::BAD_URI, at, error.to_string(), "write http://HOST[:PORT]/PATH or https://…");
    }
}

fn mapped(
    table: &Table<'_>,
    template: &UriTemplate,
    path: &ResourcePath,
    profile: Profile,
) -> Vec<(String, Expression)> {
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
) -> Option<(String, Expression)> {
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
    let expression = match Expression::parse(source.value) {
        Ok(expression) => expression,
        Err(error) => {
            let help = "write method.request.path|querystring|header.NAME, stageVariables.NAME or 'literal'";
            report.error(&rules::BAD_MAPPING, source.at, error.to_string(), help);
            return None;
        }
    };
    if let Expression::Path(variable) = &expression
        && !path.variables().any(|name| name == &**variable)
    {
        let message = format!("{path} has no variable {{{variable}}}");
        report.error(&rules::UNKNOWN_VARIABLE, source.at, message, known_variables(path));
    }
    Some((name.into(), expression))
}

/// Which variables a path has, for help texts.
pub(super) fn known_variables(path: &ResourcePath) -> String {
    let names: Vec<_> = path.variables().collect();
    if names.is_empty() { format!("{path} has no variables") } else { format!("it has {}", names.join(", ")) }
}
