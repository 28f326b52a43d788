//! What of a request can be in a key, and what the origin is told by another name.

use super::*;

/// POST and GET of `/orders`, with these request parameters and settings.
fn orders(origin: &Recorder, top: &str, parameters: &str, settings: &str) -> Gateway {
    let resource = format!(
        r#"
[[api.resource]]
path = "/orders/{{id}}"
method.GET.integration = {{ type = "HTTP_PROXY", uri = "http://@ORIGIN@/orders/{{id}}", request_parameters = {{ {parameters} }} }}
method.POST.integration = {{ type = "HTTP_PROXY", uri = "http://@ORIGIN@/orders/{{id}}", request_parameters = {{ {parameters} }} }}
"#
    );
    let stage = "variables = { tier = \"gold\" }\ncache_invalidation_callers = []\n";
    let verbs: &[&str] = if settings.contains("X-Sku") { &["GET", "POST"] } else { &["GET"] };
    let methods: String = verbs
        .iter()
        .map(|verb| format!("[api.stage.prod.method.\"{verb} /orders/{{id}}\"]\ncaching_enabled = true\n{settings}\n"))
        .collect();
    let text = format!("{PETS}{stage}{methods}{resource}").replace("@TOP@", top);
    Gateway::start(&text.replace("@ORIGIN@", &origin.address().to_string()))
}

