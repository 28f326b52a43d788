//! Keys of the node: the top of the file, limits, timeouts, cache, throttle, admin, logs, demo.

use super::Absent::{Empty, Flag, Integer, Text, Unset};
use super::{
    DAY, FILE, Form, KIB, Key, Kind, MIB, NETWORK, PROFILES, SOCKET, Section, TIB, api, disk, front, millis, secs,
};

/// The whole file.
pub(crate) static ROOT: Section = Section {
    title: "Top level",
    doc: "What holds for the node as a whole.",
    keys: &[
        &PROFILE,
        &THREADS,
        &REGION,
        &ACCOUNT_ID,
        &TRUSTED_PROXIES,
        &CLIENT_ADDRESS_FIELD,
        &EXPLAIN_CALLERS,
        &UPGRADE_SOCKET,
        &SHUTDOWN_GRACE,
        &LIMITS,
        &TIMEOUTS,
        &CACHE,
        &THROTTLE,
        &ADMIN,
        &ACCESS_LOG,
        &LOG,
        &DEMO,
        &front::LISTENER,
        &front::DOMAIN,
        &api::API,
    ],
};

pub(crate) static PROFILE: Key = Key::new(
    "profile",
    Kind::Choice(PROFILES),
    Text("edge"),
    "`edge`: safe and observable defaults. `aws`: what Amazon API Gateway does, its surprises included. An API may state its own.",
);
pub(crate) static THREADS: Key =
    Key::new("threads", Kind::Integer(0, 1024), Integer(0), "Workers, each with its own sockets. 0: one per core.");
pub(crate) static REGION: Key = Key::new(
    "region",
    Kind::Text(&Form { name: "lower-case letters, digits and '-'", pattern: "^[a-z0-9][a-z0-9-]{0,62}$" }),
    Text("local"),
    "The region in ARNs. In host names `{api-id}.execute-api.…` any region is taken.",
);
pub(crate) static ACCOUNT_ID: Key = Key::new(
    "account_id",
    Kind::Text(&Form { name: "twelve digits", pattern: "^[0-9]{12}$" }),
    Text("000000000000"),
    "The account in ARNs and in `$context.accountId`.",
)
.aws("accountId");
pub(crate) static TRUSTED_PROXIES: Key = Key::new(
    "trusted_proxies",
    Kind::List(&NETWORK),
    Empty,
    "Peers that are believed what they say of their clients. The client is the last address in `client_address_field` that is not one of these; behind an entry that is no address, nothing counts.",
);
pub(crate) static CLIENT_ADDRESS_FIELD: Key = Key::new(
    "client_address_field",
    Kind::Choice(&["X-Forwarded-For", "Forwarded"]),
    Text("X-Forwarded-For"),
    "The field in which `trusted_proxies` tell the client's address. The other one never counts: a proxy that does not write it passes on what the client wrote.",
);
pub(crate) static EXPLAIN_CALLERS: Key = Key::new(
    "explain_callers",
    Kind::List(&NETWORK),
    Empty,
    "Clients who may send `x-sluice-explain: 1` and get the ledger of their request back.",
);
pub(crate) static UPGRADE_SOCKET: Key = Key::new(
    "upgrade_socket",
    Kind::Text(&FILE),
    Unset("`/run/sluice/upgrade.sock`; for who is not root, under `$XDG_RUNTIME_DIR` if that is set"),
    "UNIX socket at which the next process takes over: listening sockets, buckets' levels.",
);
pub(crate) static SHUTDOWN_GRACE: Key = Key::new(
    "shutdown_grace",
    Kind::Duration(secs(0), secs(DAY)),
    Text("30s"),
    "How long requests under way may go on after a stop or an upgrade.",
);

pub(crate) static LIMITS: Key = Key::new(
    "limits",
    Kind::Table(&Section {
        title: "[limits]",
        doc: "Sizes and counts that a client may not pass.",
        keys: &[&HEAD_SIZE, &HEADER_COUNT, &BODY_SIZE, &CONNECTIONS_PER_ADDRESS, &REQUESTS_PER_CONNECTION],
    }),
    Unset("the defaults of its keys"),
    "Sizes and counts that a client may not pass.",
);
pub(crate) static HEAD_SIZE: Key = Key::new(
    "head_size",
    Kind::Size(KIB, 64 * KIB),
    Text("16 KiB"),
    "Request line and header fields together. AWS: 10,240 B.",
);
pub(crate) static HEADER_COUNT: Key =
    Key::new("header_count", Kind::Integer(1, 128), Integer(100), "Header fields of a request.");
