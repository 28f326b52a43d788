//! Each key changes the configuration. A key without a case here is listed in `golden/untested-keys.txt`.

use sluice::config::Configuration;
use toml::Table;

use crate::every_key::{base_for, with};
use crate::parse;

/// A key, a value for it, and what else has to be so that the value means something.
type Effect = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const EFFECTS: &[Effect] = &[
    ("profile", "'aws'", &[]),
    ("threads", "7", &[]),
    ("region", "'eu-central-1'", &[]),
    ("account_id", "'123456789012'", &[]),
    ("trusted_proxies", "['10.0.0.0/8']", &[]),
    ("client_address_field", "'Forwarded'", &[("trusted_proxies", "['10.0.0.0/8']")]),
    ("explain_callers", "['::1']", &[]),
    ("upgrade_socket", "'up.sock'", &[]),
    ("shutdown_grace", "'0s'", &[]),
    ("limits.head_size", "'8 KiB'", &[]),
    ("limits.header_count", "64", &[]),
    ("limits.body_size", "'2 GB'", &[]),
    ("limits.connections_per_address", "10", &[]),
    ("limits.requests_per_connection", "1_000", &[]),
    ("timeouts.handshake", "'1s'", &[]),
    ("timeouts.head", "'1s'", &[]),
    ("timeouts.body", "'1m'", &[("timeouts.body", "'2m'")]),
    ("timeouts.idle", "'1h'", &[]),
    ("cache.memory", "'1 GiB'", &[]),
    ("cache.object_size_limit", "'10 MiB'", &[]),
    ("cache.tag_headers", "['X-Tags']", &[]),
    ("cache.disk.directory", "'elsewhere'", &[]),
    ("cache.disk.size", "'2 GB'", &[]),
    ("cache.disk.reads", "'direct'", &[]),
    ("cache.encryption.encrypt", "'everywhere'", &[]),
    ("cache.encryption.current", "2", &[("cache.encryption.key", "[{ id = 1, env = 'A' }, { id = 2, env = 'B' }]")]),
    ("cache.encryption.key.id", "3", &[("cache.encryption.key", "[{ id = 1, env = 'A' }, { id = 2, env = 'B' }]")]),
    ("cache.encryption.key.file", "'other.key'", &[]),
    ("cache.encryption.key.env", "'B'", &[("cache.encryption.key", "[{ id = 1, env = 'A' }]")]),
    ("cache.encryption.key.command", "['b']", &[("cache.encryption.key", "[{ id = 1, command = ['a'] }]")]),
    ("cache.encryption.key.timeout", "'20s'", &[("cache.encryption.key", "[{ id = 1, command = ['a'] }]")]),
    ("throttle.account_rate_limit", "0.5", &[]),
    ("throttle.account_burst_limit", "7", &[("throttle.account_rate_limit", "100")]),
    ("throttle.in_flight_limit", "10", &[]),
    ("admin.address", "'unix:admin.sock'", &[]),
    ("admin.token_file", "'token'", &[]),
    ("access_log.destination", "'access.log'", &[]),
    ("access_log.format", "'$context.requestId $context.status'", &[]),
    ("access_log.buffer", "'64 KiB'", &[]),
    ("log.level", "'info,sluice=debug'", &[]),
    ("log.json", "true", &[]),
    ("demo.address", "'[::1]:9000'", &[]),
    ("listener.address", "'0.0.0.0:8443'", &[]),
    ("listener.default_api", "'pets'", &[]),
    ("listener.default_stage", "'prod'", &[("listener.default_api", "'pets'")]),
    ("listener.proxy_protocol", "true", &[]),
    (
        "listener.redirect_to_https",
        "8443",
        &[("listener", "[{ address = '127.0.0.1:8443', tls = {} }, { address = '127.0.0.1:8080' }]")],
    ),
    ("listener.private", "true", &[]),
    ("listener.tls.certificate", "'other-chain.pem'", &[]),
    ("listener.tls.private_key", "'other-key.pem'", &[]),
    ("domain.name", "'*.Example.org'", &[]),
    ("domain.certificate", "'other-chain.pem'", &[]),
    ("domain.private_key", "'other-key.pem'", &[]),
    ("domain.client_ca", "'chain.pem'", &[]),
    ("domain.mapping.base_path", "'v1/pets'", &[]),
    ("domain.mapping.api", "'other'", &[("api", "[{ id = 'pets' }, { id = 'other' }]")]),
    ("domain.mapping.stage", "'prod'", &[]),
    ("api.id", "'pets2'", &[("domain", "[]")]),
    ("api.name", "'Pets'", &[]),
    ("api.profile", "'aws'", &[]),
    ("api.disable_execute_api_endpoint", "true", &[]),
    ("api.resource_policy.allow", "[]", &[]),
    ("api.resource_policy.deny", "['10.0.0.0/8', '2001:db8::/32', '10.1.1.1']", &[]),
    ("api.resource.path", "'/pets/{id}/{proxy+}'", &[("api.stage.method", "{}")]),
    (
        "api.resource.method.integration.type",
        "'HTTP_PROXY'",
        &[("profile", "'aws'"), ("api.resource.method.integration", "{ type = 'MOCK', uri = 'http://x/{id}' }")],
    ),
    ("api.resource.method.integration.status", "404", &[]),
    ("api.resource.method.integration.headers", "{ x-a = 'b' }", &[]),
    ("api.resource.method.integration.body", "'{}'", &[]),
    ("api.resource.method.integration.uri", "'http://x/{id}'", &[]),
    ("api.resource.method.integration.http_method", "'POST'", &[]),
    (
        "api.resource.method.integration.request_parameters",
        "{ 'integration.request.path.id' = 'method.request.path.id' }",
        &[],
    ),
    ("api.resource.method.integration.addresses", "['10.0.0.1', '10.0.0.2:8080', '[::1]:80']", &[]),
    ("api.resource.method.integration.timeout", "'50ms'", &[]),
    ("api.resource.method.integration.connect_timeout", "'1s'", &[]),
    ("api.resource.method.integration.first_byte_timeout", "'1s'", &[]),
    ("api.resource.method.integration.idle_timeout", "'1s'", &[]),
    ("api.resource.method.integration.total_timeout", "'1m'", &[]),
    ("api.resource.method.integration.retries", "0", &[]),
    ("api.resource.method.integration.preserve_host", "true", &[]),
    ("api.resource.method.integration.http_version", "'2'", &[]),
    ("api.resource.method.integration.ca_file", "'chain.pem'", &[]),
    ("api.resource.method.integration.server_name", "'origin.example.com'", &[]),
    ("api.cache_invalidation_callers", "['10.0.0.0/8']", &[]),
    ("api.stage.variables", "{ backend = 'origin.internal:8080' }", &[]),
    ("api.stage.cache_cluster_enabled", "false", &[]),
    ("api.stage.cache_cluster_size", "'400 MiB'", &[]),
    ("api.stage.cache_memory", "'32 MiB'", &[]),
    (
        "api.stage.caching_enabled",
        "false",
        &[("api.stage.method", "{ 'GET /pets/{id}' = { caching_enabled = true } }")],
    ),
    ("api.stage.cache_ttl", "'3600s'", &[]),
    ("api.stage.deployment_id", "'2026-11-21.1'", &[]),
    ("api.stage.cache_mode", "'rfc9111'", &[]),
    ("api.stage.cache_stale_while_revalidate", "'10s'", &[]),
    ("api.stage.cache_stale_if_error", "'10s'", &[]),
    ("api.stage.cache_early_refresh", "'10s'", &[]),
    ("api.stage.cache_derived_answers", "false", &[]),
    ("api.stage.cache_large_objects", "'50 MB'", &[]),
    ("api.stage.cache_statuses", "{ '404' = '10s', '5xx' = '1s' }", &[]),
    ("api.stage.cache_data_encrypted", "true", &[]),
    ("api.stage.require_authorization_for_cache_control", "false", &[]),
    ("api.stage.unauthorized_cache_control_header_strategy", "'FAIL_WITH_403'", &[]),
    ("api.stage.cache_invalidation_callers", "[]", &[("api.cache_invalidation_callers", "['10.0.0.0/8']")]),
    ("api.stage.method.cache_namespace", "'pets'", &[]),
    ("api.stage.method.cache_mode", "'rfc9111'", &[]),
    ("api.stage.method.cache_stale_while_revalidate", "'10s'", &[]),
    ("api.stage.method.cache_stale_if_error", "'10s'", &[]),
    ("api.stage.method.cache_early_refresh", "'10s'", &[]),
    ("api.stage.method.cache_derived_answers", "false", &[]),
    ("api.stage.method.cache_large_objects", "'50 MB'", &[]),
    ("api.stage.method.cache_statuses", "{}", &[("api.stage.cache_statuses", "{ '404' = '10s' }")]),
    ("api.stage.method.cache_data_encrypted", "false", &[("api.stage.cache_data_encrypted", "true")]),
    ("api.stage.method.require_authorization_for_cache_control", "false", &[]),
    ("api.stage.method.unauthorized_cache_control_header_strategy", "'SUCCEED_WITHOUT_RESPONSE_HEADER'", &[]),
    ("api.stage.throttling_rate_limit", "0.5", &[]),
    ("api.stage.throttling_burst_limit", "3", &[("api.stage.throttling_rate_limit", "1")]),
    ("api.stage.resource_policy.allow", "['10.0.0.0/8']", &[]),
    ("api.stage.resource_policy.deny", "['10.0.0.0/8']", &[]),
    ("api.stage.method.caching_enabled", "false", &[]),
    ("api.stage.method.cache_ttl", "'0s'", &[]),
    ("api.stage.method.cache_key_parameters", "['path.id', 'query.view', 'header.Accept']", &[]),
    ("api.stage.method.throttling_rate_limit", "500", &[]),
    ("api.stage.method.throttling_burst_limit", "3", &[("api.stage.throttling_rate_limit", "1")]),
];

/// The keys that have a case.
pub(crate) fn keys() -> impl Iterator<Item = String> {
    EFFECTS.iter().map(|(path, _, _)| (*path).to_owned())
}

#[test]
fn every_key_changes_the_configuration() {
    for (path, value, context) in EFFECTS {
        let mut document = base_for(path);
        context.iter().for_each(|(path, value)| with(&mut document, path, value));
        let before = configuration(&document, path);
        with(&mut document, path, value);
        assert_ne!(before, configuration(&document, path), "{path} = {value} changes nothing");
    }
}

fn configuration(document: &Table, path: &str) -> Configuration {
    match parse(&toml::to_string(document).unwrap()) {
        Ok((configuration, _)) => configuration,
        Err(findings) => panic!("{path}: {findings:#?}\n{}", toml::to_string(document).unwrap()),
    }
}