#[test]
fn a_field_of_the_body_is_in_the_key() {
    for top in [AWS, EDGE] {
        let origin = counting(200);
        let parameters = "\"integration.request.header.X-Sku\" = \"method.request.body.item.sku\"";
        let settings = "cache_key_parameters = [\"path.id\", \"integration.request.header.X-Sku\"]";
        let gateway = orders(&origin, top, parameters, settings);
        let post = |body: &str| send(&gateway, "POST", "/orders/1", body);
        let first = post(r#"{"item": {"sku": "a"}, "at": 1}"#);
        assert_eq!(origin.last().field("x-sku"), Some("a"));
        assert_eq!(origin.last().body, br#"{"item": {"sku": "a"}, "at": 1}"#, "the body goes on as it came");
        assert_eq!(post(r#"{"at":2,"item":{"sku":"a"}}"#).text(), first.text(), "the rest of it is not in the key");
        assert_ne!(post(r#"{"item":{"sku":"b"}}"#).text(), first.text());
        let absent = post(r#"{"item":{}}"#);
        assert_eq!(origin.last().field("x-sku"), None, "no value, no field");
        assert_eq!(post("").text(), absent.text(), "an empty body has no such field either");
        assert_eq!(origin.count(), 3);
        let invalid = post(r#"{"item":"#);
        assert_eq!((invalid.status, invalid.text()), (400, r#"{"message": "Invalid JSON in request body"}"#));
        assert_eq!(origin.count(), 3);
    }
}

#[test]
fn a_chunked_body_in_pieces_is_the_same_body() {
    let origin = counting(200);
    let parameters = "\"integration.request.header.X-Sku\" = \"method.request.body.sku\"";
    let gateway =
        orders(&origin, EDGE, parameters, "cache_key_parameters = [\"path.id\", \"integration.request.header.X-Sku\"]");
    let whole = send(&gateway, "POST", "/orders/1", r#"{"sku": "a"}"#);
    let mut client = gateway.connect();
    client.send("POST /orders/1 HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"sk\r\n");
    client.send("8\r\nu\": \"a\"}\r\n0\r\n\r\n");
    assert_eq!(client.read().text(), whole.text());
    assert_eq!(client.get("/orders/1").status, 200, "the connection goes on");
}

#[test]
fn a_body_that_is_too_long_to_be_looked_at_is_refused() {
    let origin = counting(200);
    let parameters = "\"integration.request.header.X-Sku\" = \"method.request.body.sku\"";
    let settings = "cache_key_parameters = [\"path.id\", \"integration.request.header.X-Sku\"]";
    let top = "limits.body_size = \"100 B\"";
    let gateway = orders(&origin, top, parameters, settings);
    let long = format!("{{\"sku\": \"{}\"}}", "x".repeat(200));
    let mut client = gateway.connect();
    let chunk = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    client.send(format!("POST /orders/1 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"));
    assert_eq!(client.read().status, 413);
    assert_eq!(origin.count(), 0);
}

#[test]
fn context_and_stage_variables_are_in_the_key() {
    let origin = counting(200);
    let parameters = "\"integration.request.header.X-Caller\" = \"context.identity.sourceIp\", \"integration.request.querystring.tier\" = \"stageVariables.tier\"";
    let settings = "cache_key_parameters = [\"path.id\", \"integration.request.header.X-Caller\", \"integration.request.querystring.tier\"]";
    let gateway = orders(&origin, "trusted_proxies = [\"127.0.0.0/8\"]", parameters, settings);
    let from = |address: &str| gateway.get_with("/orders/1", &format!("X-Forwarded-For: {address}\r\n"));
    let first = from("192.0.2.1");
    let told = origin.last();
    assert_eq!((told.field("x-caller"), told.target.as_str()), (Some("192.0.2.1"), "/orders/1?tier=gold"));
    assert_eq!(from("192.0.2.1").text(), first.text());
    assert_ne!(from("192.0.2.2").text(), first.text());
}

#[test]
fn what_is_mapped_takes_the_place_of_what_the_client_sent() {
    let origin = counting(200);
    let parameters = "\"integration.request.header.X-Tenant\" = \"method.request.querystring.tenant\", \"integration.request.querystring.v\" = \"method.request.multivaluequerystring.view\", \"integration.request.header.X-All\" = \"method.request.multivalueheader.X-Some\", \"integration.request.querystring.fixed\" = \"'a b'\"";
    let gateway = orders(&origin, EDGE, parameters, "cache_key_parameters = []");
    let lines = "X-Tenant: forged\r\nX-Some: 1\r\nX-Some: 2\r\n";
    gateway.get_with("/orders/1?view=a%26b&view=c&v=forged&%76=forged&tenant=t%20t&x=1", lines);
    let told = origin.last();
    assert_eq!(told.target, "/orders/1?view=a%26b&view=c&tenant=t%20t&x=1&fixed=a%20b&v=a%26b&v=c");
    assert_eq!((told.field("x-tenant"), told.field("x-all")), (Some("t t"), Some("1,2")));
    send(&gateway, "POST", "/orders/2?x", "");
    let told = origin.last();
    assert_eq!(told.target, "/orders/2?x&fixed=a%20b");
    assert_eq!((told.field("x-tenant"), told.field("x-all")), (None, None), "no source, no target");
}

#[test]
fn a_mapped_value_breaks_out_of_nothing() {
    let origin = counting(200);
    let parameters = "\"integration.request.header.X-Q\" = \"method.request.querystring.q\", \"integration.request.path.id\" = \"method.request.header.X-Id\"";
    let gateway = orders(&origin, EDGE, parameters, "cache_key_parameters = []");
    let get = |q: &str, id: &str| gateway.get_with(&format!("/orders/1?q={q}"), &format!("X-Id: {id}\r\n"));
    let split = get("a%0d%0aX-Evil:%201", "1");
    assert_eq!((split.status, origin.count()), (400, 0));
    assert_eq!((get("a", "..").status, origin.count()), (400, 0));
    let missing = gateway.get("/orders/1?q=a");
    assert_eq!((missing.status, missing.text()), (400, r#"{"message": "Missing required request parameters"}"#));
    assert_eq!((get("a", "../x").status, origin.count()), (400, 0), "nor where its slash is escaped");
    assert_eq!(get("a", "x/y?z#&").status, 200);
    assert_eq!(origin.last().target, "/orders/x%2Fy%3Fz%23%26?q=a");
    let misses = "sluice_cache_miss_count_total{api=\"pets\",stage=\"prod\",method=\"GET /orders/{id}\"}";
    // A request is counted when its answer has left.
    eventually("the miss is counted", || metric(&gateway, misses) > 0);
    assert_eq!(metric(&gateway, misses), 1, "what is not sent to the origin is no miss");
}

#[test]
fn methods_with_one_namespace_share_and_others_do_not() {
    let origin = counting(200);
    let namespaces = |pets: &str, cats: &str| {
        format!(
            "[api.stage.prod.method.\"GET /pets\"]\ncache_namespace = \"{pets}\"\ncache_key_parameters = [\"query.q\"]\n\
             [api.stage.prod.method.\"GET /cats\"]\ncache_namespace = \"{cats}\"\ncache_key_parameters = [\"query.q\"]\n\
             [api.stage.prod.method.\"OPTIONS /pets\"]\ncaching_enabled = true\ncache_namespace = \"{pets}\"\ncache_key_parameters = [\"query.q\"]\n"
        )
    };
    for profile in [AWS, EDGE] {
        let shared = gateway(&origin, profile, &namespaces("one", "one"));
        let first = shared.get("/pets?q=1");
        assert_eq!(shared.get("/cats?q=1").text(), first.text());
        assert_eq!(send(&shared, "OPTIONS", "/pets?q=1", "").text(), first.text(), "verbs share as well");
        assert_ne!(shared.get("/cats?q=2").text(), first.text());
        let split = gateway(&origin, profile, &namespaces("one", "two"));
        assert_ne!(split.get("/pets?q=1").text(), split.get("/cats?q=1").text());
    }
}

/// Values alone do not tell of what they are the values.
#[test]
fn a_namespace_does_not_mix_different_parameters() {
    let origin = counting(200);
    let rules = "[api.stage.prod.method.\"GET /pets\"]\ncache_namespace = \"n\"\ncache_key_parameters = [\"query.a\"]\n\
                 [api.stage.prod.method.\"GET /cats\"]\ncache_namespace = \"n\"\ncache_key_parameters = [\"query.b\"]\n";
    let gateway = gateway(&origin, EDGE, rules);
    assert_ne!(gateway.get("/pets?a=1").text(), gateway.get("/cats?b=1").text());
}

#[test]
fn head_shares_nothing_that_has_a_body() {
    let origin = counting(200);
    let rules = ["GET", "HEAD"]
        .map(|v| format!("[api.stage.prod.method.\"{v} /pets\"]\ncaching_enabled = true\ncache_namespace = \"n\"\ncache_key_parameters = []\n"))
        .concat();
    let gateway = gateway(&origin, AWS, &rules);
    assert_eq!(gateway.connect().request("HEAD", "/pets", "").read_bodiless().status, 200);
    assert_eq!(gateway.get("/pets").text(), "answer 1");
    assert_eq!(gateway.get("/pets").text(), "answer 1");
}
