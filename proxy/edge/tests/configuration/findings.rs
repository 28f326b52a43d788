//! One case, at least, for every kind of finding: what is wrong, on which line, and how bad it is under each profile.

/// An API with a MOCK at `GET /`; the text goes on with its stages or resources.
macro_rules! mock {
    ($rest:literal) => {
        concat!("[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/\"\nmethod.GET.integration.type = \"MOCK\"\n", $rest)
    };
}

/// An API with one GET method, whose integration the text is.
macro_rules! get {
    ($path:literal, $integration:literal) => {
        concat!(
            "[[api]]\nid = \"a\"\n[api.stage.p]\n[[api.resource]]\npath = \"",
            $path,
            "\"\n[api.resource.method.GET.integration]\n",
            $integration
        )
    };
}

/// A text with an API `a`, which has a stage `p`, behind it.
macro_rules! beside_api {
    ($text:literal) => {
        concat!(
            $text,
            "\n[[api]]\nid = \"a\"\n[api.stage.p]\n[[api.resource]]\npath = \"/\"\nmethod.GET.integration.type = \"MOCK\"\n"
        )
    };
}

#[path = "findings/caches.rs"]
mod caches;
#[path = "findings/file.rs"]
mod file;
#[path = "findings/front.rs"]
mod front;
#[path = "findings/integrations.rs"]
mod integrations;
#[path = "findings/keys.rs"]
mod keys;
#[path = "findings/lifetimes.rs"]
mod lifetimes;
#[path = "findings/routes.rs"]
mod routes;
#[path = "findings/stages.rs"]
mod stages;

use std::collections::BTreeSet;

use sluice::config::{Finding, RULES, Severity};

use crate::findings_of;

use Severity::{Error, Warning};

/// A text whose line with `# <-` has the one finding.
struct Case {
    rule: &'static str,
    edge: Option<Severity>,
    aws: Option<Severity>,
    text: &'static str,
}

const fn error(rule: &'static str, text: &'static str) -> Case {
    Case { rule, edge: Some(Error), aws: Some(Error), text }
}

/// An error under `edge`, a warning under `aws`.
const fn strict(rule: &'static str, text: &'static str) -> Case {
    Case { rule, edge: Some(Error), aws: Some(Warning), text }
}

const fn warning(rule: &'static str, text: &'static str) -> Case {
    Case { rule, edge: Some(Warning), aws: Some(Warning), text }
}

const fn only_aws(rule: &'static str, severity: Severity, text: &'static str) -> Case {
    Case { rule, edge: None, aws: Some(severity), text }
}

#[test]
fn every_case_has_its_finding() {
    for case in all() {
        check(case, "edge", case.edge);
        check(case, "aws", case.aws);
    }
}

#[test]
fn every_rule_has_a_case() {
    let with_case: BTreeSet<&str> = all().map(|case| case.rule).collect();
    // A file that cannot be read has a test of its own.
    let without: Vec<_> =
        RULES.iter().map(|r| r.name).filter(|r| !with_case.contains(r) && *r != "unreadable").collect();
    assert!(without.is_empty(), "{without:?}");
}

fn all() -> impl Iterator<Item = &'static Case> {
    [
        file::FILE,
        front::FRONT,
        routes::ROUTES,
        integrations::INTEGRATIONS,
        stages::STAGES,
        caches::CACHES,
        keys::KEYS,
        lifetimes::LIFETIMES,
    ]
    .into_iter()
    .flatten()
}

fn check(case: &Case, profile: &str, want: Option<Severity>) {
    let listener = if case.text.contains("listener]]") { "" } else { "[[listener]]\naddress = \"127.0.0.1:0\"\n" };
    let text = format!("profile = \"{profile}\"\n{}\n{listener}", case.text);
    let line = text.lines().position(|line| line.contains("# <-")).map(|at| at + 1);
    let found: Vec<_> = findings_of(&text).iter().map(summary).collect();
    let want: Vec<_> = want.into_iter().map(|severity| (severity, case.rule, line.unwrap_or(1))).collect();
    assert_eq!(found, want, "{text}\n{:#?}", findings_of(&text));
}

fn summary(finding: &Finding) -> (Severity, &'static str, usize) {
    (finding.severity, finding.name, finding.line)
}
