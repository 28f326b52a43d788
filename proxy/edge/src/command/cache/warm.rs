//! `sluice cache warm`: requests a list of URLs through the gateway.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::json;

use super::super::usual_file::usual_file;
use super::fetch::{Answer, Way};
use super::purge;
use super::reach::{CacheError, configuration};
use crate::config::{self, Scheme};

/// URLs of one list at most.
const URLS: usize = 10_000_000;

/// Failures that are told one by one.
const TOLD: usize = 20;

/// Request a list of URLs, so that their answers are stored.
#[derive(Debug, clap::Args)]
pub struct Warm {
    /// A file with one URL per line, `https://host/path` or `/path`; - is standard input. Empty lines and lines that begin
    /// with # are skipped.
    #[arg(default_value = "-")]
    urls: PathBuf,
    /// Where the gateway listens for http URLs; the configuration's first such listener if left out.
    #[arg(long, value_name = "IP:PORT")]
    http: Option<SocketAddr>,
    /// Where the gateway listens for https URLs; the configuration's first TLS listener if left out.
    #[arg(long, value_name = "IP:PORT")]
    https: Option<SocketAddr>,
    /// PEM file of the authorities that are trusted; the system's if left out.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The host of URLs that are a path alone.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// A header field for every request, as 'Name: value'. May be repeated.
    #[arg(long, value_name = "FIELD")]
    header: Vec<String>,
    /// Requests at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Seconds that a request may wait for its connection or its next byte.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// The configuration file, for the addresses that the gateway listens on.
    #[arg(long, value_name = "FILE", default_value_os_t = usual_file())]
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What became of all requests.
#[derive(Debug, Default)]
struct Tally {
    /// By what the gateway said of its cache.
    outcomes: BTreeMap<String, u64>,
    failed: u64,
    told: Vec<String>,
}

impl Warm {
    pub(super) fn run(&self) -> Result<(), CacheError> {
        let urls = read(&self.urls).with_context(|| self.urls.display().to_string())?;
        let ways = self.ways(&urls)?;
        let fields = self.fields()?;
        let bar = purge::bar("requested");
        bar.set_length(urls.len() as u64);
        let tally = self.all(&urls, &ways, &fields, &bar);
        bar.finish_and_clear();
        tally.tell(self.json);
        match tally.failed {
            0 => Ok(()),
            failed => Err(CacheError::Failed(format!("{failed} of {} failed", urls.len()))),
        }
    }

    /// The configuration is read only where an address is missing.
    fn ways(&self, urls: &[String]) -> Result<Ways, CacheError> {
        let (tls, plain) = (urls.iter().any(|url| is_https(url)), urls.iter().any(|url| !is_https(url)));
        let (mut http, mut https) = (self.http, self.https);
        if (tls && https.is_none()) || (plain && http.is_none()) {
            let listeners = configuration(&self.config)?.listeners;
            let of = |tls: bool| listeners.iter().find(|l| l.tls.is_some() == tls && !l.proxy_protocol);
            http = http.or_else(|| of(false).map(|listener| reachable(listener.address)));
            https = https.or_else(|| of(true).map(|listener| reachable(listener.address)));
        }
        let patience = Duration::from_secs(self.patience);
        let missing =
            |option: &str| CacheError::Failed(format!("no listener for some of the URLs; name one with {option}"));
        let way = |address, tls| Way { address, tls, patience };
        Ok(Ways {
            http: plain.then(|| http.map(|a| way(a, None)).ok_or_else(|| missing("--http"))).transpose()?,
            https: match tls {
                true => {
                    let config = Way::tls(self.ca_file.as_deref())?;
                    Some(way(https.ok_or_else(|| missing("--https"))?, Some(config)))
                }
                false => None,
            },
        })
    }

    fn fields(&self) -> Result<String, CacheError> {
        let is_plain = |text: &str| !text.contains(['\r', '\n']);
        let field = |text: &String| match text.split_once(':') {
            Some((name, value)) if is_plain(text) => Ok(format!("{}: {}\r\n", name.trim(), value.trim())),
            _ => Err(CacheError::Failed(format!("'{text}' is no header field; write 'Name: value'"))),
        };
        self.header.iter().map(field).collect()
    }

