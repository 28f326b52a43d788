//! What the service manager is told, as in systemd's `sd_notify(3)`. Without one there is nobody to tell.

use sd_notify::NotifyState::{self, MainPid, Ready, Reloading, Status, Stopping};

/// This process serves, and is the main one, whoever started it.
pub(super) fn serving() {
    tell(&[Ready, MainPid(std::process::id())]);
}

/// A reload begins. The time lets the manager tell it from one that it has not asked for yet.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[Reloading, now]),
        Err(_) => tell(&[Reloading]),
    }
}

/// The reload has ended; this is what came of it.
pub(super) fn reloaded(outcome: &str) {
    tell(&[Ready, Status(&outcome.replace(char::is_control, " "))]);
}

/// The process was told to stop. Not for one whose place another has taken: the service goes on.
pub(crate) fn stopping() {
    tell(&[Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Whether anybody listens makes no difference.
    let _ = sd_notify::notify(states);
}
