//! Sizes and durations as people write them: `"512 MiB"`, `"300s"`.

use std::time::Duration;

/// Why a text is no size or duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// Digits alone.
    #[error("has no unit")]
    NoUnit,
    /// Something else after the number.
    #[error("has no unit that is known")]
    Unit,
    /// No number in front, or one that is too large.
    #[error("does not begin with a number")]
    Number,
}

/// From here on a count is as good as unlimited.
pub(super) const UNBOUNDED: u64 = u32::MAX as u64;

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// In nanoseconds.
const DURATIONS: &[(&str, u64)] =
    &[("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

/// Bytes of `"0.5 GB"`: decimal and binary units, fractions allowed.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    scaled(text, SIZES)
}

/// A duration: `us`, `ms`, `s`, `m`, `h`, fractions allowed.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    scaled(text, DURATIONS).map(Duration::from_nanos)
}

/// A text whose unit is written another way, in the way that is known: `10 mb`, `30 seconds`.
pub(super) fn usual(text: &str) -> Option<String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let lower = unit.to_ascii_lowercase();
    let known = SIZES.iter().rev().map(|(name, _)| *name).find(|name| name.to_ascii_lowercase() == lower);
    let known = known.or(match lower.as_str() {
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "min" | "mins" | "minute" | "minutes" => Some("m"),
        "hour" | "hours" => Some("h"),
        "msec" | "millis" | "milliseconds" => Some("ms"),
        _ => None,
    });
    known.map(|unit| format!("{number}{unit}"))
}

/// The shortest way to write a size.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES.iter().copied().filter(|(unit, _)| *unit != "kB").collect::<Vec<_>>(), " ")
}

/// A size for people: exact while that is short, else three digits of it.
pub(crate) fn rough_size(bytes: u64) -> String {
    let exact = show_size(bytes);
    let decimal = SIZES.iter().filter(|(unit, _)| matches!(*unit, "MB" | "GB" | "TB"));
    match decimal.filter(|(_, factor)| bytes >= *factor).max_by_key(|(_, factor)| *factor) {
        Some((unit, factor)) if exact.len() > "1024 MiB".len() => {
            let count = bytes as f64 / *factor as f64;
            let digits = if count < 10.0 { 2 } else { usize::from(count < 100.0) };
            format!("{count:.digits$} {unit}")
        }
        _ => exact,
    }
}

/// The shortest way to write a duration, in seconds where minutes are not round.
pub(super) fn show_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let seconds = DURATIONS.get(..3).unwrap_or(DURATIONS);
    let table = if nanos < 7_200_000_000_000 { seconds } else { DURATIONS };
    show(nanos, table, "")
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Result<u64, UnitError> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    if number.is_empty() {
        return Err(UnitError::Number);
    }
    if unit.is_empty() {
        return Err(UnitError::NoUnit);
    }
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(UnitError::Unit)?;
    product(number, *factor).ok_or(UnitError::Number)
}

/// Exact for whole numbers; fractions are rounded to whole bytes or nanoseconds.
fn product(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let value = number.parse::<f64>().ok()? * factor as f64;
    (value <= 2f64.powi(53)).then_some(value.round() as u64)
}

fn show(value: u64, units: &[(&str, u64)], gap: &str) -> String {
    let fits = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor) && value >= *factor;
    let best = units.iter().filter(fits).max_by_key(|(_, factor)| *factor);
    match (best, units.iter().find(|(unit, _)| *unit == "s")) {
        (Some((unit, factor)), _) => format!("{}{gap}{unit}", value / factor),
        (None, Some(_)) => format!("0{gap}s"),
        (None, None) => format!("{value}{gap}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("512 MiB"), Ok(512 << 20));
        assert_eq!(size("10MB"), Ok(10_000_000));
        assert_eq!(size("0.5 GB"), Ok(500_000_000));
        assert_eq!(size("6.1 GB"), Ok(6_100_000_000));
        assert_eq!(size("12"), Err(UnitError::NoUnit));
        assert_eq!(size("12 mb"), Err(UnitError::Unit));
        assert_eq!(size("MB"), Err(UnitError::Number));
        assert_eq!(size("1.2.3 MB"), Err(UnitError::Number));
        assert_eq!(size("-1 MB"), Err(UnitError::Number));
        assert_eq!(size("99999999999 TB"), Err(UnitError::Number));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("300s"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("5 minutes"), Err(UnitError::Unit));
        assert_eq!(duration("300"), Err(UnitError::NoUnit));
    }

    #[test]
    fn other_spellings_are_understood() {
        assert_eq!(usual("10 mb").as_deref(), Some("10 MB"));
        assert_eq!(usual("64kib").as_deref(), Some("64KiB"));
        assert_eq!(usual("30 seconds").as_deref(), Some("30 s"));
        assert_eq!(usual("3 parsecs"), None);
    }

    #[test]
    fn shown_as_they_would_be_written() {
        for text in ["512 MiB", "10 MB", "500 MB", "64 KiB", "1 B"] {
            assert_eq!(show_size(size(text).unwrap()), text);
            assert_eq!(rough_size(size(text).unwrap()), text);
        }
        for text in ["0s", "50ms", "300s", "3600s", "24h"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn long_sizes_are_rounded_for_people() {
        for (bytes, text) in
            [(752, "752 B"), (999_999, "999999 B"), (432_891_136, "433 MB"), (57_126_258_176, "57.1 GB")]
        {
            assert_eq!(rough_size(bytes), text);
        }
        assert_eq!(rough_size(1_234_567), "1.23 MB");
        assert_eq!(rough_size(1_500 << 20), "1500 MiB");
    }
}
