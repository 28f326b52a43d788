//! One line while it is written: bounded, and closed to whatever a client would like to put on a line of its own.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::time;
use crate::message::request_id::RequestId;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The longest text of an address, with an embedded IPv4 address.
const IPV6_LENGTH: usize = 45;

/// How values are made harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As within a JSON string. UTF-8 stays; a byte that belongs to none becomes the code point of the same number.
    Json,
    /// Quotes, backslashes, controls and bytes outside ASCII as `\xNN`.
    Text,
}

/// What a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Absent,
    Bytes(&'a [u8]),
    /// In quotes of its own.
    Quoted(&'a [u8]),
    Number(u64),
    Id(u128),
    /// The same in its other form, that of `x-amz-apigw-id`.
    ExtendedId(u128),
    Ip(IpAddr),
    /// Microseconds since the UNIX epoch, as a date of the common log format.
    Date(u64),
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::from(text.map(str::as_bytes))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        bytes.filter(|bytes| !bytes.is_empty()).map_or(Value::Absent, Value::Bytes)
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Value::Absent, Value::Number)
    }
}

/// Appends to a page up to its limit, never beyond, so that the page never grows.
#[derive(Debug)]
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    start: usize,
    overflown: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        Self { out, limit, start, overflown: false }
    }

    /// Ends the line; takes it back and says `false` if it did not fit.
    pub(super) fn finish(mut self) -> bool {
        self.raw(b"\n");
        if self.overflown {
            self.out.truncate(self.start);
        }
        !self.overflown
    }

    /// Bytes that are known to be harmless.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if self.out.len() + bytes.len() <= self.limit {
            self.out.extend_from_slice(bytes);
        } else {
            self.overflown = true;
        }
    }

    pub(super) fn value(&mut self, value: Value<'_>, escape: Escape, absent: &'static [u8]) {
        match value {
            Value::Absent => self.raw(absent),
            Value::Bytes(bytes) => self.escaped(bytes, escape),
            Value::Quoted(bytes) => self.quoted(bytes, escape),
            Value::Number(number) => self.number(number),
            Value::Id(id) => self.raw(&RequestId(id).text()),
            Value::ExtendedId(id) => self.raw(&RequestId(id).extended()),
            Value::Ip(ip) => self.ip(ip),
            Value::Date(us) => self.raw(&time::clf(us / 1_000_000)),
        }
    }

    fn quoted(&mut self, bytes: &[u8], escape: Escape) {
        self.raw(b"\"");
        self.escaped(bytes, escape);
        self.raw(b"\"");
    }

    fn escaped(&mut self, mut rest: &[u8], escape: Escape) {
        while let Some(at) = rest.iter().position(|byte| !is_harmless(*byte)) {
            let (harmless, from) = rest.split_at(at);
            self.raw(harmless);
            rest = self.escape_first(from, escape);
        }
        self.raw(rest);
    }

    /// Writes what `bytes` begin with, and gives back what follows.
    fn escape_first<'b>(&mut self, bytes: &'b [u8], escape: Escape) -> &'b [u8] {
        let (first, rest) = match (escape, visible(bytes)) {
            (Escape::Json, Some(length)) => bytes.split_at(length),
            _ => bytes.split_at(bytes.len().min(1)),
        };
        match first {
            [byte] => self.escaped_byte(*byte, escape),
            character => self.raw(character),
        }
        rest
    }

    fn escaped_byte(&mut self, byte: u8, escape: Escape) {
        let [high, low] = hex(byte);
        match (escape, byte) {
            (Escape::Json, b'"' | b'\\') => self.raw(&[b'\\', byte]),
            (Escape::Json, _) => self.raw(&[b'\\', b'u', b'0', b'0', high, low]),
            (Escape::Text, _) => self.raw(&[b'\\', b'x', high, low]),
        }
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            used += 1;
            if number == 0 {
                break;
            }
        }
        self.raw(digits.get(digits.len() - used..).unwrap_or_default());
    }

    fn ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.ipv4(ip),
            IpAddr::V6(ip) => self.ipv6(ip),
        }
    }

    fn ipv4(&mut self, ip: Ipv4Addr) {
        let [a, b, c, d] = ip.octets();
        self.number(a.into());
        for octet in [b, c, d] {
            self.raw(b".");
            self.number(octet.into());
        }
    }

    fn ipv6(&mut self, ip: Ipv6Addr) {
        let mut text = [0; IPV6_LENGTH];
        let mut free = text.as_mut_slice();
        let written = write!(free, "{ip}").map_or(0, |()| IPV6_LENGTH - free.len());
        self.raw(text.get(..written).unwrap_or_default());
    }
}

