//! Who may call from where: allow and deny lists of APIs and stages, and who the caller is behind proxies.
//! AWS's page: "Control access to a REST API with API Gateway resource policies".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Gateway, Recorder, Response};

const POLICIES: &str = r#"
region = "eu-west-1"
account_id = "123456789012"
@TOP@
[[listener]]
address = "@LISTEN@"
default_api = "guarded"
default_stage = "prod"
[[api]]
id = "guarded"
resource_policy = { @API@ }
[[api.resource]]
path = "/"
method.GET.integration = { type = "MOCK", body = "root" }
[[api.resource]]
path = "/admin"
method.ANY.integration = { type = "MOCK", body = "admin" }
[[api.resource]]
path = "/item/{proxy+}"
method.GET.integration = { type = "MOCK", body = "item" }
[api.stage.prod]
resource_policy = { @STAGE@ }
"#;

const EXPLICIT: &str = "with an explicit deny in a resource-based policy";
const IMPLICIT: &str = "because no resource-based policy allows the execute-api:Invoke action";
const TRUSTING: &str = "trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\", \"2001:db8:ffff::/48\"]";

fn gateway(top: &str, api: &str, stage: &str) -> Gateway {
    Gateway::start(&POLICIES.replace("@TOP@", top).replace("@API@", api).replace("@STAGE@", stage))
}

fn is_denied(response: &Response, method_and_path: &str, reason: &str) {
    let body = format!(
        "{{\"Message\":\"User: anonymous is not authorized to perform: execute-api:Invoke on resource: \
         arn:aws:execute-api:eu-west-1:********9012:guarded/prod/{method_and_path} {reason}\"}}"
    );
    assert_eq!((response.status, response.text()), (403, body.as_str()));
    assert_eq!(response.field("x-amzn-errortype"), Some("AccessDeniedException"));
    assert_eq!(response.field("content-type"), Some("application/json"));
    assert_eq!(response.field("www-authenticate"), None);
    assert!(!response.closes());
}

const THIS_MACHINE: &str = "\"127.0.0.0/8\"";
const ELSEWHERE: &str = "\"198.51.100.0/24\"";

