//! What of a request goes to an origin by name: the variables of the URI, mapped query parameters and header fields, and
//! where each gets its value.
//!
//! AWS's developer guide, "Set up request parameter mappings".

use sluice_api::{Profile, ResourcePath};
use sluice_mapping::{Expression, Location, Target};

use super::mock;
use crate::config::context;
use crate::config::keys::api as keys;
use crate::config::nearest::did_you_mean;
use crate::config::report::Mark;
use crate::config::rules;
use crate::config::table::{Located, Table};
use crate::config::uri::{self, UriTemplate};

/// How an origin is addressed, and what of the request it is told by name.
pub(super) struct Origin {
    /// Where the URI stands.
    pub(super) at: Mark,
    pub(super) template: UriTemplate,
    /// What each `{name}` of the URI, and each parameter that is mapped, gets its value from.
    pub(super) parameters: Vec<Parameter>,
}

/// Something that the origin is told, and where it comes from.
pub(super) struct Parameter {
    pub(super) target: Target,
    pub(super) source: Expression,
}

impl Origin {
    /// What a part of the request to the origin gets its value from.
    pub(super) fn source(&self, location: Location, name: &str) -> Option<&Expression> {
        self.parameters.iter().find(|p| p.target.is(location, name)).map(|p| &p.source)
    }
}

pub(super) fn read(table: &Table<'_>, uri: &str, path: &ResourcePath, profile: Profile) -> Origin {
    let template = UriTemplate::parse(uri);
    let at = table.place(&keys::URI);
    let mut parameters = mapped(table, &template, path, profile);
    let written: Vec<_> = table.texts(&keys::REQUEST_PARAMETERS).into_iter().map(|(target, _)| target.value).collect();
    for name in template.path_variables() {
        let target = Target { location: Location::Path, name: name.into() };
        if written.contains(&target.to_string().as_str()) || parameters.iter().any(|p| p.target == target) {
            continue;
        }
        if path.variables().any(|variable| variable == name) {
            parameters.push(Parameter { target, source: Expression::Path(name.into()) });
        } else {
            let message = format!("{{{name}}} is no variable of {path}, and nothing is mapped to it");
            let help = format!("add request_parameters = {{ \"{target}\" = \"method.request.path.…\" }}");
            table.report().error(&rules::UNMAPPED_VARIABLE, at, message, help);
        }
    }
    for text in template.left_alone() {
        let message = format!("'{text}' is sent as it stands");
        table.report().warning(
            &rules::BAD_URI,
            at,
            message,
            "in a URI ${stageVariables.NAME} and {NAME} are filled in",
        );
    }
    if template.stage_variables().next().is_none() {
        check_uri(table, at, &template);
    }
    Origin { at, template, parameters }
}

/// A URI without stage variables is the same in every stage, so it is checked once.
fn check_uri(table: &Table<'_>, at: Mark, template: &UriTemplate) {
    if let Err(error) = uri::check(template, |_| "") {
        table.report().error(&rules::BAD_URI, at, error.to_string(), "write http://HOST[:PORT]/PATH or https://…");
    }
}

fn mapped(table: &Table<'_>, template: &UriTemplate, path: &ResourcePath, profile: Profile) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for (target, source) in table.texts(&keys::REQUEST_PARAMETERS) {
        let (at, place) = (target.at, source.at);
        let (target, source) = (self::target(table, &target, template, profile), self::source(table, &source));
        let (Some(target), Some(source)) = (target, source) else { continue };
        check_source(table, place, &source, path);
        if parameters.iter().any(|p| p.target.is(target.location, &target.name)) {
            table.report().error(&rules::DUPLICATE, at, format!("{target} is mapped twice"), "write it once");
        } else {
            parameters.push(Parameter { target, source });
        }
    }
    parameters
}

fn target(table: &Table<'_>, text: &Located<&str>, template: &UriTemplate, profile: Profile) -> Option<Target> {
    let report = table.report();
    let target = match Target::parse(text.value) {
        Ok(target) => target,
        Err(error) => {
            report.error(&rules::BAD_MAPPING, text.at, error.to_string(), "write one of these");
            return None;
        }
    };
    let name = &*target.name;
    match target.location {
        Location::Path if !template.path_variables().any(|variable| variable == name) => {
            let message = format!("the URI has no {{{name}}}");
            report.strict(profile, &rules::NO_EFFECT, text.at, message, "remove the mapping, or use it in 'uri'");
        }
        Location::Header if !mock::is_token(name) => {
            let message = format!("'{name}' is no header name");
            report.error(&rules::BAD_HEADER, text.at, message, "names have letters, digits and !#$%&'*+-.^_`|~");
        }
        Location::Header if is_own(name) => {
            let message = format!("the gateway sets '{name}' itself");
            report.error(&rules::BAD_HEADER, text.at, message, "remove it");
        }
        _ => {}
    }
    Some(target)
}

/// A field of the connection, of the framing, or one that says where a request comes from.
fn is_own(name: &str) -> bool {
    const OWN: &[&str] =
        &["host", "expect", "forwarded", "accept-encoding", "x-amzn-apigateway-api-id", "x-amzn-trace-id"];
    let lower = name.to_ascii_lowercase();
    OWN.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") || mock::is_own(&lower)
}

fn source(table: &Table<'_>, text: &Located<&str>) -> Option<Expression> {
    match Expression::parse(text.value) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let help = "write \"method.request.path.NAME\", \"stageVariables.NAME\", \"'literal'\" or another of AWS's";
            table.report().error(&rules::BAD_MAPPING, text.at, error.to_string(), help);
            None
        }
    }
}

/// What it names is there.
fn check_source(table: &Table<'_>, at: Mark, source: &Expression, path: &ResourcePath) {
    let report = table.report();
    match source {
        Expression::Path(variable) if !path.variables().any(|name| name == &**variable) => {
            let message = format!("{path} has no variable {{{variable}}}");
            report.error(&rules::UNKNOWN_VARIABLE, at, message, known_variables(path));
        }
        Expression::Context(name) if !context::MAPPED.contains(&&**name) => {
            let message = format!("context.{name} is not known before a request is answered, or not served");
            report.error(&rules::BAD_MAPPING, at, message, did_you_mean(name, &context::MAPPED));
        }
        Expression::Literal(text) if !mock::is_field_value(text) => {
            let message = format!("'{text}' has characters that a header cannot hold");
            report.error(&rules::BAD_HEADER, at, message, "write visible ASCII characters, spaces within");
        }
        _ => {}
    }
}

/// Which variables a path has, for help texts.
pub(super) fn known_variables(path: &ResourcePath) -> String {
    let names: Vec<_> = path.variables().collect();
    if names.is_empty() { format!("{path} has no variables") } else { format!("it has {}", names.join(", ")) }
}
