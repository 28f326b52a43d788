//! What holds for the node as a whole.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;
use sluice_api::{Profile, Throttle};

use super::disk;
use super::network;
use super::settings::{Rates, one_second};
use crate::config::keys::{Key, node as keys};
use crate::config::log_format;
use crate::config::model::{
    AccessLog, Admin, AdminEndpoint, CacheBudget, ForwardingField, Limits, LogDestination, LogFormat, Node,
    NodeThrottle, ProcessLog, Timeouts,
};
use crate::config::pem::{self, Holds};
use crate::config::rules;
use crate::config::table::Table;

/// AWS's account limits, per region: requests a second, and at once.
const AWS_ACCOUNT: Throttle = Throttle { rate: 10_000.0, burst: 5_000 };
/// AWS's payload limit.
const AWS_BODY_SIZE: u64 = 10 * 1024 * 1024;

pub(super) fn read(root: &Table<'_>) -> Node {
    let profile = root.text(&keys::PROFILE).as_deref().map(profile).unwrap_or_default();
    Node {
        profile,
        threads: threads(root),
        region: root.parse(&keys::REGION, region).unwrap_or_default(),
        account_id: root.parse(&keys::ACCOUNT_ID, account_id).unwrap_or_default(),
        trusted_proxies: networks(root, &keys::TRUSTED_PROXIES),
        client_address_field: client_address_field(root, profile),
        limits: limits(root, profile),
        timeouts: timeouts(root),
        cache: cache(root),
        throttle: throttle(root, profile),
        admin: admin(root),
        access_log: access_log(root, profile),
        log: process_log(root),
        demo: demo(root),
        upgrade_socket: pem::path(root, &keys::UPGRADE_SOCKET).unwrap_or_else(|| {
            upgrade_socket(rustix::process::geteuid().is_root(), std::env::var_os("XDG_RUNTIME_DIR"))
        }),
        shutdown_grace: root.duration(&keys::SHUTDOWN_GRACE).unwrap_or_default(),
        explain_callers: networks(root, &keys::EXPLAIN_CALLERS),
    }
}

fn client_address_field(root: &Table<'_>, profile: Profile) -> ForwardingField {
    let written = root.written(&keys::CLIENT_ADDRESS_FIELD);
    if let Some(at) = written.filter(|_| root.written(&keys::TRUSTED_PROXIES).is_none()) {
        let message = "'client_address_field' without 'trusted_proxies': nobody is believed";
        root.report().strict(profile, &rules::NO_EFFECT, at, message, "add 'trusted_proxies', or remove it");
    }
    match root.text(&keys::CLIENT_ADDRESS_FIELD).as_deref() {
        Some("Forwarded") => ForwardingField::Forwarded,
        _ => ForwardingField::XForwardedFor,
    }
}

pub(super) fn profile(text: &str) -> Profile {
    if text == "aws" { Profile::Aws } else { Profile::Edge }
}

/// A table that was not written is read as an empty one, so that its keys have their defaults.
macro_rules! or_empty {
    ($root:expr, $key:expr, $table:ident => $body:expr) => {{
        let empty = toml::de::DeTable::new();
        match $root.table($key) {
            Some($table) => $body,
            None => {
                let $table = $root.empty($key, &empty);
                $body
            }
        }
    }};
}

fn threads(root: &Table<'_>) -> usize {
    match root.integer(&keys::THREADS) {
        None | Some(0) => std::thread::available_parallelism().map_or(1, NonZero::get),
        Some(n) => usize::try_from(n).unwrap_or(1),
    }
}

fn networks(root: &Table<'_>, key: &'static Key) -> Vec<IpNetwork> {
    root.list(key, network).unwrap_or_default().into_iter().map(|n| n.value).collect()
}

fn limits(root: &Table<'_>, profile: Profile) -> Limits {
    let count = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok());
    or_empty!(root, &keys::LIMITS, table => {
        let body_size = table.size(&keys::BODY_SIZE).unwrap_or_default();
        if profile == Profile::Aws && body_size > AWS_BODY_SIZE {
            let message = "AWS takes bodies of up to 10 MB";
            table.report().warning(&rules::BEYOND_AWS, table.place(&keys::BODY_SIZE), message, "write \"10 MB\"");
        }
        Limits {
            head_size: to_usize(table.size(&keys::HEAD_SIZE)),
            header_count: to_usize(table.integer(&keys::HEADER_COUNT)),
            body_size,
            connections_per_address: count(table.integer(&keys::CONNECTIONS_PER_ADDRESS)),
            requests_per_connection: count(table.integer(&keys::REQUESTS_PER_CONNECTION)),
        }
    })
}

