//! AWS's promises, one by one and in their order.

use std::path::Path;

use sluice::config::Configuration;

use super::*;

#[test]
fn c01_an_enabled_cluster_caches_gets_for_five_minutes() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "");
    assert_eq!(gateway.get("/pets").text(), gateway.get("/pets").text());
    assert_eq!(origin.count(), 1);
}

#[test]
fn c01_who_has_the_last_byte_finds_it_stored() {
    let origin =
        Recorder::start(|_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").then_pattern(1_000_000));
    let gateway =
        gateway(&origin, AWS, "[api.stage.prod.method.\"GET /pets\"]\ncache_key_parameters = [\"query.n\"]\n");
    let mut client = gateway.connect();
    for n in 1..=60 {
        for _ in 0..2 {
            assert_eq!(client.request("GET", &format!("/pets?n={n}"), "").read().body.len(), 1_000_000);
        }
        assert_eq!(origin.count(), n);
    }
}

#[test]
fn c02_other_verbs_are_cached_where_a_method_says_so() {
    let origin = counting(200);
    let plain = gateway(&origin, AWS, "");
    for verb in ["POST", "OPTIONS"] {
        assert_ne!(send(&plain, verb, "/pets", "").text(), send(&plain, verb, "/pets", "").text(), "{verb}");
    }
    let named = ["POST", "OPTIONS", "HEAD"]
        .map(|verb| format!("[api.stage.prod.method.\"{verb} /pets\"]\ncaching_enabled = true\n"))
        .concat();
    let named = gateway(&origin, AWS, &named);
    for verb in ["POST", "OPTIONS"] {
        assert_eq!(send(&named, verb, "/pets", "").text(), send(&named, verb, "/pets", "").text(), "{verb}");
    }
    let before = origin.count();
    for _ in 0..2 {
        assert_eq!(named.connect().request("HEAD", "/pets", "").read_bodiless().status, 200);
    }
    assert_eq!(origin.count(), before + 1);
    assert_eq!(named.get("/pets").text(), named.get("/pets").text(), "HEAD's answer is no answer to GET");
}

#[test]
fn c03_path_variables_are_not_in_the_key_unless_they_are_listed() {
    let origin = counting(200);
    let unlisted = gateway(&origin, AWS, "");
    assert_eq!(unlisted.get("/pets/1").text(), unlisted.get("/pets/2").text());
    let listed = "[api.stage.prod.method.\"GET /pets/{id}\"]\ncache_key_parameters = [\"method.request.path.id\"]\n";
    let listed = gateway(&origin, AWS, listed);
    assert_ne!(listed.get("/pets/1").text(), listed.get("/pets/2").text());
}

#[test]
fn c04_listed_parameters_are_the_key_and_a_missing_one_has_an_entry_of_its_own() {
    let origin = counting(200);
    let listed =
        "[api.stage.prod.method.\"GET /pets\"]\ncache_key_parameters = [\"method.request.querystring.type\"]\n";
    let gateway = gateway(&origin, AWS, listed);
    let first = gateway.get("/pets?type=admin&department=A");
    assert_eq!(first.text(), gateway.get("/pets?type=admin&department=B").text());
    assert_ne!(first.text(), gateway.get("/pets?type=user").text());
    let missing = gateway.get("/pets");
    assert_eq!(missing.text(), gateway.get("/pets?department=A").text());
    assert_ne!(missing.text(), gateway.get("/pets?type=").text());
    assert_eq!(origin.count(), 4);
}

#[test]
fn c05_errors_are_kept_as_long_as_anything_else() {
    for status in [500, 429, 404] {
        let count = AtomicUsize::new(0);
        let origin = Recorder::start(move |_| match count.fetch_add(1, SeqCst) {
            0 => Answer::status(status, "", "an error"),
            _ => Answer::ok("fine"),
        });
        let gateway = gateway(&origin, AWS, "");
        let both = [gateway.get("/pets"), gateway.get("/pets")];
        assert!(both.iter().all(|answer| answer.status == status), "{both:?}");
    }
}

#[test]
fn c05_at_the_edge_a_rule_says_how_long() {
    let origin = Recorder::start(|request| {
        let status: u16 = request.target.rsplit('/').next().unwrap().parse().unwrap();
        Answer::status(status, "", "whatever")
    });
    let rules = "cache_statuses = { \"404\" = \"60s\", \"4xx\" = \"0s\", \"5xx\" = \"1s\", \"204\" = \"0s\" }\n";
    let gateway = gateway(&origin, EDGE, rules);
    let ttl = |status: u16| {
        gateway.get(&format!("/pets/{status}"));
        let stored = gateway.get(&format!("/pets/{status}"));
        let told = stored.field("cache-status").unwrap().to_owned();
        told.strip_prefix("Sluice; hit; ttl=").map(|ttl| ttl.parse::<u32>().unwrap())
    };
    assert!(matches!(ttl(404), Some(50..=60)));
    assert!(matches!(ttl(500), Some(0..=1)));
    assert!(matches!(ttl(200), Some(290..=300)));
    for status in [400, 204, 302] {
        assert_eq!(ttl(status), None, "{status}");
    }
}

#[test]
fn c06_a_mebibyte_is_cached_and_a_byte_more_is_not() {
    for (length, times) in [(1_048_576u64, 1), (1_048_577, 2)] {
        let origin = Recorder::start(move |_| {
            Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).then_pattern(length)
        });
        let gateway = gateway(&origin, AWS, "");
        let (first, second) = (gateway.get("/pets"), gateway.get("/pets"));
        assert!(first.body.len() as u64 == length && first.body == second.body);
        assert_eq!(origin.count(), times, "{length}");
    }
}

