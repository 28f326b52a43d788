//! Is there the method that a purge names? A slip of the pen that purges nothing would look like success.

use sluice_api::Verb;
use sluice_cache::invalidate::Target;

use super::caches::Cached;
use super::wish::BadField;
use crate::config::nearest;

/// Whether one of the stages has a method that answers what the target names; other targets than methods may be anything.
///
/// # Errors
/// None has. The nearest that there is is named.
pub(super) fn check(target: &Target, caches: &[Cached<'_>]) -> Result<(), BadField> {
    let Target::Method(text) = target else { return Ok(()) };
    let text = String::from_utf8_lossy(text);
    let methods = || caches.iter().flat_map(|cached| &cached.stage.methods);
    if methods().any(|method| answers(method.verb, &method.path, &text)) {
        return Ok(());
    }
    let mut known: Vec<String> = methods().map(|method| format!("{} {}", method.verb, method.path)).collect();
    known.sort_unstable();
    known.dedup();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match nearest(&text, &known) {
        Some(name) => format!("did you mean '{name}'?"),
        None => match known.as_slice() {
            [] => "no stage caches anything".to_owned(),
            [only] => format!("there is only '{only}'"),
            [first, ..] => format!("there are {}, such as '{first}'", known.len()),
        },
    };
    Err(BadField::new("method", format!("there is no '{text}'; {help}")))
}

/// `ANY` is taken for all verbs of a resource, and an ANY method answers each.
fn answers(verb: Verb, path: &str, named: &str) -> bool {
    let (named_verb, named_path) = named.split_once(' ').unwrap_or_default();
    let any = Verb::Any.as_str();
    named_path == path && (named_verb == verb.as_str() || named_verb == any || verb == Verb::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_answers_to_its_names() {
        for (verb, named, is_one) in [
            (Verb::Get, "GET /a/{id}", true),
            (Verb::Get, "ANY /a/{id}", true),
            (Verb::Any, "POST /a/{id}", true),
            (Verb::Get, "POST /a/{id}", false),
            (Verb::Get, "GET /a/{name}", false),
            (Verb::Get, "GET", false),
        ] {
            assert_eq!(answers(verb, "/a/{id}", named), is_one, "{verb} {named}");
        }
    }
}
