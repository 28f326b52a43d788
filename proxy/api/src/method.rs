//! Methods: what may be done with a resource.

use std::fmt;

use crate::Integration;

/// Not one of AWS's verbs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a verb of API Gateway: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY")]
pub struct VerbError(pub String);

/// The verbs that API Gateway serves. Others reach no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Verb {
    /// GET
    Get,
    /// HEAD; not implied by GET.
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// Every verb that the resource does not name.
    Any,
}

impl Verb {
    /// Every verb that a request can have, so all but `Any`.
    pub const CONCRETE: [Verb; 7] =
        [Verb::Get, Verb::Head, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete, Verb::Options];

    /// The verb of `text`, which is case-sensitive.
    pub fn parse(text: &str) -> Result<Self, VerbError> {
        Self::from_bytes(text.as_bytes()).ok_or_else(|| VerbError(text.into()))
    }

    /// The verb of a request line; `ANY` is none that a client can send, but is taken here.
    #[inline]
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"GET" => Verb::Get,
            b"HEAD" => Verb::Head,
            b"POST" => Verb::Post,
            b"PUT" => Verb::Put,
            b"PATCH" => Verb::Patch,
            b"DELETE" => Verb::Delete,
            b"OPTIONS" => Verb::Options,
            b"ANY" => Verb::Any,
            _ => return None,
        })
    }

    /// As it stands on the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Head => "HEAD",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
            Verb::Options => "OPTIONS",
            Verb::Any => "ANY",
        }
    }

    /// May be sent again after a failure (RFC 9110 §9.2.2).
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Verb::Get | Verb::Head | Verb::Put | Verb::Delete | Verb::Options)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of concrete verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerbSet(u8);

impl VerbSet {
    /// No verb.
    pub const EMPTY: Self = Self(0);

    /// This verb; of `ANY`, which is none that a request can have, nothing.
    pub const fn one(verb: Verb) -> Self {
        match verb {
            Verb::Any => Self::EMPTY,
            verb => Self(1 << verb as u8),
        }
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The verb is one of them.
    #[inline]
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & Self::one(verb).0 != 0
    }

    /// None is.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A method: authorization is `NONE` until the policy crates bring more.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Where its requests go.
    pub integration: Integration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set = VerbSet::one(Verb::Get).and(VerbSet::one(Verb::Options));
        let has: Vec<Verb> = Verb::CONCRETE.into_iter().filter(|verb| set.contains(*verb)).collect();
        assert_eq!(has, [Verb::Get, Verb::Options]);
        assert!(!set.is_empty() && !set.contains(Verb::Any));
        assert!(VerbSet::one(Verb::Any).is_empty());
    }
}