const WARNING: &str = "199 Cache-control headers were ignored because the caller was unauthorized.";
const FRESH: &str = "Cache-Control: max-age=0\r\n";

#[test]
fn c07_an_unauthorised_wish_for_a_fresh_answer_is_ignored_with_a_warning() {
    for profile in [AWS, EDGE] {
        let origin = counting(200);
        let gateway = gateway(&origin, profile, "");
        let stored = gateway.get("/pets");
        let wish = gateway.get_with("/pets", FRESH);
        assert_eq!((wish.text(), wish.field("warning")), (stored.text(), Some(WARNING)));
        let miss = gateway.get_with("/cats", FRESH);
        assert_eq!((miss.text(), miss.field("warning")), ("answer 1", Some(WARNING)));
        assert_eq!(gateway.get("/cats").field("warning"), None, "what is stored has no warning");
        assert_eq!(origin.count(), 2);
    }
}

#[test]
fn c08_the_other_strategies() {
    let origin = counting(200);
    let strategy = |name: &str| {
        let text = format!("unauthorized_cache_control_header_strategy = \"{name}\"\n");
        let gateway = gateway(&origin, AWS, &text);
        (gateway.get("/pets"), gateway.get_with("/pets", FRESH), gateway)
    };
    let (stored, silent, _gateway) = strategy("SUCCEED_WITHOUT_RESPONSE_HEADER");
    assert_eq!((silent.text(), silent.field("warning")), (stored.text(), None));
    let (stored, denied, gateway) = strategy("FAIL_WITH_403");
    assert_eq!((denied.status, denied.field("x-amzn-errortype")), (403, Some("AccessDeniedException")));
    assert_eq!(
        denied.text(),
        r#"{"Message":"User: anonymous is not authorized to perform: execute-api:InvalidateCache on resource: arn:aws:execute-api:local:********0000:pets/prod/GET/pets"}"#
    );
    assert_eq!(gateway.get("/pets").text(), stored.text(), "the cache is untouched");
    assert_eq!(origin.count(), 2, "and the origin was not asked");
}

#[test]
fn c09_where_authorisation_is_not_asked_for_everybody_gets_a_fresh_answer() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "require_authorization_for_cache_control = false\n");
    assert_eq!(gateway.get("/pets").text(), "answer 0");
    let fresh = gateway.get_with("/pets", "Cache-Control: no-transform, MAX-AGE=0\r\n");
    assert_eq!((fresh.text(), fresh.field("warning")), ("answer 1", None));
    assert_eq!(gateway.get("/pets").text(), "answer 1", "it stands in the old one's place");
    for other in ["no-cache", "no-store", "max-age=1"] {
        assert_eq!(gateway.get_with("/pets", &format!("Cache-Control: {other}\r\n")).text(), "answer 1", "{other}");
    }
}

