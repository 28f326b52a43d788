//! Whole files: the default one, an example of every part, and files that are broken at random.

use std::time::Duration;

use proptest::prelude::*;
use sluice::config::{AdminEndpoint, Configuration};
use sluice_api::{ApiId, Caching, IntegrationKind, MethodKey, Profile, ResourcePath, StageName, Throttle, Verb};

use crate::{findings_of, parse, root};

#[test]
fn the_default_file_has_no_findings() {
    let (configuration, warnings) = Configuration::load(&root().join("config/sluice.toml")).unwrap();
    assert_eq!(warnings, []);
    let [listener] = &configuration.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.address, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(listener.default_api, Some(ApiId::parse("demo").unwrap()));
    let admin = configuration.node.admin.unwrap().endpoint;
    assert_eq!(admin, AdminEndpoint::Tcp("127.0.0.1:9901".parse().unwrap()));
    assert_eq!(configuration.node.demo, Some("127.0.0.1:9000".parse().unwrap()));
    assert!(configuration.node.threads >= 1);
}

#[test]
fn a_load_test_of_the_default_root_meets_the_cache_and_no_throttle() {
    let (configuration, _) = Configuration::load(&root().join("config/sluice.toml")).unwrap();
    let stage = &configuration.apis[0].stages[&StageName::parse("prod").unwrap()];
    assert!(stage.cache_cluster_enabled && stage.defaults.caching == Caching::ByStage);
    assert_eq!(stage.defaults.throttle, None);
    assert_eq!(configuration.node.throttle.account, None);
    assert!(!stage.methods.contains_key(&MethodKey { path: ResourcePath::parse("/").unwrap(), verb: Verb::Get }));
}

const PETS: &str = r#"
[[listener]]
address = "127.0.0.1:8080"
default_api = "pets"

[[api]]
id = "pets"
[[api.resource]]
path = "/pets/{id}"
[api.resource.method]
GET = { integration = { type = "HTTP_PROXY", uri = "http://${stageVariables.backend}/pets/{id}" } }
DELETE = { integration = { type = "MOCK", status = 204 } }

