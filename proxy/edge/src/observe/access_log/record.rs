//! What a line can tell of a request, borrowed from the request while it is accounted for.

use std::net::IpAddr;

/// One finished request. An absent value is written as `-`.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// Receipt, microseconds since the UNIX epoch.
    pub time_us: u64,
    /// `$context.requestId`; `$context.extendedRequestId` comes from it.
    pub request_id: u128,
    /// The client's address, after trusted proxies.
    pub source_ip: IpAddr,
    /// The request's method as sent.
    pub method: &'a str,
    /// `HTTP/1.1`.
    pub protocol: &'a str,
    /// `$context.domainName`: the host asked for, without port.
    pub domain_name: Option<&'a str>,
    /// `$context.path`, with the stage, without the query string.
    pub path: &'a [u8],
    /// The raw query string; only `$context.queryString` shows it.
    pub query: Option<&'a [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// The `X-Amzn-Trace-Id` field.
    pub trace_id: Option<&'a [u8]>,
    /// The account that owns the API.
    pub account_id: Option<&'a str>,
    /// The API's id.
    pub api_id: Option<&'a str>,
    /// The stage's name.
    pub stage: Option<&'a str>,
    /// The deployment's id.
    pub deployment_id: Option<&'a str>,
    /// The resource's id.
    pub resource_id: Option<&'a str>,
    /// The resource's path, such as `/pets/{id}`.
    pub resource_path: Option<&'a str>,
    /// The base path mapping that matched.
    pub base_path: Option<&'a str>,
    /// Final status.
    pub status: u16,
    /// Bytes of the answer's body.
    pub response_length: u64,
    /// From receipt to the answer's end, microseconds.
    pub latency_us: u64,
    /// From relay to the backend's answer, microseconds.
    pub integration_latency_us: Option<u64>,
    /// The backend's status.
    pub integration_status: Option<u16>,
    /// What went wrong with the backend, for the log only.
    pub integration_error: Option<&'a str>,
    /// The error's message to the client.
    pub error_message: Option<&'a str>,
    /// The gateway response's type, such as `THROTTLED`.
    pub error_type: Option<&'a str>,
    /// What the cache did: `hit`, `miss`, `stale`, …
    pub cache_status: Option<&'a str>,
    /// Whose doing it is that the answer broke off: `endpoint`, `client`, …; absent for a whole one.
    pub broken_off: Option<&'a str>,
    /// The way in: `lane`, `session`, `http2`.
    pub way: &'a str,
}
