//! Keys of APIs, resources, methods and integrations.

use super::Absent::{Empty, Flag, Integer, Required, Text, Unset};
use super::{
    ANY_TEXT, API_ID, DAY, FILE, Form, Key, Kind, NETWORK, PROFILES, STAGE_NAME, Section, cache, millis, secs, stage,
};

pub(crate) static API: Key = Key::new(
    "api",
    Kind::Tables(&Section {
        title: "[[api]]",
        doc: "A REST API. It is reached through a domain, a listener's `default_api`, the host `{id}.execute-api.…`, or the path `/_aws/execute-api/{id}/{stage}/…`.",
        keys: &[&ID, &NAME, &PROFILE, &DISABLE_EXECUTE_API_ENDPOINT, &POLICY, &cache::API_CACHE_INVALIDATION_CALLERS, &RESOURCE, &STAGE],
    }),
    Unset("every request gets 403"),
    "The APIs.",
)
.aws("RestApi");
pub(crate) static ID: Key =
    Key::new("id", Kind::Text(&API_ID), Required, "Lower-case letters, digits and '-'.").aws("id");
pub(crate) static NAME: Key =
    Key::new("name", Kind::Text(&ANY_TEXT), Unset("the id"), "Shown in metrics and logs.").aws("name");
pub(crate) static PROFILE: Key =
    Key::new("profile", Kind::Choice(PROFILES), Unset("the node's"), "The API's own profile.");
pub(crate) static DISABLE_EXECUTE_API_ENDPOINT: Key = Key::new(
    "disable_execute_api_endpoint",
    Kind::Flag,
    Flag(false),
    "403 for the host `{id}.execute-api.…`, for `/_aws/execute-api/{id}/…` and for `x-apigw-api-id`: only custom domains and a listener's `default_api` lead to the API. Needed where a domain asks for client certificates, which the other ways do not.",
)
.aws("disableExecuteApiEndpoint");

pub(crate) static POLICY: Key = Key::new(
    "resource_policy",
    Kind::Table(&Section {
        title: "[api.resource_policy]",
        doc: "From which networks the API may be called. A deny wins; where there is an allow list, who is not in it is refused.",
        keys: &[&ALLOW, &DENY],
    }),
    Unset("everybody may call"),
    "From which networks the API may be called.",
)
.aws("policy");
pub(crate) static ALLOW: Key = Key::new(
    "allow",
    Kind::List(&NETWORK),
    Unset("everybody who is not denied"),
    "Networks whose clients may call. An empty list refuses everybody.",
)
.aws("aws:SourceIp");
pub(crate) static DENY: Key =
    Key::new("deny", Kind::List(&NETWORK), Empty, "Networks whose clients may not call.").aws("aws:SourceIp");

pub(crate) static RESOURCE: Key = Key::new(
    "resource",
    Kind::Tables(&Section {
        title: "[[api.resource]]",
        doc: "A path of the API and its methods.",
        keys: &[&PATH, &METHOD],
    }),
    Unset("the API serves nothing"),
    "The API's resources.",
)
.aws("Resource");
pub(crate) static PATH: Key = Key::new(
    "path",
    Kind::Text(&Form { name: "a resource path", pattern: "^/" }),
    Required,
    "Static parts, `{name}` for one segment, and `{name+}` at the end for all that remain (at least one). A static part goes before `{name}`, that before `{name+}`.",
)
.aws("path");
pub(crate) static METHOD: Key = Key::new(
    "method",
    Kind::Named(
        &Form {
            name: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY",
            pattern: "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|ANY)$",
        },
        &Section {
            title: "[api.resource.method.VERB]",
            doc: "A method. `ANY` takes the verbs that the resource does not name. HEAD is not implied by GET.",
            keys: &[&INTEGRATION],
        },
    ),
    Unset("the resource serves nothing"),
    "Methods by verb.",
)
.aws("Method");

pub(crate) static INTEGRATION: Key = Key::new(
    "integration",
    Kind::Table(&Section {
        title: "[api.resource.method.VERB.integration]",
        doc: "Where a method's requests go. `MOCK` uses `status`, `headers` and `body`; all the other keys are for `HTTP_PROXY`.",
        keys: &[
            &TYPE,
            &STATUS,
            &HEADERS,
            &BODY,
            &URI,
            &HTTP_METHOD,
            &REQUEST_PARAMETERS,
            &ADDRESSES,
            &TIMEOUT,
            &CONNECT_TIMEOUT,
            &FIRST_BYTE_TIMEOUT,
            &IDLE_TIMEOUT,
            &TOTAL_TIMEOUT,
            &RETRIES,
            &PRESERVE_HOST,
            &HTTP_VERSION,
            &CA_FILE,
            &SERVER_NAME,
        ],
    }),
    Required,
    "Where the method's requests go.",
)
.aws("Integration");
pub(crate) static TYPE: Key = Key::new(
    "type",
    Kind::Choice(&["MOCK", "HTTP_PROXY"]),
    Required,
    "`MOCK`: a fixed answer. `HTTP_PROXY`: the request is passed on, the answer passed back.",
)
.aws("type");
pub(crate) static STATUS: Key =
    Key::new("status", Kind::Integer(200, 599), Integer(200), "MOCK: the status of the answer.").aws("statusCode");