    fn all(&self, urls: &[String], ways: &Ways, fields: &str, bar: &ProgressBar) -> Tally {
        let (next, tally) = (Mutex::new(urls.iter()), Mutex::new(Tally::default()));
        let take = || lock(&next).next();
        std::thread::scope(|scope| {
            for _ in 0..usize::from(self.concurrency).min(urls.len()) {
                scope.spawn(|| {
                    while let Some(url) = take() {
                        let answer = ways.get(url, &self.host, fields);
                        lock(&tally).count(url, answer);
                        bar.inc(1);
                    }
                });
            }
        });
        tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Ways {
    http: Option<Way>,
    https: Option<Way>,
}

impl Ways {
    fn get(&self, url: &str, host: &str, fields: &str) -> anyhow::Result<Answer> {
        let way = if is_https(url) { &self.https } else { &self.http };
        let way = way.as_ref().context("no listener")?;
        let Some((_, rest)) = url.split_once("://") else { return way.get(host, url, fields) };
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let slash = if target.starts_with('/') { "" } else { "/" };
        way.get(host, &format!("{slash}{target}"), fields)
    }
}

impl Tally {
    fn count(&mut self, url: &str, answer: anyhow::Result<Answer>) {
        let why = match answer {
            Ok(answer) if answer.status < 400 => {
                *self.outcomes.entry(outcome(answer.cache_status.as_deref())).or_default() += 1;
                return;
            }
            Ok(answer) => format!("status {}", answer.status),
            Err(error) => format!("{error:#}"),
        };
        self.failed += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{url}: {why}"));
        }
    }

    fn tell(&self, json: bool) {
        self.told.iter().for_each(|line| eprintln!("{line}"));
        if json {
            return println!("{:#}", json!({ "outcomes": self.outcomes, "failed": self.failed }));
        }
        self.outcomes.iter().for_each(|(outcome, count)| println!("{count:>10}  {outcome}"));
        if self.failed > 0 {
            println!("{:>10}  failed", self.failed);
        }
    }
}

/// Of Cache-Status, what it comes down to for who warms.
fn outcome(cache_status: Option<&str>) -> String {
    let Some(status) = cache_status else { return "answered".into() };
    let item = |name: &str| status.split(';').map(str::trim).find_map(|item| item.strip_prefix(name));
    if item("hit").is_some() {
        return "stored before".into();
    }
    match (item("stored"), item("detail=")) {
        (Some(_), _) => "stored".into(),
        (None, Some(detail)) => format!("not stored: {detail}"),
        (None, None) => "not stored".into(),
    }
}

fn is_https(url: &str) -> bool {
    config::scheme(url).is_some_and(|(scheme, _)| scheme == Scheme::Https)
}

/// A listener on all addresses is reached over loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let from: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(std::fs::File::open(path)?)),
    };
    let mut urls = Vec::new();
    for (number, line) in (1..).zip(from.lines()) {
        let line = line?;
        let url = line.trim();
        if url.is_empty() || url.starts_with('#') {
            continue;
        }
        let is_url = url.starts_with('/') || config::scheme(url).is_some();
        anyhow::ensure!(is_url, "line {number}: '{url}' begins with neither http://, https:// nor /");
        anyhow::ensure!(
            !url.contains(|c: char| c.is_whitespace() || c.is_control()),
            "line {number}: a blank in a URL"
        );
        anyhow::ensure!(urls.len() < URLS, "more than {URLS} URLs");
        urls.push(url.to_owned());
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_from_the_cache_status() {
        assert_eq!(outcome(None), "answered");
        assert_eq!(outcome(Some("Sluice; hit; ttl=3")), "stored before");
        assert_eq!(outcome(Some("Sluice; fwd=uri-miss; stored")), "stored");
        assert_eq!(outcome(Some("Sluice; fwd=uri-miss; detail=set-cookie")), "not stored: set-cookie");
        assert_eq!(outcome(Some("Sluice; fwd=bypass")), "not stored");
    }

    #[test]
    fn lists_have_urls_comments_and_empty_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# all\n\n/a?b\n http://h/x \nhttps://h\n").unwrap();
        assert_eq!(read(file.path()).unwrap(), ["/a?b", "http://h/x", "https://h"]);
        std::fs::write(file.path(), "/a\nftp://h\n").unwrap();
        assert!(read(file.path()).unwrap_err().to_string().starts_with("line 2"));
        std::fs::write(file.path(), "/a b\n").unwrap();
        assert!(read(file.path()).is_err());
    }

    #[test]
    fn a_scheme_has_no_case() {
        assert!(is_https("https://h") && is_https("HTTPS://h") && !is_https("Http://h") && !is_https("/https://h"));
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_over_loopback() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached("[::]:80"), "[::1]:80");
        assert_eq!(reached("10.0.0.1:80"), "10.0.0.1:80");
    }
}
