//! Keys of the response cache, at a stage and at single methods of it.

use sluice_api::{CacheMode, UnauthorizedCacheControl};

use super::Absent::{Empty, Flag, Text, Unset};
use super::{DAY, Form, Key, Kind, NETWORK, TIB, secs};

static DEPLOYMENT: Form =
    Form { name: "letters, digits, '-', '_' and '.', at most 64", pattern: "^[A-Za-z0-9._-]{1,64}$" };
static NAMESPACE: Form =
    Form { name: "letters, digits, '-', '_', '.' and ':', at most 128", pattern: "^[A-Za-z0-9._:-]{1,128}$" };
static STATUS: Form =
    Form { name: "a status such as 404, or a class such as 5xx", pattern: "^([2-5][0-9]{2}|[2-5]xx)$" };
static TTL: Form = Form { name: "a duration of 0s to 3600s", pattern: "" };

pub(crate) static DEPLOYMENT_ID: Key = Key::new(
    "deployment_id",
    Kind::Text(&DEPLOYMENT),
    Unset("none"),
    "The deployment that the stage serves, for `$context.deploymentId`. Under `aws` it also stands in the cache key: another deployment starts cold, and the same one stays warm whatever else changes.",
)
.aws("deploymentId");
pub(crate) static CACHE_INVALIDATION_CALLERS: Key = Key::new(
    "cache_invalidation_callers",
    Kind::List(&NETWORK),
    Unset("the API's"),
    "Networks whose callers may have an entry replaced with `Cache-Control: max-age=0`.",
)
.aws("execute-api:InvalidateCache");
pub(crate) static API_CACHE_INVALIDATION_CALLERS: Key = Key::new(
    "cache_invalidation_callers",
    Kind::List(&NETWORK),
    Empty,
    "Networks whose callers may have entries of every stage replaced with `Cache-Control: max-age=0`, unless a stage has its own list.",
)
.aws("execute-api:InvalidateCache");

