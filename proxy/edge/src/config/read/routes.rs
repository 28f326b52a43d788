//! Resources side by side: paths that stand there twice, two variables under one parent, verbs that ANY never gets.
//!
//! AWS's rules are in the developer guide, "Set up a resource"; the routing itself is the plan's.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{Profile, Segment, Verb};

use super::api::ResourceDraft;
use crate::config::report::Report;
use crate::config::rules;

/// Reports, and drops resources whose path is there already.
pub(super) fn check(drafts: &mut Vec<ResourceDraft>, profile: Profile, report: &Report<'_>) {
    duplicates(drafts, report);
    siblings(drafts, report);
    shadowed_any(drafts, profile, report);
}

fn duplicates(drafts: &mut Vec<ResourceDraft>, report: &Report<'_>) {
    let mut paths = BTreeSet::new();
    drafts.retain(|draft| {
        let new = paths.insert(draft.resource.path.clone());
        if !new {
            let message = format!("there is another resource {}", draft.resource.path);
            report.error(&rules::DUPLICATE, draft.at, message, "put its methods under the first one");
        }
        new
    });
}

fn siblings(drafts: &[ResourceDraft], report: &Report<'_>) {
    let mut children: BTreeMap<&[Segment], &Segment> = BTreeMap::new();
    for draft in drafts {
        let segments = draft.resource.path.segments();
        for (depth, segment) in segments.iter().enumerate() {
            if let Segment::Static(_) = segment {
                continue;
            }
            let parent = segments.get(..depth).unwrap_or(segments);
            let first = *children.entry(parent).or_insert(segment);
            if first != segment {
                let (first, second) = (show(first), show(segment));
                let message = format!("{second} stands beside {first}: one parent has at most one variable part");
                let help = format!("write {first} here too, or add a static part before it");
                report.error(&rules::VARIABLE_SIBLINGS, draft.at, message, help);
                break;
            }
        }
    }
}

fn shadowed_any(drafts: &[ResourceDraft], profile: Profile, report: &Report<'_>) {
    for draft in drafts {
        let methods = &draft.resource.methods;
        if methods.contains_key(&Verb::Any) && Verb::CONCRETE.iter().all(|verb| methods.contains_key(verb)) {
            let message = format!("ANY of {} gets no request: all seven verbs have methods", draft.resource.path);
            report.strict(profile, &rules::SHADOWED, draft.at, message, "remove ANY");
        }
    }
}

fn show(segment: &Segment) -> String {
    match segment {
        Segment::Static(name) => name.to_string(),
        Segment::Variable(name) => format!("{{{name}}}"),
        Segment::Greedy(name) => format!("{{{name}+}}"),
    }
}