fn timeouts(root: &Table<'_>) -> Timeouts {
    or_empty!(root, &keys::TIMEOUTS, table => {
        let of = |key: &'static Key| table.duration(key).unwrap_or(Duration::ZERO);
        Timeouts {
            handshake: of(&keys::HANDSHAKE),
            head: of(&keys::HEAD),
            body: of(&keys::BODY),
            idle: of(&keys::IDLE),
        }
    })
}

fn cache(root: &Table<'_>) -> CacheBudget {
    or_empty!(root, &keys::CACHE, table => {
        let memory = table.size(&keys::MEMORY).unwrap_or_default();
        let object_size_limit = table.size(&keys::OBJECT_SIZE_LIMIT).unwrap_or_default();
        if object_size_limit > memory {
            let at = table.place(&keys::OBJECT_SIZE_LIMIT);
            let message = "'object_size_limit' is larger than the whole memory of the cache";
            table.report().error(&rules::CACHE_BUDGET, at, message, "write less, or raise 'memory'");
        }
        let tag_headers = table.list(&keys::TAG_HEADERS, field_name);
        let tag_headers = match tag_headers {
            Some(names) => names.into_iter().map(|name| name.value).collect(),
            None => DEFAULT_TAG_HEADERS.map(Into::into).to_vec(),
        };
        if tag_headers.len() > TAG_HEADERS {
            let message = format!("'tag_headers' names {} fields", tag_headers.len());
            table.report().error(&rules::CACHE_BUDGET, table.place(&keys::TAG_HEADERS), &message, "name at most four");
        }
        let (disk, encryption) = (disk::disk(&table), disk::encryption(&table));
        CacheBudget { memory, object_size_limit, tag_headers, disk, encryption }
    })
}

/// Where nothing is written.
const DEFAULT_TAG_HEADERS: [&str; 2] = ["Surrogate-Key", "Cache-Tag"];

/// Each is looked for in every answer that is stored.
const TAG_HEADERS: usize = 4;

fn field_name(text: &str) -> Result<Box<str>, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !text.is_empty() && text.len() <= 64 && text.bytes().all(is_token) {
        true => Ok(text.into()),
        false => Err(format!("'{text}' is not the name of a header field")),
    }
}

fn throttle(root: &Table<'_>, profile: Profile) -> NodeThrottle {
    or_empty!(root, &keys::THROTTLE, table => {
        let rates = Rates::read(&table, &keys::ACCOUNT_RATE_LIMIT, &keys::ACCOUNT_BURST_LIMIT);
        let account = match (profile, rates) {
            (Profile::Aws, Rates { rate: None, burst }) => {
                Some(Throttle { burst: burst.unwrap_or(AWS_ACCOUNT.burst), ..AWS_ACCOUNT })
            }
            (_, Rates { rate: Some(rate), burst }) => {
                Some(Throttle { rate, burst: burst.unwrap_or_else(|| one_second(rate)) })
            }
            (Profile::Edge, Rates { rate: None, burst }) => {
                if burst.is_some() {
                    let at = table.place(&keys::ACCOUNT_BURST_LIMIT);
                    let message = "'account_burst_limit' without 'account_rate_limit' limits nothing";
                    table.report().strict(profile, &rules::NO_EFFECT, at, message, "add 'account_rate_limit'");
                }
                None
            }
        };
        let in_flight = table.integer(&keys::IN_FLIGHT_LIMIT).and_then(|n| u32::try_from(n).ok());
        NodeThrottle { account, in_flight: in_flight.unwrap_or(u32::MAX) }
    })
}

fn admin(root: &Table<'_>) -> Option<Admin> {
    let table = root.table(&keys::ADMIN)?;
    let endpoint = table.parse(&keys::ADMIN_ADDRESS, |text| endpoint(text, &table))?;
    let token_file = pem::file(&table, &keys::TOKEN_FILE, Holds::Text);
    match &endpoint {
        AdminEndpoint::Tcp(address) if !address.ip().is_loopback() && token_file.is_none() => {
            let message = format!("{address} can be reached from elsewhere, and no token is asked for");
            let help = "name a 'token_file', or listen on 127.0.0.1 or on unix:PATH";
            table.report().error(&rules::OPEN_ADMIN, table.place(&keys::ADMIN_ADDRESS), message, help);
        }
        AdminEndpoint::Tcp(_) | AdminEndpoint::Unix(_) => {}
    }
    Some(Admin { endpoint, token_file })
}

