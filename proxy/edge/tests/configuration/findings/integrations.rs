//! Integrations.

use sluice::config::Severity::Warning;

use super::{Case, error, only_aws, strict, warning};

pub(super) const INTEGRATIONS: &[Case] = &[
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "MOCK"
            connect_timeout = "1s" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            status = 201 # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "MOCK"
            status = 204
            body = "x" # <-
        "#
        ),
    ),
    error(
        "bad-header",
        get!(
            "/",
            r#"
            type = "MOCK"
            headers = { "a b" = "c" } # <-
        "#
        ),
    ),
    error(
        "bad-header",
        get!(
            "/",
            r#"
            type = "MOCK"
            headers = { a = "b\nc: d" } # <-
        "#
        ),
    ),
    error(
        "bad-header",
        get!(
            "/",
            r#"
            type = "MOCK"
            headers = { Transfer-Encoding = "chunked" } # <-
        "#
        ),
    ),
    error(
        "duplicate",
        get!(
            "/",
            r#"
            type = "MOCK"
            headers = { a = "1", A = "2" } # <-
        "#
        ),
    ),
    error(
        "missing-key",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/x"
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/"
            [api.resource.method.GET.integration] # <-
            type = "HTTP_PROXY"
        "#,
    ),
    error(
        "bad-uri",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "ftp://x/" # <-
        "#
        ),
    ),
    error(
        "bad-uri",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            variables = { host = "a/b:c" }
            [[api.resource]]
            path = "/"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x:${stageVariables.host}/" # <-
        "#,
    ),
    error(
        "bad-uri",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://{id}.internal/" # <-
        "#
        ),
    ),
    error("bad-uri", get!("/", "type = \"HTTP_PROXY\"\nuri = \"http://x/{\" # <-")),
    error("bad-uri", get!("/", "type = \"HTTP_PROXY\"\nuri = \"http://x/%zz\" # <-")),
    error("bad-uri", get!("/", "type = \"HTTP_PROXY\"\nuri = \"http://x/a/../y\" # <-")),
    error(
        "bad-uri",
        "[[api]]\nid = \"a\"\n[api.stage.p]\nvariables = { v = \"..\" }\n[[api.resource]]\npath = \"/\"\n\
         [api.resource.method.GET.integration]\ntype = \"HTTP_PROXY\"\n\
         uri = \"http://x/${stageVariables.v}/y\" # <-",
    ),
    // AWS leaves them alone, which is hardly meant.
    warning("bad-uri", get!("/", "type = \"HTTP_PROXY\"\nuri = \"http://x/${stageVariables.}\" # <-")),
    warning("bad-uri", get!("/", "type = \"HTTP_PROXY\"\nuri = \"http://x/${context.stage}\" # <-")),
    error("bad-header", get!("/", "type = \"MOCK\"\nheaders = { x-amzn-RequestId = \"mine\" } # <-")),
    error("bad-header", get!("/", "type = \"MOCK\"\nheaders = { Date = \"then\" } # <-")),
    error(
        "bad-mapping",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/{q}"
            request_parameters = { "integration.request.path.q" = "method.request.querystring" } # <-
        "#
        ),
    ),
    error(
        "unmapped-variable",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/{name}" # <-
        "#
        ),
    ),
    error(
        "unknown-variable",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/{name}"
            request_parameters = { "integration.request.path.name" = "method.request.path.nme" } # <-
        "#
        ),
    ),
    error(
        "bad-mapping",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.path.id" = "path.id" } # <-
        "#
        ),
    ),
    error(
        "bad-mapping",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/{id}"
            request_parameters = { "integration.request.cookie.id" = "method.request.path.id" } # <-
        "#
        ),
    ),
    error(
        "bad-mapping",
        get!(
            "/x",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.header.X-Id" = "method.request.body.a[*]" } # <-
        "#
        ),
    ),
    error(
        "bad-mapping",
        get!(
            "/x",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.querystring.ip" = "context.identity.sourceIP" } # <-
        "#
        ),
    ),
    error(
        "bad-header",
        get!(
            "/x",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.header.Host" = "'other.test'" } # <-
        "#
        ),
    ),
    error(
        "bad-header",
        get!(
            "/x",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.header.X-Forwarded-For" = "'10.0.0.1'" } # <-
        "#
        ),
    ),
    error(
        "duplicate",
        get!(
            "/x",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            [api.resource.method.GET.integration.request_parameters]
            "integration.request.header.X-Id" = "'1'"
            "integration.request.header.x-id" = "'2'" # <-
        "#
        ),
    ),
    strict(
        "undefined-stage-variable",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/"
            [api.resource.method.GET.integration]
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.header.X-V" = "stageVariables.v" }
            [api.stage.p] # <-
        "#,
    ),
    strict(
        "no-effect",
        get!(
            "/x/{id}",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            request_parameters = { "integration.request.path.id" = "method.request.path.id" } # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            timeout = "2s"
            connect_timeout = "3s" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/"
            [api.resource.method.POST.integration]
            type = "HTTP_PROXY"
            uri = "http://x/"
            retries = 2 # <-
        "#,
    ),
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            server_name = "x" # <-
        "#
        ),
    ),
    error(
        "duplicate",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            addresses = ["10.0.0.1", "10.0.0.1:80"] # <-
        "#
        ),
    ),
    error(
        "bad-value",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            addresses = ["a:b"] # <-
        "#
        ),
    ),
    error(
        "bad-value",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "https://x/"
            server_name = "x:443" # <-
        "#
        ),
    ),
    only_aws(
        "beyond-aws",
        Warning,
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            timeout = "30s" # <-
        "#
        ),
    ),
    only_aws(
        "beyond-aws",
        Warning,
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            total_timeout = "1m" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        get!(
            "/",
            r#"
            type = "HTTP_PROXY"
            uri = "http://x/"
            timeout = "3s" # <-
            total_timeout = "2s"
        "#
        ),
    ),
];