pub(crate) static HEADERS: Key = Key::new(
    "headers",
    Kind::Texts(&Form { name: "a header name", pattern: "" }, &ANY_TEXT),
    Empty,
    "MOCK: header fields of the answer.",
);
pub(crate) static BODY: Key = Key::new("body", Kind::Text(&ANY_TEXT), Text(""), "MOCK: the body of the answer.");
pub(crate) static URI: Key = Key::new(
    "uri",
    Kind::Text(&Form { name: "an http or https URI", pattern: "" }),
    Unset("an error: HTTP_PROXY needs it"),
    "Where requests are sent. `{name}` is a path variable, or what `request_parameters` maps to it; `{proxy}` stands for `{proxy+}`. `${stageVariables.name}` is a stage variable. The client's query string is appended.",
)
.aws("uri");
pub(crate) static HTTP_METHOD: Key = Key::new(
    "http_method",
    Kind::Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"]),
    Text("ANY"),
    "The verb towards the origin; `ANY` is the request's own.",
)
.aws("httpMethod");
pub(crate) static REQUEST_PARAMETERS: Key = Key::new(
    "request_parameters",
    Kind::Texts(
        &Form {
            name: "integration.request.path.NAME, .querystring.NAME or .header.NAME",
            pattern: r"^integration\.request\.(path|querystring|header)\..+$",
        },
        &Form { name: "an expression such as method.request.header.NAME", pattern: "" },
    ),
    Empty,
    "Values for `{name}` in the URI, query parameters and header fields that the origin is sent, in place of the client's of that name; under `aws` query parameters are appended to the client's. A path variable of the same name needs no entry. Expressions: `method.request.path.NAME`, `.querystring.NAME`, `.multivaluequerystring.NAME`, `.header.NAME`, `.multivalueheader.NAME`, `method.request.body`, `method.request.body.JSONPATH`, `stageVariables.NAME`, `context.NAME`, `'literal'`. One whose source a request does not have is left out.",
)
.aws("requestParameters");
pub(crate) static ADDRESSES: Key = Key::new(
    "addresses",
    Kind::List(&Form { name: "HOST:PORT", pattern: "" }),
    Unset("the URI's host and port"),
    "Where to connect instead of the URI's host. They are tried in turn; one that has failed three times in a row is passed over for 10 s while there are others. The port may be left out where the URI's scheme says it.",
);
pub(crate) static TIMEOUT: Key = Key::new(
    "timeout",
    Kind::Duration(millis(1), secs(3600)),
    Text("29s"),
    "From the start of the call to the end of the answer's head; with a request body, from its end on. AWS: 50 ms to 29 s.",
)
.aws("timeoutInMillis");
pub(crate) static CONNECT_TIMEOUT: Key = Key::new(
    "connect_timeout",
    Kind::Duration(millis(1), secs(3600)),
    Text("3s"),
    "For a TCP connection and its TLS handshake.",
);
pub(crate) static FIRST_BYTE_TIMEOUT: Key = Key::new(
    "first_byte_timeout",
    Kind::Duration(millis(1), secs(3600)),
    Unset("`timeout`"),
    "From the end of the request to the first byte of the answer.",
);
pub(crate) static IDLE_TIMEOUT: Key = Key::new(
    "idle_timeout",
    Kind::Duration(millis(1), secs(3600)),
    Text("60s"),
    "Between two reads of the answer's body.",
);
pub(crate) static TOTAL_TIMEOUT: Key = Key::new(
    "total_timeout",
    Kind::Duration(millis(1), secs(DAY)),
    Unset("`timeout` under `aws`, none under `edge`"),
    "For the whole call: the request's body, the answer's head and its body, retries included. The time that a client takes to read the answer does not count.",
);
pub(crate) static RETRIES: Key = Key::new(
    "retries",
    Kind::Integer(0, 10),
    Integer(1),
    "How often an idempotent request without a body is sent again after a failure. A kept connection that turned out dead does not count.",
);
pub(crate) static PRESERVE_HOST: Key =
    Key::new("preserve_host", Kind::Flag, Flag(false), "Send the client's `Host` instead of the URI's.");
pub(crate) static HTTP_VERSION: Key = Key::new(
    "http_version",
    Kind::Choice(&["1.1", "2"]),
    Text("1.1"),
    "The protocol that the origin speaks. HTTP/2 is chosen by ALPN under TLS, by prior knowledge without.",
);
pub(crate) static CA_FILE: Key = Key::new(
    "ca_file",
    Kind::Text(&FILE),
    Unset("the system's"),
    "PEM file with the authorities that are trusted for the origin's certificate.",
);
pub(crate) static SERVER_NAME: Key = Key::new(
    "server_name",
    Kind::Text(&Form { name: "a host name", pattern: "" }),
    Unset("the URI's host"),
    "The name that the origin's certificate must have, also sent as SNI.",
);

pub(crate) static STAGE: Key = Key::new(
    "stage",
    Kind::Named(&STAGE_NAME, &stage::STAGE),
    Unset("the API is not served"),
    "The API's stages by name.",
)
.aws("Stage");