fn endpoint(text: &str, table: &Table<'_>) -> Result<AdminEndpoint, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("'unix:' has no path".into()),
        Some(path) => Ok(AdminEndpoint::Unix(table.report().resolve(path))),
        None => socket(text).map(AdminEndpoint::Tcp),
    }
}

/// `IP:PORT`.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    text.parse().map_err(|_| match numeric {
        true => format!("'{text}' is no IP:PORT; host names are not looked up"),
        false => format!("'{text}' is no IP:PORT"),
    })
}

fn access_log(root: &Table<'_>, profile: Profile) -> Option<AccessLog> {
    let table = root.table(&keys::ACCESS_LOG)?;
    let destination = match table.text(&keys::DESTINATION)?.as_str() {
        "stdout" => LogDestination::Stdout,
        path => LogDestination::File(log_file(&table, path)),
    };
    let format = match log_format::parse(&table.text(&keys::FORMAT)?, profile) {
        Ok(format) => format,
        Err((message, help)) => {
            table.report().error(&rules::BAD_LOG_FORMAT, table.place(&keys::FORMAT), message, help);
            LogFormat::Json
        }
    };
    Some(AccessLog { destination, format, buffer: to_usize(table.size(&keys::BUFFER)) })
}

/// The file itself is made when it is opened; its directory must be there.
fn log_file(table: &Table<'_>, path: &str) -> PathBuf {
    let path = table.report().resolve(path);
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|d| !d.is_dir()) {
        let message = format!("there is no directory {}", directory.display());
        table.report().error(&rules::MISSING_FILE, table.place(&keys::DESTINATION), message, "make it first");
    }
    if path.is_dir() {
        let message = format!("{} is a directory", path.display());
        table.report().error(&rules::BAD_VALUE, table.place(&keys::DESTINATION), message, "write a file's name");
    }
    path
}

fn process_log(root: &Table<'_>) -> ProcessLog {
    or_empty!(root, &keys::LOG, table => ProcessLog {
        level: table.parse(&keys::LEVEL, level).unwrap_or_default(),
        json: table.flag(&keys::JSON).unwrap_or_default(),
    })
}

fn demo(root: &Table<'_>) -> Option<SocketAddr> {
    root.table(&keys::DEMO)?.parse(&keys::DEMO_ADDRESS, socket)
}

/// `/run` is root's, and of services for which somebody makes a directory there; whoever logs in has a place of his own.
fn upgrade_socket(is_root: bool, own: Option<OsString>) -> PathBuf {
    let own = own.map(PathBuf::from).filter(|directory| !is_root && directory.is_absolute());
    own.unwrap_or_else(|| "/run".into()).join("sluice/upgrade.sock")
}

fn level(text: &str) -> Result<String, String> {
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    for part in text.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
        if !known.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("'{level}' is no level: {}", known.join(", ")));
        }
    }
    Ok(text.into())
}

fn region(text: &str) -> Result<String, &'static str> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ok = (1..=63).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(good);
    if ok { Ok(text.into()) } else { Err("a region has lower-case letters, digits and '-'") }
}

fn account_id(text: &str) -> Result<String, &'static str> {
    let ok = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if ok { Ok(text.into()) } else { Err("an account id has twelve digits") }
}

/// Only for sizes and counts whose range fits 32 bits.
fn to_usize(n: Option<u64>) -> usize {
    n.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_root_has_a_place_of_his_own() {
        let place = |is_root, own: Option<&str>| upgrade_socket(is_root, own.map(OsString::from));
        let (run, own) = ("/run/sluice/upgrade.sock", "/run/user/7/sluice/upgrade.sock");
        assert_eq!(place(false, Some("/run/user/7")), PathBuf::from(own));
        for (is_root, set) in [(true, Some("/run/user/7")), (false, None), (false, Some("")), (false, Some("here"))] {
            assert_eq!(place(is_root, set), PathBuf::from(run));
        }
    }
}
