//! Types, units and names.

use sluice::config::Severity::{Error, Warning};

use super::{Case, error, only_aws, strict};

pub(super) const FILE: &[Case] = &[
    error("syntax", "a = # <-"),
    error("unknown-key", "thread = 4 # <-"),
    error(
        "unknown-key",
        r#"
            [timeouts]
            idel = "75s" # <-
        "#,
    ),
    error(
        "missing-key",
        r#"
            [[api]] # <-
            name = "x"
        "#,
    ),
    error("wrong-type", r#"threads = "4" # <-"#),
    error(
        "wrong-type",
        r#"
            [limits]
            body_size = true # <-
        "#,
    ),
    error("wrong-type", "limits = 3 # <-"),
    error("wrong-type", r#"trusted_proxies = "10.0.0.0/8" # <-"#),
    error("wrong-type", "trusted_proxies = [1] # <-"),
    error(
        "wrong-type",
        r#"
            [[api]]
            id = "a"
            [api.stage]
            p.variables = { a = 1 } # <-
            [[api.resource]]
            path = "/"
            method.GET.integration.type = "MOCK"
        "#,
    ),
    error("wrong-unit", "shutdown_grace = 30 # <-"),
    error("wrong-unit", r#"shutdown_grace = "30 seconds" # <-"#),
    error(
        "wrong-unit",
        r#"
            [limits]
            body_size = 10_000_000 # <-
        "#,
    ),
    error(
        "out-of-range",
        r#"
            [limits]
            header_count = 129 # <-
        "#,
    ),
    error(
        "out-of-range",
        r#"
            [limits]
            head_size = "65 KiB" # <-
        "#,
    ),
    error("bad-value", r#"region = "EU" # <-"#),
    error("bad-value", r#"account_id = "1234" # <-"#),
    error("bad-value", r#"trusted_proxies = ["10.0.0.1/8"] # <-"#),
    error("bad-value", r#"trusted_proxies = ["10.0.0.0/33"] # <-"#),
    error(
        "bad-value",
        r#"
            [log]
            level = "sluice=loud" # <-
        "#,
    ),
    error(
        "bad-value",
        r#"
            [demo]
            address = "localhost:9000" # <-
        "#,
    ),
    error(
        "bad-log-format",
        r#"
            [access_log]
            format = "$context.requestId $context.sttus" # <-
        "#,
    ),
    error(
        "bad-log-format",
        r#"
            [access_log]
            format = "xml" # <-
        "#,
    ),
    only_aws(
        "bad-log-format",
        Error,
        r#"
            [access_log]
            format = "$context.status" # <-
        "#,
    ),
    error(
        "missing-file",
        r#"
            [access_log]
            destination = "nowhere/access.log" # <-
        "#,
    ),
    error(
        "bad-value",
        r#"
            [access_log]
            destination = "." # <-
        "#,
    ),
    strict("no-effect", r#"client_address_field = "Forwarded" # <-"#),
    error(
        "open-admin",
        r#"
            [admin]
            address = "0.0.0.0:9901" # <-
        "#,
    ),
    error(
        "missing-file",
        r#"
            [admin]
            address = "0.0.0.0:9901"
            token_file = "nowhere" # <-
        "#,
    ),
    error(
        "missing-file",
        r#"
            [admin]
            token_file = "empty" # <-
        "#,
    ),
    error(
        "cache-budget",
        r#"
            [cache]
            memory = "1 MiB"
            object_size_limit = "2 MiB" # <-
        "#,
    ),
    error(
        "bad-value",
        r#"
            [cache.disk]
            directory = "cache"
            size = "1 GB"
            [cache.encryption]
            current = 2 # <-
            [[cache.encryption.key]]
            id = 1
            env = "KEY"
        "#,
    ),
    error(
        "bad-value",
        r#"
            [cache.disk]
            directory = "cache"
            size = "1 GB"
            [cache.encryption]
            current = 1
            [[cache.encryption.key]] # <-
            id = 1
            env = "KEY"
            file = "key"
        "#,
    ),
    error(
        "no-effect",
        r#"
            [cache.encryption] # <-
            current = 1
            [[cache.encryption.key]]
            id = 1
            env = "KEY"
        "#,
    ),
    only_aws(
        "beyond-aws",
        Warning,
        r#"
            [limits]
            body_size = "11 MB" # <-
        "#,
    ),
    Case {
        rule: "no-effect",
        edge: Some(Error),
        aws: None,
        text: r#"[throttle]
account_burst_limit = 5 # <-"#,
    },
];
