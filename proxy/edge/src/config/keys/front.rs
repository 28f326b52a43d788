//! Keys of listeners and custom domains.

use super::Absent::{Flag, Required, Text, Unset};
use super::{API_ID, FILE, Form, Key, Kind, SOCKET, STAGE_NAME, Section};

pub(crate) static LISTENER: Key = Key::new(
    "listener",
    Kind::Tables(&Section {
        title: "[[listener]]",
        doc: "An address on which requests come in: HTTP/1.1, and HTTP/2 by ALPN under TLS or by prior knowledge without. There is at least one.",
        keys: &[&ADDRESS, &DEFAULT_API, &DEFAULT_STAGE, &PROXY_PROTOCOL, &REDIRECT_TO_HTTPS, &PRIVATE, &TLS],
    }),
    Required,
    "The addresses on which requests come in.",
);
pub(crate) static ADDRESS: Key =
    Key::new("address", Kind::Text(&SOCKET), Required, "Where it listens. Port 0: any free one.");
pub(crate) static DEFAULT_API: Key = Key::new(
    "default_api",
    Kind::Text(&API_ID),
    Unset("such requests get 403"),
    "The API for requests that name none by domain, host, header or `/_aws/execute-api/…`.",
);
pub(crate) static DEFAULT_STAGE: Key = Key::new(
    "default_stage",
    Kind::Text(&STAGE_NAME),
    Unset("the first path segment names the stage"),
    "The stage of `default_api`.",
);
pub(crate) static PROXY_PROTOCOL: Key = Key::new(
    "proxy_protocol",
    Kind::Flag,
    Flag(false),
    "Every connection must begin with a PROXY protocol header, version 1 or 2.",
);
pub(crate) static REDIRECT_TO_HTTPS: Key = Key::new(
    "redirect_to_https",
    Kind::Integer(1, 65_535),
    Unset("requests are served"),
    "Answer every request with a redirect to this port under `https`.",
);
pub(crate) static PRIVATE: Key =
    Key::new("private", Kind::Flag, Flag(false), "Believe the header `x-apigw-api-id`, as a private endpoint does.");
pub(crate) static TLS: Key = Key::new(
    "tls",
    Kind::Table(&Section {
        title: "[listener.tls]",
        doc: "Speak TLS, with the certificates of the domains and this one for clients that name no domain. The table may be empty.",
        keys: &[&TLS_CERTIFICATE, &TLS_PRIVATE_KEY],
    }),
    Unset("clear text"),
    "Speak TLS.",
);
pub(crate) static TLS_CERTIFICATE: Key = Key::new(
    "certificate",
    Kind::Text(&FILE),
    Unset("clients without a known server name are refused"),
    "PEM file with the certificate chain, leaf first.",
);
pub(crate) static TLS_PRIVATE_KEY: Key = Key::new(
    "private_key",
    Kind::Text(&FILE),
    Unset("there is no `certificate` either"),
    "PEM file with its private key.",
);

pub(crate) static DOMAIN: Key = Key::new(
    "domain",
    Kind::Tables(&Section {
        title: "[[domain]]",
        doc: "A custom domain.",
        keys: &[&DOMAIN_NAME, &CERTIFICATE, &PRIVATE_KEY, &CLIENT_CA, &MAPPING],
    }),
    Unset("no custom domains"),
    "Custom domains.",
)
.aws("DomainName");
pub(crate) static DOMAIN_NAME: Key = Key::new(
    "name",
    Kind::Text(&Form { name: "a host name, perhaps after '*.'", pattern: r"^(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$" }),
    Required,
    "The host name. `*.example.com` stands for every name with one more label that has no domain of its own.",
)
.aws("domainName");
pub(crate) static CERTIFICATE: Key = Key::new(
    "certificate",
    Kind::Text(&FILE),
    Unset("the listener's"),
    "PEM file with the certificate chain, leaf first.",
);
pub(crate) static PRIVATE_KEY: Key = Key::new(
    "private_key",
    Kind::Text(&FILE),
    Unset("there is no `certificate` either"),
    "PEM file with its private key.",
);
pub(crate) static CLIENT_CA: Key = Key::new(
    "client_ca",
    Kind::Text(&FILE),
    Unset("clients need no certificate"),
    "Mutual TLS: PEM file with the authorities that sign client certificates.",
)
.aws("mutualTlsAuthentication.truststoreUri");
pub(crate) static MAPPING: Key = Key::new(
    "mapping",
    Kind::Tables(&Section {
        title: "[[domain.mapping]]",
        doc: "What a base path of the domain leads to. The longest that matches wins, whatever resources the API has.",
        keys: &[&BASE_PATH, &MAPPING_API, &MAPPING_STAGE],
    }),
    Unset("every request gets 403"),
    "Base path mappings.",
)
.aws("BasePathMapping");
pub(crate) static BASE_PATH: Key = Key::new(
    "base_path",
    Kind::Text(&Form {
        name: "path segments without slashes around them",
        pattern: r"^[A-Za-z0-9$_.+!*'()/-]{0,300}$",
    }),
    Text(""),
    "Matched on whole segments. Empty, or AWS's `(none)`: everything that no other mapping takes.",
)
.aws("basePath");
pub(crate) static MAPPING_API: Key = Key::new("api", Kind::Text(&API_ID), Required, "The API's id.").aws("restApiId");
pub(crate) static MAPPING_STAGE: Key =
    Key::new("stage", Kind::Text(&STAGE_NAME), Unset("the next path segment names the stage"), "The API's stage.")
        .aws("stage");
