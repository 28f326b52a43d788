//! Lists of networks: the set contains what one of its networks contains, where `::ffff:a.b.c.d` is `a.b.c.d`.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::{IpNetwork, Ipv4Network};
use libfuzzer_sys::fuzz_target;
use sluice_policy::CidrSet;

/// The IPv4 network that one of mapped addresses means.
fn plain(network: IpNetwork) -> IpNetwork {
    match (network.ip().to_canonical(), network.prefix().checked_sub(96)) {
        (IpAddr::V4(ip), Some(prefix)) => Ipv4Network::new(ip, prefix).map_or(network, IpNetwork::V4),
        _ => network,
    }
}

fn networks(bytes: &[u8]) -> Vec<IpNetwork> {
    let text = String::from_utf8_lossy(bytes);
    let listed = text.split([',', '\n']).filter_map(|one| one.trim().parse().ok());
    let v4 = bytes.chunks_exact(5).map(|c| (IpAddr::from([c[0], c[1], c[2], c[3]]), c[4] % 33));
    let v6 = bytes.chunks_exact(17).map(|c| (v6(&c[..16]), c[16] % 129));
    listed.chain(v4.chain(v6).filter_map(|(ip, prefix)| IpNetwork::new(ip, prefix).ok())).collect()
}

fn v6(bytes: &[u8]) -> IpAddr {
    <[u8; 16]>::try_from(bytes).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from).into()
}

fuzz_target!(|bytes: &[u8]| {
    let networks = networks(bytes);
    let set = CidrSet::new(&networks);
    let v4 = bytes.windows(4).map(|w| Ipv4Addr::new(w[0], w[1], w[2], w[3]));
    let addresses = v4.flat_map(|v4| [v4.into(), v4.to_ipv6_mapped().into()]).chain(bytes.windows(16).map(v6));
    for address in addresses.take(64).chain(networks.iter().map(IpNetwork::ip)) {
        let expected = networks.iter().any(|network| plain(*network).contains(address.to_canonical()));
        assert_eq!(set.contains(address), expected, "{address} in {networks:?}");
    }
});
