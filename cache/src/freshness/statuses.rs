//! Times to live of single statuses, for whoever wants errors kept for a moment.

use std::ops::RangeInclusive;

use super::Ttl;

/// For how long answers with some statuses are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRule {
    /// Which statuses.
    pub statuses: RangeInclusive<u16>,
    /// A time of 0 s keeps none of them.
    pub ttl: Ttl,
}

/// Rules for statuses, the narrower before the wider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusRules(Box<[StatusRule]>);

impl StatusRules {
    /// Rules in any order.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = StatusRule>) -> Self {
        let mut rules: Vec<_> = rules.into_iter().collect();
        rules.sort_by_key(|rule| rule.statuses.end().saturating_sub(*rule.statuses.start()));
        Self(rules.into_boxed_slice())
    }

    /// What the narrowest rule says of a status, if one speaks of it.
    #[must_use]
    pub fn ttl(&self, status: u16) -> Option<Ttl> {
        self.0.iter().find(|rule| rule.statuses.contains(&status)).map(|rule| rule.ttl)
    }
}
