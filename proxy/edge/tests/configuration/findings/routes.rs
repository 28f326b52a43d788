//! APIs, resources and methods.

use super::{Case, error, strict, warning};

pub(super) const ROUTES: &[Case] = &[
    error(
        "bad-value",
        r#"
            [[api]]
            id = "Pets" # <-
        "#,
    ),
    warning(
        "unreachable-api",
        r#"
            [[api]] # <-
            id = "a"
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error(
        "no-methods",
        r#"
            [[api]] # <-
            id = "a"
            [api.stage.p]
        "#,
    ),
    error(
        "duplicate",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [[api]]
            id = "a" # <-
            [api.stage.p]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error(
        "duplicate",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/x"
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/x" # <-
            method.PUT.integration.type = "MOCK"
        "#,
    ),
    error(
        "variable-siblings",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/x/{a}"
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/x/{b}/c" # <-
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error(
        "variable-siblings",
        r#"
            [[api]]
            id = "a"
            [api.stage.p]
            [[api.resource]]
            path = "/{proxy+}"
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/{b}" # <-
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error(
        "out-of-range",
        mock!(
            r#"
            [[api.resource]]
            path = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}" # <-
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#
        ),
    ),
    error(
        "child-of-greedy",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/{proxy+}/x" # <-
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/y"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
    error(
        "bad-value",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "x" # <-
            method.GET.integration.type = "MOCK"
            [[api.resource]]
            path = "/y"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
    error(
        "bad-value",
        mock!(
            r#"
            method.get.integration.type = "MOCK" # <-
            [api.stage.p]
        "#
        ),
    ),
    strict(
        "no-methods",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x" # <-
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
    strict(
        "shadowed",
        r#"
            [[api]]
            id = "a"
            [[api.resource]]
            path = "/x" # <-
            [api.resource.method]
            GET.integration.type = "MOCK"
            HEAD.integration.type = "MOCK"
            POST.integration.type = "MOCK"
            PUT.integration.type = "MOCK"
            PATCH.integration.type = "MOCK"
            DELETE.integration.type = "MOCK"
            OPTIONS.integration.type = "MOCK"
            ANY.integration.type = "MOCK"
            [api.stage.p]
        "#,
    ),
    error(
        "missing-key",
        mock!(
            r#"
            [api.resource.method.PUT] # <-
            [api.stage.p]
        "#
        ),
    ),
    error(
        "bad-value",
        mock!(
            r#"
            [api.resource.method.PUT.integration]
            type = "AWS_PROXY" # <-
            [api.stage.p]
        "#
        ),
    ),
];
