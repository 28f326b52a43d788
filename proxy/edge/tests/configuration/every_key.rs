//! What holds for every key and every table alike: each is read, each refuses what it does not understand.

use sluice::config::{Kind, key_paths};
use toml::{Table, Value};

use crate::findings_of;

/// A file in which every table stands at least once.
pub(crate) const BASE: &str = r#"
[limits]
[timeouts]
[cache]
[cache.disk]
directory = "cache"
size = "1 GB"
[cache.encryption]
current = 1
[[cache.encryption.key]]
id = 1
file = "cache.key"
[throttle]
[admin]
address = "127.0.0.1:9901"
[access_log]
[log]
[demo]
[[listener]]
address = "127.0.0.1:8080"
[listener.tls]
certificate = "chain.pem"
private_key = "key.pem"
[[domain]]
name = "example.com"
certificate = "chain.pem"
private_key = "key.pem"
[[domain.mapping]]
api = "pets"
[[api]]
id = "pets"
[api.resource_policy]
[[api.resource]]
path = "/pets/{id}"
[api.resource.method.GET.integration]
type = "HTTP_PROXY"
uri = "https://origin.internal/{id}"
request_parameters = {}
[api.stage.prod]
cache_cluster_enabled = true
variables = {}
[api.stage.prod.resource_policy]
[api.stage.prod.method."GET /pets/{id}"]
"#;

/// The base with one more value, written in TOML, at a path such as `api.stage.cache_ttl`.
pub(crate) fn with(document: &mut Table, path: &str, value: &str) {
    let value = format!("x = {value}").parse::<Table>().unwrap().remove("x").unwrap();
    let (table, name) = match path.rsplit_once('.') {
        Some((parents, name)) => (descend(document, parents), name),
        None => (document, path),
    };
    table.insert(name.into(), value);
}

/// The table at a path: the last of an array, the first of named ones.
fn descend<'t>(document: &'t mut Table, path: &str) -> &'t mut Table {
    path.split('.').fold(document, |table, name| {
        let named = matches!(name, "method" | "stage");
        let value = table.get_mut(name).unwrap_or_else(|| panic!("the base has no {path}"));
        match value {
            Value::Array(items) => items.last_mut().unwrap().as_table_mut().unwrap(),
            Value::Table(inner) => match named {
                true => inner.iter_mut().next().unwrap().1.as_table_mut().unwrap(),
                false => inner,
            },
            _ => panic!("{path} is no table"),
        }
    })
}

/// A base in which the key is read: those of MOCK are not read for HTTP_PROXY.
pub(crate) fn base_for(path: &str) -> Table {
    let mut base: Table = BASE.parse().unwrap();
    let mock = ["status", "headers", "body"].map(|name| format!("api.resource.method.integration.{name}"));
    if mock.iter().any(|m| m == path) {
        let integration = "{ type = 'MOCK' }";
        with(&mut base, "api.resource.method.integration", integration);
    }
    base
}

#[test]
fn the_base_has_no_findings() {
    assert_eq!(findings_of(BASE), []);
}

/// A date is the value of no key, so each key that is read refuses it.
#[test]
fn every_key_refuses_a_wrong_type() {
    for (path, key) in key_paths() {
        let mut document = base_for(&path);
        with(&mut document, &path, "1979-05-27");
        let findings = findings_of(&toml::to_string(&document).unwrap());
        let about = format!("'{}' is ", key.name);
        let found = findings.iter().any(|f| f.name == "wrong-type" && f.message.starts_with(&about));
        assert!(found, "{path}: {findings:?}");
    }
}

#[test]
fn sizes_and_durations_need_a_unit() {
    for (path, key) in key_paths() {
        let help = match key.kind {
            Kind::Duration(..) => "write \"300s\"",
            Kind::Size(..) => "write \"300 MiB\", or whichever unit is meant",
            _ => continue,
        };
        for value in ["300", "'300'"] {
            let mut document = base_for(&path);
            with(&mut document, &path, value);
            let findings = findings_of(&toml::to_string(&document).unwrap());
            assert!(findings.iter().any(|f| f.name == "wrong-unit" && f.help == help), "{path}: {findings:?}");
        }
    }
}

#[test]
fn numbers_sizes_and_durations_keep_their_range() {
    for (path, key) in key_paths() {
        let value = match key.kind {
            Kind::Integer(..) | Kind::Number(..) => "-1",
            Kind::Duration(..) => "'9999h'",
            Kind::Size(..) => "'9999 TiB'",
            _ => continue,
        };
        let mut document = base_for(&path);
        with(&mut document, &path, value);
        let findings = findings_of(&toml::to_string(&document).unwrap());
        assert!(findings.iter().any(|f| f.name == "out-of-range"), "{path} = {value}: {findings:?}");
    }
}

#[test]
fn every_table_refuses_unknown_keys() {
    let tables = key_paths()
        .into_iter()
        .filter(|(_, key)| matches!(key.kind, Kind::Table(_) | Kind::Tables(_) | Kind::Named(..)));
    for path in tables.map(|(path, _)| format!("{path}.nonsense")).chain(["nonsense".into()]) {
        let mut document = base_for(&path);
        with(&mut document, &path, "1");
        let findings = findings_of(&toml::to_string(&document).unwrap());
        assert_eq!(findings.iter().map(|f| f.name).collect::<Vec<_>>(), ["unknown-key"], "{path}");
    }
}
