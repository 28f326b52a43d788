//! A set of CIDR prefixes that answers "does one of them hold this address?".
//!
//! IPv4 and IPv6 never meet: `0.0.0.0/0` holds no IPv6 address and `::/0` no IPv4 address. An address or a prefix inside
//! `::ffff:0:0/96` is the IPv4 address or prefix that it maps, so a dual-stack listener sees the same callers as a plain
//! one; a wider IPv6 prefix does not reach into that range.

use std::net::IpAddr;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::trie::{Prefix, Trie};

/// The length of `::ffff:0:0/96`, below which an IPv6 address maps an IPv4 one.
const MAPPED_LENGTH: u8 = 96;

/// An immutable set of IPv4 and IPv6 prefixes. Ten thousand cost about as much to ask as ten.
///
/// Memory is at most 128 bytes for each IPv4 prefix and 384 for each IPv6 prefix, usually about half of that; an
/// empty set allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct CidrSet {
    v4: Trie<u32>,
    v6: Trie<u128>,
}

impl CidrSet {
    /// Compiles a set. Host bits (`10.1.2.3/8`), order, duplicates and nesting do not matter.
    pub fn new(networks: &[IpNetwork]) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for network in networks {
            match canonical(*network) {
                IpNetwork::V4(network) => v4.push(Prefix::new(network.ip().to_bits(), network.prefix())),
                IpNetwork::V6(network) => v6.push(Prefix::new(network.ip().to_bits(), network.prefix())),
            }
        }
        Self { v4: Trie::new(v4), v6: Trie::new(v6) }
    }

    /// Whether one of the prefixes holds `address`.
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// How many prefixes are left when duplicates and those inside another one are dropped.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether the set holds no prefix, and so no address.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the set has allocated.
    pub fn heap_bytes(&self) -> usize {
        self.v4.heap_bytes() + self.v6.heap_bytes()
    }
}

impl FromIterator<IpNetwork> for CidrSet {
    fn from_iter<I: IntoIterator<Item = IpNetwork>>(networks: I) -> Self {
        Self::new(&networks.into_iter().collect::<Vec<_>>())
    }
}

/// An IPv6 prefix inside the mapped range becomes the IPv4 prefix that it means.
fn canonical(network: IpNetwork) -> IpNetwork {
    match network {
        IpNetwork::V6(v6) => mapped(v6).map_or(network, IpNetwork::V4),
        IpNetwork::V4(_) => network,
    }
}

fn mapped(network: Ipv6Network) -> Option<Ipv4Network> {
    let length = network.prefix().checked_sub(MAPPED_LENGTH)?;
    Ipv4Network::new(network.ip().to_ipv4_mapped()?, length).ok()
}
