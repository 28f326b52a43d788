//! An origin: the addresses behind an integration, their health, and how to reach them.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use sluice_api::Address;
use tokio::net::TcpStream;

use super::connection::{Connection, Socket};
use super::tls::{OriginTls, TlsError};
use crate::registry::Registry;

/// Failures in a row after which an address is avoided.
const FAILURES: u32 = 3;
/// How long it is avoided, nanoseconds of the monotonic clock.
const COOL_DOWN: u64 = 10_000_000_000;

/// Numbers origins, for the workers' pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginId(u32);

/// All origins by what tells them apart.
pub type Origins = Registry<OriginKey, Origin>;

/// What tells one origin from another: their connections must never be mixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginKey {
    /// Where to connect.
    pub addresses: Vec<Address>,
    /// The name to verify under TLS, and the CA file.
    pub tls: Option<(String, Option<std::path::PathBuf>)>,
    /// A hash of what is in that file: an origin that trusts others is another one.
    pub trust: Option<u128>,
    /// Limit for connecting.
    pub connect_timeout: Duration,
    /// HTTP/2 is spoken: offered by ALPN under TLS, taken for granted without.
    pub http2: bool,
}

/// An origin.
#[derive(Debug)]
pub struct Origin {
    id: OriginId,
    targets: Vec<Target>,
    tls: Option<OriginTls>,
    connect_timeout: Duration,
    next: AtomicU32,
    http2: bool,
    /// HTTP/2 was offered, and the last connection chose HTTP/1.1.
    chose_http1: AtomicBool,
}

#[derive(Debug)]
struct Target {
    address: Address,
    /// In a row.
    failures: AtomicU32,
    /// In all.
    failed: AtomicU64,
    avoided_until: AtomicU64,
}

/// The addresses that have failed a call, by place; those beyond the 32nd are not remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failed(u32);

impl Failed {
    /// This one has.
    pub fn add(&mut self, place: usize) {
        self.0 |= Self::bit(place);
    }

    fn has(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    fn bit(place: usize) -> u32 {
        u32::try_from(place).ok().and_then(|place| 1u32.checked_shl(place)).unwrap_or_default()
    }
}

/// Why no connection came about. Shared by all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name was not resolved.
    #[error("'{0}' was not resolved: {1}")]
    Resolve(Address, String),
    /// Refused, unreachable, or no TLS.
    #[error("{0}: {1}")]
    Connect(Address, Arc<std::io::Error>),
    /// Too slow.
    #[error("{0}: no connection in time")]
    Timeout(Address),
    /// Connected, but what is there does not speak HTTP/2.
    #[error("{0} does not speak HTTP/2: {1}")]
    NotHttp2(SocketAddr, Arc<str>),
}

impl Origin {
    /// A new origin.
    pub fn new(key: &OriginKey) -> Result<Self, TlsError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tls = key.tls.as_ref().map(|(name, ca)| OriginTls::new(name, ca.as_deref(), key.http2)).transpose()?;
        let target =
            |a: &Address| Target { address: a.clone(), failures: 0.into(), failed: 0.into(), avoided_until: 0.into() };
        Ok(Self {
            id: OriginId(NEXT.fetch_add(1, Relaxed)),
            targets: key.addresses.iter().map(target).collect(),
            tls,
            connect_timeout: key.connect_timeout,
            next: AtomicU32::new(0),
            http2: key.http2,
            chose_http1: AtomicBool::new(false),
        })
    }

    /// Its number.
    pub fn id(&self) -> OriginId {
        self.id
    }

    /// HTTP/2 is wanted.
    pub(super) fn wants_http2(&self) -> bool {
        self.http2
    }

    /// HTTP/2 is wanted, but the origin has chosen HTTP/1.1.
    pub(super) fn chose_http1(&self) -> bool {
        self.chose_http1.load(Relaxed)
    }

    /// HTTP/2 is what this new connection carries. Remembers what the origin chose.
    pub(super) fn begins_http2(&self, connection: &Connection) -> bool {
        let begins = self.http2 && connection.alpn().is_none_or(|chosen| chosen == b"h2");
        self.chose_http1.store(self.http2 && !begins, Relaxed);
        begins
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Limit for connecting.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// How many addresses it has.
    pub fn addresses(&self) -> usize {
        self.targets.len()
    }

    /// The addresses as configured, and how often each has failed: no connection, or one that broke before an answer.
    pub fn failures(&self) -> impl Iterator<Item = (&Address, u64)> {
        self.targets.iter().map(|target| (&target.address, target.failed.load(Relaxed)))
    }

    /// A new connection to the next address that has not failed this call and is not avoided, as far as there is one.
    pub async fn connect(&self, now: u64, failed: Failed) -> Result<Box<Connection>, ConnectError> {
        let Some(target) = self.choose(now, failed) else {
            return Err(ConnectError::Timeout(Address { host: "".into(), port: 0 }));
        };
        let begun = Instant::now();
        let dialled = tokio::time::timeout(self.connect_timeout, self.dial(target)).await;
        let connected = dialled.unwrap_or_else(|_| Err(ConnectError::Timeout(target.address.clone())));
        match &connected {
            Ok(_) => target.failures.store(0, Relaxed),
            Err(_) => target.failed(now + begun.elapsed().as_nanos() as u64),
        }
        connected
    }

    /// Others take turns as well: the next one may be the one that has just failed.
    fn choose(&self, now: u64, failed: Failed) -> Option<&Target> {
        let start = self.next.fetch_add(1, Relaxed) as usize;
        let count = self.targets.len().max(1);
        let in_turn = || {
            let place = move |i| (start + i) % count;
            (0..count).map(place).filter_map(|at| Some((at, self.targets.get(at)?)))
        };
        let is_well = |target: &Target| target.avoided_until.load(Relaxed) <= now;
        let best = in_turn().find(|(at, target)| !failed.has(*at) && is_well(target));
        let other = || in_turn().find(|(at, _)| !failed.has(*at));
        let again = || in_turn().find(|(_, target)| is_well(target)).or_else(|| in_turn().next());
        best.or_else(other).or_else(again).map(|(_, target)| target)
    }

    /// A call over a connection to this address failed before its answer.
    pub fn note_failure(&self, address: SocketAddr, now: u64) {
        if let Some(target) = self.place(address).and_then(|at| self.targets.get(at)) {
            target.failed(now);
        }
    }

    /// Which of its addresses this is.
    pub(super) fn place(&self, address: SocketAddr) -> Option<usize> {
        self.targets.iter().position(|t| t.address.port == address.port() && t.is_host(address.ip()))
    }

    /// Which of its addresses could not be connected to.
    pub(super) fn place_of(&self, error: &ConnectError) -> Option<usize> {
        match error {
            ConnectError::Resolve(address, _) | ConnectError::Connect(address, _) | ConnectError::Timeout(address) => {
                self.targets.iter().position(|t| t.address == *address)
            }
            ConnectError::NotHttp2(address, _) => self.place(*address),
        }
    }

    async fn dial(&self, target: &Target) -> Result<Box<Connection>, ConnectError> {
        let address = &target.address;
        let failed = |e| ConnectError::Connect(address.clone(), Arc::new(e));
        let mut last = None;
        for ip in resolve(address).await? {
            match TcpStream::connect(SocketAddr::new(ip, address.port)).await {
                Ok(tcp) => return self.secure(tcp, SocketAddr::new(ip, address.port)).await.map_err(failed),
                Err(e) => last = Some(e),
            }
        }
        Err(failed(last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into())))
    }

    async fn secure(&self, tcp: TcpStream, address: SocketAddr) -> std::io::Result<Box<Connection>> {
        tcp.set_nodelay(true)?;
        let socket = match &self.tls {
            None => Socket::Tcp(tcp),
            Some(tls) => Socket::Tls(Box::new(Box::pin(tls.connect(tcp)).await?)),
        };
        // Boxed for its whole life: a call hands it on a dozen times.
        Ok(Box::new(Connection::new(socket, address)))
    }
}

