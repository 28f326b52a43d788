//! What stages say of their caches.

use sluice::config::Severity::Warning;

use super::{Case, error, only_aws, strict, warning};

pub(super) const CACHES: &[Case] = &[
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_ttl = "60s" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_size = "0.5 GB" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true # <-
            caching_enabled = false
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            throttling_burst_limit = 5 # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            method.PUT.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."PUT /"]
            cache_ttl = "5s" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p.method."GET /"]
            throttling_burst_limit = 5 # <-
        "#
        ),
    ),
    error(
        "out-of-range",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_ttl = "3601s" # <-
        "#
        ),
    ),
    error(
        "out-of-range",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_ttl = "1500ms" # <-
        "#
        ),
    ),
    error(
        "cache-budget",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.q]
            cache_cluster_enabled = true
            cache_cluster_size = "64 MiB" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_data_encrypted = false # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            require_authorization_for_cache_control = false # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            unauthorized_cache_control_header_strategy = "FAIL_WITH_403" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_invalidation_callers = [] # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            require_authorization_for_cache_control = false
            unauthorized_cache_control_header_strategy = "FAIL_WITH_403" # <-
        "#
        ),
    ),
    only_aws(
        "no-effect",
        Warning,
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_statuses = { "404" = "1s" } # <-
        "#
        ),
    ),
    warning(
        "unsealed",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "8 MiB" # <-
            cache_data_encrypted = true
        "#
        ),
    ),
    error(
        "unsealed",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "0.5 GB" # <-
            method."GET /".cache_data_encrypted = true
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#
        ),
    ),
    error(
        "cache-budget",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "2 GB" # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#
        ),
    ),
    error(
        "cache-budget",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "32 MiB" # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "32 MiB" # <-
            cache_memory = "1 MiB"
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_large_objects = "10 MiB" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_large_objects = "1 MiB" # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#
        ),
    ),
    only_aws(
        "no-effect",
        Warning,
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_large_objects = "10 MiB" # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#
        ),
    ),
    error(
        "cache-budget",
        r#"
            [[api]]
            id = "a"
            profile = "edge"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "1 GB"
            cache_memory = "100 MB"
            [api.stage.p.method."GET /"]
            cache_large_objects = "226 MB" # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /"]
            cache_key_parameters = []
            cache_ttl = "0s"
            cache_stale_while_revalidate = "10s" # <-
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p]
            cache_cluster_enabled = true
            cache_ttl = "0s"
            cache_stale_if_error = "10s" # <-
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p]
            cache_cluster_enabled = true
            require_authorization_for_cache_control = false
            cache_invalidation_callers = ["10.0.0.0/8"] # <-
            [api.stage.p.method."GET /"]
            cache_key_parameters = []
        "#,
    ),
    warning(
        "no-effect",
        r#"
            [cache] # <-
            [cache.disk]
            directory = "cache"
            size = "1 GB"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
    warning(
        "index-memory",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_cluster_size = "58.2 GB" # <-
            cache_memory = "64 MiB"
            [cache.disk]
            directory = "cache"
            size = "60 GB"
        "#
        ),
    ),
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            deployment_id = "a b" # <-
        "#
        ),
    ),
    error(
        "bad-value",
        r#"
            [[api]]
            id = "a"
            profile = "edge"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_statuses = { "206" = "1s" } # <-
        "#,
    ),
    error(
        "bad-value",
        r#"
            [[api]]
            id = "a"
            profile = "edge"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_statuses = { "1xx" = "1s" } # <-
        "#,
    ),
    error(
        "out-of-range",
        r#"
            [[api]]
            id = "a"
            profile = "edge"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_statuses = { "404" = "3601s" } # <-
        "#,
    ),
    error(
        "wrong-unit",
        r#"
            [[api]]
            id = "a"
            profile = "edge"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
            cache_cluster_enabled = true
            cache_statuses = { "404" = "10" } # <-
        "#,
    ),
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p.method."GET /"]
            cache_namespace = "n" # <-
        "#
        ),
    ),
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /"]
            cache_namespace = "/n" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        r#"
            [[api]]
            id = "a"
            cache_invalidation_callers = ["10.0.0.0/8"] # <-
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
];
