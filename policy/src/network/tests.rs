//! The set against a linear scan, and the table of verdicts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use proptest::prelude::*;

use super::*;

fn networks(texts: &[&str]) -> Vec<IpNetwork> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn scan(networks: &[IpNetwork], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// Few distinct high bits, so that prefixes nest, repeat and touch.
fn crowded_v4() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0u32..4, 0u32..16).prop_map(|(high, low)| high << 30 | low),
        (0u32..8).prop_map(|n| n << 21)
    ]
}

fn crowded_v6() -> impl Strategy<Value = u128> {
    let documentation = 0x2001_0db8_u128 << 96;
    prop_oneof![
        any::<u128>(),
        (0u128..4, 0u128..16).prop_map(move |(subnet, low)| documentation | subnet << 62 | low),
        (0u128..8).prop_map(|n| n << 125),
    ]
}

fn v4_network() -> impl Strategy<Value = IpNetwork> {
    (crowded_v4(), 0u8..=32).prop_map(|(bits, length)| Ipv4Network::new(bits.into(), length).unwrap().into())
}

fn v6_network() -> impl Strategy<Value = IpNetwork> {
    (crowded_v6(), 0u8..=128).prop_map(|(bits, length)| Ipv6Network::new(bits.into(), length).unwrap().into())
}

/// The edges of every network and their outer neighbours: where an off-by-one would show.
fn edges(networks: &[IpNetwork]) -> Vec<IpAddr> {
    let around = |network: &IpNetwork| match network {
        IpNetwork::V4(v4) => {
            let (first, last) = (v4.network().to_bits(), v4.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)].map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpNetwork::V6(v6) => {
            let (first, last) = (v6.network().to_bits(), v6.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)].map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    };
    networks.iter().flat_map(around).collect()
}

fn agrees_with_scan(networks: &[IpNetwork], addresses: &[IpAddr]) -> Result<(), TestCaseError> {
    let set = CidrSet::new(networks);
    let plain = |address: &&IpAddr| address.to_canonical() == **address;
    for address in addresses.iter().chain(&edges(networks)).filter(plain) {
        prop_assert_eq!(set.contains(*address), scan(networks, *address), "{} in {:?}", address, networks);
    }
    Ok(())
}

proptest! {
    #[test]
    fn v4_agrees_with_a_linear_scan(
        networks in prop::collection::vec(v4_network(), 0..80),
        addresses in prop::collection::vec(crowded_v4().prop_map(|bits| Ipv4Addr::from_bits(bits).into()), 0..40),
    ) {
        agrees_with_scan(&networks, &addresses)?;
    }

    #[test]
    fn v6_agrees_with_a_linear_scan(
        networks in prop::collection::vec(v6_network(), 0..80),
        addresses in prop::collection::vec(crowded_v6().prop_map(|bits| Ipv6Addr::from_bits(bits).into()), 0..40),
    ) {
        agrees_with_scan(&networks, &addresses)?;
    }

    #[test]
    fn long_prefixes_of_both_families_agree_with_a_linear_scan(
        v4 in prop::collection::vec((crowded_v4(), 20u8..=32), 0..80),
        v6 in prop::collection::vec((crowded_v6(), 100u8..=128), 0..80),
    ) {
        let v4 = v4.into_iter().map(|(bits, length)| Ipv4Network::new(bits.into(), length).unwrap().into());
        let v6 = v6.into_iter().map(|(bits, length)| Ipv6Network::new(bits.into(), length).unwrap().into());
        agrees_with_scan(&v4.chain(v6).collect::<Vec<_>>(), &[])?;
    }

    #[test]
    fn order_and_repetition_do_not_matter(networks in prop::collection::vec(v4_network(), 0..40)) {
        let twice: Vec<_> = networks.iter().rev().chain(&networks).copied().collect();
        let (once, twice) = (CidrSet::new(&networks), CidrSet::new(&twice));
        prop_assert_eq!(once.len(), twice.len());
        prop_assert_eq!(once.heap_bytes(), twice.heap_bytes());
    }

    #[test]
    fn memory_stays_under_its_stated_bound(
        v4 in prop::collection::vec(v4_network(), 0..200),
        v6 in prop::collection::vec(v6_network(), 0..200),
    ) {
        let set = CidrSet::new(&v4);
        prop_assert!(set.heap_bytes() <= 128 * set.len());
        let set = CidrSet::new(&v6);
        prop_assert!(set.heap_bytes() <= 384 * set.len());
    }
}