pub(crate) static CACHE_MODE: Key = Key::new(
    "cache_mode",
    Kind::Choice(CacheMode::NAMES),
    Text("ttl"),
    "`ttl`: answers live for `cache_ttl`, whatever the origin says. `rfc9111`: the origin says what is stored and for how long (`Cache-Control`, `Expires`, `Age`, validators), requests may ask for less, and `cache_ttl`, where it is written, is the most. Not under `aws`.",
);
pub(crate) static METHOD_CACHE_MODE: Key = Key::new(
    "cache_mode",
    Kind::Choice(CacheMode::NAMES),
    Unset("the stage's"),
    "Who says what of the method is stored and for how long: `ttl` or `rfc9111`.",
);
pub(crate) static STALE_WHILE_REVALIDATE: Key = Key::new(
    "cache_stale_while_revalidate",
    Kind::Duration(secs(0), secs(DAY)),
    Text("0s"),
    "For how long after its end an answer is still served while one request fetches a new one; one that a soft purge has expired, from the purge on. Under `rfc9111` the origin's own `stale-while-revalidate` goes before it, and `must-revalidate` forbids it.",
);
pub(crate) static METHOD_STALE_WHILE_REVALIDATE: Key = Key::new(
    "cache_stale_while_revalidate",
    Kind::Duration(secs(0), secs(DAY)),
    Unset("the stage's"),
    "For how long after its end an answer of the method is served while a new one is fetched.",
);
pub(crate) static STALE_IF_ERROR: Key = Key::new(
    "cache_stale_if_error",
    Kind::Duration(secs(0), secs(DAY)),
    Text("0s"),
    "For how long after its end an answer is served where the endpoint cannot be reached, is too slow, or answers 500, 502, 503 or 504. Under `rfc9111` the origin's own `stale-if-error` goes before it, and `must-revalidate` forbids it.",
);
pub(crate) static METHOD_STALE_IF_ERROR: Key = Key::new(
    "cache_stale_if_error",
    Kind::Duration(secs(0), secs(DAY)),
    Unset("the stage's"),
    "For how long after its end an answer of the method is served where no new one can be had.",
);
pub(crate) static EARLY_REFRESH: Key = Key::new(
    "cache_early_refresh",
    Kind::Duration(secs(0), secs(3600)),
    Text("0s"),
    "In the last so much of its time an answer that is asked for is fetched anew while it is served, each at a moment of its own, so that not all expire at once.",
);
pub(crate) static METHOD_EARLY_REFRESH: Key = Key::new(
    "cache_early_refresh",
    Kind::Duration(secs(0), secs(3600)),
    Unset("the stage's"),
    "How long before its end an answer of the method may be fetched anew.",
);
pub(crate) static DERIVED_ANSWERS: Key = Key::new(
    "cache_derived_answers",
    Kind::Flag,
    Unset("`true` under `edge`, `false` under `aws`"),
    "Conditional requests, single ranges and, where an ANY method is cached, HEAD are answered from the stored answer to GET; an expired answer is fetched anew only if the origin says that it has changed.",
);
pub(crate) static METHOD_DERIVED_ANSWERS: Key = Key::new(
    "cache_derived_answers",
    Kind::Flag,
    Unset("the stage's"),
    "Conditional requests, ranges and HEAD are answered from the method's stored answers.",
);
pub(crate) static LARGE_OBJECTS: Key = Key::new(
    "cache_large_objects",
    Kind::Size(0, TIB),
    Text("0 B"),
    "Bodies beyond `[cache] object_size_limit` are kept up to this size, on disk alone: written in chunks while they are sent, and sent from there. At most a quarter of what the stage has of `[cache.disk]`. `0 B`: none. Not under `aws`.",
);
pub(crate) static METHOD_LARGE_OBJECTS: Key = Key::new(
    "cache_large_objects",
    Kind::Size(0, TIB),
    Unset("the stage's"),
    "Up to which size bodies of the method are kept on disk that are too large for memory.",
);
pub(crate) static CACHE_STATUSES: Key = Key::new(
    "cache_statuses",
    Kind::Texts(&STATUS, &TTL),
    Empty,
    "How long answers with these statuses are kept, whole seconds: `{ \"404\" = \"10s\", \"5xx\" = \"1s\" }`. A single status goes before its class; `\"0s\"` keeps none. Without a rule 200, 203, 204, 301 and 308 are kept for `cache_ttl`, and nothing else is. Not under `aws`, which keeps every status.",
);
pub(crate) static METHOD_CACHE_STATUSES: Key = Key::new(
    "cache_statuses",
    Kind::Texts(&STATUS, &TTL),
    Unset("the stage's"),
    "How long answers with these statuses are kept, instead of all that the stage says.",
);
pub(crate) static CACHE_DATA_ENCRYPTED: Key = Key::new(
    "cache_data_encrypted",
    Kind::Flag,
    Flag(false),
    "Entries have to be sealed where they are written to disk. With `[cache.encryption]` everything there is, whatever this says; without it `true` is refused where there is a disk. What is kept in memory is sealed by `encrypt = \"everywhere\"` alone.",
)
.aws("cacheDataEncrypted");
pub(crate) static METHOD_CACHE_DATA_ENCRYPTED: Key = Key::new(
    "cache_data_encrypted",
    Kind::Flag,
    Unset("the stage's"),
    "The method's entries have to be sealed where they are written to disk; see the stage's.",
)
.aws("cacheDataEncrypted");
pub(crate) static REQUIRE_AUTHORIZATION: Key = Key::new(
    "require_authorization_for_cache_control",
    Kind::Flag,
    Flag(true),
    "Only callers out of `cache_invalidation_callers` may have an entry replaced with `Cache-Control: max-age=0`. `false`: everybody may, and can so put the whole load on the origin.",
)
.aws("requireAuthorizationForCacheControl");
pub(crate) static METHOD_REQUIRE_AUTHORIZATION: Key = Key::new(
    "require_authorization_for_cache_control",
    Kind::Flag,
    Unset("the stage's"),
    "Only callers out of `cache_invalidation_callers` may have an entry of the method replaced.",
)
.aws("requireAuthorizationForCacheControl");
pub(crate) static UNAUTHORIZED_STRATEGY: Key = Key::new(
    "unauthorized_cache_control_header_strategy",
    Kind::Choice(UnauthorizedCacheControl::NAMES),
    Text("SUCCEED_WITH_RESPONSE_HEADER"),
    "What happens to `Cache-Control: max-age=0` of all others: 403, or the answer as if it had not been sent, with or without a `Warning`.",
)
.aws("unauthorizedCacheControlHeaderStrategy");
pub(crate) static METHOD_UNAUTHORIZED_STRATEGY: Key = Key::new(
    "unauthorized_cache_control_header_strategy",
    Kind::Choice(UnauthorizedCacheControl::NAMES),
    Unset("the stage's"),
    "What happens to `Cache-Control: max-age=0` of callers who may not have an entry replaced.",
)
.aws("unauthorizedCacheControlHeaderStrategy");
pub(crate) static CACHE_NAMESPACE: Key = Key::new(
    "cache_namespace",
    Kind::Text(&NAMESPACE),
    Unset("the resource's own"),
    "Methods of the stage with the same namespace and the same key parameters share entries, whatever their paths and verbs; HEAD stays for itself.",
)
.aws("cacheNamespace");
