//! The checked configuration: what the rest of the gateway is built from. Nothing in it can be wrong any more.
//!
//! How it is written down, and every key's default, is in `docs/configuration.md`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;
use sluice_api::{Api, ApiId, Profile, StageName, Throttle};
use sluice_cache::seal::{KeyId, Source};
use sluice_cache::tier::disk::Reads;

/// A whole configuration file, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What holds for the node.
    pub node: Node,
    /// Where it listens; at least one.
    pub listeners: Vec<Listener>,
    /// Custom domains.
    pub domains: Vec<Domain>,
    /// The APIs, by unique id.
    pub apis: Vec<Api>,
    /// Other files that it names and that were read: certificates, keys, authorities, tokens.
    pub files: Vec<PathBuf>,
}

/// What holds for the node as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// For APIs that do not state their own.
    pub profile: Profile,
    /// Workers, each with its own sockets; resolved, so at least 1.
    pub threads: usize,
    /// AWS's names for where this is, used in ARNs.
    pub region: String,
    /// Twelve digits.
    pub account_id: String,
    /// Peers whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// What they tell the client's address by.
    pub client_address_field: ForwardingField,
    /// Sizes and counts that a client may not pass.
    pub limits: Limits,
    /// Deadlines towards clients.
    pub timeouts: Timeouts,
    /// The response cache's share of the node.
    pub cache: CacheBudget,
    /// Account-wide throttles.
    pub throttle: NodeThrottle,
    /// The admin listener, unless it is off.
    pub admin: Option<Admin>,
    /// Access log, unless it is off.
    pub access_log: Option<AccessLog>,
    /// The process log.
    pub log: ProcessLog,
    /// Sluice's own demo origin beside the gateway.
    pub demo: Option<SocketAddr>,
    /// UNIX socket at which the next process takes over.
    pub upgrade_socket: PathBuf,
    /// How long open connections may go on after a stop or an upgrade.
    pub shutdown_grace: Duration,
    /// Callers who may ask for an explanation with `x-sluice-explain: 1`.
    pub explain_callers: Vec<IpNetwork>,
}

/// A field in which proxies tell for whom they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardingField {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Sizes and counts that a client may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and header fields, bytes; at most 64 KiB.
    pub head_size: usize,
    /// Header fields; at most 128.
    pub header_count: usize,
    /// Request body, bytes.
    pub body_size: u64,
    /// Open connections per client address and listener.
    pub connections_per_address: Option<u32>,
    /// Requests on one connection before it is closed.
    pub requests_per_connection: Option<u32>,
}

/// Deadlines towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// PROXY header and TLS handshake, together.
    pub handshake: Duration,
    /// A whole request head, from its first byte.
    pub head: Duration,
    /// Between two reads of a request body, and between two writes of an answer.
    pub body: Duration,
    /// Between two requests.
    pub idle: Duration,
}

/// The response cache's share of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheBudget {
    /// Bytes of memory for all stages together.
    pub memory: u64,
    /// The largest body that is stored, bytes.
    pub object_size_limit: u64,
    /// Fields that name an answer's tags.
    pub tag_headers: Vec<Box<str>>,
    /// The disk below the memory.
    pub disk: Option<DiskBudget>,
    /// What seals entries at rest.
    pub encryption: Option<Encryption>,
}

/// From this share on a stage has a store of its own, bytes: AWS's 6.1 GB.
pub const OWN_STORE: u64 = 6_100_000_000;

/// The disk of the response caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskBudget {
    /// Where the stores lie.
    pub directory: PathBuf,
    /// Bytes for all stages together.
    pub size: u64,
    /// Through the page cache, or past it.
    pub reads: Reads,
    /// How long what a stage has on it is kept when the stage is gone.
    pub keep_removed: Duration,
}

/// The keys of encryption at rest, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Memory is sealed too.
    pub everywhere: bool,
    /// The key that new entries are sealed with.
    pub current: KeyId,
    /// All of them.
    pub sources: Vec<(KeyId, Source)>,
}

/// Account-wide throttles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeThrottle {
    /// The account's bucket.
    pub account: Option<Throttle>,
    /// Requests in flight.
    pub in_flight: u32,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub endpoint: AdminEndpoint,
    /// File with the bearer token that callers must show.
    pub token_file: Option<PathBuf>,
}

/// Where the admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminEndpoint {
    /// An address; without a token file it is a loopback address.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

impl fmt::Display for AdminEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Where it goes.
    pub destination: LogDestination,
    /// What a line looks like.
    pub format: LogFormat,
    /// Bytes that may wait for the writer before lines are dropped and counted.
    pub buffer: usize,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// A file, appended to and opened anew on reload.
    File(PathBuf),
}

/// What a line of the access log looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// AWS's JSON preset.
    Json,
    /// AWS's common log format preset.
    Clf,
    /// A text with `$context` variables, every one of them known.
    Context(String),
}

/// The process log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLog {
    /// A filter in the syntax of `tracing`: `info`, `sluice=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// A listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// Speak TLS, with the domains' certificates and this one where no name fits.
    pub tls: Option<ListenerTls>,
    /// Every connection must begin with a PROXY protocol header, version 1 or 2.
    pub proxy_protocol: bool,
    /// Answer every request with a redirect to this port under `https`.
    pub redirect_to_https: Option<u16>,
    /// `x-apigw-api-id` is believed.
    pub private: bool,
    /// The API for requests that name none.
    pub default_api: Option<ApiId>,
    /// Its stage; without it the first path segment names the stage.
    pub default_stage: Option<StageName>,
}

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// For clients that send no server name, or one that no domain has.
    pub fallback: Option<CertificateFiles>,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub private_key: PathBuf,
}

/// A custom domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Lower case, perhaps with a leading `*.`.
    pub name: String,
    /// Its certificate, for TLS listeners.
    pub certificate: Option<CertificateFiles>,
    /// Mutual TLS: PEM file of the authorities that sign client certificates.
    pub client_ca: Option<PathBuf>,
    /// Base path mappings; the longest that matches wins.
    pub mappings: Vec<BasePathMapping>,
}

/// What a base path of a domain leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePathMapping {
    /// Without slashes around it; empty for the rest.
    pub base_path: String,
    /// The API.
    pub api: ApiId,
    /// Its stage; without it the next path segment names the stage.
    pub stage: Option<StageName>,
}
