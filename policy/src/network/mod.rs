//! Where a request came from: allow and deny lists of networks, judged by the address of the caller.
//!
//! This is the `IpAddress` / `NotIpAddress` part of a resource policy (`aws:SourceIp`), written as two lists. A deny
//! wins over an allow; an allow list that lacks the caller denies implicitly. Who the caller is (the peer of the socket,
//! a PROXY header, a trusted hop) is decided before; conditions on VPCs and principals are not known here.

mod cidr_set;
mod trie;

use std::net::IpAddr;

use ipnetwork::IpNetwork;

pub use cidr_set::CidrSet;

/// The allow and deny lists of one API or stage.
#[derive(Debug, Clone, Default)]
pub struct NetworkRules {
    allow: Option<CidrSet>,
    deny: CidrSet,
}

impl NetworkRules {
    /// Compiles the two lists. `allow: None` means that no allow list is written; an empty one admits nobody.
    pub fn new(allow: Option<&[IpNetwork]>, deny: &[IpNetwork]) -> Self {
        Self { allow: allow.map(CidrSet::new), deny: CidrSet::new(deny) }
    }

    /// Judges a caller. The cost does not grow with the length of the lists.
    pub fn decide(&self, caller: IpAddr) -> NetworkVerdict {
        if self.deny.contains(caller) {
            return NetworkVerdict::ExplicitDeny;
        }
        match &self.allow {
            Some(allow) if allow.contains(caller) => NetworkVerdict::Allowed,
            Some(_) => NetworkVerdict::ImplicitDeny,
            None if self.deny.is_empty() => NetworkVerdict::Unconfigured,
            None => NetworkVerdict::Allowed,
        }
    }
}

/// What [`NetworkRules`] say about one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkVerdict {
    /// Neither list is written: nothing was judged.
    Unconfigured,
    /// On the allow list, or there is none, and not on the deny list.
    Allowed,
    /// On the deny list, whatever the allow list says.
    ExplicitDeny,
    /// There is an allow list, and the caller is not on it.
    ImplicitDeny,
}

#[cfg(test)]
mod tests;