fn is_harmless(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// The length of the character outside ASCII with which `bytes` begin, if it is one that shows, and neither ends a line nor
/// turns its direction.
fn visible(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let character = std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    let hidden =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    (!hidden && !character.is_control()).then_some(length)
}

/// Two lower-case digits.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    [digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>, escape: Escape) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out, 4_000);
        line.value(value, escape, b"-");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_bytes_are_escaped() {
        let hostile = Value::Bytes(b"a\r\nb\"c\\d\x7f\x00\xc3\xa9");
        assert_eq!(written(hostile, Escape::Text), r"a\x0d\x0ab\x22c\x5cd\x7f\x00\xc3\xa9");
        assert_eq!(written(hostile, Escape::Json), r#"a\u000d\u000ab\"c\\d\u007f\u0000é"#);
    }

    #[test]
    fn json_keeps_what_can_be_read_and_nothing_that_deceives() {
        for kept in ["é", "日本", "🦀", "a é\u{301}b"] {
            assert_eq!(written(Value::Bytes(kept.as_bytes()), Escape::Json), kept);
        }
        for (hidden, escaped) in [
            ("\u{85}", r"\u00c2\u0085"),
            ("\u{2028}", r"\u00e2\u0080\u00a8"),
            ("\u{202e}x", r"\u00e2\u0080\u00aex"),
            ("\u{feff}", r"\u00ef\u00bb\u00bf"),
        ] {
            assert_eq!(written(Value::Bytes(hidden.as_bytes()), Escape::Json), escaped);
        }
        assert_eq!(written(Value::Bytes(b"\xc3"), Escape::Json), r"\u00c3");
        assert_eq!(written(Value::Bytes(b"\xe2\x82\"\xc3\xa9"), Escape::Json), r#"\u00e2\u0082\"é"#);
        assert_eq!(written(Value::Bytes(b"\xed\xa0\x80"), Escape::Json), r"\u00ed\u00a0\u0080");
    }

    #[test]
    fn every_byte_survives_json() {
        let all: Vec<u8> = (0..=255).collect();
        let text = format!("\"{}\"", written(Value::Bytes(&all), Escape::Json));
        let back: String = serde_json::from_str(&text).unwrap();
        assert!(back.chars().map(u32::from).eq(0..=255));
    }

    #[test]
    fn numbers_and_addresses() {
        let text = |value| written(value, Escape::Text);
        assert_eq!(text(Value::Number(0)), "0");
        assert_eq!(text(Value::Number(1_234_567_890)), "1234567890");
        assert_eq!(text(Value::Number(u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(Value::Ip("192.0.2.1".parse().unwrap())), "192.0.2.1");
        let long = "1111:2222:3333:4444:5555:6666:7777:8888";
        assert_eq!(text(Value::Ip(long.parse().unwrap())), long);
        assert_eq!(text(Value::Id(0x12345678_9abc_def0_1234_56789abcdef0)), "12345678-9abc-def0-1234-56789abcdef0");
        assert_eq!(text(Value::Absent), "-");
    }

    #[test]
    fn a_line_that_does_not_fit_leaves_nothing() {
        let mut out = b"before\n".to_vec();
        let mut line = Line::new(&mut out, 12);
        line.raw(b"12345");
        assert!(!line.finish());
        assert_eq!(out, b"before\n");
        let mut line = Line::new(&mut out, 12);
        line.raw(b"1234");
        assert!(line.finish());
        assert_eq!(out, b"before\n1234\n");
    }
}
