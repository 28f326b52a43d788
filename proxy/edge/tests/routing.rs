//! Which API, stage and method a request reaches, and what it is told when it reaches none.
//! AWS's pages: "Amazon API Gateway REST APIs: invoke", "API Gateway proxy resources", "Custom domain names".

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Gateway, Recorder, Response};

const MISSING_TOKEN: &str = r#"{"message":"Missing Authentication Token"}"#;
const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;

/// An API whose methods answer with their own names.
const NAMES: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "names"
default_stage = "prod"

[[domain]]
name = "api.example.com"
[[domain.mapping]]
base_path = "v1"
api = "names"
stage = "prod"
[[domain.mapping]]
base_path = "v1/beta"
api = "other"
stage = "only"
[[domain.mapping]]
base_path = "stages"
api = "names"
[[domain]]
name = "*.example.com"
[[domain.mapping]]
api = "other"
stage = "only"

[[api]]
id = "names"
[[api.resource]]
path = "/"
method.GET.integration = { type = "MOCK", body = "root" }
[[api.resource]]
path = "/pets/dog"
method.GET.integration = { type = "MOCK", body = "dog" }
[[api.resource]]
path = "/pets/{id}"
method.GET.integration = { type = "MOCK", body = "pet" }
method.DELETE.integration = { type = "MOCK", body = "delete pet" }
[[api.resource]]
path = "/pets/{id}/toys"
method.GET.integration = { type = "MOCK", body = "toys" }
[[api.resource]]
path = "/any"
method.ANY.integration = { type = "MOCK", body = "any" }
method.PUT.integration = { type = "MOCK", body = "put" }
[[api.resource]]
path = "/only-get"
method.GET.integration = { type = "MOCK", body = "only get" }
[[api.resource]]
path = "/deep/{proxy+}"
method.GET.integration = { type = "MOCK", body = "deep" }
[api.stage.prod]
[api.stage.test]

[[api]]
id = "other"
[[api.resource]]
path = "/"
method.GET.integration = { type = "MOCK", body = "other root" }
[[api.resource]]
path = "/{proxy+}"
method.ANY.integration = { type = "MOCK", body = "other" }
[api.stage.only]
"#;

fn names() -> Gateway {
    Gateway::start(NAMES)
}

fn request(gateway: &Gateway, method: &str, host: &str, target: &str) -> Response {
    gateway.connect().send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).read()
}

