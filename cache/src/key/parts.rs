//! A key read back into its parts, for explain and for purges that look inside.

use super::{ABSENT, VALUE, VALUES};

/// One part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// The request did not have it.
    Absent,
    /// Its one value, perhaps empty.
    Value(&'a [u8]),
    /// All of its values in order.
    Values(Values<'a>),
}

/// Iterates over the parts of a key; ends early at bytes that no key writer made.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Reads the bytes of a key.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn values(&mut self) -> Option<Part<'a>> {
        let count = length(&mut self.rest)?;
        let start = self.rest;
        for _ in 0..count {
            counted(&mut self.rest)?;
        }
        let used = start.len() - self.rest.len();
        Some(Part::Values(Values { rest: start.get(..used)? }))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (marker, rest) = self.rest.split_first()?;
        self.rest = rest;
        match *marker {
            ABSENT => Some(Part::Absent),
            VALUE => counted(&mut self.rest).map(Part::Value),
            VALUES => self.values(),
            _ => None,
        }
    }
}

/// The values of a parameter that has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        counted(&mut self.rest)
    }
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = length(rest)?;
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(value)
}
