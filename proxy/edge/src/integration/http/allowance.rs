//! How long is waited for an endpoint while its answer's body is read.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// A limit for each wait, and perhaps one for all of them together. What happens between two waits does not count: then the
/// endpoint waits for the client.
#[derive(Debug)]
pub(super) struct Allowance {
    each: Duration,
    all: Option<Duration>,
    since: Instant,
}

impl Allowance {
    /// So long for each wait.
    pub(super) fn each(each: Duration) -> Self {
        Self { each, all: None, since: Instant::now() }
    }

    /// No longer than this for all that are still to come.
    pub(super) fn limit(&mut self, all: Duration) {
        self.all = Some(all);
    }

    /// A wait begins; it may last until then.
    pub(super) fn begin(&mut self) -> Instant {
        self.since = Instant::now();
        self.since + self.all.map_or(self.each, |all| all.min(self.each))
    }

    /// A wait that has ended was too long: which limit that was.
    pub(super) fn over(&self) -> io::Error {
        let told = match self.all {
            Some(Duration::ZERO) => "the time of the whole call is over",
            _ => "no more came within idle_timeout",
        };
        io::Error::new(io::ErrorKind::TimedOut, told)
    }

    /// The wait has ended.
    pub(super) fn end(&mut self) {
        if let Some(all) = &mut self.all {
            *all = all.saturating_sub(self.since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How long a wait might have lasted that ended after so long.
    async fn wait(allowance: &mut Allowance, ms: u32) -> Duration {
        let allowed = allowance.begin() - Instant::now();
        tokio::time::sleep(ms * MS).await;
        allowance.end();
        allowed
    }

    #[tokio::test(start_paused = true)]
    async fn waits_share_their_time_and_pauses_are_the_callers() {
        let mut allowance = Allowance::each(60 * MS);
        assert_eq!(wait(&mut allowance, 50).await, 60 * MS);
        assert_eq!(wait(&mut allowance, 50).await, 60 * MS);
        allowance.limit(100 * MS);
        assert_eq!(wait(&mut allowance, 50).await, 60 * MS);
        tokio::time::sleep(1_000 * MS).await;
        assert_eq!(wait(&mut allowance, 40).await, 50 * MS);
        assert_eq!(wait(&mut allowance, 40).await, 10 * MS);
        assert_eq!(wait(&mut allowance, 0).await, Duration::ZERO);
        assert!(allowance.over().to_string().contains("whole call"));
        allowance.limit(100 * MS);
        assert!(allowance.over().to_string().contains("idle_timeout"));
    }
}