fn is_refusal(response: &Response, error_type: &str, body: &str) {
    assert_eq!((response.status, response.text()), (403, body));
    assert_eq!(response.field("x-amzn-errortype"), Some(error_type));
    assert_eq!(response.field("content-type"), Some("application/json"));
    assert_eq!(response.field("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(response.field("allow"), None, "AWS does not tell");
}

#[test]
fn the_most_specific_resource_answers() {
    let gateway = names();
    for (target, body) in [
        ("/", "root"),
        ("/pets/dog", "dog"),
        ("/pets/cat", "pet"),
        ("/pets/dog?id=cat", "dog"),
        ("/pets/dog/toys", "toys"),
        ("/deep/a", "deep"),
        ("/deep/a/b/c", "deep"),
    ] {
        assert_eq!(gateway.get(target).text(), body, "{target}");
    }
}

#[test]
fn verbs_choose_and_a_resource_without_the_verb_yields() {
    let gateway = names();
    for (method, target, body) in [
        ("DELETE", "/pets/7", "delete pet"),
        ("DELETE", "/pets/dog", "delete pet"),
        ("PUT", "/any", "put"),
        ("POST", "/any", "any"),
        ("OPTIONS", "/any", "any"),
        ("PATCH", "/any", "any"),
    ] {
        let response = request(&gateway, method, "x", target);
        assert_eq!((response.status, response.text()), (200, body), "{method} {target}");
    }
}

#[test]
fn unknown_paths_and_verbs_miss_a_token() {
    let gateway = names();
    for (method, target) in [
        ("GET", "/nothing"),
        ("GET", "/pets"),
        ("GET", "/pets/"),
        ("GET", "/PETS/dog"),
        ("GET", "/deep"),
        ("GET", "/deep/"),
        ("GET", "/pets/%64og/toys/x"),
        ("POST", "/only-get"),
        ("BREW", "/any"),
        ("get", "/only-get"),
        ("POST", "/"),
    ] {
        let response = request(&gateway, method, "x", target);
        is_refusal(&response, "MissingAuthenticationTokenException", MISSING_TOKEN);
        assert!(!response.closes(), "{method} {target} is a good request");
    }
}

#[test]
fn head_is_not_implied_by_get() {
    let gateway = names();
    let mut client = gateway.connect();
    let missing = client.request("HEAD", "/only-get", "").read_bodiless();
    assert_eq!((missing.status, missing.field("content-length")), (403, Some("42")));
    assert_eq!(client.request("HEAD", "/any", "").read_bodiless().status, 200);
    assert_eq!(client.get("/only-get").text(), "only get", "the connection is still in step");
}

#[test]
fn slashes_at_the_ends_do_not_count() {
    let gateway = names();
    for (target, body) in [("/pets/dog/", "dog"), ("//pets/dog", "dog"), ("///", "root"), ("/pets/7/toys/", "toys")] {
        assert_eq!(gateway.get(target).text(), body, "{target}");
    }
    is_refusal(&gateway.get("/pets//dog"), "MissingAuthenticationTokenException", MISSING_TOKEN);
}

#[test]
fn a_path_is_matched_and_passed_on_undecoded() {
    let origin = Recorder::echoing();
    let gateway = Gateway::start(&PASSING.replace("@ORIGIN@", &origin.address().to_string()));
    for (target, seen) in [
        ("/prod/one/test%2Balias", "/1/test%2Balias"),
        ("/prod/one/a%2Fb", "/1/a%2Fb"),
        ("/prod/one/%c3%a9/", "/1/%c3%a9"),
        ("/prod/one/x?q=a%20b+c&q=&z", "/1/x?q=a%20b+c&q=&z"),
        ("/prod/many/a//b/", "/n/a//b"),
        ("/prod/many/a/b%2e?", "/n/a/b%2e"),
        ("/prod/many/a;b=c,d/", "/n/a;b=c,d"),
        ("/prod/%6fne/x", "/rest/%6fne/x"),
    ] {
        assert_eq!(gateway.get(target).text(), seen, "{target}");
    }
}

const PASSING: &str = r#"
[[listener]]
address = "@LISTEN@"
default_api = "passing"
[[api]]
id = "passing"
[[api.resource]]
path = "/one/{x}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/1/{x}" }
[[api.resource]]
path = "/many/{proxy+}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/n/{proxy}" }
[[api.resource]]
path = "/{proxy+}"
method.GET.integration = { type = "HTTP_PROXY", uri = "http://@ORIGIN@/rest/{proxy}" }
[api.stage.prod]
"#;

#[test]
fn the_longest_base_path_wins_and_is_taken_off() {
    let gateway = names();
    for (target, body) in [
        ("/v1/pets/dog", "dog"),
        ("/v1", "root"),
        ("/v1/", "root"),
        ("/v1/beta", "other root"),
        ("/v1/beta/pets/dog", "other"),
        ("/stages/prod/pets/dog", "dog"),
        ("/stages/test/pets/cat", "pet"),
    ] {
        assert_eq!(request(&gateway, "GET", "api.example.com", target).text(), body, "{target}");
    }
    let token = request(&gateway, "GET", "api.example.com", "/v1/betamax");
    is_refusal(&token, "MissingAuthenticationTokenException", MISSING_TOKEN);
    for target in ["/", "/v2/pets/dog", "/v11", "/V1/pets/dog", "/stages", "/stages/none/x"] {
        is_refusal(&request(&gateway, "GET", "api.example.com", target), "ForbiddenException", FORBIDDEN);
    }
}

#[test]
fn a_domain_is_found_in_any_case_with_any_port_and_one_label_deep() {
    let gateway = names();
    for (host, body) in [
        ("API.Example.COM", "dog"),
        ("api.example.com:8443", "dog"),
        ("api.example.com.", "dog"),
        ("API.example.com.:8443", "dog"),
        ("x.example.com.", "other"),
        ("x.example.com", "other"),
        ("deep.x.example.com", "default"),
        ("example.com", "default"),
    ] {
        let response = request(&gateway, "GET", host, "/v1/pets/dog");
        match body {
            "default" => is_refusal(&response, "MissingAuthenticationTokenException", MISSING_TOKEN),
            _ => assert_eq!(response.text(), body, "{host}"),
        }
    }
}

#[test]
fn a_domain_s_absolute_target_must_name_its_host() {
    let gateway = names();
    let good = request(&gateway, "GET", "api.example.com", "http://api.example.com/v1/pets/dog");
    assert_eq!(good.text(), "dog");
    assert_eq!(request(&gateway, "GET", "x.example.com", "http://api.example.com/v1/pets/dog").status, 400);
}

