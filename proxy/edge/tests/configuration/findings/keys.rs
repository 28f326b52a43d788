//! What the cache key leaves out.

use sluice::config::Severity::{Error, Warning};

use super::{Case, error, only_aws, strict};

/// An ANY method whose integration reads a header.
macro_rules! any {
    ($rest:literal) => {
        concat!(
            "[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/x/{p+}\"\n",
            "[api.resource.method.ANY.integration]\ntype = \"HTTP_PROXY\"\nuri = \"http://x/{p}\"\n",
            "request_parameters = { \"integration.request.header.X-T\" = \"method.request.header.Tenant\" }\n",
            $rest
        )
    };
}

/// A cached POST, whose integration reads a field of the body by name, and its settings.
macro_rules! post {
    ($rest:literal) => {
        concat!(
            "[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/x\"\n",
            "[api.resource.method.POST.integration]\ntype = \"HTTP_PROXY\"\nuri = \"http://x/\"\n",
            "request_parameters = { \"integration.request.header.X-T\" = \"method.request.body.t\" }\n",
            "[api.stage.p]\ncache_cluster_enabled = true\n",
            $rest
        )
    };
}

pub(super) const KEYS: &[Case] = &[
    strict(
        "unkeyed-parameter",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x"
            method.POST.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."POST /x"] # <-
            caching_enabled = true
            cache_key_parameters = ["query.view"]
        "#,
    ),
    Case {
        rule: "unkeyed-parameter",
        edge: Some(Error),
        aws: Some(Warning),
        text: r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x"
            method.PUT.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            method.DELETE.integration = { type = "HTTP_PROXY", uri = "http://x/" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."PUT /x"] # <-
            caching_enabled = true
            [api.stage.p.method."DELETE /x"]
            caching_enabled = true
            cache_key_parameters = ["query.view"]
        "#,
    },
    strict("unkeyed-parameter", post!("[api.stage.p.method.\"POST /x\"] # <-\ncaching_enabled = true")),
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: post!(
            "[api.stage.p.method.\"POST /x\"]\ncaching_enabled = true\n\
             cache_key_parameters = [\"integration.request.header.X-T\"]"
        ),
    },
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: post!("[api.stage.p.method.\"POST /x\"]\ncaching_enabled = true\ncache_key_parameters = []"),
    },
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
    // GET is cached through an ANY method, with and without settings of its own.
    strict("unkeyed-parameter", any!("[api.stage.p] # <-\ncache_cluster_enabled = true")),
    strict(
        "unkeyed-parameter",
        any!(
            "[api.stage.p]\ncache_cluster_enabled = true\n\
             [api.stage.p.method.\"ANY /x/{p+}\"] # <-\nthrottling_rate_limit = 100"
        ),
    ),
    strict(
        "unkeyed-parameter",
        any!(
            "[api.stage.p]\ncache_cluster_enabled = true\n\
             [api.stage.p.method.\"ANY /x/{p+}\"] # <-\ncache_key_parameters = [\"path.p\"]"
        ),
    ),
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: any!(
            "[api.stage.p]\ncache_cluster_enabled = true\n\
             [api.stage.p.method.\"ANY /x/{p+}\"]\ncache_key_parameters = [\"path.p\", \"header.Tenant\"]"
        ),
    },
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: any!(
            "[api.stage.p]\ncache_cluster_enabled = true\n\
             [api.stage.p.method.\"ANY /x/{p+}\"]\ncaching_enabled = false"
        ),
    },
    error(
        "invalid-cache-key-parameter",
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
    error(
        "bad-value",
        mock!(
            r#"
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /"]
            cache_key_parameters = ["header.X y"] # <-
        "#
        ),
    ),
    error(
        "invalid-cache-key-parameter",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = ["path.id", "header.Tenant", "integration.request.header.X-Other"] # <-
        "#,
    ),
    error(
        "invalid-cache-key-parameter",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = ["path.id", "header.Tenant", "integration.request.querystring.x"] # <-
        "#,
    ),
    strict(
        "unkeyed-parameter",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"] # <-
            cache_key_parameters = ["path.id"]
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
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = ["path.id", "header.tenant"]
        "#,
    },
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = ["path.id", "multivalueheader.Tenant"]
        "#,
    },
    Case {
        rule: "unkeyed-parameter",
        edge: None,
        aws: None,
        text: r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x/{id}"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.header.X-Tenant" = "method.request.header.Tenant" }
            [api.stage.p]
            cache_cluster_enabled = true
            [api.stage.p.method."GET /x/{id}"]
            cache_key_parameters = ["path.id", "integration.request.header.X-Tenant"]
        "#,
    },
    Case {
        rule: "unkeyed-parameter",
        edge: Some(Error),
        aws: Some(Warning),
        text: r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.header.X-Caller" = "context.identity.sourceIp" }
            [api.stage.p] # <-
            cache_cluster_enabled = true
        "#,
    },
];
