//! Stage variables, and what the integrations make of them.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{Profile, StageName};
use sluice_mapping::Expression;

use super::api::MethodDraft;
use super::origin::Origin;
use crate::config::keys::stage as keys;
use crate::config::rules;
use crate::config::table::Table;
use crate::config::uri;

pub(super) fn read(stage: &Table<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in stage.texts(&keys::VARIABLES) {
        if !is_name(name.value) {
            let message = format!("'{}' is no name for a stage variable", name.value);
            stage.report().error(&rules::BAD_VALUE, name.at, message, "write letters, digits and '_', at most 64");
        } else if !is_value(value.value) {
            let message = format!("the value of '{}' is none for a stage variable", name.value);
            let help = "write 1 to 512 characters out of A-Z a-z 0-9 - . _ ~ : / ? # & = ,";
            stage.report().error(&rules::BAD_VALUE, value.at, message, help);
        } else {
            variables.insert(name.value.to_owned(), value.value.to_owned());
        }
    }
    variables
}

/// Every variable that an integration uses is defined, every URI is one with the stage's values in it, and no variable is
/// there for nothing.
pub(super) fn check(
    stage: &Table<'_>,
    name: &StageName,
    variables: &BTreeMap<String, String>,
    methods: &[MethodDraft],
    profile: Profile,
) {
    for (method, origin) in origins(methods) {
        let undefined: Vec<&str> = used(origin).into_iter().filter(|v| !variables.contains_key(*v)).collect();
        for variable in &undefined {
            let message =
                format!("stage '{name}' does not define '{variable}', which {} {} uses", method.verb, method.path);
            let help = format!("add {variable} = \"…\" to its variables");
            stage.report().strict(profile, &rules::UNDEFINED_STAGE_VARIABLE, stage.at, message, help);
        }
        if undefined.is_empty() && origin.template.stage_variables().next().is_some() {
            check_uri(stage, name, variables, origin);
        }
    }
    check_use(stage, variables, methods);
}

fn origins(methods: &[MethodDraft]) -> impl Iterator<Item = (&MethodDraft, &Origin)> {
    methods.iter().filter_map(|m| Some((m, m.origin.as_ref()?)))
}

/// The variables that an integration uses, in its URI and in what is mapped.
fn used(origin: &Origin) -> BTreeSet<&str> {
    let mapped = origin.parameters.iter().filter_map(|p| match &p.source {
        Expression::StageVariable(name) => Some(&**name),
        _ => None,
    });
    origin.template.stage_variables().chain(mapped).collect()
}

/// A warning only: a variable may be there before what will use it.
fn check_use(stage: &Table<'_>, variables: &BTreeMap<String, String>, methods: &[MethodDraft]) {
    let used: BTreeSet<&str> = origins(methods).flat_map(|(_, origin)| used(origin)).collect();
    for (name, _) in stage.texts(&keys::VARIABLES) {
        if variables.contains_key(name.value) && !used.contains(name.value) {
            let message = format!("nothing uses '{}'", name.value);
            let help = format!("write ${{stageVariables.{}}} in a URI, or remove it", name.value);
            stage.report().warning(&rules::UNUSED_STAGE_VARIABLE, name.at, message, help);
        }
    }
}

fn check_uri(stage: &Table<'_>, name: &StageName, variables: &BTreeMap<String, String>, origin: &Origin) {
    let value = |variable: &str| variables.get(variable).map_or("", String::as_str);
    if let Err(error) = uri::check(&origin.template, value) {
        let message = format!("with the variables of stage '{name}': {error}");
        stage.report().error(&rules::BAD_URI, origin.at, message, "change the URI, or the stage's variables");
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_value(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b);
    (1..=512).contains(&text.len()) && text.bytes().all(good)
}