impl Target {
    fn failed(&self, now: u64) {
        self.failed.fetch_add(1, Relaxed);
        if self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES {
            self.avoided_until.store(now + COOL_DOWN, Relaxed);
        }
    }

    fn is_host(&self, ip: IpAddr) -> bool {
        self.address.host.parse().map_or(true, |own: IpAddr| own == ip)
    }
}

/// Addresses of a name, kept by the resolver for their TTL.
async fn resolve(address: &Address) -> Result<Vec<IpAddr>, ConnectError> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![ip]);
    }
    let failed = |e: String| ConnectError::Resolve(address.clone(), e);
    let resolver = resolver().map_err(failed)?;
    let found = Box::pin(resolver.lookup_ip(&*address.host)).await.map_err(|e| failed(e.to_string()))?;
    Ok(found.iter().collect())
}

fn resolver() -> Result<&'static TokioResolver, String> {
    static RESOLVER: OnceLock<Result<TokioResolver, String>> = OnceLock::new();
    let made = RESOLVER.get_or_init(|| {
        let builder = TokioResolver::builder_tokio().map_err(|e| e.to_string())?;
        builder.build().map_err(|e| e.to_string())
    });
    made.as_ref().map_err(Clone::clone)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn origin(addresses: u16) -> Origin {
        let address = |port| Address { host: "127.0.0.1".into(), port };
        let key = OriginKey {
            addresses: (1..=addresses).map(address).collect(),
            tls: None,
            trust: None,
            connect_timeout: Duration::from_secs(1),
            http2: false,
        };
        Origin::new(&key).unwrap()
    }

    fn chosen(origin: &Origin, now: u64, failed: &[usize]) -> u16 {
        let mut all = Failed::default();
        failed.iter().for_each(|place| all.add(*place));
        origin.choose(now, all).unwrap().address.port
    }

    #[test]
    fn addresses_take_turns() {
        let origin = origin(3);
        assert_eq!([(); 4].map(|()| chosen(&origin, 0, &[])), [1, 2, 3, 1]);
    }

    /// Between a call's two tries another call has taken its turn.
    #[test]
    fn a_second_try_goes_to_another_address_whose_turn_ever_it_is() {
        let origin = origin(2);
        assert_eq!([(); 2].map(|()| chosen(&origin, 0, &[])), [1, 2]);
        assert_eq!(chosen(&origin, 0, &[0]), 2);
        assert_eq!([chosen(&origin, 0, &[0]), chosen(&origin, 0, &[0])], [2, 2]);
        assert_eq!(chosen(&origin, 0, &[0, 1]), 2, "all have failed: the next one, then");
        assert_eq!(chosen(&self::origin(1), 0, &[0]), 1);
    }

    #[test]
    fn who_fails_three_times_is_avoided_for_a_while() {
        let origin = origin(2);
        (0..FAILURES).for_each(|_| origin.note_failure("127.0.0.1:1".parse().unwrap(), 5));
        assert_eq!([(); 3].map(|()| chosen(&origin, 5 + COOL_DOWN - 1, &[])), [2, 2, 2]);
        assert_eq!(chosen(&origin, 6, &[1]), 1, "rather than the one that has just failed");
        assert_eq!([(); 2].map(|()| chosen(&origin, 5 + COOL_DOWN, &[])), [1, 2]);
    }
}
