//! Statuses of answers, one or a class of them: `404`, `5xx`.

use std::fmt;
use std::ops::RangeInclusive;

/// Not a status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no status from 200 to 599 and no class 2xx, 3xx, 4xx or 5xx")]
pub struct StatusPatternError(pub String);

/// One status, or all of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusPattern {
    /// 200 to 599.
    Code(u16),
    /// 2 to 5, the first digit.
    Class(u16),
}

impl StatusPattern {
    /// Checks `text`.
    ///
    /// # Errors
    /// It is neither a final status nor a class of them.
    pub fn parse(text: &str) -> Result<Self, StatusPatternError> {
        let bad = || StatusPatternError(text.into());
        match text {
            "2xx" => return Ok(Self::Class(2)),
            "3xx" => return Ok(Self::Class(3)),
            "4xx" => return Ok(Self::Class(4)),
            "5xx" => return Ok(Self::Class(5)),
            _ => {}
        }
        let plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let code = text.parse().ok().filter(|code| plain && (200..=599).contains(code));
        code.map(Self::Code).ok_or_else(bad)
    }

    /// The statuses that it means.
    pub fn range(self) -> RangeInclusive<u16> {
        match self {
            Self::Code(code) => code..=code,
            Self::Class(class) => class * 100..=class * 100 + 99,
        }
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, range) in [("404", 404..=404), ("5xx", 500..=599), ("200", 200..=200), ("2xx", 200..=299)] {
            let pattern = StatusPattern::parse(text).unwrap();
            assert_eq!((pattern.range(), pattern.to_string().as_str()), (range, text));
        }
        for bad in ["", "xx", "1xx", "6xx", "199", "600", "40x", "+404", "0404", "5XX", "55xx", "4 4", "-1"] {
            assert!(StatusPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