pub(crate) static BODY_SIZE: Key =
    Key::new("body_size", Kind::Size(0, TIB), Text("10 MB"), "Body of a request. AWS: 10 MB.");
pub(crate) static CONNECTIONS_PER_ADDRESS: Key = Key::new(
    "connections_per_address",
    Kind::Integer(1, u32::MAX as u64),
    Unset("no limit"),
    "Open connections per client address and listener.",
);
pub(crate) static REQUESTS_PER_CONNECTION: Key = Key::new(
    "requests_per_connection",
    Kind::Integer(1, u32::MAX as u64),
    Unset("no limit"),
    "Requests on one connection before it is closed.",
);

pub(crate) static TIMEOUTS: Key = Key::new(
    "timeouts",
    Kind::Table(&Section {
        title: "[timeouts]",
        doc: "Deadlines towards clients. Those towards origins are keys of the integration.",
        keys: &[&HANDSHAKE, &HEAD, &BODY, &IDLE],
    }),
    Unset("the defaults of its keys"),
    "Deadlines towards clients.",
);
pub(crate) static HANDSHAKE: Key = Key::new(
    "handshake",
    Kind::Duration(millis(1), secs(3600)),
    Text("10s"),
    "PROXY protocol header and TLS handshake together.",
);
pub(crate) static HEAD: Key = Key::new(
    "head",
    Kind::Duration(millis(1), secs(3600)),
    Text("10s"),
    "A whole request head, from its first byte to its last.",
);
pub(crate) static BODY: Key = Key::new(
    "body",
    Kind::Duration(millis(1), secs(3600)),
    Text("60s"),
    "Between two reads of a request's body, and between two writes of an answer.",
);
pub(crate) static IDLE: Key =
    Key::new("idle", Kind::Duration(millis(1), secs(DAY)), Text("75s"), "Between two requests on a connection.");

pub(crate) static CACHE: Key = Key::new(
    "cache",
    Kind::Table(&Section {
        title: "[cache]",
        doc: "The node's share for response caches. Which stage caches, and how, is said at the stage.",
        keys: &[&MEMORY, &OBJECT_SIZE_LIMIT, &TAG_HEADERS, &disk::DISK, &disk::ENCRYPTION],
    }),
    Unset("the defaults of its keys"),
    "The node's share for response caches.",
);
pub(crate) static MEMORY: Key = Key::new(
    "memory",
    Kind::Size(MIB, 16 * TIB),
    Text("512 MiB"),
    "Memory for the caches of all stages together; the sum of their `cache_cluster_size` may not pass it, or of their `cache_memory` where there is a disk.",
);
pub(crate) static OBJECT_SIZE_LIMIT: Key = Key::new(
    "object_size_limit",
    Kind::Size(1, 1024 * MIB),
    Text("1 MiB"),
    "The largest body that is stored in memory; `cache_large_objects` says what is kept on disk beyond it. AWS: 1,048,576 B.",
);

