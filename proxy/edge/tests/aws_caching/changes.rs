//! What another configuration does to what is stored: a changed method starts cold, everything else stays warm.

use super::*;

#[test]
fn an_unrelated_edit_leaves_everything_warm() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "cache_ttl = \"300s\"\n");
    let (pets, cats) = (gateway.get("/pets"), gateway.get("/cats"));
    edit(&gateway, "id = \"pets\"\n", "id = \"pets\"\nname = \"Animals\"\n");
    edit(&gateway, "cache_ttl = \"300s\"", "cache_ttl = \"200s\"");
    edit(&gateway, "path = \"/pets/{id}\"", "path = \"/animals/{id}\"");
    assert_eq!((gateway.get("/pets").text(), gateway.get("/cats").text()), (pets.text(), cats.text()));
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_changed_method_starts_cold_and_the_others_stay_warm() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "");
    let (pets, cats) = (gateway.get("/pets"), gateway.get("/cats"));
    edit(&gateway, "/cats\" }", "/lions\" }");
    assert_eq!(gateway.get("/pets").text(), pets.text());
    assert_ne!(gateway.get("/cats").text(), cats.text(), "it is another answer now");
    assert_eq!(origin.last().target, "/lions");
}

#[test]
fn another_key_rule_starts_cold() {
    let origin = counting(200);
    let keyed = "[api.stage.prod.method.\"GET /cats\"]\ncache_key_parameters = [\"query.a\"]\n";
    let gateway = gateway(&origin, EDGE, keyed);
    assert_eq!(gateway.get("/cats?a=1&b=1").text(), "answer 0");
    edit(&gateway, "[\"query.a\"]", "[\"query.b\"]");
    assert_eq!(gateway.get("/cats?a=1&b=1").text(), "answer 1");
}

#[test]
fn a_stage_variable_that_shapes_an_answer_starts_it_cold() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "variables = { kind = \"lions\", other = \"1\" }\n");
    edit(&gateway, "/cats\" }", "/${stageVariables.kind}\" }");
    let (pets, lions) = (gateway.get("/pets"), gateway.get("/cats"));
    edit(&gateway, "other = \"1\"", "other = \"2\"");
    assert_eq!(gateway.get("/cats").text(), lions.text(), "it uses another one");
    edit(&gateway, "kind = \"lions\"", "kind = \"tigers\"");
    assert_ne!(gateway.get("/cats").text(), lions.text());
    assert_eq!((origin.last().target.as_str(), gateway.get("/pets").text()), ("/tigers", pets.text()));
}

#[test]
fn under_a_deployment_id_other_changes_stay_warm() {
    let origin = counting(200);
    let gateway = gateway(&origin, AWS, "deployment_id = \"one\"\n");
    let cats = gateway.get("/cats");
    edit(&gateway, "/cats\" }", "/lions\" }");
    assert_eq!(gateway.get("/cats").text(), cats.text(), "AWS asks for another deployment");
}

#[test]
fn another_size_keeps_what_is_stored() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "");
    let pets = gateway.get("/pets");
    for (from, to, capacity) in [("16 MiB", "64 MiB", 64u64 << 20), ("64 MiB", "8 MiB", 8 << 20)] {
        edit(&gateway, from, to);
        assert_eq!(metric(&gateway, "sluice_cache_capacity_bytes{"), capacity);
        assert_eq!(gateway.get("/pets").text(), pets.text(), "{from} to {to}");
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_shorter_ttl_is_for_what_is_stored_from_now_on() {
    let origin = counting(200);
    let gateway = gateway(&origin, EDGE, "cache_ttl = \"300s\"\n");
    gateway.get("/pets");
    edit(&gateway, "cache_ttl = \"300s\"", "cache_ttl = \"10s\"");
    let ttl = |target: &str| {
        let told = gateway.get(target).field("cache-status").unwrap().to_owned();
        told.strip_prefix("Sluice; hit; ttl=").unwrap().parse::<u32>().unwrap()
    };
    gateway.get("/cats");
    assert!(ttl("/pets") > 100 && ttl("/cats") <= 10);
}