#[test]
fn c10_a_ttl_is_0_to_3600_seconds() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "cache_ttl = \"0s\"\n");
    assert_ne!(gateway.get("/pets").text(), gateway.get("/pets").text());
    assert_eq!(gateway.get_with("/pets", FRESH).field("warning"), None, "there is no cache to ask");
    assert_eq!(rules(AWS, "cache_ttl = \"3600s\"\n"), ["unkeyed-parameter"; 0]);
    assert_eq!(rules(AWS, "cache_ttl = \"3601s\"\n"), ["out-of-range"]);
}

/// The names of the errors of a configuration.
fn rules(top: &str, stage: &str) -> Vec<&'static str> {
    let text = format!("{PETS}{stage}").replace("@TOP@", top).replace("@ORIGIN@", "127.0.0.1:1");
    let text = text.replace("@LISTEN@", "127.0.0.1:1").replace("@DIR@", "/run");
    let findings = match Configuration::parse(&text, Path::new("sluice.toml")) {
        Ok((_, findings)) | Err(findings) => findings,
    };
    findings.iter().filter(|f| f.is_error()).map(|f| f.name).collect()
}

#[test]
fn c11_a_flush_forgets_the_stage() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "");
    assert_eq!(gateway.get("/pets").text(), "answer 0");
    assert!(admin(&gateway, "DELETE", "/restapis/pets/stages/prod/cache/data").starts_with("HTTP/1.1 202"));
    assert_eq!(gateway.get("/pets").text(), "answer 1");
}

#[test]
fn c12_another_deployment_starts_cold() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "deployment_id = \"one\"\n");
    assert_eq!(gateway.get("/pets").text(), "answer 0");
    edit(&gateway, "deployment_id = \"one\"", "deployment_id = \"two\"");
    assert_eq!(gateway.get("/pets").text(), "answer 1");
    edit(&gateway, "deployment_id = \"two\"", "deployment_id = \"one\"");
    assert_eq!(gateway.get("/pets").text(), "answer 0", "the same one is as warm as it was");
}

#[test]
fn c13_hits_are_throttled_too() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "throttling_rate_limit = 0.001\nthrottling_burst_limit = 2\n");
    let statuses = [0; 3].map(|_| gateway.get("/pets").status);
    assert_eq!((statuses, origin.count()), ([200, 200, 429], 1));
}

#[test]
fn c14_an_undeclared_key_parameter_is_an_error() {
    let with = |parameter: &str| {
        rules(AWS, &format!("[api.stage.prod.method.\"GET /pets/{{id}}\"]\ncache_key_parameters = [\"{parameter}\"]\n"))
    };
    assert_eq!(with("method.request.path.id"), [""; 0]);
    assert_eq!(with("method.request.path.name"), ["invalid-cache-key-parameter"]);
    assert_eq!(with("integration.request.header.X-Tenant"), ["invalid-cache-key-parameter"]);
}

/// Hits and misses per method; neither where nothing is cached, and no miss where nothing was sent.
#[test]
fn hits_and_misses_are_counted_per_method() {
    let origin = counting(200);
    let rest = "require_authorization_for_cache_control = false\n[api.stage.prod.method.\"GET /cats\"]\ncaching_enabled = false\n";
    let gateway = gateway(&origin, AWS, rest);
    (0..3).for_each(|_| drop(gateway.get("/pets")));
    gateway.get_with("/pets", FRESH);
    (0..2).for_each(|_| drop(gateway.get("/cats")));
    send(&gateway, "POST", "/pets", "");
    let figure = |name: &str, method: &str| {
        metric(&gateway, &format!("sluice_{name}_count_total{{api=\"pets\",stage=\"prod\",method=\"{method}\"}}"))
    };
    eventually("the misses are counted", || figure("cache_miss", "GET /pets") >= 2);
    assert_eq!((figure("cache_hit", "GET /pets"), figure("cache_miss", "GET /pets")), (2, 2));
    assert_eq!((figure("cache_hit", "GET /cats"), figure("cache_miss", "GET /cats")), (0, 0));
    assert_eq!((figure("cache_hit", "POST /pets"), figure("cache_miss", "POST /pets")), (0, 0));
    for (reason, count) in [("uri-miss", 1), ("request", 1), ("stale", 0)] {
        assert_eq!(metric(&gateway, &format!("sluice_forwarded_total{{reason=\"{reason}\"}}")), count, "{reason}");
    }
}