pub(crate) static TAG_HEADERS: Key = Key::new(
    "tag_headers",
    Kind::List(&Form { name: "a header field's name", pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$" }),
    Unset("`Surrogate-Key` and `Cache-Tag`"),
    "Fields of an answer that name its tags, for purges: at most four. Tags are separated by blanks in `Surrogate-Key`, by \
     commas in `Cache-Tag`, by either in others. An answer with more than 64 tags or 16 KiB of them is not stored.",
);

pub(crate) static THROTTLE: Key = Key::new(
    "throttle",
    Kind::Table(&Section {
        title: "[throttle]",
        doc: "Throttles for the node as a whole; those of stages and methods are said there.",
        keys: &[&ACCOUNT_RATE_LIMIT, &ACCOUNT_BURST_LIMIT, &IN_FLIGHT_LIMIT],
    }),
    Unset("the defaults of its keys"),
    "Throttles for the node as a whole.",
);
pub(crate) static ACCOUNT_RATE_LIMIT: Key = Key::new(
    "account_rate_limit",
    Kind::Number(0.0, 1e9),
    Unset("no limit under `edge`, 10,000 under `aws`"),
    "Requests a second, for all APIs together.",
)
.aws("throttleSettings.rateLimit");
pub(crate) static ACCOUNT_BURST_LIMIT: Key = Key::new(
    "account_burst_limit",
    Kind::Integer(0, 1_000_000_000),
    Unset("one second of the rate; 5,000 under `aws` where no rate is written either"),
    "How many requests may come at once: the bucket's capacity.",
)
.aws("throttleSettings.burstLimit");
pub(crate) static IN_FLIGHT_LIMIT: Key =
    Key::new("in_flight_limit", Kind::Integer(1, 10_000_000), Integer(5_000), "Requests under way at one time.");

pub(crate) static ADMIN: Key = Key::new(
    "admin",
    Kind::Table(&Section {
        title: "[admin]",
        doc: "The admin listener: health, metrics, explain, cache flushes.",
        keys: &[&ADMIN_ADDRESS, &TOKEN_FILE],
    }),
    Unset("no admin listener"),
    "The admin listener.",
);
pub(crate) static ADMIN_ADDRESS: Key = Key::new(
    "address",
    Kind::Text(&Form { name: "IP:PORT, or unix:PATH", pattern: "" }),
    Text("127.0.0.1:9901"),
    "Where it listens. An address other than loopback needs a `token_file`.",
);
pub(crate) static TOKEN_FILE: Key = Key::new(
    "token_file",
    Kind::Text(&FILE),
    Unset("no token is asked for"),
    "File with the bearer token that callers must show.",
);

pub(crate) static ACCESS_LOG: Key = Key::new(
    "access_log",
    Kind::Table(&Section {
        title: "[access_log]",
        doc: "One line for each request. It never blocks a request: what the writer cannot take is dropped and counted.",
        keys: &[&DESTINATION, &FORMAT, &BUFFER],
    }),
    Unset("no access log"),
    "The access log.",
)
.aws("accessLogSettings");
pub(crate) static DESTINATION: Key = Key::new(
    "destination",
    Kind::Text(&Form { name: "\"stdout\", or a path, relative to this file", pattern: "" }),
    Text("stdout"),
    "Where the lines go. A file is appended to, and opened anew on reload.",
)
.aws("destinationArn");
pub(crate) static FORMAT: Key = Key::new(
    "format",
    Kind::Text(&Form { name: "\"json\", \"clf\", or a line with `$context` variables", pattern: "" }),
    Text("json"),
    "`json` and `clf` are AWS's presets. Anything else is a line of your own with AWS's `$context` variables, such as `$context.requestId $context.status`.",
)
.aws("format");
pub(crate) static BUFFER: Key =
    Key::new("buffer", Kind::Size(4 * KIB, 1024 * MIB), Text("1 MiB"), "Bytes that may wait for the writer.");

pub(crate) static LOG: Key = Key::new(
    "log",
    Kind::Table(&Section { title: "[log]", doc: "The process log, on standard error.", keys: &[&LEVEL, &JSON] }),
    Unset("the defaults of its keys"),
    "The process log.",
);
pub(crate) static LEVEL: Key = Key::new(
    "level",
    Kind::Text(&Form { name: "a level, or TARGET=LEVEL, separated by commas", pattern: "" }),
    Text("info"),
    "`off`, `error`, `warn`, `info`, `debug` or `trace`; also by module: `info,sluice=debug`.",
);
pub(crate) static JSON: Key = Key::new("json", Kind::Flag, Flag(false), "Lines of JSON instead of text.");

pub(crate) static DEMO: Key = Key::new(
    "demo",
    Kind::Table(&Section {
        title: "[demo]",
        doc: "Sluice's own demo origin beside the gateway, for first steps and load tests.",
        keys: &[&DEMO_ADDRESS],
    }),
    Unset("no demo origin"),
    "The demo origin.",
);
pub(crate) static DEMO_ADDRESS: Key =
    Key::new("address", Kind::Text(&SOCKET), Text("127.0.0.1:9000"), "Where it listens.");