#[test]
fn an_api_s_own_host_names_it() {
    let gateway = names();
    for host in [
        "other.execute-api.eu-west-1.amazonaws.com",
        "OTHER.execute-api.local.test:8080",
        "other-vpce-0123456789abcdef0.execute-api.local.test",
    ] {
        assert_eq!(request(&gateway, "GET", host, "/only/x").text(), "other", "{host}");
        is_refusal(&request(&gateway, "GET", host, "/prod/x"), "ForbiddenException", FORBIDDEN);
    }
    let nobody = request(&gateway, "GET", "nobody.execute-api.local.test", "/only/x");
    is_refusal(&nobody, "ForbiddenException", FORBIDDEN);
}

#[test]
fn a_path_names_api_and_stage() {
    let gateway = names();
    for (target, body) in [
        ("/_aws/execute-api/other/only/x/y", "other"),
        ("/_aws/execute-api/OTHER/only", "other root"),
        ("/_aws/execute-api/names/test/pets/dog", "dog"),
    ] {
        assert_eq!(gateway.get(target).text(), body, "{target}");
    }
    for target in ["/_aws/execute-api/other", "/_aws/execute-api/other/", "/_aws/execute-api/none/only/x"] {
        is_refusal(&gateway.get(target), "ForbiddenException", FORBIDDEN);
    }
}

#[test]
fn only_a_private_listener_believes_the_id_in_a_header() {
    let line = "x-apigw-api-id: other\r\n";
    assert_eq!(names().get_with("/pets/dog", line).text(), "dog");
    let private = Gateway::start(&NAMES.replace("address = \"@LISTEN@\"", "address = \"@LISTEN@\"\nprivate = true"));
    assert_eq!(private.get_with("/only/pets/dog", line).text(), "other");
    assert_eq!(private.get("/pets/dog").text(), "dog");
    is_refusal(&private.get_with("/pets/dog", "x-apigw-api-id: none\r\n"), "ForbiddenException", FORBIDDEN);
}

#[test]
fn without_a_default_a_request_must_name_its_api_or_stage() {
    let gateway = Gateway::start(&NAMES.replace("default_api = \"names\"\ndefault_stage = \"prod\"\n", ""));
    is_refusal(&gateway.get("/pets/dog"), "ForbiddenException", FORBIDDEN);
    assert_eq!(gateway.get("/_aws/execute-api/names/prod/pets/dog").text(), "dog");
    let gateway = Gateway::start(&NAMES.replace("default_stage = \"prod\"\n", ""));
    assert_eq!(gateway.get("/test/pets/dog").text(), "dog");
    is_refusal(&gateway.get("/pets/dog"), "ForbiddenException", FORBIDDEN);
    is_refusal(&gateway.get("/"), "ForbiddenException", FORBIDDEN);
}

#[test]
fn aws_puts_its_extended_id_on_refusals_of_an_api() {
    let gateway = Gateway::start(&format!("profile = \"aws\"\n{NAMES}"));
    assert_eq!(gateway.get("/nothing").field("x-amz-apigw-id").map(str::len), Some(16));
    assert_eq!(gateway.get("/pets/dog").field("x-amz-apigw-id").map(str::len), Some(16));
    assert_eq!(names().get("/nothing").field("x-amz-apigw-id"), None);
}

/// With `disable_execute_api_endpoint` an API is reached by what the operator has mapped, and by its id in no way.
#[test]
fn a_closed_endpoint_leaves_domains_and_defaults() {
    let closed = NAMES.replace("id = \"names\"", "id = \"names\"\ndisable_execute_api_endpoint = true");
    let gateway =
        Gateway::start(&closed.replace("default_stage = \"prod\"", "default_stage = \"prod\"\nprivate = true"));
    for (host, target) in [
        ("names.execute-api.local.example.com", "/prod/pets/dog"),
        ("names.execute-api.local.example.com", "/none/pets/dog"),
        ("NAMES.execute-api.eu-central-1.amazonaws.com", "/prod/nothing"),
        ("x", "/_aws/execute-api/names/prod/pets/dog"),
        ("x", "/_aws/execute-api/names/test/"),
    ] {
        is_refusal(&request(&gateway, "GET", host, target), "ForbiddenException", FORBIDDEN);
    }
    let by_header = "GET /prod/pets/dog HTTP/1.1\r\nHost: x\r\nx-apigw-api-id: names\r\n\r\n";
    is_refusal(&gateway.connect().send(by_header).read(), "ForbiddenException", FORBIDDEN);
    for (host, target, body) in [
        ("api.example.com", "/v1/pets/dog", "dog"),
        ("x", "/pets/dog", "dog"),
        ("other.execute-api.local.example.com", "/only/x", "other"),
    ] {
        assert_eq!(request(&gateway, "GET", host, target).text(), body, "{host}{target}");
    }
}
