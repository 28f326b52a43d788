//! Stages.

use super::{Case, error, strict};

pub(super) const STAGES: &[Case] = &[
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.q]
            [api.stage."p p"] # <-
        "#
        ),
    ),
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.p]
            variables = { a-b = "c" } # <-
        "#
        ),
    ),
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.p]
            variables = { a = "b c" } # <-
        "#
        ),
    ),
    error("unknown-method", mock!(r#"[api.stage.p.method."PUT /"] # <-"#)),
    error("unknown-method", mock!(r#"[api.stage.p.method."GET /x"] # <-"#)),
    error(
        "unknown-method",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.ANY.integration.type = "MOCK"
            [api.stage.p.method."GET /"] # <-
        "#,
    ),
    error("bad-value", mock!(r#"[api.stage.p.method."/ GET"] # <-"#)),
    strict(
        "undefined-stage-variable",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://${stageVariables.host}/"
            [api.stage.p] # <-
        "#,
    ),
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
            caching_enabled = true # <-
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
            [api.stage.p.method."GET /"]
            caching_enabled = true # <-
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
];