[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "0.5 GB"
variables = { backend = "origin.internal" }
throttling_burst_limit = 50

[api.stage.prod.method."GET /pets/{id}"]
cache_ttl = "60s"
cache_key_parameters = ["path.id", "query.view"]
throttling_rate_limit = 500

[api.stage.prod.method."DELETE /pets/{id}"]
throttling_rate_limit = 0.5
throttling_burst_limit = 1
"#;

#[test]
fn settings_of_methods_are_complete() {
    let (configuration, warnings) = parse(PETS).unwrap();
    assert_eq!(warnings, []);
    let api = &configuration.apis[0];
    assert_eq!((api.name.as_str(), api.profile), ("pets", Profile::Edge));
    let stage = &api.stages[&StageName::parse("prod").unwrap()];
    assert_eq!(stage.cache_cluster_size, 500_000_000);
    let key = |verb| MethodKey { path: ResourcePath::parse("/pets/{id}").unwrap(), verb };
    let get = &stage.methods[&key(Verb::Get)];
    assert!(get.cached_verbs(Verb::Get).contains(Verb::Get));
    assert_eq!(get.cache_ttl, Duration::from_secs(60));
    assert_eq!(get.throttle, Some(Throttle { rate: 500.0, burst: 50 }));
    let delete = &stage.methods[&key(Verb::Delete)];
    assert!(delete.cached_verbs(Verb::Delete).is_empty(), "the stage's default is for GET only");
    assert_eq!(delete.throttle, Some(Throttle { rate: 0.5, burst: 1 }));
}

/// Under `edge` the stage has a bucket of its own; a method has one if it says something of it.
#[test]
fn a_setting_of_another_kind_gives_a_method_no_bucket() {
    let text = PETS.replace("throttling_rate_limit = 500\n", "");
    let text =
        text.replace("throttling_burst_limit = 50\n", "throttling_rate_limit = 9\nthrottling_burst_limit = 50\n");
    let throttle = |profile: &str| {
        let (configuration, _) = parse(&format!("profile = \"{profile}\"\n{text}")).unwrap();
        let stage = configuration.apis[0].stages.values().next().unwrap().clone();
        let key = MethodKey { path: ResourcePath::parse("/pets/{id}").unwrap(), verb: Verb::Get };
        stage.methods[&key].throttle
    };
    assert_eq!(throttle("edge"), None);
    assert_eq!(throttle("aws"), Some(Throttle { rate: 9.0, burst: 50 }));
}

#[test]
fn an_integration_has_its_defaults() {
    let (configuration, _) = parse(PETS).unwrap();
    let integration = &configuration.apis[0].resources[0].methods[&Verb::Get].integration;
    assert_eq!(integration.timeout, Duration::from_secs(29));
    let IntegrationKind::HttpProxy(http) = &integration.kind else { panic!("HTTP_PROXY") };
    assert_eq!(http.http_method, None);
    assert_eq!(http.first_byte_timeout, integration.timeout);
    assert_eq!((http.retries, http.preserve_host), (1, false));
}

#[test]
fn the_account_throttle_is_aws_own_under_aws() {
    let text = |profile: &str, more: &str| format!("profile = \"{profile}\"\n{more}{PETS}");
    let account = |text: String| parse(&text).unwrap().0.node.throttle.account;
    assert_eq!(account(text("edge", "")), None);
    assert_eq!(account(text("aws", "")), Some(Throttle { rate: 10_000.0, burst: 5_000 }));
    let own = "[throttle]\naccount_rate_limit = 100\n";
    assert_eq!(account(text("aws", own)), Some(Throttle { rate: 100.0, burst: 100 }));
}

#[test]
fn everything_is_found_at_once_and_in_order() {
    let text = "thread = 1\n[timeouts]\nidle = 75\nhead = true\n[cache]\nmemory = \"1 mb\"\n[[listner]]\n";
    let found: Vec<_> = findings_of(text).iter().map(|f| (f.line, f.col, f.name)).collect();
    let want = [
        (1, 1, "no-listener"),
        (1, 1, "unknown-key"),
        (3, 8, "wrong-unit"),
        (4, 8, "wrong-type"),
        (6, 10, "wrong-unit"),
        (7, 3, "unknown-key"),
    ];
    assert_eq!(found, want);
}

#[test]
fn settings_of_a_method_that_is_not_there_are_read_all_the_same() {
    let text = PETS.replace("DELETE /pets/{id}", "DELETE /pets").replace("= 0.5", "= -1");
    let names: Vec<_> = findings_of(&text).iter().map(|f| f.name).collect();
    assert_eq!(names, ["unknown-method", "out-of-range"]);
}

#[test]
fn the_help_is_what_was_meant() {
    for (text, help) in [
        ("profil = 'edge'", "did you mean 'profile'?"),
        ("shutdown_grace = 30", "write \"30s\""),
        ("shutdown_grace = '30 sec'", "write \"30 s\""),
        ("limits.body_size = '10 mb'", "write \"10 MB\""),
        ("limits.header_count = 500", "write 128"),
        ("timeouts.head = '2h'", "write \"3600s\""),
        ("accountId = '1'", "AWS's accountId is written 'account_id' here"),
        ("throttle.account_rate_limit = nan", "write a number"),
        ("throttle.account_rate_limit = inf", "write a number"),
        ("access_log.format = '$context.sttus'", "did you mean $context.status?"),
    ] {
        let findings = findings_of(&format!("{text}\nlistener = [{{ address = '127.0.0.1:0' }}]\n"));
        assert_eq!(findings.iter().map(|f| f.help.as_str()).collect::<Vec<_>>(), [help], "{text}");
    }
}

#[test]
fn a_fraction_is_told_from_a_whole_number() {
    let message =
        |text: &str| findings_of(&format!("{text}\nlistener = [{{ address = '127.0.0.1:0' }}]\n"))[0].message.clone();
    assert_eq!(message("threads = 1.5"), "'threads' is a whole number, not one with a fraction");
    assert_eq!(message("throttle.account_rate_limit = nan"), "'account_rate_limit' is a number, not nan or inf");
}

/// A list takes the place of the path and the query, which are the key without one.
#[test]
fn a_first_key_parameter_is_not_named_alone() {
    let text = "listener = [{ address = '127.0.0.1:0' }]\n[[api]]\nid = 'a'\n[[api.resource]]\npath = '/x/{p+}'\n\
                [api.resource.method.ANY.integration]\ntype = 'HTTP_PROXY'\nuri = 'http://x/{p}'\n\
                request_parameters = { 'integration.request.header.X-T' = 'method.request.header.Tenant' }\n\
                [api.stage.p]\ncache_cluster_enabled = true\n[api.stage.p.method.'ANY /x/{p+}']\n";
    let help = |more: &str| findings_of(&format!("{text}{more}"))[0].help.clone();
    let first = "write cache_key_parameters = [\"path.p\", \"header.tenant\"], with every query parameter that counts, or \
                 write [] if all requests get the same";
    assert_eq!(help(""), first);
    let further = "add \"header.tenant\" to cache_key_parameters, or write [] if all requests get the same";
    assert_eq!(help("cache_key_parameters = ['path.p']"), further);
}

#[test]
fn every_syntax_error_is_found() {
    let found = findings_of("a = \nb = 1 2\nc = \"x\n");
    assert!(found.len() >= 3 && found.iter().all(|f| f.name == "syntax"), "{found:?}");
}

#[test]
fn a_file_that_is_not_there_is_a_finding() {
    let findings = Configuration::load(&root().join("nowhere.toml")).unwrap_err();
    assert_eq!(findings[0].name, "unreadable");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever an editor leaves behind is answered with findings, never with a panic.
    #[test]
    fn broken_files_are_refused_quietly(cut in 0usize..6000, length in 0usize..40, insert in "[\\[\\]{}=\"'.,#a-z0-9 \n\u{e4}]{0,8}") {
        let text = std::fs::read_to_string(root().join("config/sluice.toml")).unwrap();
        let kept: String = text.chars().take(cut).chain(insert.chars()).chain(text.chars().skip(cut + length)).collect();
        for finding in findings_of(&kept) {
            prop_assert!(finding.line <= kept.matches('\n').count() + 1);
        }
    }
}
