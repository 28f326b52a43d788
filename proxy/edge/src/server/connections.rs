//! Open connections per client address, so that one client cannot take all that a listener can hold.
//!
//! An IPv6 client is counted by its /64, for that much is one customer's. What is remembered is bounded by the connections
//! that are open, and nothing is counted while no limit is set.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

/// A power of two, well above the cores that open and close at the same instant.
const SHARDS: usize = 64;
const UNLIMITED: u32 = u32::MAX;

/// Counts a listener's open connections by client. Clones count together.
#[derive(Clone, Debug)]
pub struct PerAddress {
    counts: Arc<Counts>,
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
#[must_use = "the connection counts as open only as long as this lives"]
pub struct OpenConnection {
    counted: Option<(Arc<Counts>, Client)>,
}

/// What is counted as one client: an IPv4 address as mapped into IPv6, or the first half of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Client(u128);

#[derive(Debug)]
struct Counts {
    /// [`UNLIMITED`] counts nothing.
    limit: AtomicU32,
    hasher: RandomState,
    /// An entry for each client with an open connection, and no other.
    shards: [Mutex<HashMap<Client, u32>>; SHARDS],
}

impl PerAddress {
    /// With a limit of open connections per client, or without one.
    pub fn new(limit: Option<u32>) -> Self {
        let counts = Counts {
            limit: AtomicU32::new(limit.unwrap_or(UNLIMITED)),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        };
        Self { counts: Arc::new(counts) }
    }

    /// Changes the limit for connections to come. Those opened while there was none stay uncounted.
    pub fn set_limit(&self, limit: Option<u32>) {
        self.counts.limit.store(limit.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// Counts a connection, unless its client has as many as it may.
    pub fn try_open(&self, address: IpAddr) -> Option<OpenConnection> {
        let limit = self.counts.limit.load(Ordering::Relaxed);
        if limit == UNLIMITED {
            return Some(OpenConnection { counted: None });
        }
        let client = Client::from(address);
        let mut shard = self.counts.shard(client)?.lock();
        let open = shard.get(&client).copied().unwrap_or_default();
        if open >= limit {
            return None;
        }
        shard.insert(client, open + 1);
        Some(OpenConnection { counted: Some((self.counts.clone(), client)) })
    }
}

impl Counts {
    /// There always is one; the type does not know it.
    fn shard(&self, client: Client) -> Option<&Mutex<HashMap<Client, u32>>> {
        let hash = usize::try_from(self.hasher.hash_one(client) % SHARDS as u64).ok()?;
        self.shards.get(hash)
    }

    fn close(&self, client: Client) {
        let Some(shard) = self.shard(client) else { return };
        if let Entry::Occupied(mut entry) = shard.lock().entry(client) {
            match *entry.get() {
                0 | 1 => drop(entry.remove()),
                open => *entry.get_mut() = open - 1,
            }
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if let Some((counts, client)) = self.counted.take() {
            counts.close(client);
        }
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Self(first_half(v6)),
        }
    }
}

fn first_half(address: Ipv6Addr) -> u128 {
    address.to_bits() >> 64 << 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn remembered(connections: &PerAddress) -> usize {
        connections.counts.shards.iter().map(|s| s.lock().len()).sum()
    }

    #[test]
    fn a_client_has_its_limit_and_others_have_theirs() {
        let connections = PerAddress::new(Some(2));
        let first = connections.try_open(ip("192.0.2.1"));
        let second = connections.try_open(ip("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(connections.try_open(ip("192.0.2.1")).is_none());
        assert!(connections.try_open(ip("::ffff:192.0.2.1")).is_none(), "the same client, over an IPv6 socket");
        assert!(connections.try_open(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(connections.try_open(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_client_is_its_64() {
        let connections = PerAddress::new(Some(1));
        let _open = connections.try_open(ip("2001:db8:0:1::1"));
        assert!(connections.try_open(ip("2001:db8:0:1:ffff::9")).is_none());
        assert!(connections.try_open(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn nothing_is_remembered_of_what_is_closed() {
        let connections = PerAddress::new(Some(3));
        let open: Vec<_> =
            (0..1000_u32).map(|n| connections.try_open(IpAddr::from(n.to_be_bytes())).unwrap()).collect();
        assert_eq!(remembered(&connections), 1000);
        drop(open);
        assert_eq!(remembered(&connections), 0);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let connections = PerAddress::new(None);
        let _open: Vec<_> = (0..100).map(|_| connections.try_open(ip("192.0.2.1")).unwrap()).collect();
        assert_eq!(remembered(&connections), 0);
        connections.set_limit(Some(1));
        let counted = connections.try_open(ip("192.0.2.1"));
        assert!(counted.is_some());
        assert!(connections.try_open(ip("192.0.2.1")).is_none());
        connections.set_limit(None);
        drop(counted);
        assert_eq!(remembered(&connections), 0, "what was counted is given back though the limit has gone");
    }

    #[test]
    fn threads_never_pass_the_limit() {
        let connections = PerAddress::new(Some(8));
        let kept = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if let Some(open) = connections.try_open(ip("192.0.2.1")) {
                            kept.lock().push(open);
                        }
                    }
                });
            }
        });
        assert_eq!(kept.into_inner().len(), 8);
    }
}