#[test]
fn ten_prefixes_are_small_and_none_allocate_nothing() {
    let ten: Vec<_> = (0..10).map(|n| format!("{}.7.0.0/16", n * 23).parse().unwrap()).collect();
    assert!(CidrSet::new(&ten).heap_bytes() <= 1280);
    assert_eq!(CidrSet::default().heap_bytes(), 0);
    assert!(CidrSet::default().is_empty());
}

#[test]
fn an_empty_set_holds_no_address() {
    for text in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert!(!CidrSet::default().contains(address(text)), "{text}");
    }
}

#[test]
fn a_family_never_matches_the_other() {
    let v4 = CidrSet::new(&networks(&["0.0.0.0/0"]));
    assert!(v4.contains(address("203.0.113.9")));
    assert!(!v4.contains(address("2001:db8::1")));
    assert!(!v4.contains(address("::203.0.113.9")), "an IPv4-compatible address is IPv6");
    let v6 = CidrSet::new(&networks(&["::/0"]));
    assert!(v6.contains(address("2001:db8::1")));
    assert!(!v6.contains(address("203.0.113.9")));
}

#[test]
fn a_mapped_address_is_the_v4_address_that_it_maps() {
    let v4 = CidrSet::new(&networks(&["192.0.2.0/24"]));
    assert!(v4.contains(address("::ffff:192.0.2.7")));
    assert!(!v4.contains(address("::ffff:192.0.3.7")));
    assert!(!CidrSet::new(&networks(&["::/0"])).contains(address("::ffff:192.0.2.7")));
}

#[test]
fn a_mapped_prefix_is_the_v4_prefix_that_it_maps() {
    let mapped = CidrSet::new(&networks(&["::ffff:192.0.2.0/120", "::ffff:0:0/95"]));
    assert!(mapped.contains(address("192.0.2.7")));
    assert!(mapped.contains(address("::ffff:192.0.2.7")));
    assert!(!mapped.contains(address("192.0.3.7")), "95 bits are wider than the mapped range, so they stay IPv6");
}

#[test]
fn host_bits_and_nesting_are_dropped() {
    let set = CidrSet::new(&networks(&["10.1.2.3/8", "10.0.0.0/8", "10.9.0.0/16", "11.0.0.0/8", "2001:db8::1/32"]));
    assert_eq!(set.len(), 3);
    assert!(set.contains(address("10.255.255.255")));
    assert!(!set.contains(address("12.0.0.0")));
}

#[test]
fn verdicts_follow_deny_then_allow() {
    use NetworkVerdict::{Allowed, ExplicitDeny, ImplicitDeny, Unconfigured};
    let wide = networks(&["10.0.0.0/8"]);
    let narrow = networks(&["10.1.0.0/16"]);
    let caller = address("10.1.2.3");
    let other = address("192.0.2.1");
    let table = [
        (None, &[][..], caller, Unconfigured),
        (None, &wide[..], caller, ExplicitDeny),
        (None, &wide[..], other, Allowed),
        (Some(&wide[..]), &[][..], caller, Allowed),
        (Some(&wide[..]), &[][..], other, ImplicitDeny),
        (Some(&[][..]), &[][..], caller, ImplicitDeny),
        (Some(&wide[..]), &narrow[..], caller, ExplicitDeny),
        (Some(&narrow[..]), &wide[..], caller, ExplicitDeny),
        (Some(&wide[..]), &narrow[..], address("10.2.0.1"), Allowed),
        (Some(&wide[..]), &narrow[..], other, ImplicitDeny),
    ];
    for (allow, deny, caller, verdict) in table {
        let rules = NetworkRules::new(allow, deny);
        assert_eq!(rules.decide(caller), verdict, "allow {allow:?} deny {deny:?} caller {caller}");
    }
}
