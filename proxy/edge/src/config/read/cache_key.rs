//! Does the cache key tell apart what the origin tells apart?
//!
//! What is surely read is compared: the path variables in the URI, what is mapped by name, and the body of a verb that
//! is there to carry one. Other query parameters and headers are passed on unseen, and cannot be judged here.

use std::collections::BTreeSet;

use sluice_api::{KeyParameter, KeySource, Profile, ResourcePath, Verb};
use sluice_mapping::{Expression, Location};

use super::api::MethodDraft;
use super::origin::{Origin, Parameter, known_variables};
use crate::config::report::{Mark, Report};
use crate::config::rules;
use crate::config::table::Located;

/// Keeps what can be a key of this method, once each. AWS asks that a parameter be declared: a path variable by the path,
/// one of the integration's by its `request_parameters`. A query parameter or header is declared by naming it here.
pub(super) fn parameters(
    list: Vec<Located<KeyParameter>>,
    path: &ResourcePath,
    origin: Option<&Origin>,
    report: &Report<'_>,
) -> Vec<KeyParameter> {
    let mut unique = Vec::new();
    for Located { at, value } in list {
        if let Some(why) = undeclared(&value, path, origin) {
            let message = format!("Invalid cache key parameter specified: {value}; {why}");
            let help = match value.is_integration() {
                true => "map it in the integration's request_parameters".into(),
                false => known_variables(path),
            };
            report.error(&rules::INVALID_KEY_PARAMETER, at, message, help);
        } else if unique.contains(&value) {
            report.error(&rules::DUPLICATE, at, format!("'{value}' stands there twice"), "write it once");
        } else {
            unique.push(value);
        }
    }
    unique
}

fn undeclared(parameter: &KeyParameter, path: &ResourcePath, origin: Option<&Origin>) -> Option<String> {
    if parameter.source == KeySource::Path && !path.variables().any(|name| name == &*parameter.name) {
        return Some(format!("{path} has no variable {{{}}}", parameter.name));
    }
    let location = location(parameter.source)?;
    let mapped = origin.and_then(|o| o.source(location, &parameter.name));
    mapped.is_none().then(|| "nothing is mapped to it".into())
}

/// Where in the request to the integration it is.
fn location(source: KeySource) -> Option<Location> {
    match source {
        KeySource::IntegrationPath => Some(Location::Path),
        KeySource::IntegrationQuery => Some(Location::Query),
        KeySource::IntegrationHeader => Some(Location::Header),
        _ => None,
    }
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
    let missing = |keyed: &dyn Fn(&Read) -> bool| -> BTreeSet<KeyParameter> {
        read_by(origin).into_iter().filter(|read| !keyed(read)).map(|read| read.key).collect()
    };
    let body = carries_body(method.verb);
    let missing = match (parameters, profile) {
        (Some([]), _) => return,
        (Some(key), _) => missing(&|read| read.is_in(key)),
        (None, Profile::Aws) => return unkeyed_as_aws(&name, origin, body, at, report),
        // The path and the full query are the key.
        (None, Profile::Edge) => missing(&|read| read.is_in_path_or_query()),
    };
    let missing: Vec<_> = missing.into_iter().collect();
    if !missing.is_empty() {
        let message = format!("{name} passes on {}, and its cache key leaves it out", list(&missing));
        let what = match parameters {
            Some(_) => format!("add {} to cache_key_parameters", quoted(&missing)),
            // A list takes the place of path and query.
            None => {
                let all: BTreeSet<_> = read_by(origin).into_iter().map(|read| read.key).collect();
                let all: Vec<_> = all.into_iter().collect();
                format!("write cache_key_parameters = [{}], with every query parameter that counts", quoted(&all))
            }
        };
        let help = format!("{what}, or write [] if all requests get the same");
        report.strict(profile, &rules::UNKEYED_PARAMETER, at, message, help);
    } else if body && !parameters.is_some_and(|key| knows_body(key, origin)) {
        let message = format!("{name} passes on the body, and its cache key leaves it out");
        let help = "map what counts of it (method.request.body) in the integration's request_parameters, and name that in \
                    cache_key_parameters; or write [] if it counts for nothing";
        report.strict(profile, &rules::UNKEYED_PARAMETER, at, message, help);
    }
}

/// A request of this verb says in its body what is asked for.
const fn carries_body(verb: Verb) -> bool {
    matches!(verb, Verb::Post | Verb::Put | Verb::Patch)
}

/// Something of the key is made of the body.
fn knows_body(key: &[KeyParameter], origin: &Origin) -> bool {
    let source = |p: &KeyParameter| location(p.source).and_then(|location| origin.source(location, &p.name));
    key.iter().filter_map(source).any(Expression::needs_body)
}

/// AWS keys on the method alone where no parameters are named.
fn unkeyed_as_aws(name: &str, origin: &Origin, body: bool, at: Mark, report: &Report<'_>) {
    let read: BTreeSet<_> = read_by(origin).into_iter().map(|read| read.key).collect();
    let read: Vec<_> = read.into_iter().collect();
    let what = if read.is_empty() { "the query string".into() } else { list(&read) };
    let what = if body { format!("{what} or the body") } else { what };
    let message = format!("{name} has no cache key parameters: whatever {what} is, all requests get the same answer");
    let help = "name cache_key_parameters, or write [] if that is meant";
    report.warning(&rules::UNKEYED_PARAMETER, at, message, help);
}

/// Something of a request that the origin is told by name.
struct Read {
    /// As a key names it.
    key: KeyParameter,
    /// As a key names what is made of it.
    mapped: KeyParameter,
}

impl Read {
    fn is_in(&self, key: &[KeyParameter]) -> bool {
        let named = |p: &KeyParameter| p.name == self.key.name && single(p.source) == single(self.key.source);
        key.iter().any(named) || key.contains(&self.mapped)
    }

    fn is_in_path_or_query(&self) -> bool {
        matches!(single(self.key.source), KeySource::Path | KeySource::Query)
    }
}

/// Keys have all values of a parameter, in either form.
fn single(source: KeySource) -> KeySource {
    match source {
        KeySource::MultivalueQuery => KeySource::Query,
        KeySource::MultivalueHeader => KeySource::Header,
        source => source,
    }
}

/// What the origin is told of each request.
fn read_by(origin: &Origin) -> Vec<Read> {
    origin.parameters.iter().filter_map(read).collect()
}

fn read(parameter: &Parameter) -> Option<Read> {
    let Parameter { target, source } = parameter;
    let mapped = KeyParameter::parse(&target.to_string()).ok()?;
    let (from, name) = match source {
        Expression::Path(name) => (KeySource::Path, name),
        Expression::Query(name) | Expression::MultivalueQuery(name) => (KeySource::Query, name),
        Expression::Header(name) | Expression::MultivalueHeader(name) => {
            let name = name.to_ascii_lowercase().into();
            return Some(Read { key: KeyParameter { source: KeySource::Header, name }, mapped });
        }
        Expression::Context(name) if !name.starts_with("identity.") => return None,
        Expression::Body | Expression::BodyField(_) | Expression::Context(_) => {
            return Some(Read { key: mapped.clone(), mapped });
        }
        Expression::StageVariable(_) | Expression::Literal(_) => return None,
    };
    Some(Read { key: KeyParameter { source: from, name: name.clone() }, mapped })
}

fn list(parameters: &[KeyParameter]) -> String {
    parameters.iter().map(KeyParameter::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(parameters: &[KeyParameter]) -> String {
    parameters.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(", ")
}
