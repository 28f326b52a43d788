//! Integrations: where a method's requests go. AWS's reference: `PutIntegration`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A method's integration.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// What it does.
    pub kind: IntegrationKind,
    /// From the start of the call to the end of the answer's head (`timeoutInMillis`; 29 s).
    pub timeout: Duration,
}

/// The integration types that are served.
#[derive(Clone, Debug, PartialEq)]
pub enum IntegrationKind {
    /// `MOCK`: answers without an endpoint.
    Mock(MockIntegration),
    /// `HTTP_PROXY`: passes the request on.
    HttpProxy(Box<HttpIntegration>),
}

/// The fixed answer of a `MOCK` integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockIntegration {
    /// 200 to 599.
    pub status: u16,
    /// In the order of the configuration; names are checked tokens, values have no control characters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// An `HTTP_PROXY` integration.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpIntegration {
    /// The URI with `{path}` and `${stageVariables.name}` in it, as it was written.
    pub uri: String,
    /// `None`: the verb of the request.
    pub http_method: Option<crate::Verb>,
    /// `integration.request.….NAME` <- expression; a path variable of the same name needs no entry.
    pub request_parameters: BTreeMap<String, String>,
    /// Where to connect instead of the URI's authority; tried in turn, unhealthy ones last.
    pub addresses: Vec<Address>,
    /// Limit for a TCP connection and TLS handshake.
    pub connect_timeout: Duration,
    /// Limit from the end of the request to the first byte of the answer.
    pub first_byte_timeout: Duration,
    /// Limit between two reads of the answer's body.
    pub idle_timeout: Duration,
    /// Limit for the whole call, from its start to the end of the answer's body.
    pub total_timeout: Option<Duration>,
    /// How often an idempotent request is sent again after a failure; a dead pooled connection does not count.
    pub retries: u32,
    /// Send the client's Host instead of the URI's.
    pub preserve_host: bool,
    /// The protocol that the origin speaks.
    pub version: UpstreamVersion,
    /// How its certificate is checked, for `https`.
    pub tls: OriginTls,
}

/// The protocol towards an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamVersion {
    /// HTTP/1.1, as AWS does.
    #[default]
    Http1,
    /// HTTP/2: by ALPN under TLS, by prior knowledge without.
    Http2,
}

/// Verification of an origin's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginTls {
    /// PEM file of the authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name to verify and to send as SNI instead of the URI's host.
    pub server_name: Option<String>,
}

/// Not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not HOST:PORT")]
pub struct AddressError(pub String);

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: Box<str>,
    /// 1 to 65535.
    pub port: u16,
}

impl Address {
    /// `HOST:PORT`, `[V6]:PORT`, or without a port where `default_port` is given.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, AddressError> {
        let bad = || AddressError(text.into());
        let (host, port) = split_port(text).ok_or_else(bad)?;
        if text.starts_with('[') && !host.contains(':') {
            return Err(bad());
        }
        let port = match port {
            Some(p) => p.parse::<u16>().ok().filter(|p| *p > 0),
            None => default_port,
        };
        Ok(Self { host: checked_host(host).ok_or_else(bad)?, port: port.ok_or_else(bad)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        return match tail {
            "" => Some((host, None)),
            _ => Some((host, Some(tail.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

fn checked_host(host: &str) -> Option<Box<str>> {
    if host.contains(':') {
        return host.parse::<std::net::Ipv6Addr>().ok().map(|_| host.into());
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(good)).then(|| host.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let a = |t: &str, d| Address::parse(t, d).map(|a| a.to_string()).ok();
        assert_eq!(a("Origin.internal:80", None).as_deref(), Some("origin.internal:80"));
        assert_eq!(a("[::1]:8080", None).as_deref(), Some("[::1]:8080"));
        assert_eq!(a("[::1]", Some(80)).as_deref(), Some("[::1]:80"));
        assert_eq!(a("10.0.0.1", Some(443)).as_deref(), Some("10.0.0.1:443"));
        for bad in ["", ":80", "a:0", "a:70000", "a b:1", "[::1", "[zz]:1", "::1:80", "host"] {
            assert_eq!(a(bad, None), None, "{bad}");
        }
    }
}
