//! Allow and deny lists of networks, of an API or of a stage.

use ipnetwork::IpNetwork;
use sluice_api::{NetworkPolicy, Profile};

use super::network;
use crate::config::keys::Key;
use crate::config::rules;
use crate::config::table::{Located, Table};

/// The keys of one such table.
pub(super) struct PolicyKeys {
    pub(super) table: &'static Key,
    pub(super) allow: &'static Key,
    pub(super) deny: &'static Key,
}

pub(super) fn read(owner: &Table<'_>, keys: &PolicyKeys, profile: Profile) -> NetworkPolicy {
    let Some(table) = owner.table(keys.table) else { return NetworkPolicy::default() };
    let plain = |list: Vec<Located<_>>| list.into_iter().map(|l| l.value).collect();
    let policy = NetworkPolicy {
        allow: table.list(keys.allow, network).map(plain),
        deny: table.list(keys.deny, network).map(plain).unwrap_or_default(),
    };
    if let Some(at) = table.written(keys.allow).filter(|_| is_denied_whole(&policy)) {
        let message =
            format!("'{}' has no effect: '{}' covers all of it, so nobody may call", keys.allow.name, keys.deny.name);
        table.report().strict(
            profile,
            &rules::NO_EFFECT,
            at,
            message,
            "a deny always wins: make it smaller, or remove the allow list",
        );
    }
    policy
}

/// No network that is allowed is without a deny above it. An empty list says by itself that nobody may call.
fn is_denied_whole(policy: &NetworkPolicy) -> bool {
    let is_denied = |allowed: &IpNetwork| policy.deny.iter().any(|denied| covers(denied, allowed));
    policy.allow.as_ref().is_some_and(|allow| !allow.is_empty() && allow.iter().all(is_denied))
}

fn covers(outer: &IpNetwork, inner: &IpNetwork) -> bool {
    outer.is_ipv4() == inner.is_ipv4() && outer.prefix() <= inner.prefix() && outer.contains(inner.network())
}
