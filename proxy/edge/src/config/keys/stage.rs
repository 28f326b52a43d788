//! Keys of stages and of what they set per method.

use super::Absent::{Empty, Flag, Text, Unset};
use super::{Form, Key, Kind, MIB, NETWORK, Section, TIB, cache, disk, secs};

pub(crate) static STAGE: Section = Section {
    title: "[api.stage.NAME]",
    doc: "A stage. What is said of the cache, and the throttling limits, are the defaults for its methods (AWS's `*/*`).",
    keys: &[
        &VARIABLES,
        &cache::DEPLOYMENT_ID,
        &CACHE_CLUSTER_ENABLED,
        &CACHE_CLUSTER_SIZE,
        &disk::CACHE_MEMORY,
        &CACHING_ENABLED,
        &CACHE_TTL,
        &cache::CACHE_MODE,
        &cache::STALE_WHILE_REVALIDATE,
        &cache::STALE_IF_ERROR,
        &cache::EARLY_REFRESH,
        &cache::DERIVED_ANSWERS,
        &cache::LARGE_OBJECTS,
        &cache::CACHE_STATUSES,
        &cache::CACHE_DATA_ENCRYPTED,
        &cache::REQUIRE_AUTHORIZATION,
        &cache::UNAUTHORIZED_STRATEGY,
        &cache::CACHE_INVALIDATION_CALLERS,
        &THROTTLING_RATE_LIMIT,
        &THROTTLING_BURST_LIMIT,
        &POLICY,
        &METHOD,
    ],
};
pub(crate) static VARIABLES: Key = Key::new(
    "variables",
    Kind::Texts(
        &Form { name: "letters, digits and '_', at most 64", pattern: "^[A-Za-z0-9_]{1,64}$" },
        &Form { name: "at most 512 of A-Z a-z 0-9 - . _ ~ : / ? # & = ,", pattern: "^[A-Za-z0-9._~:/?#&=,-]{1,512}$" },
    ),
    Empty,
    "Stage variables, for `${stageVariables.name}` in URIs.",
)
.aws("variables");
pub(crate) static CACHE_CLUSTER_ENABLED: Key = Key::new(
    "cache_cluster_enabled",
    Kind::Flag,
    Flag(false),
    "The stage has a cache. Without it none of its methods is cached.",
)
.aws("cacheClusterEnabled");
pub(crate) static CACHE_CLUSTER_SIZE: Key = Key::new(
    "cache_cluster_size",
    Kind::Size(MIB, 16 * TIB),
    Text("0.5 GB"),
    "Memory for the stage's cache, or memory and disk where there is a `[cache.disk]`: one of AWS's sizes (0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237 GB) or any other.",
)
.aws("cacheClusterSize");
pub(crate) static CACHING_ENABLED: Key = Key::new(
    "caching_enabled",
    Kind::Flag,
    Unset("`true` once `cache_cluster_enabled` is"),
    "Cache the answers to GET, of GET methods and through ANY methods. Other verbs are cached only where a method says so itself.",
)
.aws("cachingEnabled");
pub(crate) static CACHE_TTL: Key = Key::new(
    "cache_ttl",
    Kind::Duration(secs(0), secs(3600)),
    Text("300s"),
    "How long an answer is served from the cache. `0s`: not at all.",
)
.aws("cacheTtlInSeconds");
pub(crate) static THROTTLING_RATE_LIMIT: Key = Key::new(
    "throttling_rate_limit",
    Kind::Number(0.0, 1e9),
    Unset("no limit"),
    "Requests a second; fractions are allowed. 0 refuses what the burst does not cover. Under `edge` all methods share them, under `aws` each has as many for itself.",
)
.aws("throttlingRateLimit");
pub(crate) static THROTTLING_BURST_LIMIT: Key = Key::new(
    "throttling_burst_limit",
    Kind::Integer(0, 1_000_000_000),
    Unset("one second of the rate, at least 1"),
    "How many requests may come at once: the bucket's capacity.",
)
.aws("throttlingBurstLimit");
pub(crate) static POLICY: Key = Key::new(
    "resource_policy",
    Kind::Table(&Section {
        title: "[api.stage.NAME.resource_policy]",
        doc: "From which networks the stage may be called; asked after the API's.",
        keys: &[&ALLOW, &DENY],
    }),
    Unset("the API's alone"),
    "From which networks the stage may be called.",
);
pub(crate) static ALLOW: Key = Key::new(
    "allow",
    Kind::List(&NETWORK),
    Unset("everybody who is not denied"),
    "Networks whose clients may call. An empty list refuses everybody.",
);
pub(crate) static DENY: Key = Key::new("deny", Kind::List(&NETWORK), Empty, "Networks whose clients may not call.");

