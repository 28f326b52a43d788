//! What a request's path and query ask the demo origin for.

use std::time::Duration;

/// The longest `delay`.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How an answer should go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The connection is reset instead.
    Reset,
    /// It is not HTTP.
    Garbage,
    /// Half of the body is missing.
    Truncate,
}

/// The answer that is asked for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Wish {
    pub(super) delay: Duration,
    /// Bytes of the body; none: the usual JSON.
    pub(super) size: Option<u64>,
    pub(super) status: u16,
    pub(super) chunked: bool,
    pub(super) close: bool,
    pub(super) failure: Option<Failure>,
    /// More header lines, each with its line end.
    pub(super) lines: Vec<u8>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            size: None,
            status: 200,
            chunked: false,
            close: false,
            failure: None,
            lines: Vec::new(),
        }
    }
}

impl Wish {
    /// Reads path and query.
    ///
    /// # Errors
    /// What is wrong with a parameter, as text for the client. Unknown parameters are let through.
    pub(super) fn parse(path: &str, query: &str) -> Result<Self, &'static str> {
        let mut wish = Self::default();
        if let Some(size) = path.strip_prefix("/s").and_then(|rest| rest.parse().ok()) {
            wish.size = Some(size);
            wish.lines.extend_from_slice(b"cache-control: public, max-age=3600\r\n");
        }
        query.split('&').filter(|parameter| !parameter.is_empty()).try_for_each(|p| wish.take(p))?;
        Ok(wish)
    }

    fn take(&mut self, parameter: &str) -> Result<(), &'static str> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "delay" => self.delay = delay(value).ok_or("delay: a number with us, ms or s, at most an hour")?,
            "size" => self.size = Some(value.parse().map_err(|_| "size: a number of bytes")?),
            "status" => self.status = status(value).ok_or("status: 200 to 599")?,
            "chunked" => self.chunked = flag(value),
            "close" => self.close = flag(value),
            "fail" => self.failure = Some(failure(value).ok_or("fail: reset, garbage or truncate")?),
            "header" => self.lines.extend(line(value).ok_or("header: Name:value")?),
            _ => {}
        }
        Ok(())
    }
}

fn flag(value: &str) -> bool {
    !matches!(value, "0" | "false")
}

fn status(value: &str) -> Option<u16> {
    value.parse().ok().filter(|status| (200..=599).contains(status))
}

fn failure(value: &str) -> Option<Failure> {
    match value {
        "reset" => Some(Failure::Reset),
        "garbage" => Some(Failure::Garbage),
        "truncate" => Some(Failure::Truncate),
        _ => None,
    }
}

fn delay(value: &str) -> Option<Duration> {
    let unit = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = value.split_at_checked(unit)?;
    let number = number.parse().ok()?;
    let delay = match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => return None,
    };
    (delay <= LONGEST).then_some(delay)
}

/// `Name:value` as a header line; nothing in it may end the line or is not ASCII.
fn line(value: &str) -> Option<Vec<u8>> {
    let text = decode(value)?;
    let (name, value) = text.split_once(':')?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let printable = |c: char| c == '\t' || c == ' ' || c.is_ascii_graphic();
    let good = !name.is_empty() && name.chars().all(token) && value.chars().all(printable);
    good.then(|| format!("{name}: {}\r\n", value.trim()).into_bytes())
}

/// Undoes percent-encoding and `+`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
