//! Who may have a stored answer replaced: AWS's `execute-api:InvalidateCache`.

use std::fmt;
use std::net::IpAddr;

use crate::CidrSet;

/// Somebody asks for a fresh answer in place of the stored one.
#[derive(Clone, Copy)]
pub struct Invalidation<'a> {
    /// Who is calling.
    pub source_ip: IpAddr,
    /// The ARN of the method whose answer it is, written out only where somebody reads it.
    pub method_arn: &'a dyn fmt::Display,
}

impl fmt::Debug for Invalidation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalidation({} of {})", self.source_ip, self.method_arn)
    }
}

/// Decides whether somebody may. The policy engine is one that reads the caller's and the resource's policies; a list of
/// networks is another.
pub trait InvalidateCache: fmt::Debug + Send + Sync {
    /// Whether `execute-api:InvalidateCache` is allowed.
    fn allows(&self, ask: &Invalidation<'_>) -> bool;
}

/// Callers named by network may; the method makes no difference.
impl InvalidateCache for CidrSet {
    fn allows(&self, ask: &Invalidation<'_>) -> bool {
        self.contains(ask.source_ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_named_by_network_may_and_others_may_not() {
        let set = CidrSet::new(&["10.0.0.0/8".parse().unwrap()]);
        let allows = |ip: &str| set.allows(&Invalidation { source_ip: ip.parse().unwrap(), method_arn: &"arn" });
        assert!(allows("10.1.2.3"));
        assert!(!allows("192.0.2.1"));
        assert!(!CidrSet::new(&[]).allows(&Invalidation { source_ip: [10, 0, 0, 1].into(), method_arn: &"arn" }));
    }
}
