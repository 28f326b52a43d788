//! Allow and deny lists of networks, of an API or of a stage.

use sluice_api::NetworkPolicy;

use super::network;
use crate::config::keys::Key;
use crate::config::table::{Located, Table};

/// The keys of one such table.
pub(super) struct PolicyKeys {
    pub(super) table: &'static Key,
    pub(super) allow: &'static Key,
    pub(super) deny: &'static Key,
}

pub(super) fn read(owner: &Table<'_>, keys: &PolicyKeys) -> NetworkPolicy {
    let Some(table) = owner.table(keys.table) else { return NetworkPolicy::default() };
    let plain = |list: Vec<Located<_>>| list.into_iter().map(|l| l.value).collect();
    NetworkPolicy {
        allow: table.list(keys.allow, network).map(plain),
        deny: table.list(keys.deny, network).map(plain).unwrap_or_default(),
    }
}
