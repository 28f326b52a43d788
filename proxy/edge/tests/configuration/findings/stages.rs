//! Stages.

use super::{Case, error, strict, warning};

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
    strict(
        "no-effect",
        mock!(
            r#"
            [api.stage.p.resource_policy]
            allow = ["10.0.0.0/8", "192.0.2.1"] # <-
            deny = ["0.0.0.0/0", "::/0"]
        "#
        ),
    ),
    Case {
        rule: "no-effect",
        edge: None,
        aws: None,
        text: mock!(
            r#"
            [api.stage.p.resource_policy]
            allow = ["10.0.0.0/8", "::1"]
            deny = ["10.0.0.0/9", "0.0.0.0/0"]
        "#
        ),
    },
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
    warning(
        "unused-stage-variable",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://${stageVariables.host}/"
            request_parameters = { "integration.request.header.X-V" = "stageVariables.mapped" }
            [api.stage.p.variables]
            host = "origin.internal"
            mapped = "1"
            hots = "origin.internal" # <-
        "#,
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
            [api.stage.p.method."GET /"]
            caching_enabled = true # <-
        "#
        ),
    ),
];
