//! What the cache key leaves out.

use sluice::config::Severity::Warning;

use super::{Case, error, only_aws, strict};

pub(super) const KEYS: &[Case] = &[
    strict(
        "unkeyed-parameter",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/{id}" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"] # <-
            cache_key_parameters = ["query.view"]
        "#,
    ),
    only_aws(
        "unkeyed-parameter",
        Warning,
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/{id}" }
            [api.stage.p] # <-
            cache_cluster_enabled = true
        "#,
    ),
    only_aws(
        "unkeyed-parameter",
        Warning,
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p] # <-
            cache_cluster_enabled = true
        "#,
    ),
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/{id}" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = []"#,
    },
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: r#"[[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            method.GET.integration = { type = "HTTP_PROXY", uri = "http://x/{id}" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            caching_enabled = false
            [api.stage.q]
            cache_cluster_enabled = false"#,
    },
    error(
        "unknown-variable",
        mock!(
            r#"[api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /"]
            cache_key_parameters = ["path.id"] # <-
        "#
        ),
    ),
    error(
        "duplicate",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /"]
            cache_key_parameters = ["query.a", "method.request.querystring.a"] # <-
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
            cache_key_parameters = ["cookie.a"] # <-
        "#
        ),
    ),
];
