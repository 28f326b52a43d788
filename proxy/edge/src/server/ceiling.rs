//! The last descriptors are not for clients: whoever asks how the gateway is must get an answer when there are too many of
//! them, and files have to be opened.
//!
//! A new descriptor has the lowest number that is free, so the number of the last connection tells how many are left: a
//! look costs nothing while there are enough. Connections to origins are not held back.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use rustix::process::{Resource, getrlimit};

/// Descriptors that are kept, or a quarter of all if that is less. Each socket may go one beyond before it looks.
const KEPT: u64 = 64;

/// The number of the first descriptor that is not for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ceiling(RawFd);

impl Ceiling {
    /// For the limit that the process has now.
    pub(super) fn of_process() -> Self {
        Self::below(getrlimit(Resource::Nofile).current)
    }

    fn below(limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self(RawFd::try_from(limit - KEPT.min(limit / 4)).unwrap_or(RawFd::MAX))
    }

    /// This is one of the last.
    pub(super) fn is_reached_by(self, descriptor: &impl AsRawFd) -> bool {
        descriptor.as_raw_fd() >= self.0
    }

    /// A copy of it would be none of the last.
    pub(super) fn has_room(self, any: &impl AsFd) -> bool {
        rustix::io::fcntl_dupfd_cloexec(any, 0).is_ok_and(|copy| !self.is_reached_by(&copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_of_few_and_of_many() {
        for (limit, want) in [(Some(100), 75), (Some(65_536), 65_472), (Some(0), 0), (None, RawFd::MAX)] {
            assert_eq!(Ceiling::below(limit), Ceiling(want));
        }
    }

    #[test]
    fn what_is_free_is_seen() {
        let any = std::io::stdin();
        assert!(Ceiling::of_process().has_room(&any));
        assert!(!Ceiling(0).has_room(&any) && Ceiling(0).is_reached_by(&any));
    }
}
