//! Single values: what was written, read as what the catalogue asks for.

use std::time::Duration;

use toml::de::DeValue;

use super::keys::{Absent, Key, Kind, quoted};
use super::nearest::did_you_mean;
use super::rules::{self, Rule};
use super::units::{self, UnitError};

/// A scalar, out of the file or out of the catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Integer(i128),
    Float(f64),
    Flag(bool),
    /// Another type, by its name.
    Other(&'static str),
}

/// Why a value was refused.
pub(super) struct Problem {
    pub(super) rule: &'static Rule,
    pub(super) message: String,
    pub(super) help: String,
}

impl<'a> Scalar<'a> {
    pub(super) fn of(value: &'a DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Scalar::Text(text),
            DeValue::Integer(n) => match i128::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Scalar::Integer(n),
                Err(_) => Scalar::Other("number too large to be one"),
            },
            DeValue::Float(f) => f.as_str().parse().map_or(Scalar::Other("float"), Scalar::Float),
            DeValue::Boolean(flag) => Scalar::Flag(*flag),
            DeValue::Datetime(_) => Scalar::Other("date"),
            DeValue::Array(_) => Scalar::Other("array"),
            DeValue::Table(_) => Scalar::Other("table"),
        }
    }

    pub(super) fn default_of(key: &Key) -> Option<Scalar<'static>> {
        match key.default {
            Absent::Required | Absent::Unset(_) | Absent::Empty => None,
            Absent::Text(text) => Some(Scalar::Text(text)),
            Absent::Integer(n) => Some(Scalar::Integer(n.into())),
            Absent::Flag(flag) => Some(Scalar::Flag(flag)),
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Scalar::Text(_) => "text",
            Scalar::Integer(_) => "whole number",
            Scalar::Float(_) => "number",
            Scalar::Flag(_) => "boolean",
            Scalar::Other(name) => name,
        }
    }
}

pub(super) fn flag(key: &Key, value: Scalar<'_>) -> Result<bool, Problem> {
    match value {
        Scalar::Flag(flag) => Ok(flag),
        _ => Err(wrong_type(key, value)),
    }
}

pub(super) fn integer(key: &Key, value: Scalar<'_>) -> Result<u64, Problem> {
    let (Scalar::Integer(n), Kind::Integer(least, most)) = (value, &key.kind) else {
        return Err(wrong_type(key, value));
    };
    let fits = u64::try_from(n).ok().filter(|n| (*least..=*most).contains(n));
    fits.ok_or_else(|| out_of_range(key, n, (i128::from(*least), i128::from(*most)), |n| n.to_string()))
}

pub(super) fn number(key: &Key, value: Scalar<'_>) -> Result<f64, Problem> {
    let n = match value {
        Scalar::Integer(n) => n as f64,
        Scalar::Float(f) if f.is_finite() => f,
        _ => return Err(wrong_type(key, value)),
    };
    match key.kind {
        Kind::Number(least, most) if (least..=most).contains(&n) => Ok(n),
        Kind::Number(least, most) => Err(out_of_range(key, n, (least, most), |n| n.to_string())),
        _ => Err(wrong_type(key, value)),
    }
}

pub(super) fn size(key: &Key, value: Scalar<'_>) -> Result<u64, Problem> {
    let Kind::Size(least, most) = key.kind else { return Err(wrong_type(key, value)) };
    let bytes = with_unit(key, value, units::size, "B, KiB, MiB, GiB, TiB, kB, MB, GB or TB", "MiB")?;
    match (least..=most).contains(&bytes) {
        true => Ok(bytes),
        false => Err(out_of_range(key, bytes, (least, most), |n| format!("\"{}\"", units::show_size(n)))),
    }
}

pub(super) fn duration(key: &Key, value: Scalar<'_>) -> Result<Duration, Problem> {
    let Kind::Duration(least, most) = key.kind else { return Err(wrong_type(key, value)) };
    let time = with_unit(key, value, units::duration, "us, ms, s, m or h", "s")?;
    match (least..=most).contains(&time) {
        true => Ok(time),
        false => Err(out_of_range(key, time, (least, most), |t| format!("\"{}\"", units::show_duration(t)))),
    }
}

pub(super) fn text<'a>(key: &Key, value: Scalar<'a>) -> Result<&'a str, Problem> {
    let Scalar::Text(text) = value else { return Err(wrong_type(key, value)) };
    match key.kind {
        Kind::Choice(names) if !names.contains(&text) => Err(Problem {
            rule: &rules::BAD_VALUE,
            message: format!("'{}' is one of {}, not \"{text}\"", key.name, quoted(names)),
            help: did_you_mean(text, names),
        }),
        _ => Ok(text),
    }
}

pub(super) fn wrong_type(key: &Key, value: Scalar<'_>) -> Problem {
    let help = match key.default {
        Absent::Text(text) => format!("the default is {} = \"{text}\"", key.name),
        Absent::Integer(n) => format!("the default is {} = {n}", key.name),
        Absent::Flag(flag) => format!("the default is {} = {flag}", key.name),
        Absent::Required | Absent::Unset(_) | Absent::Empty => format!("write {}", key.kind.describe()),
    };
    let message = format!("'{}' is {}, not {}", key.name, key.kind.describe(), instead(&key.kind, value));
    Problem { rule: &rules::WRONG_TYPE, message, help }
}

/// What stands there, for "'x' is a whole number, not …".
fn instead(kind: &Kind, value: Scalar<'_>) -> String {
    match (kind, value) {
        (_, Scalar::Float(f)) if !f.is_finite() => "nan or inf".into(),
        (Kind::Integer(..), Scalar::Float(_)) => "one with a fraction".into(),
        _ => format!("a {}", value.type_name()),
    }
}

fn out_of_range<T: PartialOrd + Copy>(key: &Key, found: T, (least, most): (T, T), show: fn(T) -> String) -> Problem {
    let bound = show(if found < least { least } else { most });
    let (found, least, most) = (show(found), show(least), show(most));
    Problem {
        rule: &rules::OUT_OF_RANGE,
        message: format!("'{}' is {least} to {most}, not {found}", key.name),
        help: format!("write {bound}"),
    }
}

fn with_unit<T>(
    key: &Key,
    value: Scalar<'_>,
    read: fn(&str) -> Result<T, UnitError>,
    units: &str,
    usual: &str,
) -> Result<T, Problem> {
    let (text, error) = match value {
        Scalar::Integer(n) => (n.to_string(), UnitError::NoUnit),
        Scalar::Float(f) => (f.to_string(), UnitError::NoUnit),
        Scalar::Text(text) => match read(text) {
            Ok(read) => return Ok(read),
            Err(error) => (text.to_owned(), error),
        },
        Scalar::Flag(_) | Scalar::Other(_) => return Err(wrong_type(key, value)),
    };
    let help = match error {
        UnitError::NoUnit if usual == "s" => format!("write \"{text}s\""),
        UnitError::NoUnit => format!("write \"{text} {usual}\", or whichever unit is meant"),
        UnitError::Unit => match units::usual(&text) {
            Some(usual) => format!("write \"{usual}\""),
            None => format!("units are {units}"),
        },
        UnitError::Number => format!("write {}", key.kind.describe()),
    };
    let message = format!("'{}' is {}; {text} {error}", key.name, key.kind.describe());
    Err(Problem { rule: &rules::WRONG_UNIT, message, help })
}
