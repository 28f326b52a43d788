//! The clock of a worker: read once per readiness event, with the `Date` field of the second at hand.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Microseconds since 1970, for people and logs.
    pub wall_micros: u64,
    /// Nanoseconds since 1970 by the wall clock as it stood when the process began, and evenly since: for buckets and
    /// ages. What is stored with it means the same to the next process.
    pub mono: u64,
}

impl Now {
    /// Seconds since 1970.
    pub fn unix_seconds(self) -> u64 {
        self.wall_micros / 1_000_000
    }
}

/// The start of the process, common to all workers: their monotonic times can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// From the system's monotonic clock to nanoseconds since 1970, as it was at that moment; wraps.
    ahead_ns: u64,
}

impl Epoch {
    /// Now.
    pub fn start() -> Self {
        let wall_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
        Self { ahead_ns: wall_ns.wrapping_sub(monotonic_ns()) }
    }

    /// The time on the clock that was set then and has run evenly since.
    #[inline]
    pub fn mono(self) -> u64 {
        monotonic_ns().wrapping_add(self.ahead_ns)
    }
}

/// The system's monotonic clock. `Instant` reads the same one, but tells only differences, at three times the price.
#[inline]
fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Reads the time for one worker.
#[derive(Debug)]
pub struct Clock {
    epoch: Epoch,
    /// Wall clock minus monotonic clock, microseconds; read anew every second. Negative where the wall was set back.
    offset_micros: i64,
    second: u64,
    latest: u64,
    date: [u8; 29],
}

impl Clock {
    /// A clock that counts from `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        let mut clock = Self { epoch, offset_micros: 0, second: 0, latest: 0, date: *b"Thu, 01 Jan 1970 00:00:00 GMT" };
        clock.synchronise();
        clock
    }

    /// The time, by one call to the system.
    #[inline]
    pub fn now(&mut self) -> Now {
        let mono = self.epoch.mono();
        let wall_micros = (mono / 1_000).saturating_add_signed(self.offset_micros);
        if wall_micros / 1_000_000 != self.second {
            return self.synchronise();
        }
        self.latest = mono;
        Now { wall_micros, mono }
    }

    /// The monotonic time alone.
    #[inline]
    pub fn mono(&self) -> u64 {
        self.epoch.mono()
    }

    /// The monotonic time as of the last `now`, without asking the system.
    #[inline]
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// The `Date` field's value as of the last `now`.
    #[inline]
    pub fn date(&self) -> &[u8; 29] {
        &self.date
    }

    #[cold]
    fn synchronise(&mut self) -> Now {
        let mono = self.epoch.mono();
        let wall_micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
        self.offset_micros = wall_micros.wrapping_sub(mono / 1_000) as i64;
        self.second = wall_micros / 1_000_000;
        self.latest = mono;
        self.date = imf_fixdate(self.second);
        Now { wall_micros, mono }
    }
}

/// RFC 9110 §5.6.7's preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn imf_fixdate(unix_seconds: u64) -> [u8; 29] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (days, in_day) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"Xxx, 00 Xxx 0000 00:00:00 GMT";
    put(&mut text, 0, three(DAYS, days % 7));
    put(&mut text, 5, &two(day));
    put(&mut text, 8, three(MONTHS, month - 1));
    put(&mut text, 12, &two(year / 100));
    put(&mut text, 14, &two(year % 100));
    put(&mut text, 17, &two(in_day / 3_600));
    put(&mut text, 20, &two(in_day / 60 % 60));
    put(&mut text, 23, &two(in_day % 60));
    text
}

/// Year, month (1–12) and day of a count of days since 1970 (Howard Hinnant's civil calendar).
pub fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn three(table: &[u8], at: u64) -> &[u8] {
    let start = at as usize * 3;
    table.get(start..start + 3).unwrap_or(b"Xxx")
}

fn two(value: u64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

fn put(text: &mut [u8; 29], at: usize, part: &[u8]) {
    for (to, from) in text.iter_mut().skip(at).zip(part) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_even_clock_starts_at_the_wall_clocks_time_and_never_falls() {
        let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let before = wall();
        let mut clock = Clock::new(Epoch::start());
        let times: Vec<u64> = (0..1_000).map(|_| clock.now().mono).collect();
        assert!(times.is_sorted() && times[0] < times[999]);
        assert!(before <= times[0] && times[999] - before < 60_000_000_000);
    }

    #[test]
    fn known_dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&imf_fixdate(seconds)).unwrap(), text);
        }
    }
}
