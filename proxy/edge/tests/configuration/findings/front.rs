//! Listeners and domains.

use super::{Case, error, strict, warning};

pub(super) const FRONT: &[Case] = &[
    error("no-listener", "# [[listener]]"),
    error(
        "duplicate",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            [[listener]]
            address = "127.0.0.1:80" # <-
        "#,
    ),
    error(
        "duplicate",
        r#"
            [[listener]]
            address = "0.0.0.0:80"
            [[listener]]
            address = "127.0.0.1:80" # <-
        "#,
    ),
    error(
        "duplicate",
        r#"
            [[listener]]
            address = "127.0.0.1:9000"
            [demo] # <-
        "#,
    ),
    error(
        "unknown-api",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            default_api = "pets" # <-
        "#,
    ),
    error(
        "unknown-stage",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            default_api = "a"
            default_stage = "prd" # <-
            [[api]]
            id = "a"
            [api.stage.prod]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            default_stage = "prod" # <-
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            redirect_to_https = 443
            private = true # <-
        "#,
    ),
    strict(
        "no-effect",
        r#"
            [[listener]]
            address = "127.0.0.1:80"
            redirect_to_https = 443 # <-
            tls = { certificate = "chain.pem", private_key = "key.pem" }
        "#,
    ),
    error(
        "no-certificate",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls] # <-
        "#,
    ),
    error(
        "incomplete-pair",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls]
            certificate = "chain.pem" # <-
        "#,
    ),
    error(
        "bad-pem",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls]
            certificate = "chain.pem"
            private_key = "foreign-key.pem" # <-
        "#,
    ),
    error(
        "bad-pem",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls]
            private_key = "key.pem"
            certificate = "key.pem" # <-
        "#,
    ),
    warning(
        "expiry",
        beside_api!(
            r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls]
            private_key = "key.pem"
            certificate = "expired.pem" # <-
        "#
        ),
    ),
    warning(
        "expiry",
        r#"
            [[domain]]
            name = "example.com"
            certificate = "chain.pem"
            private_key = "key.pem"
            client_ca = "expired.pem" # <-
            [[domain.mapping]]
            api = "a"
            [[listener]]
            address = "127.0.0.1:443"
            tls = {}
            [[api]]
            id = "a"
            disable_execute_api_endpoint = true
            [api.stage.p]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error(
        "bad-pem",
        r#"
            [[domain]]
            name = "example.com"
            certificate = "chain.pem"
            private_key = "key.pem"
            client_ca = "leaf.pem" # <-
            [[domain.mapping]]
            api = "a"
            [[listener]]
            address = "127.0.0.1:443"
            tls = {}
            [[api]]
            id = "a"
            disable_execute_api_endpoint = true
            [api.stage.p]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    warning(
        "foreign-certificate",
        beside_api!(
            r#"
            [[domain]]
            name = "other.test"
            certificate = "chain.pem" # <-
            private_key = "key.pem"
            [[domain.mapping]]
            api = "a"
            [[listener]]
            address = "127.0.0.1:443"
            tls = {}
        "#
        ),
    ),
    error(
        "missing-file",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            [listener.tls]
            private_key = "nowhere.pem" # <-
            certificate = "chain.pem"
        "#,
    ),
    strict(
        "unreachable-api",
        r#"
            [[domain]] # <-
            name = "example.com"
        "#,
    ),
    error(
        "bad-value",
        beside_api!(
            r#"
            [[domain]]
            name = "exa mple" # <-
            [[domain.mapping]]
            api = "a"
        "#
        ),
    ),
    error(
        "duplicate",
        beside_api!(
            r#"
            [[domain]]
            name = "x"
            mapping = [{ api = "a" }]
            [[domain]]
            name = "X" # <-
            mapping = [{ api = "a" }]
        "#
        ),
    ),
    error(
        "duplicate",
        beside_api!(
            r#"
            [[domain]]
            name = "x"
            [[domain.mapping]]
            api = "a"
            [[domain.mapping]]
            api = "a"
            base_path = "(none)" # <-
        "#
        ),
    ),
    error(
        "bad-value",
        beside_api!(
            r#"
            [[domain]]
            name = "x"
            [[domain.mapping]]
            api = "a"
            base_path = "/v1" # <-
        "#
        ),
    ),
    warning(
        "shadowed",
        beside_api!(
            r#"
            [[domain]] # <-
            name = "x"
            mapping = [{ api = "a", base_path = "v" }, { api = "a", base_path = "v/p", stage = "p" }]
        "#
        ),
    ),
    warning(
        "shadowed",
        beside_api!(
            r#"
            [[domain]] # <-
            name = "a.execute-api.elsewhere.example.com"
            mapping = [{ api = "a" }]
        "#
        ),
    ),
    error(
        "incomplete-pair",
        beside_api!(
            r#"
            [[domain]]
            name = "x"
            mapping = [{ api = "a" }]
            client_ca = "chain.pem" # <-
        "#
        ),
    ),
    strict(
        "no-effect",
        beside_api!(
            r#"
            [[domain]] # <-
            name = "x"
            mapping = [{ api = "a" }]
            certificate = "chain.pem"
            private_key = "key.pem"
        "#
        ),
    ),
    warning(
        "around-client-ca",
        beside_api!(
            r#"
            [[listener]]
            address = "127.0.0.1:443"
            tls = {}
            [[domain]] # <-
            name = "x"
            mapping = [{ api = "a" }]
            certificate = "chain.pem"
            private_key = "key.pem"
            client_ca = "chain.pem"
        "#
        ),
    ),
    warning(
        "around-client-ca",
        r#"
            [[listener]]
            address = "127.0.0.1:443"
            tls = {}
            [[listener]]
            address = "127.0.0.1:80" # <-
            default_api = "a"
            [[domain]]
            name = "x"
            mapping = [{ api = "a" }]
            certificate = "chain.pem"
            private_key = "key.pem"
            client_ca = "chain.pem"
            [[api]]
            id = "a"
            disable_execute_api_endpoint = true
            [api.stage.p]
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
];