#[test]
fn a_deny_names_the_method_s_arn_with_the_account_masked() {
    let gateway = gateway("", &format!("deny = [{THIS_MACHINE}]"), "");
    is_denied(&gateway.get("/admin"), "GET/admin", EXPLICIT);
    is_denied(&gateway.get("/admin?query=is/no&part"), "GET/admin", EXPLICIT);
    is_denied(&gateway.get("/item/a%2Fb/c"), "GET/item/a%2Fb/c", EXPLICIT);
    is_denied(&gateway.get("/item/\"quoted\""), r#"GET/item/\"quoted\""#, EXPLICIT);
    is_denied(&gateway.get("/"), "GET/", EXPLICIT);
    is_denied(&gateway.connect().request("PATCH", "/admin", "").read(), "PATCH/admin", EXPLICIT);
}

#[test]
fn slashes_at_the_ends_make_no_other_resource() {
    let gateway = gateway("", &format!("deny = [{THIS_MACHINE}]"), "");
    for target in ["/admin/", "//admin", "///admin/", "/_aws/execute-api/guarded/prod/admin/"] {
        is_denied(&gateway.get(target), "GET/admin", EXPLICIT);
    }
    for target in ["//", "/_aws/execute-api/guarded/prod", "/_aws/execute-api/guarded/prod/"] {
        is_denied(&gateway.get(target), "GET/", EXPLICIT);
    }
}

#[test]
fn who_is_on_no_allow_list_is_denied_implicitly() {
    let elsewhere = format!("allow = [{ELSEWHERE}]");
    is_denied(&gateway("", &elsewhere, "").get("/admin"), "GET/admin", IMPLICIT);
    is_denied(&gateway("", "", &elsewhere).get("/admin"), "GET/admin", IMPLICIT);
    is_denied(&gateway("", "allow = []", "").get("/admin"), "GET/admin", IMPLICIT);
}

#[test]
fn api_and_stage_must_both_let_the_caller_through_and_a_deny_wins() {
    let (here, elsewhere) = (format!("allow = [{THIS_MACHINE}]"), format!("allow = [{ELSEWHERE}]"));
    let (not_here, both) = (format!("deny = [{THIS_MACHINE}]"), format!("{here}, deny = [\"127.0.0.1/32\"]"));
    for (api, stage, reason) in [
        ("", "", None),
        (here.as_str(), "", None),
        ("", here.as_str(), None),
        (&here, &here, None),
        (&here, &elsewhere, Some(IMPLICIT)),
        (&elsewhere, &here, Some(IMPLICIT)),
        (&here, &not_here, Some(EXPLICIT)),
        (&elsewhere, &not_here, Some(EXPLICIT)),
        (&both, "", Some(EXPLICIT)),
        ("", &both, Some(EXPLICIT)),
    ] {
        let response = gateway("", api, stage).get("/admin");
        match reason {
            None => assert_eq!(response.text(), "admin", "{api} {stage}"),
            Some(reason) => is_denied(&response, "GET/admin", reason),
        }
    }
}

#[test]
fn unknown_paths_do_not_tell_who_is_denied() {
    let gateway = gateway("", &format!("deny = [{THIS_MACHINE}]"), "");
    assert_eq!(gateway.get("/nothing").text(), r#"{"message":"Missing Authentication Token"}"#);
}

/// The status for each set of header lines, where the documentation network 203.0.113.0/24 is denied.
fn statuses(top: &str, cases: &[(&str, u16)]) {
    let gateway = gateway(top, "deny = [\"203.0.113.0/24\", \"2001:db8:bad::/48\"]", "");
    for (lines, status) in cases {
        let lines: String = lines.split('|').filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
        assert_eq!(gateway.get_with("/admin", &lines).status, *status, "{lines}");
    }
}

#[test]
fn strangers_cannot_say_who_they_are() {
    statuses("", &[("", 200), ("X-Forwarded-For: 203.0.113.5", 200), ("Forwarded: for=203.0.113.5", 200)]);
}

#[test]
fn a_trusted_proxy_s_last_stranger_is_the_caller() {
    statuses(
        TRUSTING,
        &[
            ("", 200),
            ("X-Forwarded-For: 203.0.113.5", 403),
            ("X-Forwarded-For: 198.51.100.7, 203.0.113.5", 403),
            ("X-Forwarded-For: 203.0.113.5, 198.51.100.7", 200),
            ("X-Forwarded-For: 203.0.113.5,10.1.2.3 ,\t10.4.5.6", 403),
            ("X-Forwarded-For: 203.0.113.5|X-Forwarded-For: 10.1.2.3", 403),
            ("X-Forwarded-For: 203.0.113.5|X-Forwarded-For: 198.51.100.7", 200),
            ("X-Forwarded-For: 203.0.113.5, unknown, 10.1.2.3", 200),
            ("X-Forwarded-For: 203.0.113.5, ", 200),
            ("X-Forwarded-For: ::ffff:203.0.113.5", 403),
            ("X-Forwarded-For: 203.0.113.5:4711", 403),
            ("X-Forwarded-For: [2001:db8:bad::1]:4711", 403),
            ("X-Forwarded-For: 2001:db8:bad::1, 2001:db8:ffff::1", 403),
            ("X-Forwarded-For: 2001:db8:good::1", 200),
            ("X-Forwarded-For: 2001:db8:900d::1", 200),
        ],
    );
}

/// A proxy that writes one of the fields passes on what a client has written into the other.
#[test]
fn one_field_counts_and_the_other_never() {
    statuses(TRUSTING, &[("Forwarded: for=203.0.113.5", 200)]);
    statuses(
        &format!("{TRUSTING}\nclient_address_field = \"Forwarded\""),
        &[
            ("X-Forwarded-For: 203.0.113.5", 200),
            ("Forwarded: for=203.0.113.5", 403),
            ("Forwarded: proto=https; For=\"203.0.113.5:80\" ;by=x", 403),
            ("Forwarded: for=\"[2001:db8:bad::1]:4711\"", 403),
            ("Forwarded: for=203.0.113.5, for=198.51.100.7", 200),
            ("Forwarded: for=203.0.113.5, for=10.1.2.3", 403),
            ("Forwarded: for=203.0.113.5, for=_hidden", 200),
            ("Forwarded: for=203.0.113.5|X-Forwarded-For: 198.51.100.7", 403),
        ],
    );
}

#[test]
fn an_answer_stored_for_one_caller_is_not_shown_to_a_denied_one() {
    let origin = Recorder::echoing();
    let text = r#"
trusted_proxies = ["127.0.0.0/8"]
[[listener]]
address = "@LISTEN@"
default_api = "a"
default_stage = "prod"
[[api]]
id = "a"
resource_policy = { allow = ["198.51.100.0/24"] }
[[api.resource]]
path = "/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/{x}" }
[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "16 MiB"
"#;
    let gateway = Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()));
    let status = |address: &str| gateway.get_with("/x", &format!("X-Forwarded-For: {address}\r\n")).status;
    let seen = ["198.51.100.1", "203.0.113.1", "198.51.100.2", "203.0.113.2"].map(status);
    assert_eq!((seen, origin.count()), ([200, 403, 200, 403], 1));
}

#[test]
fn ten_thousand_networks_are_one_policy() {
    let list: Vec<String> = (0..10_000).map(|i| format!("\"11.{}.{}.0/24\"", i / 250, i % 250)).collect();
    let gateway = gateway(TRUSTING, &format!("deny = [{}]", list.join(",")), "");
    for (address, status) in [("11.0.0.1", 403), ("11.39.249.255", 403), ("11.39.250.1", 200), ("12.0.0.1", 200)] {
        assert_eq!(gateway.get_with("/admin", &format!("X-Forwarded-For: {address}\r\n")).status, status, "{address}");
    }
}