pub(crate) static METHOD: Key = Key::new(
    "method",
    Kind::Named(
        &Form { name: "VERB PATH of a method", pattern: "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|ANY) /" },
        &Section {
            title: "[api.stage.NAME.method.\"VERB PATH\"]",
            doc: "Settings of one method; what is left out is the stage's.",
            keys: &[
                &METHOD_CACHING_ENABLED,
                &METHOD_CACHE_TTL,
                &CACHE_KEY_PARAMETERS,
                &cache::CACHE_NAMESPACE,
                &cache::METHOD_CACHE_MODE,
                &cache::METHOD_STALE_WHILE_REVALIDATE,
                &cache::METHOD_STALE_IF_ERROR,
                &cache::METHOD_EARLY_REFRESH,
                &cache::METHOD_DERIVED_ANSWERS,
                &cache::METHOD_LARGE_OBJECTS,
                &cache::METHOD_CACHE_STATUSES,
                &cache::METHOD_CACHE_DATA_ENCRYPTED,
                &cache::METHOD_REQUIRE_AUTHORIZATION,
                &cache::METHOD_UNAUTHORIZED_STRATEGY,
                &METHOD_THROTTLING_RATE_LIMIT,
                &METHOD_THROTTLING_BURST_LIMIT,
            ],
        },
    ),
    Empty,
    "Settings of single methods.",
)
.aws("methodSettings");
pub(crate) static METHOD_CACHING_ENABLED: Key = Key::new(
    "caching_enabled",
    Kind::Flag,
    Unset("the stage's for GET, also through an ANY method; `false` for all other verbs"),
    "Cache the method's answers: those to the verb that it names, of an ANY method those to GET and HEAD. No other setting decides about it.",
)
.aws("cachingEnabled");
pub(crate) static METHOD_CACHE_TTL: Key = Key::new(
    "cache_ttl",
    Kind::Duration(secs(0), secs(3600)),
    Unset("the stage's"),
    "How long an answer is served from the cache. `0s`: not at all.",
)
.aws("cacheTtlInSeconds");
pub(crate) static CACHE_KEY_PARAMETERS: Key = Key::new(
    "cache_key_parameters",
    Kind::List(&Form {
        name: "path.NAME, query.NAME, header.NAME, multivaluequery.NAME, multivalueheader.NAME or integration.request.….NAME",
        pattern: r"^(((method\.request\.)?(path|(multivalue)?query(string)?|(multivalue)?header))|integration\.request\.(path|querystring|header))\..+$",
    }),
    Unset("under `edge` the path and the full query, under `aws` nothing"),
    "Which parts of the request tell one cached answer from another. An empty list says that all requests get the same. Under `edge`, where the list is not empty, the query parameters that it names are the only ones that the origin of a cached verb gets. `integration.request.….NAME` is what the integration's `request_parameters` map to it, a field of the body for instance.",
)
.aws("cacheKeyParameters");
pub(crate) static METHOD_THROTTLING_RATE_LIMIT: Key = Key::new(
    "throttling_rate_limit",
    Kind::Number(0.0, 1e9),
    Unset("the stage's"),
    "Requests a second for this method; fractions are allowed.",
)
.aws("throttlingRateLimit");
pub(crate) static METHOD_THROTTLING_BURST_LIMIT: Key = Key::new(
    "throttling_burst_limit",
    Kind::Integer(0, 1_000_000_000),
    Unset("the stage's; where it has none, one second of the rate, at least 1"),
    "How many requests may come at once: the bucket's capacity.",
)
.aws("throttlingBurstLimit");
